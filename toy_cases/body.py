"""Where the body is in a volume, and places inside it to put something at.

Everything is looked for on a grid of at most `GRID` voxels a side, so a volume of 512³ costs a second; only
the outline is then followed voxel by voxel. `body_of` is for the caller to keep: a volume has one body.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Place = tuple[int, int, int]  # voxels
GRID = 64  # side of the grid that is searched
AIR = np.float32(0.05)  # air and padding are darker
AROUND = np.ones((3, 3, 3), dtype=np.bool_)  # a grid cell and its neighbours, corners too
THIN = 24  # parts of the grid's side: half the thickness of what may be a table
GAP = 2  # grid cells: narrower clefts, such as sulci, belong to the body


def body_of(volume: Array) -> Mask:
    """Where the body is, holes such as gas and fluid filled; the shape of the volume, empty where none is found."""
    step = _step(volume.shape)
    seen = volume[::step, ::step, ::step] > AIR
    parts, count = ndimage.label(_without_table(seen))
    if count == 0:
        return np.zeros(volume.shape, dtype=np.bool_)
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    filled = _filled(ndimage.binary_closing(np.pad(largest, GAP), iterations=GAP)[GAP:-GAP, GAP:-GAP, GAP:-GAP])
    # Deep inside everything is body; near the outline, which the grid knows only roughly, what is not air.
    core = _grown(ndimage.binary_erosion(filled, AROUND, border_value=1), step, volume.shape)
    rim = _grown(ndimage.binary_dilation(filled, AROUND), step, volume.shape)
    rim &= volume > AIR
    return np.logical_or(core, rim, out=core)


def body_side(body: Mask) -> float:
    """Give the side in voxels of a cube as large as the body: what sizes are measured by, whatever the padding."""
    return float(np.cbrt(np.count_nonzero(body)))


@dataclass(frozen=True, kw_only=True)
class Places:
    """The places of a body, each with its depth."""

    depth: Array  # on the grid: voxels of the volume from the outline or from the volume's border, 0 outside
    step: int  # voxels of the volume from one point of the grid to the next
    shape: tuple[int, ...]  # of the volume

    @classmethod
    def of(cls, body: Mask) -> "Places":
        """Find them."""
        step = _step(body.shape)
        distance = ndimage.distance_transform_edt(np.pad(body[::step, ::step, ::step], 1))[1:-1, 1:-1, 1:-1]
        return cls(depth=(distance * step).astype(np.float32), step=step, shape=body.shape)

    def draw(self, rng: np.random.Generator, clearance: float) -> Place | None:
        """Draw a place at least about `clearance` voxels inside the body; None where there is none.

        About: a grid cell more or less. Whoever must be sure looks at the body itself.
        """
        deep = np.flatnonzero((self.depth >= clearance) & (self.depth > 0))
        if deep.size == 0:
            return None
        coarse = np.unravel_index(deep[rng.integers(deep.size)], self.depth.shape)
        return self._place(int(c) * self.step + int(rng.integers(self.step)) for c in coarse)

    def deepest(self) -> Place | None:
        """Give the place farthest from the outline, the first of equals; None in an empty body."""
        if not self.depth.any():
            return None
        return self._place(int(c) * self.step for c in np.unravel_index(np.argmax(self.depth), self.depth.shape))

    def _place(self, found: Iterable[int]) -> Place:
        x, y, z = (min(c, side - 1) for c, side in zip(found, self.shape, strict=True))
        return x, y, z


def _without_table(seen: Mask) -> Mask:
    """Take off what is thin, such as a table, a tube or noise; whatever is near something thick stays."""
    thin = max(seen.shape) // THIN
    if thin == 0:
        return seen
    thick = ndimage.binary_opening(np.pad(_filled(seen), thin, mode="edge"), AROUND, iterations=thin)
    inner = thick[thin:-thin, thin:-thin, thin:-thin]
    return np.asarray(ndimage.binary_dilation(inner, AROUND, iterations=thin) & seen)


def _filled(mask: Mask) -> Mask:
    """Fill what is enclosed within an axial plane."""
    return np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(mask, 2, 0)], axis=2)


def _step(shape: tuple[int, ...]) -> int:
    return max(1, -(-max(shape) // GRID))


def _grown(coarse: Mask, step: int, shape: tuple[int, ...]) -> Mask:
    """Each grid cell becomes step³ voxels, cut to the shape."""
    for axis, side in enumerate(shape):
        wanted = tuple(slice(side) if a == axis else slice(None) for a in range(len(shape)))
        coarse = np.repeat(coarse, step, axis=axis)[wanted]
    return np.ascontiguousarray(coarse)
