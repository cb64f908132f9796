"""Metrics that count cases: functions of one score and one label a case.

`scores` are doubles, clamped here; `labels` are 0 or 1; both have one entry a case, and ValueError is raised where
they differ in length. The formulas are those of voxels.
"""

import math
from collections.abc import Sequence

import numpy as np

from evaluator.metrics import curves
from evaluator.metrics.curves import Confusion, Counts


def clamped(score: float) -> float:
    """Bring a score to [0, 1]; NaN is 0.

    >>> clamped(1.5), clamped(float("-inf")), clamped(float("nan")), clamped(-0.0)
    (1.0, 0.0, 0.0, 0.0)
    """
    return 0.0 if math.isnan(score) else min(max(0.0, score), 1.0)  # in this order -0.0 is 0.0


def average_precision(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Σ (R_n − R_{n−1}) P_n over distinct scores; nan without a positive.

    >>> average_precision([0.9, 0.8, 0.1], [1, 0, 1])  # 1 of 1, then 2 of 3
    0.8333333333333333
    """
    _, positive, negative = _counts(scores, labels)
    return curves.average_precision(positive, negative)


def auroc(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Area under the ROC curve, ties half; nan of one class.

    >>> auroc([0.9, 0.8, 0.1], [1, 0, 1])
    0.5
    """
    _, positive, negative = _counts(scores, labels)
    return curves.auroc(positive, negative)


def fpr_at_95tpr(scores: Sequence[float], labels: Sequence[int]) -> float:
    """FPR at the first threshold, from high to low, whose TPR is at least 0.95; nan of one class. Lower is better.

    Thesis, Fig. 4.7.

    >>> fpr_at_95tpr([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0])
    0.5
    """
    _, positive, negative = _counts(scores, labels)
    return curves.fpr_at_tpr(positive, negative, tpr=0.95)


def max_dice(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Maximum F1 over distinct thresholds; nan without a positive.

    >>> max_dice([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0])
    0.8
    """
    _, positive, negative = _counts(scores, labels)
    return curves.max_dice(positive, negative)


def best_threshold(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Give the score whose F1 is largest, of several the highest; nan without a positive."""
    return curves.best_threshold(*_counts(scores, labels))


def confusion(scores: Sequence[float], labels: Sequence[int], threshold: float) -> Confusion:
    """Predict `score >= threshold` and count cases."""
    return curves.confusion(*_counts(scores, labels), threshold)


def dice_at(scores: Sequence[float], labels: Sequence[int], threshold: float) -> float:
    """F1 of `score >= threshold`; nan without a positive. The threshold is another data set's, as the toy cases'.

    >>> dice_at([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0], threshold=0.85)
    0.6666666666666666
    """
    return confusion(scores, labels, threshold).dice


def accuracy(scores: Sequence[float], labels: Sequence[int]) -> float:
    """(TP + TN) / all at the threshold of the best F1; nan without a positive.

    >>> accuracy([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0])
    0.75
    """
    best = curves.best_confusion(*_counts(scores, labels))
    return best.accuracy if best else float("nan")


def specificity(scores: Sequence[float], labels: Sequence[int]) -> float:
    """TN / (TN + FP) at the threshold of the best F1; nan of one class.

    >>> specificity([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0])
    0.5
    """
    best = curves.best_confusion(*_counts(scores, labels))
    return best.specificity if best else float("nan")


def precision(scores: Sequence[float], labels: Sequence[int]) -> float:
    """TP / (TP + FP) at the threshold of the best F1; nan without a positive.

    >>> precision([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0])
    0.6666666666666666
    """
    best = curves.best_confusion(*_counts(scores, labels))
    return best.precision if best else float("nan")


def _counts(scores: Sequence[float], labels: Sequence[int]) -> tuple[Counts, Counts, Counts]:
    """Distinct clamped scores, positives and negatives, float64[k] each."""
    if len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores, {len(labels)} labels")
    clamped_scores = np.array([clamped(score) for score in scores], dtype=np.float64)
    anomalous = np.array(labels, dtype=np.float64)
    values, place = np.unique(clamped_scores, return_inverse=True)
    positive = np.bincount(place, weights=anomalous).astype(np.float64)
    return values, positive, np.bincount(place).astype(np.float64) - positive
