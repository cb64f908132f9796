"""Object-level detection: the rule by which connected components of a prediction find objects, and their counts.

After M. Zimmerer's thesis, section 4.2: threshold, connected components, drop small ones; a detection is true
where its centre of mass falls into an annotated object and the two sizes differ by at most a factor 2.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

MOST_LISTED: Final = 100  # detections of a case that are told one by one, the largest


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
class Detection:
    """One of them. Raises ValueError where it cannot be."""

    volume_mm3: float
    centre: tuple[int, int, int]  # voxel nearest to the centre of mass: x, y, z
    matched: bool  # a true positive: the largest that finds its object

    def __post_init__(self) -> None:
        if not (self.volume_mm3 >= 0 and math.isfinite(self.volume_mm3)) or min(self.centre) < 0:
            raise ValueError(f"a detection of {self.volume_mm3} mm³ at {self.centre}")


@dataclass(frozen=True, kw_only=True)
class Detections:
    """Objects and detections of some cases. Raises ValueError where the counts cannot be."""

    objects: int  # annotated
    detections: int  # of at least the least volume
    true_positives: int  # pairs of a detection and its object
    largest: tuple[Detection, ...] = ()  # of one case, largest first, at most MOST_LISTED; a sum of cases lists none

    def __post_init__(self) -> None:
        if not 0 <= self.true_positives <= min(self.objects, self.detections):
            raise ValueError(f"{self} counts more pairs than there can be")
        if len(self.largest) > min(self.detections, MOST_LISTED):
            raise ValueError(f"{len(self.largest)} detections are listed, of {self.detections}")
        if sum(one.matched for one in self.largest) > self.true_positives:
            raise ValueError(f"more true positives are listed than the {self.true_positives} that there are")

    @classmethod
    def total(cls, cases: Iterable["Detections"]) -> Self:
        """Add the counts of cases; of none, nothing. Where a detection lies means nothing without its case."""
        listed = list(cases)
        return cls(
            objects=sum(case.objects for case in listed),
            detections=sum(case.detections for case in listed),
            true_positives=sum(case.true_positives for case in listed),
        )
