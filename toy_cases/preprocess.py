"""From a scan as it was stored to the challenge's form: a box of float32 in [0, 1] in the data set's grid.

Axes are turned by the affine to the closest of right, front, up and nothing else is flipped; what lies round
the body is cropped; intensity follows a window for CT and robust percentiles for MR, and the window that was
used is given back; voxels become isotropic, aspect kept. What cannot be a scan is refused by name: this
module alone says what is accepted, whatever the file format was.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from scipy import ndimage

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Affine = npt.NDArray[np.float64]
Grid = tuple[int, int, int]
Box = tuple[slice, slice, slice]

GRIDS = {"brain": 256, "abdom": 512}  # voxels a side, as published
CT_WINDOW = (-1000.0, 1000.0)  # HU: air to dense bone
MR_PERCENTILES = (0.5, 99.5)  # of the voxels above 0
CT_BELOW = -200.0  # HU; no MR intensity goes there, air in every CT does
CT_SHARE = 0.01  # of the voxels that must lie below CT_BELOW
CT_DENSE = (500.0, 0.2)  # HU and share: no fifth of a person is bone; a file without its rescale intercept looks so
CONTENT = 0.1  # after windowing; darker is air, its noise included
COARSE_SIDE = 64  # cells; the body is looked for on means over them
PART_SHARE = 0.05  # of the largest part's cells; smaller parts are no body
MARGIN = 0.03  # of the content's largest side, left round it
SMALLEST_SIDE = 8  # voxels; less is not a volume
BODY_MM = (30.0, 2500.0)  # the largest side of anything from a newborn's head to a whole person
FLATTEST = 50  # the largest side by the smallest; not even a slab of a few slices is flatter
MOST_VOXELS = 2**30  # that a source reads: 4 GiB as float32
NOISE = 0.2  # neighbours in a scan are alike (correlation above 0.8), in noise alone they are not


class Modality(StrEnum):
    """How intensities are read."""

    CT = "ct"
    MR = "mr"


@dataclass(frozen=True, kw_only=True)
class Voxels:
    """A scan as it was stored, but for its axes: x right, y front, z up, as close as they come."""

    name: str  # what messages call it
    array: Array  # HU for CT
    affine: Affine  # voxel to mm
    modality: Modality | None = None  # where the file itself says so


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A scan in the challenge's form."""

    volume: Array  # as the grid, [0, 1]
    affine: Affine  # voxel to mm, of the grid
    modality: Modality
    window: tuple[float, float]  # source intensities that became 0 and 1


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was found in a scan that is accepted."""

    modality: Modality
    window: tuple[float, float]
    box: Box  # the body


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where a grid lies in a scan."""

    box: Box  # source voxels that are used: the body and a margin
    grid: Grid
    step: Affine  # (3,) source voxels for each voxel of the grid
    first: Affine  # (3,) the grid's first voxel, in source voxels from the box's corner
    affine: Affine  # the grid's own


def oriented(name: str, array: Array, affine: Affine, modality: Modality | None = None) -> Voxels:
    """Turn the axes to the closest of right, front, up. Raises ValueError naming the scan where that is unknown."""
    shape = array.shape
    if len(shape) != 3 or min(shape) < SMALLEST_SIDE:  # noqa: PLR2004  a volume
        raise ValueError(f"{name}: shape {shape} is not one 3D volume")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:  # noqa: PLR2004  mm³
        raise ValueError(f"{name}: its affine is not invertible: {affine.tolist()}")
    turn = io_orientation(affine)
    return Voxels(
        name=name,
        array=apply_orientation(array, turn),
        affine=np.asarray(affine @ inv_ornt_aff(turn, shape)),
        modality=modality,
    )


def grid_of(size: int | Grid) -> Grid:
    """Give a box's sides; one number is a cube. Raises ValueError below SMALLEST_SIDE."""
    grid = (size, size, size) if isinstance(size, int) else size
    if len(grid) != 3 or min(grid) < SMALLEST_SIDE:  # noqa: PLR2004  a volume
        raise ValueError(f"a grid of {size} voxels: three sides of {SMALLEST_SIDE} or more are needed")
    return grid


def prepare(
    voxels: Voxels,
    size: int | Grid,
    *,
    modality: Modality | None = None,
    window: tuple[float, float] | None = None,
) -> Scan:
    """Bring a scan into the challenge's form. Raises ValueError naming it and what is wrong with it."""
    reading = examine(voxels, modality=modality, window=window)
    frame = frame_of(voxels, reading.box, size)
    volume = resampled(windowed(voxels.array[frame.box], reading.window), frame)
    return Scan(volume=volume, affine=frame.affine, modality=reading.modality, window=reading.window)


def examine(voxels: Voxels, *, modality: Modality | None = None, window: tuple[float, float] | None = None) -> Reading:
    """Find modality, window and body, or say why this is no scan (ValueError naming it).

    A modality that is told and one that the file names must agree; where neither is there, the values decide.
    """
    name, array = voxels.name, voxels.array
    odd = array.size - int(np.count_nonzero(np.isfinite(array)))
    if odd:
        raise ValueError(f"{name}: {odd} voxels are not finite")
    low, high = array.min(), array.max()
    if low == high:
        raise ValueError(f"{name}: every voxel is {low}: nothing to see")
    if ((array == low) | (array == high)).all():
        raise ValueError(f"{name}: holds {low} and {high} alone: a mask, not a scan")
    modality = _modality(voxels, modality)
    window = window or (CT_WINDOW if modality is Modality.CT else _mr_window(name, array))
    if not window[0] < window[1]:
        raise ValueError(f"{name}: a window from {window[0]} to {window[1]} leaves nothing to see")
    scaled = windowed(array, window)
    box = _body(name, scaled)
    _verify_alike(name, scaled[box])
    _verify_extent(name, box, voxel_sizes(voxels.affine))
    return Reading(modality=modality, window=window, box=box)


def modality_of(array: Array) -> Modality:
    """CT has air far below zero, in HU; MR never goes there."""
    below = np.count_nonzero(array < CT_BELOW) / array.size
    return Modality.CT if below >= CT_SHARE else Modality.MR


def windowed(array: Array, window: tuple[float, float]) -> Array:
    """Map the window to [0, 1] and clip what lies outside."""
    scaled = (array - np.float32(window[0])) / np.float32(window[1] - window[0])
    return np.asarray(np.clip(scaled, 0, 1, out=scaled), dtype=np.float32)


def frame_of(voxels: Voxels, box: Box, size: int | Grid) -> Frame:
    """Lay a grid of isotropic voxels round the body: as large as the longest side allows, its middle kept."""
    grid = grid_of(size)
    spacing = voxel_sizes(voxels.affine)
    start = np.array([part.start for part in box])
    sides = np.array([part.stop - part.start for part in box])
    sides_mm = sides * spacing
    margin_mm = MARGIN * sides_mm.max()
    voxel_mm = float(((sides_mm + 2 * margin_mm) / grid).max())
    step = voxel_mm / spacing
    first = start + (sides - 1) / 2 - step * (np.array(grid) - 1) / 2
    # Dark rims of the body lie in the margin: what is there is kept, and only beyond it is nothing.
    room = np.ceil(margin_mm / spacing).astype(int)
    low = np.maximum(start - room, 0)
    high = np.minimum(start + sides + room, voxels.array.shape)
    placed = voxels.affine.copy()
    placed[:3, :3] = voxels.affine[:3, :3] * step
    placed[:3, 3] = voxels.affine[:3, 3] + voxels.affine[:3, :3] @ first
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return Frame(box=(x, y, z), grid=grid, step=step, first=first - low, affine=placed)


def resampled(part: Array, frame: Frame) -> Array:
    """Interpolate what `frame.box` holds, in [0, 1], on the grid; 0 where the scan has nothing."""
    # Shrinking without a filter would let fine detail through as patterns that no scan has.
    sigma = np.maximum(frame.step - 1, 0) * 0.5
    smooth = ndimage.gaussian_filter(part, sigma) if sigma.any() else part
    volume = np.empty(frame.grid, dtype=np.float32)
    # Linear: overshoot at edges, as higher orders have, would look like an anomaly.
    ndimage.affine_transform(smooth, frame.step, frame.first, output=volume, order=1, mode="constant", cval=0.0)
    return np.clip(volume, 0, 1, out=volume)


def _modality(voxels: Voxels, told: Modality | None) -> Modality:
    own = voxels.modality
    if told and own and told is not own:
        raise ValueError(f"{voxels.name}: is {own} by its header, but was told to be {told}")
    known = told or own
    if known is not Modality.CT:
        return known or modality_of(voxels.array)
    value, share = CT_DENSE
    if modality_of(voxels.array) is Modality.MR and np.mean(voxels.array > value) > share:
        raise ValueError(
            f"{voxels.name}: is not CT in HU: nothing is as dark as air and {share:.0%} lies above {value:.0f}; "
            "its rescale intercept (often -1024) seems to be missing"
        )
    return known


def _mr_window(name: str, array: Array) -> tuple[float, float]:
    bright = array[array > 0]
    if bright.size == 0:
        raise ValueError(f"{name}: no voxel is above 0")
    top = float(np.percentile(bright, MR_PERCENTILES[1]))
    # Skull-stripped scans have a background of exact zeros: that stays 0, whatever the darkest tissue is.
    low = 0.0 if (array == 0).any() else float(np.percentile(array, MR_PERCENTILES[0]))
    return low, top


def _body(name: str, scaled: Array) -> Box:
    """Give the smallest box round everything bright that hangs together; specks and noise round it are left out."""
    cells = tuple(-(-side // COARSE_SIDE) for side in scaled.shape)
    parts, count = ndimage.label(_coarse(scaled, cells) > CONTENT)
    if count == 0:
        raise ValueError(f"{name}: no body found: nothing is brighter than {CONTENT} of its window")
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    kept = (sizes >= PART_SHARE * sizes.max())[parts]
    rough = tuple(
        slice(max(low - 1, 0) * cell, (high + 2) * cell)
        for (low, high), cell in zip((_ends(kept, axis) for axis in range(3)), cells, strict=True)
    )
    seen = scaled[rough] > CONTENT
    found = []
    for axis, part in enumerate(rough):
        low, high = _ends(seen, axis)
        if high - low + 1 < SMALLEST_SIDE:
            raise ValueError(f"{name}: no body found: only {high - low + 1} slices along axis {axis} show anything")
        found.append(slice(part.start + low, part.start + high + 1))
    return found[0], found[1], found[2]


def _coarse(array: Array, cells: tuple[int, ...]) -> Array:
    """Means over cells of so many voxels."""
    result = array
    for axis, cell in enumerate(cells):
        starts = np.arange(0, array.shape[axis], cell)
        counts = np.diff(np.append(starts, array.shape[axis])).astype(np.float32)
        counts = counts.reshape([-1 if a == axis else 1 for a in range(3)])
        result = np.asarray(np.add.reduceat(result, starts, axis=axis, dtype=np.float32) / counts, dtype=np.float32)
    return result


def _ends(mask: Mask, axis: int) -> tuple[int, int]:
    """First and last index along an axis where anything is set."""
    filled = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
    return int(filled[0]), int(filled[-1])


def _verify_alike(name: str, body: Array) -> None:
    plane = body[:, :, body.shape[2] // 2].astype(np.float64)
    here, there = plane[:-1].ravel(), plane[1:].ravel()
    if here.std() > 0 and there.std() > 0 and np.corrcoef(here, there)[0, 1] < NOISE:
        raise ValueError(f"{name}: no body found: neighbouring voxels have no more in common than in noise")


def _verify_extent(name: str, box: Box, spacing_mm: Affine) -> None:
    sides_mm = [float((part.stop - part.start) * step) for part, step in zip(box, spacing_mm, strict=True)]
    if not BODY_MM[0] <= max(sides_mm) <= min(BODY_MM[1], FLATTEST * min(sides_mm)):
        raise ValueError(
            f"{name}: shows something of {' × '.join(f'{side:.3g}' for side in sides_mm)} mm, with voxels of "
            f"{' × '.join(f'{step:.3g}' for step in spacing_mm)} mm; its largest side should be {BODY_MM[0]:.0f} to "
            f"{BODY_MM[1]:.0f} mm, and {FLATTEST} times the smallest at most: are the voxel sizes in mm?"
        )
