"""Matches detections with annotated objects as the rows of a prediction go by.

A detection is measured where it ends and then forgotten, so that memory does not grow with their number: noise has
millions, and has to be scored too. After M. Zimmerer's thesis, section 4.2; see `evaluator.objects`.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.components import label, united
from evaluator.objects import Detections, ObjectRule
from evaluator.runs import Components, Runs

MOST_RUNS: Final = 1 << 18  # kept before they are labelled; with what labelling takes, some 50 MB

Flat = NDArray[np.int64]


class Matching:
    """Counts the detections of one case that find an object.

    `truth` are the components of the label, of `shape`; `voxel_mm3` is a voxel's volume. The thesis does not say what
    several detections of one object count: here at most one of them is true. A centre lies in one object at most,
    so that which of them is does not matter to the counts.
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
        self._is_found = np.zeros(truth.sizes.size, dtype=bool)

    def see(self, runs: Runs) -> None:
        """See the detected voxels that come next."""
        self._pending.append(runs)
        if sum(part.starts.size for part in self._pending) >= self._most_runs:
            self._label()

    def detections(self) -> Detections:
        """Give the counts, once all voxels have been seen."""
        self._label()
        self._judge(self._open)
        return Detections(
            objects=self._truth.sizes.size,
            detections=self._detections,
            true_positives=int(np.count_nonzero(self._is_found)),
        )

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
        kept = sizes * self._voxel_mm3 >= self._rule.min_volume_mm3
        self._detections += int(np.count_nonzero(kept))
        sizes, sums = sizes[kept], ended[kept, 1:]
        # The voxel nearest to the centre of mass; of two, the further one.
        centres = (2 * sums + sizes[:, np.newaxis]) // (2 * sizes[:, np.newaxis]) @ self._steps
        at = _component_at(self._truth, centres)
        sizes, objects = sizes[at >= 0], at[at >= 0]
        larger, smaller = np.maximum(sizes, self._truth.sizes[objects]), np.minimum(sizes, self._truth.sizes[objects])
        self._is_found[objects[larger <= self._rule.size_factor * smaller]] = True


def _component_at(components: Components, voxels: Flat) -> Flat:
    """Give the component that each flat index lies in, -1 for none."""
    runs = components.runs
    before = np.searchsorted(runs.starts, voxels, side="right") - 1
    ends = np.append(runs.starts + runs.lengths, 0)  # before the first run, -1 takes the entry that ends nowhere
    found: Flat = np.where(voxels < ends[before], np.append(components.of_run, -1)[before], -1)
    return found
