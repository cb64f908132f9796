"""Normal scans of any origin, brought into the challenge's form: a cube of float32 in [0, 1].

Orientation comes from the header and goes to the closest canonical one (x right, y front, z up); a scan
whose header says nothing about orientation is refused rather than guessed. Intensity follows a fixed window
for CT and robust percentiles for MR; the window that was used is given back.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from scipy import ndimage

Array = npt.NDArray[np.float32]
CT_WINDOW = (-1000.0, 1000.0)  # HU: air to dense bone
MR_PERCENTILES = (0.5, 99.5)  # of the voxels above 0
CT_BELOW = -200.0  # HU; no MR intensity goes there, air in every CT does
CT_SHARE = 0.01  # of the voxels that must lie below CT_BELOW
CONTENT = 0.02  # after windowing; darker borders are cropped
MARGIN = 0.03  # of the content's largest side, left free around it
SMALLEST_SIDE = 8  # voxels; less is not a volume


class Modality(StrEnum):
    """How intensities are read."""

    CT = "ct"
    MR = "mr"


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A scan in the challenge's form."""

    volume: Array  # (size, size, size), [0, 1]
    affine: npt.NDArray[np.float64]  # voxel to mm, of the cube
    modality: Modality
    window: tuple[float, float]  # source intensities that became 0 and 1


def scan_paths(folder: Path) -> list[Path]:
    """List the volumes of a folder by name. Raises ValueError naming the folder where there are none."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder; it should hold normal scans as .nii or .nii.gz")
    paths = sorted(p for p in folder.iterdir() if p.name.endswith((".nii", ".nii.gz")) and p.is_file())
    if not paths:
        raise ValueError(f"{folder}: holds no .nii or .nii.gz file")
    return paths


def read_scan(path: Path, *, size: int, modality: Modality | None = None) -> Scan:
    """Read a scan into a cube of `size` voxels a side; the modality is looked up in the values if not given.

    Raises ValueError naming the file and what is wrong with it.
    """
    array, affine = _canonical(path)
    modality = modality or modality_of(array)
    window = CT_WINDOW if modality is Modality.CT else _mr_window(path, array)
    scaled = (array - np.float32(window[0])) / np.float32(window[1] - window[0])
    np.clip(scaled, 0, 1, out=scaled)
    spacing = nib.affines.voxel_sizes(affine)
    box = _content(path, scaled)
    volume, corner_mm, voxel_mm = _cube(scaled[box], spacing, size)
    first = np.array([part.start for part in box])
    placed = affine.copy()
    placed[:3, :3] = affine[:3, :3] / spacing * voxel_mm
    placed[:3, 3] = affine[:3, 3] + affine[:3, :3] @ (first + corner_mm / spacing)
    return Scan(volume=volume, affine=placed, modality=modality, window=window)


def modality_of(array: Array) -> Modality:
    """CT has air far below zero, in HU; MR never goes there."""
    below = np.count_nonzero(array < CT_BELOW) / array.size
    return Modality.CT if below >= CT_SHARE else Modality.MR


def _canonical(path: Path) -> tuple[Array, npt.NDArray[np.float64]]:
    """Give the voxels and the affine with axes turned to right, front, up, as the header says."""
    try:
        image = nib.load(path)
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as NIfTI: {error}") from error
    if not isinstance(image, nib.Nifti1Image):
        raise ValueError(f"{path}: is {type(image).__name__}, not NIfTI")  # noqa: TRY004  theirs, not a wrong call
    shape = tuple(side for side in image.shape if side > 1)
    if len(shape) != 3 or min(shape) < SMALLEST_SIDE:  # noqa: PLR2004  a volume
        raise ValueError(f"{path}: shape {image.shape} is not one 3D volume")
    header = image.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        raise ValueError(
            f"{path}: its header has neither sform nor qform, so left and right are unknown; set one of them"
        )
    if not np.isfinite(image.affine).all() or np.linalg.det(image.affine[:3, :3]) == 0:
        raise ValueError(f"{path}: its affine is not invertible: {image.affine.tolist()}")
    turned = nib.as_closest_canonical(nib.funcs.squeeze_image(image))
    try:
        array = np.asarray(turned.dataobj, dtype=np.float32)
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: its voxels cannot be read: {error}") from error
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: {np.count_nonzero(~np.isfinite(array))} voxels are not finite")
    return array, turned.affine


def _mr_window(path: Path, array: Array) -> tuple[float, float]:
    bright = array[array > 0]
    if bright.size == 0:
        raise ValueError(f"{path}: no voxel is above 0")
    top = float(np.percentile(bright, MR_PERCENTILES[1]))
    # Skull-stripped scans have a background of exact zeros: that stays 0, whatever the darkest tissue is.
    low = 0.0 if (array == 0).any() else float(np.percentile(array, MR_PERCENTILES[0]))
    if top <= low:
        raise ValueError(f"{path}: intensities from {low} to {top} leave nothing to see")
    return low, top


def _content(path: Path, scaled: Array) -> tuple[slice, slice, slice]:
    """Give the smallest box that holds everything brighter than background."""
    seen = scaled > CONTENT
    found = []
    for axis in range(3):
        filled = np.flatnonzero(seen.any(axis=tuple(a for a in range(3) if a != axis)))
        if filled.size < SMALLEST_SIDE:
            raise ValueError(f"{path}: only {filled.size} slices along axis {axis} show anything")
        found.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return found[0], found[1], found[2]


def _cube(content: Array, spacing: npt.NDArray[np.float64], size: int) -> tuple[Array, npt.NDArray[np.float64], float]:
    """Resample to isotropic voxels in a padded cube, aspect kept.

    Gives the cube, its first voxel's centre in mm from the content's first voxel, and the voxel's side in mm.
    """
    sides_mm = np.array(content.shape) * spacing
    voxel_mm = float(sides_mm.max() * (1 + 2 * MARGIN) / size)
    # Shrinking without a filter would let fine detail through as patterns that no scan has.
    sigma = np.maximum(voxel_mm / spacing - 1, 0) * 0.5
    smooth = ndimage.gaussian_filter(content, sigma) if sigma.any() else content
    step = voxel_mm / spacing  # source voxels for each voxel of the cube
    first = (np.array(content.shape) - 1) / 2 - step * (size - 1) / 2
    cube = np.empty((size, size, size), dtype=np.float32)
    # Linear: overshoot at edges, as higher orders have, would look like an anomaly.
    ndimage.affine_transform(smooth, step, first, output=cube, order=1, mode="constant", cval=0.0)
    return np.clip(cube, 0, 1, out=cube), first * spacing, voxel_mm
