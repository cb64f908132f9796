"""How the toy tools put files on disk: the same content gives the same bytes and times, whole or not at all.

A file is written under a hidden name and renamed when it is complete.
"""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

WRITTEN_AT = 946684800  # 2000-01-01; how long a case took to make would say what it is
LEVEL = 1  # noise does not pack; higher levels cost seconds at 256³ and save a few per cent
PART = ".part"  # ends the name of a file that is being written


def write_volume(path: Path, volume: npt.NDArray[np.generic], affine: npt.NDArray[np.float64]) -> None:
    """Write a 3D array as `.nii.gz` with its own dtype; neither the gzip header nor the file's time tells more."""
    image = nib.Nifti1Image(volume, affine)
    image.header.set_xyzt_units("mm")
    with (
        _complete(path) as part,
        part.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=LEVEL, mtime=0) as packed,
    ):
        image.to_stream(packed)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file likewise."""
    with _complete(path) as part:
        part.write_bytes(content)


def remove_parts(folder: Path) -> None:
    """Remove what a killed process left half written."""
    for path in folder.rglob(f".*{PART}"):
        path.unlink(missing_ok=True)


@contextmanager
def _complete(path: Path) -> Iterator[Path]:
    """Give a name to write to; it becomes the path unless something fails."""
    part = path.with_name(f".{path.name}{PART}")
    try:
        yield part
        os.utime(part, (WRITTEN_AT, WRITTEN_AT))
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
