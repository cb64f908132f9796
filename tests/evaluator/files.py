"""Makes the files that the tests read: volumes byte by byte, so that they can be wrong on purpose."""

import gzip
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from numpy.typing import DTypeLike, NDArray

SHAPE = (7, 5, 3)
Array = NDArray[Any]
Endian = Literal["<", ">"]


def header(
    shape: tuple[int, ...] = SHAPE,
    *,
    dtype: DTypeLike = "f4",
    endian: Endian = "<",
    version: int = 1,
    slope: float | None = None,
    intercept: float = 0.0,
    **fields: object,
) -> bytes:
    """Give a header up to where its volume starts; `fields` are set last, as they are."""
    made = Nifti1Header(endianness=endian) if version == 1 else Nifti2Header(endianness=endian)
    made.set_data_dtype(np.dtype(dtype).newbyteorder(endian))
    made.set_data_shape(shape)
    made.set_data_offset(made.single_vox_offset)
    if slope is not None:
        made["scl_slope"], made["scl_inter"] = slope, intercept
    for name, value in fields.items():
        made[name] = value
    return bytes(made.binaryblock).ljust(made.single_vox_offset, b"\0")


def voxels(array: Array, *, dtype: DTypeLike = "f4", endian: Endian = "<") -> bytes:
    """Give a volume's bytes as NIfTI stores them."""
    return array.astype(np.dtype(dtype).newbyteorder(endian)).tobytes(order="F")


def packed(content: bytes) -> bytes:
    """Compress without a name or a time."""
    return gzip.compress(content, 1, mtime=0)


def volume(array: Array, *, dtype: DTypeLike = "f4", endian: Endian = "<", **options: Any) -> bytes:
    """Give a whole .nii.gz file."""
    head = header(array.shape, dtype=dtype, endian=endian, **options)
    return packed(head + voxels(array, dtype=dtype, endian=endian))


def write(path: Path, content: bytes) -> Path:
    """Write a file, and its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def as_nibabel_reads(path: Path) -> Array:
    """Give the scores as the oracle has them: nibabel's half precision, clamped."""
    image = nibabel.Nifti1Image if is_first_version(path) else nibabel.Nifti2Image
    with np.errstate(all="ignore"):
        return np.clip(np.asarray(image.from_filename(path).get_fdata(dtype=np.float16)), 0, 1)


def is_first_version(path: Path) -> bool:
    """NIfTI-1, not -2."""
    return b"n+1\0" in gzip.decompress(path.read_bytes())[:348]
