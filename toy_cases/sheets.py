"""Pictures of cases: three slices side by side with the mask's outline, and contact sheets of many.

Axial, coronal and sagittal, each as a radiologist holds it: front or head up, the patient's right at the left,
the face to the left. Intensities are shown as they are, 0 black and 1 white.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import nibabel as nib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Mask = npt.NDArray[np.bool_]
Grey = npt.NDArray[np.uint8]
Value = TypeVar("Value", bound=np.generic)
At = tuple[int, int, int]  # voxels
AXES = (2, 1, 0)  # across which the slices are cut: axial, coronal, sagittal
CELL = 192  # pixels, side of a slice; 64 voxels thrice, 256 voxels at three quarters
GAP = 6  # pixels between slices
ORANGE = (255, 140, 0)  # no grey comes near it, nor does it vanish on black or white
COLUMNS = 3  # cases beside one another
MARGIN = 24  # pixels round a sheet, and between its cases
PAPER, INK, SOFT = "#ffffff", "#17202b", "#66737f"  # the site's
LARGE, PLAIN = 26, 15  # pixels of type
LEADING = 1.35


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Three planes of a volume on their way to a picture: rows from the top, columns from the left."""

    greys: tuple[Grey, ...]
    masks: tuple[Mask, ...]  # none: nothing is outlined
    spacings: tuple[tuple[float, float], ...]  # mm a row and a column


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A case on a sheet."""

    picture: Image.Image
    lines: tuple[str, ...]  # its caption; the first is the plainest to see


def strip(volume: nib.Nifti1Image, mask: nib.Nifti1Image | None) -> Image.Image:
    """Cut a case through the middle, or where most of its mask is, and lay the three slices side by side.

    The mask is read and let go before the volume is. Raises ValueError where they do not fit each other, and what
    nibabel raises where one cannot be read.
    """
    _verify_shape(volume, mask)
    found, outlined = _outlined(mask)
    upright = nib.as_closest_canonical(volume)
    places = found or tuple(side // 2 for side in upright.shape)
    sides = [float(side) for side in upright.header.get_zooms()[:3]]
    voxels = np.asarray(upright.dataobj)
    slices = Slices(
        greys=tuple(_grey(_plane(voxels, axis, places[axis])) for axis in AXES),
        masks=outlined,
        spacings=tuple((sides[2 if axis != 2 else 1], sides[0 if axis != 0 else 1]) for axis in AXES),  # noqa: PLR2004  axes
    )
    return _side_by_side(slices)


def sheet(title: str, remarks: Sequence[str], tiles: Sequence[Tile]) -> Image.Image:
    """Set cases in rows under a title and what has to be known about them."""
    width = 3 * CELL + 2 * GAP
    total = 2 * MARGIN + COLUMNS * width + (COLUMNS - 1) * MARGIN
    said = [line for remark in remarks for line in textwrap.wrap(remark, width=(total - 2 * MARGIN) * 2 // PLAIN)]
    top = MARGIN + round(LARGE * LEADING) + _height(len(said)) + MARGIN
    row = CELL + _height(max(len(tile.lines) for tile in tiles)) + MARGIN
    rows = -(-len(tiles) // COLUMNS)
    paper = Image.new("RGB", (total, top + rows * row), PAPER)
    pen = ImageDraw.Draw(paper)
    pen.text((MARGIN, MARGIN), title, INK, ImageFont.load_default(LARGE))
    _write(pen, (MARGIN, MARGIN + round(LARGE * LEADING) + GAP), said, first=SOFT)
    for number, tile in enumerate(tiles):
        x, y = MARGIN + number % COLUMNS * (width + MARGIN), top + number // COLUMNS * row
        paper.paste(tile.picture, (x, y))
        _write(pen, (x, y + CELL + GAP // 2), [_cut(line, width) for line in tile.lines], first=INK)
    return paper


def fullest(mask: Mask) -> At | None:
    """Give the place where the slice across each axis has most of a mask; the middle one of equals, None if empty."""
    if not mask.any():
        return None
    counted = (np.count_nonzero(mask, axis=tuple(a for a in range(3) if a != axis)) for axis in range(3))
    x, y, z = (int((most := np.flatnonzero(counts == counts.max()))[most.size // 2]) for counts in counted)
    return x, y, z


def contour(mask: Mask) -> Mask:
    """Give the pixels that surround a mask, so that all of what it covers stays visible."""
    return np.asarray(ndimage.binary_dilation(mask) & ~mask)


def _verify_shape(volume: nib.Nifti1Image, mask: nib.Nifti1Image | None) -> None:
    if len(volume.shape) != 3:  # noqa: PLR2004  dimensions
        raise ValueError(f"has the shape {volume.shape}, a case is one volume of three dimensions")
    if mask is not None and mask.shape != volume.shape:
        raise ValueError(f"has the shape {volume.shape}, but its pixel label {mask.shape}")


def _outlined(mask: nib.Nifti1Image | None) -> tuple[At | None, tuple[Mask, ...]]:
    """Say where to cut, and give the mask's planes there; nothing where there is no anomaly to outline."""
    if mask is None:
        return None, ()
    covered: Mask = np.asarray(nib.as_closest_canonical(mask).dataobj) > 0.5  # noqa: PLR2004  as labels are read
    found = fullest(covered)
    return found, tuple(_plane(covered, axis, found[axis]).copy() for axis in AXES) if found else ()


def _plane(voxels: npt.NDArray[Value], axis: int, at: int) -> npt.NDArray[Value]:
    """Cut a volume whose axes point right, to the front and up; the head or the front is then in the first row."""
    cut: npt.NDArray[Value] = np.moveaxis(voxels, axis, 0)[at].T[::-1, ::-1]
    return cut


def _grey(plane: npt.NDArray[np.generic]) -> Grey:
    values = np.nan_to_num(np.asarray(plane, dtype=np.float32))
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), dtype=np.uint8)


def _side_by_side(slices: Slices) -> Image.Image:
    scale = _scale(slices)
    picture = Image.new("RGB", (3 * CELL + 2 * GAP, CELL), PAPER)
    for number, (grey, (down, across)) in enumerate(zip(slices.greys, slices.spacings, strict=True)):
        # A slice of one voxel is still to be seen.
        size = max(1, round(grey.shape[1] * across * scale)), max(1, round(grey.shape[0] * down * scale))
        pixels = np.stack([_resized(grey, size)] * 3, axis=2)
        if slices.masks:
            # Any share of a pixel counts, or one voxel of 512 would be lost.
            pixels[contour(_resized(slices.masks[number].astype(np.uint8) * 255, size) > 0)] = ORANGE
        left = number * (CELL + GAP)
        picture.paste((0, 0, 0), (left, 0, left + CELL, CELL))
        picture.paste(Image.fromarray(pixels), (left + (CELL - size[0]) // 2, (CELL - size[1]) // 2))
    return picture


def _scale(slices: Slices) -> float:
    """Pixels a mm, the same for all three; a voxel that becomes larger becomes whole pixels."""
    longest = max(
        side * step
        for grey, spacing in zip(slices.greys, slices.spacings, strict=True)
        for side, step in zip(grey.shape, spacing, strict=True)
    )
    finest = min(min(spacing) for spacing in slices.spacings)
    pixels = CELL * finest / longest  # a voxel
    return (float(np.floor(pixels)) if pixels >= 1 else pixels) / finest


def _resized(plane: Grey, size: tuple[int, int]) -> Grey:
    """Enlarge by repeating voxels, shrink by averaging them; size is (width, height)."""
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX))


def _height(lines: int) -> int:
    return GAP + round(lines * PLAIN * LEADING)


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], lines: Sequence[str], *, first: str) -> None:
    font = ImageFont.load_default(PLAIN)
    for number, line in enumerate(lines):
        pen.text((at[0], at[1] + round(number * PLAIN * LEADING)), line, SOFT if number else first, font)


def _cut(line: str, width: int) -> str:
    """Shorten what does not fit, in pixels."""
    font = ImageFont.load_default(PLAIN)
    while font.getlength(line) > width and len(line) > 1:
        line = f"{line[:-2]}…"
    return line
