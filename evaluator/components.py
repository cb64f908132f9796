"""Connected components of a mask given as runs: labelled a slab of planes at a time, never in a whole volume.

Connectivity is full: 26 neighbours, 8 within a single plane. Axes after the first two count as one axis of planes.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cc3d
import numpy as np
from numpy.typing import NDArray

from evaluator.runs import Components, Runs

SLAB_VOXELS: Final = 1 << 22  # 4 MiB painted, and 16 MiB of labels; two planes in any case
_FULL: Final = 26

Flat = NDArray[np.int64]


def label(runs: Runs, shape: tuple[int, ...], *, slab_voxels: int = SLAB_VOXELS) -> Components:
    """Find the components of runs in a volume of this shape.

    A slab spans the box round the runs' first two coordinates and as many planes as keep it within
    `slab_voxels`, at least two; it shares its last plane with the next. Beside it, memory grows with the runs.
    Raises ValueError where a run reaches outside the volume.
    """
    if runs.starts.size and (runs.starts[0] < 0 or runs.starts[-1] + runs.lengths[-1] > math.prod(shape)):
        raise ValueError(f"runs reach outside a volume of {shape}")
    provisional: Flat = np.zeros(runs.starts.size, dtype=np.int64)
    twice = []  # labels of shared planes' runs, in two slabs
    n = 0
    for slab in _slabs(runs, shape, slab_voxels):
        found = _labels(slab) + n
        shared = slice(slab.first, slab.first + slab.shared)
        twice.append(np.stack([provisional[shared], found[: slab.shared]]))
        provisional[slab.first + slab.shared : slab.first + found.size] = found[slab.shared :]
        n = int(found.max()) + 1
    of_run = _numbered(united(n, twice)[provisional], n)
    sizes = np.bincount(of_run, weights=runs.lengths).astype(np.int64)  # exact: doubles count to 2^53
    return Components(runs, of_run, sizes)


def united(n: int, twice: Sequence[Flat]) -> Flat:
    """Give each of n labels the least label it is one with; `twice` has int64[2, k] pairs that are one.

    Each round hangs a root below its least neighbour, then shortens every path to one step; two rounds at
    least halve the roots that are still to be united.
    """
    least = np.arange(n)
    pairs = np.concatenate([np.zeros((2, 0), dtype=np.int64), *twice], axis=1)
    while True:
        one, other = least[pairs]
        apart = one != other
        if not apart.any():
            return least
        pairs = pairs[:, apart]
        np.minimum.at(least, np.maximum(one, other)[apart], np.minimum(one, other)[apart])
        while np.any(least[least] != least):
            least = least[least]


@dataclass(frozen=True, kw_only=True)
class _Slab:
    """Some planes' runs within a box; the first `shared` of them were the last plane of the slab before."""

    first: int  # index of its first run
    shared: int
    starts: Flat  # flat within the box
    lengths: Flat
    box: tuple[int, int, int]


def _slabs(runs: Runs, shape: tuple[int, ...], slab_voxels: int) -> Iterator[_Slab]:
    """Cut at planes; planes without a run cost nothing at a slab's ends."""
    if not runs.starts.size:
        return
    row, rows = (*shape, 1, 1)[:2]
    row_of, x = np.divmod(runs.starts, row)
    plane, y = np.divmod(row_of, rows)
    left, low = int(x.min()), int(y.min())
    width, height = int((x + runs.lengths).max()) - left, int(y.max()) + 1 - low
    flat = x - left + width * (y - low)
    depth = max(2, slab_voxels // (width * height))
    first = shared = 0
    while first + shared < plane.size:
        bottom = int(plane[first])
        stop = int(np.searchsorted(plane, bottom + depth))
        top = int(plane[stop - 1])
        of = slice(first, stop)
        yield _Slab(
            first=first,
            shared=shared,
            starts=flat[of] + width * height * (plane[of] - bottom),
            lengths=runs.lengths[of],
            box=(width, height, top + 1 - bottom),
        )
        touched = stop < plane.size and plane[stop] == top + 1  # by the next slab's first plane
        first = int(np.searchsorted(plane, top)) if touched else stop
        shared = stop - first


def _labels(slab: _Slab) -> Flat:
    """Give each run of a slab its component within the slab, from 0."""
    bounds = np.stack([slab.starts, slab.starts + slab.lengths], axis=1).ravel()
    counts = np.diff(bounds, prepend=0, append=math.prod(slab.box))  # outside, inside, outside, …; some are 0
    painted = np.repeat(np.arange(counts.size) % 2 == 1, counts).view(np.uint8).reshape(slab.box, order="F")
    # As bytes: cc3d 4.1.1 fails on some masks of bool that are 1 voxel wide.
    labels: NDArray[np.unsignedinteger] = cc3d.connected_components(painted, connectivity=_FULL)
    return labels.ravel(order="F")[slab.starts].astype(np.int64) - 1


def _numbered(labels: Flat, n: int) -> Flat:
    """Number those of n labels that occur from 0, in the order in which they first do."""
    first = np.full(n, labels.size)
    np.minimum.at(first, labels, np.arange(labels.size))
    occur = np.argsort(first)[: np.count_nonzero(first < labels.size)]
    number = np.empty(n, dtype=np.int64)
    number[occur] = np.arange(occur.size)
    return number[labels]
