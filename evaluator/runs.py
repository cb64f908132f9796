"""The voxels of a mask as runs along its first axis: a compact form in which objects are labelled and measured.

A volume is flat in Fortran order (axis 0 fastest), as its file stores it; a run lies within one row of axis 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from evaluator.kernels import PLAIN, Loops, Mask, indices_of


@dataclass(frozen=True, eq=False)
class Runs:
    """Voxels next to each other along axis 0.

    `starts` int64[r], flat index of each run's first voxel, ascending; `lengths` int64[r], voxels of each, at
    least 1. Raises ValueError where runs are empty, overlap or are out of order.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.starts.ndim != 1 or self.starts.shape != self.lengths.shape:
            raise ValueError(f"{self.starts.shape} starts of runs, {self.lengths.shape} lengths")
        if np.any(self.lengths < 1) or np.any(self.starts[1:] < self.starts[:-1] + self.lengths[:-1]):
            raise ValueError("runs are empty, overlap or do not ascend")

    @classmethod
    def of_plane(cls, mask: Mask, *, row: int, offset: int, loops: Loops = PLAIN) -> Self:
        """Find the runs of whole rows.

        `mask`[n], flat, n a multiple of `row`, the voxels along axis 0; `offset` is the flat index of its
        first voxel in the volume. Raises ValueError where n is not such a multiple.

        >>> Runs.of_plane(np.array([0, 1, 1, 1, 0, 1], dtype=bool), row=3, offset=6).starts  # rows end runs
        array([ 7,  9, 11])
        """
        if mask.size % row:
            raise ValueError(f"cannot reshape {mask.size} voxels into rows of {row}")
        starts, lengths = loops.runs(mask, row)
        return cls(starts + offset, lengths)

    @classmethod
    def joined(cls, parts: Sequence["Runs"]) -> Self:
        """Put runs that follow each other, plane after plane, into one; of none, no voxel."""
        none = np.zeros(0, dtype=np.int64)
        return cls(
            np.concatenate([none, *(part.starts for part in parts)]),
            np.concatenate([none, *(part.lengths for part in parts)]),
        )

    @property
    def n_voxels(self) -> int:
        """Voxels of all runs."""
        return int(self.lengths.sum())

    def indices(self) -> NDArray[np.int64]:
        """Give the flat index of every voxel, int64[n_voxels], ascending."""
        return indices_of(self.starts, self.lengths)


@dataclass(frozen=True, eq=False)
class Components:
    """The connected components of some runs.

    `of_run` int64[r], the component of each run, numbered 0..c-1 in the order of their first voxels; `sizes`
    int64[c], voxels of each.
    """

    runs: Runs
    of_run: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def of_voxels(self, start: int, stop: int) -> NDArray[np.int64]:
        """Give the component of each voxel in a range of whole rows, in their order."""
        within = slice(*np.searchsorted(self.runs.starts, (start, stop)))
        return np.repeat(self.of_run[within], self.runs.lengths[within])
