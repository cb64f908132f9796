"""What became of a prediction: its status, its scores, and what was odd about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator import notes
from evaluator.details import Details
from evaluator.notes import Notes
from evaluator.sketch import Sketch


class Status(StrEnum):
    """What became of a prediction."""

    OK = "ok"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    SHAPE = "shape"  # of another shape than the case
    NOT_REGULAR = "not_regular"  # a link, folder, pipe or device
    TOO_LARGE = "too_large"


NOTE_OF: Final[Mapping[Status, str]] = {
    Status.MISSING: notes.MISSING,
    Status.UNREADABLE: notes.UNREADABLE,
    Status.SHAPE: notes.SHAPE,
    Status.NOT_REGULAR: notes.NOT_REGULAR,
    Status.TOO_LARGE: notes.TOO_LARGE,
}


@dataclass(frozen=True, kw_only=True)
class PixelReading:
    """A pixel prediction beside its label. Without a readable prediction, every voxel counts 0."""

    status: Status
    sketch: Sketch
    notes: Notes = field(default_factory=dict)
    details: Details | None = None  # None: they were not asked for
    seconds: float = field(default=0.0, compare=False)  # that reading it took
    # The slice of evaluator.slices, float16 [x, y]; None: it was not asked for, or there is no readable prediction.
    plane: NDArray[np.float16] | None = field(default=None, compare=False)

    @property
    def label(self) -> int:
        """1 where a voxel is anomalous."""
        return int(self.sketch.n_positive > 0)

    @classmethod
    def without_prediction(
        cls, status: Status, *, positive: int, negative: int, details: Details | None = None
    ) -> "PixelReading":
        """Score 0 everywhere, and say why; `details` are those of such a prediction."""
        sketch = Sketch.zeros(positive=positive, negative=negative)
        return cls(status=status, sketch=sketch, notes={NOTE_OF[status]: 1}, details=details)


@dataclass(frozen=True, kw_only=True)
class SampleReading:
    """A sample prediction beside its label. Without a readable prediction, 0."""

    status: Status
    score: float  # in [0, 1]
    label: int  # 0 or 1
    notes: Notes = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)  # that reading it took
