"""Gathers details plane by plane. Loads the libraries for connected components and rotated boxes."""

import math

import numpy as np
from numpy.typing import NDArray

from evaluator import components
from evaluator.boxes import boxes_of
from evaluator.details import Details
from evaluator.formats import Patterns
from evaluator.kernels import Loops, clamped
from evaluator.localised import Localised
from evaluator.objects import Detections, ObjectRule, match
from evaluator.regions import Regions
from evaluator.runs import Runs
from evaluator.sketch import VALUES, Sketch
from evaluator.truth import Truth


class Gathering:
    """Watches one prediction: see `evaluator.counting.Watcher`."""

    def __init__(self, truth: Truth, loops: Loops, rule: ObjectRule | None = None) -> None:
        self._truth = truth
        self._loops = loops
        self._rule = rule
        self._row = truth.shape[0]
        self._plane = math.prod(truth.shape[:2])
        self._objects = components.label(truth.runs, truth.shape)
        self._highest: list[int] = []
        self._has_lesion: list[bool] = []
        self._at_lesions: list[Patterns] = []
        self._localised: list[Localised] = []
        self._found: list[Runs] = []

    def see(self, start: int, patterns: Patterns) -> None:
        """See whole planes."""
        if self._rule:
            self._keep_found(start, patterns, self._rule)
        for first in range(0, patterns.size, self._plane):
            plane = patterns[first : first + self._plane]
            lesions = self._truth.positives(start + first, start + first + self._plane)
            self._highest.append(self._loops.highest(plane))
            self._has_lesion.append(bool(lesions.size))
            if lesions.size:
                self._see_lesions(clamped(plane), lesions)

    def _see_lesions(self, plane: Patterns, lesions: NDArray[np.int64]) -> None:
        self._at_lesions.append(plane[lesions])
        mask = np.zeros(self._plane, dtype=bool)
        mask[lesions] = True
        image = mask.reshape(self._truth.shape[:2], order="F")
        self._localised.append(Localised.of(boxes_of(image), plane))

    def _keep_found(self, start: int, patterns: Patterns, rule: ObjectRule) -> None:
        """Keep where the score reaches the rule's threshold."""
        found = clamped(patterns) >= lowest_at_least(rule.threshold)
        if found.any():
            self._found.append(Runs.of_plane(found, row=self._row, offset=start))

    def details(self) -> Details:
        """Give what was kept."""
        return Details(
            slices=self._slices(),
            regions=self._regions(),
            localised=Localised.total(self._localised),
            objects=self._detections(),
        )

    def _slices(self) -> Sketch:
        scores = np.array(self._highest, dtype=np.uint16).view(np.float16)
        return Sketch.of(scores, np.array(self._has_lesion, dtype=bool))

    def _regions(self) -> Regions:
        patterns = np.concatenate(self._at_lesions) if self._at_lesions else np.zeros(0, dtype=np.uint16)
        component = np.repeat(self._objects.of_run, self._objects.runs.lengths)
        return Regions.of(component, patterns, self._objects.sizes)

    def _detections(self) -> Detections | None:
        if self._rule is None:
            return None
        found = components.label(Runs.joined(self._found), self._truth.shape)
        return match(self._objects, found, self._truth.shape, self._truth.voxel_mm3, self._rule)


def lowest_at_least(threshold: float) -> int:
    """Give the lowest pattern in [0, 1] whose score reaches a threshold; above 1, one that none reaches.

    >>> lowest_at_least(1.0) == 0x3C00, lowest_at_least(0.0), lowest_at_least(2.0) == 0x3C01
    (True, 0, True)
    """
    halves = np.arange(VALUES, dtype=np.uint16).view(np.float16)
    return int(np.searchsorted(halves.astype(np.float64), threshold))
