"""Matches detections with annotated objects as the rows of a prediction go by.

A detection is measured where it ends and then forgotten, so that memory does not grow with their number: noise has
millions, and has to be scored too. After M. Zimmerer's thesis, section 4.2; see `evaluator.objects`.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.components import label, united
from evaluator.objects import MOST_LISTED, Detection, Detections, ObjectRule
from evaluator.runs import Components, Runs

MOST_RUNS: Final = 1 << 18  # kept before they are labelled; with what labelling takes, some 50 MB

Flat = NDArray[np.int64]


class Matching:
    """Counts the detections of one case that find an object, and lists the largest.

    `truth` are the components of the label, of `shape`; `voxel_mm3` is a voxel's volume. The thesis does not say what
    several detections of one object count: here one of them is true, the largest whose size fits, of equal ones
    that whose centre comes first. A centre lies in one object at most.
    """

    def __init__(
        self,
        truth: Components,
        shape: tuple[int, ...],
        voxel_mm3: float,
        rule: ObjectRule,
        *,
        most_runs: int = MOST_RUNS,
    ) -> None:
        self._truth = truth
        self._shape = shape
        self._voxel_mm3 = voxel_mm3
        self._rule = rule
        self._most_runs = most_runs
        self._steps = np.array([1, shape[0], math.prod(shape[:2])])  # of a flat index, along each axis
        self._reach = int(self._steps.sum() if math.prod(shape[2:]) > 1 else self._steps[:2].sum())  # of a neighbour
        self._pending: list[Runs] = []  # not labelled yet
        self._edge = Runs.joined(())  # those labelled that voxels still to come may touch
        self._edge_of_run: Flat = np.zeros(0, dtype=np.int64)  # the open detection that each run of it belongs to
        self._open: Flat = np.zeros((0, 4), dtype=np.int64)  # what `_sums` gives, of detections that may go on
        self._detections = 0
        # Rows of size, centre and the object that is found, -1 for none; the largest first, of equal ones the first.
        self._largest: Flat = np.zeros((0, 3), dtype=np.int64)  # of all detections, at most MOST_LISTED
        self._true: Flat = np.zeros((0, 3), dtype=np.int64)  # the largest for each object that is found

    def see(self, runs: Runs) -> None:
        """See the detected voxels that come next."""
        self._pending.append(runs)
        if sum(part.starts.size for part in self._pending) >= self._most_runs:
            self._label()

    def detections(self) -> Detections:
        """Give counts and list, once all voxels have been seen."""
        self._label()
        self._judge(self._open)
        return Detections(
            objects=self._truth.sizes.size,
            detections=self._detections,
            true_positives=len(self._true),
            largest=tuple(self._listed()),
        )

    def _listed(self) -> Iterator[Detection]:
        """Give the largest detections; of two in one place, of one size, one is a true positive at most."""
        true = set(map(tuple, self._true.tolist()))
        for size, centre, found in self._largest.tolist():
            row = (size, centre, found)
            z, within = divmod(centre, int(self._steps[2]))
            y, x = divmod(within, int(self._steps[1]))
            yield Detection(volume_mm3=size * self._voxel_mm3, centre=(x, y, z), matched=row in true)
            true.discard(row)

    def _label(self) -> None:
        """Join what is pending to the open detections, judge those that have ended, and keep the others open."""
        runs = Runs.joined((self._edge, *self._pending))
        if not self._pending or not runs.starts.size:
            return
        self._pending = []
        shared, found = self._edge.starts.size, label(runs, self._shape)
        here = found.sizes.size
        twice = np.stack([found.of_run[:shared], here + self._edge_of_run])
        least = united(here + len(self._open), [twice])
        whole = np.zeros((least.size, 4), dtype=np.int64)
        np.add.at(whole, least, np.concatenate([self._sums(found, shared), self._open]))
        ends = runs.starts + runs.lengths
        edge = slice(int(np.searchsorted(ends, ends[-1] - self._reach, side="right")), None)
        goes_on, self._edge_of_run = np.unique(least[found.of_run[edge]], return_inverse=True)
        self._edge, self._open = Runs(runs.starts[edge], runs.lengths[edge]), whole[goes_on]
        whole[goes_on] = 0
        self._judge(whole[whole[:, 0] > 0])

    def _sums(self, found: Components, shared: int) -> Flat:
        """Give each component's voxels and the sums of their three coordinates, the first `shared` runs left out."""
        starts, lengths = found.runs.starts[shared:], found.runs.lengths[shared:]
        row_of, x = np.divmod(starts, self._steps[1])
        z, y = np.divmod(row_of, self._steps[2] // self._steps[1])
        along = lengths * x + lengths * (lengths - 1) // 2
        weights = (lengths, along, lengths * y, lengths * z)
        of_run, n = found.of_run[shared:], found.sizes.size
        sums = [np.bincount(of_run, weights=weight, minlength=n) for weight in weights]  # exact to 2^53
        return np.stack(sums, axis=1).astype(np.int64)

    def _judge(self, ended: Flat) -> None:
        """Count detections of at least the least volume, and the objects that they find."""
        sizes = ended[:, 0]
        volumes_mm3 = sizes * self._voxel_mm3
        kept = np.isfinite(volumes_mm3) & (volumes_mm3 >= self._rule.min_volume_mm3)
        self._detections += int(np.count_nonzero(kept))
        sizes, sums = sizes[kept], ended[kept, 1:]
        # The voxel nearest to the centre of mass; of two, the further one.
        centres = (2 * sums + sizes[:, np.newaxis]) // (2 * sizes[:, np.newaxis]) @ self._steps
        objects = self._found(sizes, _component_at(self._truth, centres))
        rows = np.stack([sizes, centres, objects], axis=1)
        self._largest = _ranked(np.concatenate([self._largest, self._promising(rows)]))[:MOST_LISTED]
        of_objects = _ranked(np.concatenate([self._true, rows[objects >= 0]]))
        self._true = of_objects[np.unique(of_objects[:, 2], return_index=True)[1]]

    def _found(self, sizes: Flat, at: Flat) -> Flat:
        """Give the object that each detection finds, -1 for none; `at` is the one that its centre lies in."""
        inside = np.flatnonzero(at >= 0)
        own, its = sizes[inside], self._truth.sizes[at[inside]]
        fits = np.maximum(own, its) <= self._rule.size_factor * np.minimum(own, its)
        found: Flat = np.full(at.shape, -1)
        found[inside[fits]] = at[inside[fits]]
        return found

    def _promising(self, rows: Flat) -> Flat:
        """Leave out what is not among the largest for sure: of noise that is nearly all, and sorting it takes long."""
        if len(self._largest) < MOST_LISTED:
            return rows
        least, centre, _ = self._largest[-1]
        promising: Flat = rows[(rows[:, 0] > least) | ((rows[:, 0] == least) & (rows[:, 1] < centre))]
        return promising


def _ranked(rows: Flat) -> Flat:
    """Put the largest first, of equal ones that whose centre comes first."""
    return rows[np.lexsort((rows[:, 1], -rows[:, 0]))]


def _component_at(components: Components, voxels: Flat) -> Flat:
    """Give the component that each flat index lies in, -1 for none."""
    runs = components.runs
    before = np.searchsorted(runs.starts, voxels, side="right") - 1
    ends = np.append(runs.starts + runs.lengths, 0)  # before the first run, -1 takes the entry that ends nowhere
    found: Flat = np.where(voxels < ends[before], np.append(components.of_run, -1)[before], -1)
    return found
