"""Object-level detection: which connected components of a thresholded prediction find an annotated object.

After M. Zimmerer's thesis, section 4.2: threshold, connected components, drop small ones; a detection is true
where its centre of mass falls into an annotated object and the two sizes differ by at most a factor 2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from evaluator.runs import Components


@dataclass(frozen=True, kw_only=True)
class ObjectRule:
    """What counts as a detection, and as a true one. Raises ValueError where it cannot be.

    The thesis chose the threshold as that of the best Dice on toy spheres, and 1200 mm³, half its smallest
    annotated finding.
    """

    threshold: float  # voxels whose score is at least this are detected
    min_volume_mm3: float = 0  # smaller detections are dropped; annotated objects never are
    size_factor: float = 2  # between the sizes of a detection and its object, either way, at most

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"an object's threshold is {self.threshold}, not above 0 and at most 1")
        if not 0 <= self.min_volume_mm3 < float("inf"):
            raise ValueError(f"an object's least volume is {self.min_volume_mm3} mm³")
        if not self.size_factor >= 1:
            raise ValueError(f"sizes differ by a factor of at most {self.size_factor}, less than 1")


@dataclass(frozen=True, kw_only=True)
class Detections:
    """Objects and detections of some cases. Raises ValueError where the counts cannot be."""

    objects: int  # annotated
    detections: int  # of at least the least volume
    true_positives: int  # pairs of a detection and its object

    def __post_init__(self) -> None:
        if not 0 <= self.true_positives <= min(self.objects, self.detections):
            raise ValueError(f"{self} counts more pairs than there can be")

    @classmethod
    def total(cls, cases: Iterable["Detections"]) -> Self:
        """Add the counts of cases; of none, nothing."""
        listed = list(cases)
        return cls(
            objects=sum(case.objects for case in listed),
            detections=sum(case.detections for case in listed),
            true_positives=sum(case.true_positives for case in listed),
        )


def match(
    truth: Components, found: Components, shape: tuple[int, ...], voxel_mm3: float, rule: ObjectRule
) -> Detections:
    """Count the detections of one case that find an object.

    `truth` and `found` are the components of the label and of the thresholded prediction, both of `shape`;
    `voxel_mm3` is a voxel's volume. The thesis does not say what several detections of one object count: here
    at most one of them is true. A centre lies in one object at most, so that which of them is does not
    matter to the counts.
    """
    kept = found.sizes * voxel_mm3 >= rule.min_volume_mm3
    at = _component_at(truth, _centres(found, shape)[kept])
    sizes, objects = found.sizes[kept][at >= 0], at[at >= 0]
    larger, smaller = np.maximum(sizes, truth.sizes[objects]), np.minimum(sizes, truth.sizes[objects])
    return Detections(
        objects=truth.sizes.size,
        detections=int(np.count_nonzero(kept)),
        true_positives=np.unique(objects[larger <= rule.size_factor * smaller]).size,
    )


def _centres(components: Components, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Give the flat index of the voxel nearest to each component's centre of mass; of two, the further one."""
    row, rows = (*shape, 1, 1)[:2]
    runs, sizes = components.runs, components.sizes
    row_of, x = np.divmod(runs.starts, row)
    z, y = np.divmod(row_of, rows)
    along = runs.lengths * x + runs.lengths * (runs.lengths - 1) // 2
    centre: NDArray[np.int64] = np.zeros(sizes.size, dtype=np.int64)
    for step, weights in ((1, along), (row, runs.lengths * y), (row * rows, runs.lengths * z)):
        total = np.bincount(components.of_run, weights=weights, minlength=sizes.size).astype(np.int64)  # exact to 2^53
        centre += step * ((2 * total + sizes) // (2 * sizes))
    return centre


def _component_at(components: Components, voxels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the component that each flat index lies in, -1 for none."""
    runs = components.runs
    before = np.searchsorted(runs.starts, voxels, side="right") - 1
    ends = np.append(runs.starts + runs.lengths, 0)  # before the first run, -1 takes the entry that ends nowhere
    found: NDArray[np.int64] = np.where(voxels < ends[before], np.append(components.of_run, -1)[before], -1)
    return found
