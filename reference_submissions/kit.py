"""What every reference submission shares: a folder of scans in, a folder of predictions out.

Travels into the image beside numpy and nibabel and imports nothing else. A scan is read once.
"""

import argparse
import gzip
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Model = Callable[[Array], "Array | float"]


@dataclass(frozen=True, kw_only=True)
class Call:
    """How an entry script calls a method's predict.py."""

    task: str  # sample or pixel
    dataset: str  # brain or abdom
    data: Path  # *.nii.gz, one scan each
    pred: Path  # where the predictions go

    @classmethod
    def parse(cls, arguments: list[str]) -> "Call":
        """Read the command line; argparse ends the program when it is wrong."""
        parser = argparse.ArgumentParser()
        parser.add_argument("task", choices=("sample", "pixel"))
        parser.add_argument("dataset", choices=("brain", "abdom"))
        parser.add_argument("data", type=Path)
        parser.add_argument("pred", type=Path)
        return cls(**vars(parser.parse_args(arguments)))


def main(model_of: Callable[[Call], Model], arguments: list[str] | None = None) -> None:
    """Predict every scan of a folder: `model_of` gives the function from a scan to a score or a score map."""
    call = Call.parse(sys.argv[1:] if arguments is None else arguments)
    model = model_of(call)
    for path in sorted(call.data.glob("*.nii.gz")):
        image, scan = read(path)
        prediction = model(scan)
        if call.task == "sample":
            (call.pred / f"{path.name}.txt").write_text(f"{float(prediction)!r}\n")
        else:
            write(call.pred / path.name, np.broadcast_to(np.float32(prediction), scan.shape), image)
        print(path.name, "done", flush=True)


def read(path: Path) -> tuple[Any, Array]:
    """Give a scan's image, for its header, and its voxels."""
    image = nib.Nifti1Image.from_filename(path)
    return image, np.asarray(image.dataobj, dtype=np.float32)


def write(path: Path, scores: Array, like: Any) -> None:
    """Write a score map with the scan's own header and affine, as float32.

    Level 1: more effort would cost more time than it saves bytes.
    """
    header = like.header.copy()
    header.set_data_dtype(np.float32)
    header.set_slope_inter(1, 0)
    image = nib.Nifti1Image(np.asarray(scores, dtype=np.float32), like.affine, header)
    with gzip.open(path, "wb", compresslevel=1) as packed:
        image.to_stream(packed)


def scans(folder: Path) -> Iterator[Array]:
    """Give the voxels of every scan of a folder, by name."""
    for path in sorted(folder.glob("*.nii.gz")):
        yield read(path)[1]
