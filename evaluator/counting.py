"""Counts a prediction beside its label, in one pass over its voxels."""

import math
from collections.abc import Callable
from typing import BinaryIO, Protocol

import numpy as np

from evaluator import notes
from evaluator.details import Details
from evaluator.formats import Patterns, UnreadableError, Volume
from evaluator.kernels import PLAIN, SIGN, Loops, Tally
from evaluator.readings import PixelReading, Status
from evaluator.sketch import Sketch
from evaluator.slices import PlaneKeeper
from evaluator.truth import Truth

_ZERO = np.uint16(SIGN)


class Watcher(Protocol):
    """Sees each plane of a prediction go by, and keeps what a sketch does not."""

    def see(self, start: int, patterns: Patterns) -> None:
        """See whole planes, the first voxel of which is `start`; `patterns` is overwritten afterwards."""

    def details(self) -> Details:
        """Give what was kept, once all planes have been seen."""


Watch = Callable[[Truth], Watcher]


def read_pixel(
    prediction: BinaryIO, truth: Truth, *, loops: Loops = PLAIN, watch: Watch | None = None, shown: bool = False
) -> PixelReading:
    """Read a prediction, a binary file at its start; whatever is wrong with it is a status.

    With `watch`, the reading has details; with `shown`, the plane to look at.
    """
    watcher = watch(truth) if watch else None
    keeper = PlaneKeeper(truth) if shown else None
    tally = Tally(loops=loops)
    try:
        volume = Volume.open(prediction)
        if volume.shape != truth.shape:
            return without_prediction(Status.SHAPE, truth, watch=watch)
        start = 0
        for patterns, blank in volume.patterns(loops):
            tally.count(patterns, blank)
            starts, lengths = truth.runs_within(start, start + patterns.size)
            if starts.size:
                tally.count_positive(patterns, starts, lengths)
            if watcher:
                watcher.see(start, patterns)
            if keeper:
                keeper.see(start, patterns)
            start += patterns.size
    except UnreadableError:
        return without_prediction(Status.UNREADABLE, truth, watch=watch)
    tally.rounded = volume.rounded
    sketch = Sketch.folded(tally)
    details = watcher.details() if watcher else None
    return PixelReading(
        status=Status.OK,
        sketch=sketch,
        notes=_notes(sketch, volume),
        details=details,
        plane=keeper.plane if keeper else None,
    )


def without_prediction(status: Status, truth: Truth, *, watch: Watch | None = None) -> PixelReading:
    """Score 0 everywhere."""
    positive = truth.n_positive
    return PixelReading.without_prediction(
        status,
        positive=positive,
        negative=truth.n_voxels - positive,
        details=_details_of_zeros(truth, watch(truth)) if watch else None,
    )


def _details_of_zeros(truth: Truth, watcher: Watcher) -> Details:
    plane = math.prod(truth.shape[:2])
    zeros = np.full(plane, _ZERO)
    for start in range(0, truth.n_voxels, max(1, plane)):
        watcher.see(start, zeros)
    return watcher.details()


def _notes(sketch: Sketch, volume: Volume) -> dict[str, int]:
    counts = {
        notes.NAN: sketch.nan,
        notes.INFINITE: sketch.posinf + sketch.neginf,
        notes.CLAMPED: sketch.below + sketch.above,
        notes.SCALED: int(volume.is_scaled),
        notes.GZIP_TAIL: int(not volume.at_end()),
    }
    return {code: count for code, count in counts.items() if count}
