"""A volume as slices of one size, and the way back; many volumes' slices for training. Needs numpy alone.

maps = np.concatenate([model(batch) for batch in batches(axial(volume, side=128), size=16)])
voxels = stacked(maps, volume.shape)
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from reference_submissions.kit.detector import Array
from reference_submissions.kit.volumes import held_out

Rows = npt.NDArray[np.int64]
AXIAL = 2  # of (x, y, z)


def axial(volume: Array, *, side: int, axis: int = AXIAL) -> Array:
    """A volume's slices along an axis, each resized to side × side. (n, side, side), the other axes in their order."""
    shape = [side] * 3
    shape[axis] = volume.shape[axis]
    return np.ascontiguousarray(np.moveaxis(resized(volume, shape), axis, 0))


def stacked(maps: Array, shape: Sequence[int], *, axis: int = AXIAL) -> Array:
    """Undo `axial`: maps (n, side, side), one a slice, as a volume of the given shape."""
    return resized(np.moveaxis(np.asarray(maps, dtype=np.float32), 0, axis), shape)


def batches(slices: Array, *, size: int) -> Iterator[Array]:
    """Some slices at a time. (≤ size, …)."""
    for start in range(0, len(slices), size):
        yield slices[start : start + size]


def resized(volume: Array, shape: Sequence[int]) -> Array:
    """Another grid over the same cube: axes that shrink are averaged, those that grow are interpolated linearly.

    Works for any number of axes; each sample stands for an equal interval of its axis.
    """
    return along_axes(volume, [resizing(old, new) for old, new in zip(volume.shape, shape, strict=True)])


def smoothed(volume: Array, sigma: float, *, axes: Sequence[int] = (0, 1, 2)) -> Array:
    """A Gaussian of `sigma` voxels along some axes; a flat volume stays flat, at its borders too."""
    kernels = [gaussian(length, sigma) if axis in axes else None for axis, length in enumerate(volume.shape)]
    return along_axes(volume, kernels)


def along_axes(volume: Array, matrices: Sequence[Array | None]) -> Array:
    """Apply a matrix (new, old) along each axis; None leaves an axis as it is. Those that shrink come first."""
    if volume.flags.f_contiguous and volume.ndim > 1:  # as a scan is on disk: read as it lies, nothing is copied
        return np.ascontiguousarray(_along_axes(volume.T, matrices[::-1]).T)
    return _along_axes(volume, matrices)


def _along_axes(volume: Array, matrices: Sequence[Array | None]) -> Array:
    growth = [1.0 if matrix is None else matrix.shape[0] / matrix.shape[1] for matrix in matrices]
    for axis in np.argsort(growth, kind="stable"):
        matrix, shape = matrices[axis], list(volume.shape)
        if matrix is not None:
            shape[axis], rest = len(matrix), math.prod(shape[axis + 1 :])
            if rest == 1:
                volume = volume.reshape(-1, matrix.shape[1]) @ matrix.T
            else:
                volume = matrix @ volume.reshape(-1, matrix.shape[1], rest)
            volume = volume.reshape(shape)
    return np.ascontiguousarray(volume, dtype=np.float32)


def resizing(old: int, new: int) -> Array | None:
    """Weights (new, old) of `resized` along one axis; None where nothing changes."""
    if old == new:
        return None
    return averaging(old, new) if new < old else interpolation(old, new)


def averaging(old: int, new: int) -> Array:
    """Weights (new, old) that average `old` samples over `new` equal intervals."""
    edges = np.linspace(0, old, new + 1)
    sample = np.arange(old)
    overlap = np.minimum(edges[1:, None], sample + 1) - np.maximum(edges[:-1, None], sample)
    return np.asarray(np.maximum(overlap, 0) * new / old, dtype=np.float32)


def interpolation(old: int, new: int) -> Array:
    """Weights (new, old) that interpolate linearly between the centres of `old` equal intervals."""
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.asarray(np.maximum(1 - np.abs(place[:, None] - np.arange(old)), 0), dtype=np.float32)


def gaussian(length: int, sigma: float) -> Array:
    """Weights (length, length) of a Gaussian; each row sums to 1, at the borders too."""
    place = np.arange(length)
    weights = np.exp(-0.5 * ((place[:, None] - place) / sigma) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The slices of many volumes, to learn from: each volume is read once, its slices lie in a temporary file."""

    pixels: npt.NDArray[np.float16]  # (n, side, side); half precision is finer than any scanner's noise
    volume: Rows  # (n,) whose slice it is: 0, 1, … in the order of the volumes
    height: Array  # (n,) where along the axis it lies, in (0, 1)

    @classmethod
    def of(cls, volumes: Sequence[Array], *, side: int, axis: int = AXIAL, filled: float = 0.0) -> "Stack":
        """Cut volumes into slices; leaves out slices of which not more than the share `filled` is above 0.

        Raises ValueError where no slice is left.
        """
        owners, heights, count = [], [], 0
        with tempfile.TemporaryFile() as file:  # gone when the last array that shows it is
            for number, volume in enumerate(volumes):
                slices = axial(volume, side=side, axis=axis)
                kept = np.flatnonzero((slices > 0).mean(axis=(1, 2)) > filled)
                file.write(slices[kept].astype(np.float16).tobytes())
                owners.append(np.full(len(kept), number, dtype=np.int64))
                heights.append(((kept + 0.5) / len(slices)).astype(np.float32))
                count += len(kept)
            if count == 0:
                raise ValueError(f"{len(volumes)} normal volumes: all their slices are empty")
            file.flush()
            pixels = np.memmap(file, dtype=np.float16, mode="r", shape=(count, side, side))
        return cls(pixels=pixels, volume=np.concatenate(owners), height=np.concatenate(heights))

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def volumes(self) -> Rows:
        """The volumes that have a slice here, ascending."""
        return np.unique(self.volume)

    def __getitem__(self, rows: Rows) -> Array:
        """Some slices. (len(rows), side, side) float32."""
        return np.asarray(self.pixels[rows], dtype=np.float32)

    def at(self, volume: int, height: float) -> int:
        """The row of a volume's slice that lies nearest to a height."""
        first, end = np.searchsorted(self.volume, [volume, volume + 1])  # rows lie in the order of the volumes
        return int(first + np.argmin(np.abs(self.height[first:end] - height)))

    def split(self, *, share: float, seed: int) -> tuple[Rows, Rows]:
        """Deal the rows into those to learn from and those of volumes held out, as `volumes.held_out` says."""
        out = np.isin(self.volume, self.volumes[held_out(len(self.volumes), share=share, seed=seed)])
        return np.flatnonzero(~out), np.flatnonzero(out)
