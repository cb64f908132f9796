"""How the toy tools put a volume on disk: the same array gives the same bytes, every time."""

import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

WRITTEN_AT = 946684800  # 2000-01-01; how long a case took to make would say what it is
LEVEL = 1  # noise does not pack; higher levels cost seconds at 256³ and save a few per cent


def write_volume(path: Path, volume: npt.NDArray[np.generic], affine: npt.NDArray[np.float64]) -> None:
    """Write a 3D array as `.nii.gz` with its own dtype; neither the gzip header nor the file's time tells more."""
    image = nib.Nifti1Image(volume, affine)
    image.header.set_xyzt_units("mm")
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=LEVEL, mtime=0) as packed,
    ):
        image.to_stream(packed)
    os.utime(path, (WRITTEN_AT, WRITTEN_AT))
