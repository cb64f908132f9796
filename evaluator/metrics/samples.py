"""Metrics that count cases: functions of one score and one label a case."""

import math
from collections.abc import Sequence

import numpy as np

from evaluator.metrics import curves


def clamped(score: float) -> float:
    """Bring a score to [0, 1]; NaN is 0.

    >>> clamped(1.5), clamped(float("-inf")), clamped(float("nan"))
    (1.0, 0.0, 0.0)
    """
    return 0.0 if math.isnan(score) else min(max(score, 0.0), 1.0)


def average_precision(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Σ (R_n − R_{n−1}) P_n over distinct scores; scores are doubles, clamped here; nan without a positive.

    `scores` and `labels` (0 or 1) have one entry a case. Raises ValueError where they differ in length.

    >>> average_precision([0.9, 0.8, 0.1], [1, 0, 1])  # 1 of 1, then 2 of 3
    0.8333333333333333
    """
    if len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores, {len(labels)} labels")
    values = np.array([clamped(score) for score in scores], dtype=np.float64)
    anomalous = np.array(labels, dtype=np.float64)
    _, place = np.unique(values, return_inverse=True)
    positive = np.bincount(place, weights=anomalous).astype(np.float64)
    return curves.average_precision(positive, np.bincount(place).astype(np.float64) - positive)
