"""Metrics that count voxels: functions of sketches."""

import math
from collections.abc import Sequence

import numpy as np

from evaluator.metrics import curves
from evaluator.sketch import Sketch


def average_precision(sketch: Sketch) -> float:
    """Σ (R_n − R_{n−1}) P_n over the sketch's scores, all voxels pooled; nan where none is positive.

    A constant score gives the prevalence:

    >>> average_precision(Sketch.zeros(positive=1, negative=3))
    0.25
    """
    return curves.average_precision(sketch.positive.astype(np.float64), sketch.negative.astype(np.float64))


def batched_average_precision(batches: Sequence[Sketch]) -> float:
    """Mean of the average precisions of batches, each the sum of its cases' sketches; nan without a batch.

    A batch whose average precision is not finite counts 0 (REFERENCE of the challenge's pixel task).

    >>> batched_average_precision([Sketch.zeros(positive=1, negative=3), Sketch.zeros(positive=0, negative=4)])
    0.125
    """
    if not batches:
        return float("nan")
    scores = [average_precision(batch) for batch in batches]
    return math.fsum(score for score in scores if math.isfinite(score)) / len(scores)
