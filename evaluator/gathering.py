"""Gathers details plane by plane. Loads the libraries for connected components and rotated boxes."""

import math
from typing import Final

import numpy as np

from evaluator import components
from evaluator.boxes import boxes_of
from evaluator.details import Details
from evaluator.formats import Patterns
from evaluator.kernels import Loops, clamped
from evaluator.localised import Localised
from evaluator.matching import Matching
from evaluator.objects import ObjectRule
from evaluator.regions import Regions, RegionTally
from evaluator.runs import Runs
from evaluator.sketch import VALUES, Sketch
from evaluator.truth import Truth

_SLAB_VOXELS: Final = 1 << 20  # whose runs are made at a time: of noise some 20 MB
_MOST_IMAGES: Final = 16  # kept apart before they are added up, 150 kB each where their scores are all different


class Gathering:
    """Watches one prediction: see `evaluator.counting.Watcher`."""

    def __init__(self, truth: Truth, loops: Loops, rule: ObjectRule | None = None) -> None:
        self._truth = truth
        self._loops = loops
        self._plane = math.prod(truth.shape[:2])
        self._components = components.label(truth.runs, truth.shape)
        self._highest: list[int] = []
        self._has_lesion: list[bool] = []
        self._regions = RegionTally(self._components.sizes)
        self._localised: list[Localised] = []
        self._matching = Matching(self._components, truth.shape, truth.voxel_mm3, rule) if rule else None
        self._detected_from = lowest_at_least(rule.threshold) if rule else 0

    def see(self, start: int, patterns: Patterns) -> None:
        """See whole planes."""
        if self._matching:
            self._see_detections(start, patterns, self._matching)
        for first in range(0, patterns.size, self._plane):
            plane = patterns[first : first + self._plane]
            self._highest.append(self._loops.highest(plane))
            self._has_lesion.append(self._see_lesions(start + first, plane))

    def _see_detections(self, start: int, patterns: Patterns, matching: Matching) -> None:
        """See whole rows, not too many at a time."""
        row = self._truth.shape[0]
        step = row * max(1, _SLAB_VOXELS // row)
        for first in range(0, patterns.size, step):
            detected = clamped(patterns[first : first + step]) >= self._detected_from
            matching.see(Runs.of_plane(detected, row=row, offset=start + first))

    def _see_lesions(self, start: int, patterns: Patterns) -> bool:
        """See a plane where it holds a lesion, and tell whether it does."""
        lesions = self._truth.positives(start, start + self._plane)
        if not lesions.size:
            return False
        plane = clamped(patterns)
        self._regions.add(self._components.of_voxels(start, start + self._plane), plane[lesions])
        mask = np.zeros(self._plane, dtype=bool)
        mask[lesions] = True
        image = mask.reshape(self._truth.shape[:2], order="F")
        self._localised.append(Localised.of(boxes_of(image), plane))
        if len(self._localised) == _MOST_IMAGES:
            self._localised = [Localised.total(self._localised)]
        return True

    def details(self) -> Details:
        """Give what was kept."""
        scores = np.array(self._highest, dtype=np.uint16).view(np.float16)
        return Details(
            slices=Sketch.of(scores, np.array(self._has_lesion, dtype=bool)),
            regions=Regions.counted(self._regions),
            localised=Localised.total(self._localised),
            objects=self._matching.detections() if self._matching else None,
        )


def lowest_at_least(threshold: float) -> int:
    """Give the lowest pattern in [0, 1] whose score reaches a threshold; above 1, one that none reaches.

    >>> lowest_at_least(1.0) == 0x3C00, lowest_at_least(0.0), lowest_at_least(2.0) == 0x3C01
    (True, 0, True)
    """
    halves = np.arange(VALUES, dtype=np.uint16).view(np.float16)
    return int(np.searchsorted(halves.astype(np.float64), threshold))
