"""A pixel label, read once: where its anomalous voxels are."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from evaluator.formats import LabelError, Shape, UnreadableError, Volume
from evaluator.kernels import PLAIN, Loops, indices_of
from evaluator.runs import Runs

_FEWEST_AXES: Final = 2
_NONE: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The anomalous voxels of a case, as runs along the first axis: as small as the lesions' surface."""

    shape: Shape
    runs: Runs
    voxel_mm3: float  # of the label's header; nan where it claims none

    @classmethod
    def read(cls, file: BinaryIO, shape: Shape, *, loops: Loops = PLAIN) -> Self:
        """Read a label of `shape`, slab by slab; positive is what is above 0.5. Raises LabelError."""
        label = open_label(file, shape)
        row = shape[0]
        found, start = [], 0
        try:
            for mask in label.masks():
                runs = Runs.of_plane(mask, row=row, offset=start, loops=loops)
                if runs.starts.size:
                    found.append(runs)
                start += mask.size
        except UnreadableError as error:
            raise LabelError(f"cannot be read: {error}") from error
        return cls(shape=shape, runs=Runs.joined(found), voxel_mm3=label.voxel_mm3)

    @property
    def n_voxels(self) -> int:
        """All voxels."""
        return math.prod(self.shape)

    @property
    def n_positive(self) -> int:
        """Anomalous voxels."""
        return self.runs.n_voxels

    @cached_property
    def _span(self) -> tuple[int, int]:
        """Where the first run starts, and one past where the last does."""
        starts = self.runs.starts
        return (int(starts[0]), int(starts[-1]) + 1) if starts.size else (0, 0)

    def positives(self, start: int, stop: int) -> NDArray[np.int64]:
        """Give the anomalous voxels in a range of whole rows, counted from its start; ascending."""
        return indices_of(*self.runs_within(start, stop))

    def runs_within(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give starts, counted from the range's, and lengths of the runs in a range of whole rows."""
        if start >= self._span[1] or stop <= self._span[0]:
            return _NONE, _NONE
        first, last = self.runs.starts.searchsorted(start), self.runs.starts.searchsorted(stop)
        return self.runs.starts[first:last] - start, self.runs.lengths[first:last]


def open_label(file: BinaryIO, shape: Shape) -> Volume:
    """Read a label's header. Raises LabelError where it cannot be read or is not of `shape`."""
    try:
        volume = Volume.open(file)
    except UnreadableError as error:
        raise LabelError(f"cannot be read: {error}") from error
    if volume.shape != shape:
        raise LabelError(f"is {volume.shape}, its case is {shape}")
    if len(shape) < _FEWEST_AXES:
        raise LabelError(f"has the shape {shape}: neither a volume nor an image")
    return volume


def count_positive(file: BinaryIO, shape: Shape) -> int:
    """Count the voxels of a label above 0.5. Raises LabelError."""
    label = open_label(file, shape)
    try:
        return sum(int(np.count_nonzero(mask)) for mask in label.masks())
    except UnreadableError as error:
        raise LabelError(f"cannot be read: {error}") from error
