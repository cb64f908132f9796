"""Scans in, score maps out: a scan is read once, a map keeps its header."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from reference_submissions.kit.detector import Array


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A volume, and what its file says of where it lies."""

    voxels: Array  # (x, y, z)
    header: Any  # nibabel's
    affine: Any  # (4, 4), or None


def read(path: Path) -> Scan:
    """Read a scan. Raises what nibabel raises."""
    image = nib.Nifti1Image.from_filename(path)
    return Scan(voxels=np.asarray(image.dataobj, dtype=np.float32), header=image.header, affine=image.affine)


def write(path: Path, scores: Array, like: Scan) -> None:
    """Write a score map as float32, with the header and the affine of its scan.

    Level 1: more effort would cost more time than it saves bytes.
    """
    header = like.header.copy()
    header.set_data_dtype(np.float32)
    header.set_slope_inter(1, 0)
    image = nib.Nifti1Image(np.asarray(scores, dtype=np.float32), like.affine, header)
    with gzip.open(path, "wb", compresslevel=1) as packed:
        image.to_stream(packed)
