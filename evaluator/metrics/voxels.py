"""Metrics that count voxels: functions of sketches.

A sketch may hold one scan (scan level), a batch or a data set (voxels pooled), or slices instead of voxels (slice
level: a slice's score is its maximum, and it is positive where it holds an anomalous voxel). All but those with
a threshold of the caller's are the same for any strictly increasing function of the scores.
"""

import math
from collections.abc import Sequence

import numpy as np

from evaluator.metrics import curves
from evaluator.metrics.curves import Confusion, Counts
from evaluator.sketch import Sketch


def average_precision(sketch: Sketch) -> float:
    """Σ (R_n − R_{n−1}) P_n over the sketch's scores, all voxels pooled; nan where none is positive.

    A constant score gives the prevalence:

    >>> average_precision(Sketch.zeros(positive=1, negative=3))
    0.25
    """
    _, positive, negative = _counts(sketch)
    return curves.average_precision(positive, negative)


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


def auroc(sketch: Sketch) -> float:
    """Area under the ROC curve, ties half; nan of one class. A constant score gives ½.

    >>> auroc(Sketch.zeros(positive=1, negative=3))
    0.5
    """
    _, positive, negative = _counts(sketch)
    return curves.auroc(positive, negative)


def fpr_at_95tpr(sketch: Sketch) -> float:
    """FPR at the first threshold, from high to low, whose TPR is at least 0.95; nan of one class. Lower is better.

    On voxels it is ours: the thesis (Fig. 4.7) shows it for samples only.

    >>> fpr_at_95tpr(Sketch.zeros(positive=1, negative=3))
    1.0
    """
    _, positive, negative = _counts(sketch)
    return curves.fpr_at_tpr(positive, negative, tpr=0.95)


def max_dice(sketch: Sketch) -> float:
    """Maximum over distinct thresholds of Dice = F1 = 2 TP / (2 TP + FP + FN); nan where none is positive.

    SimpleSliceNet, section 3.4, "Maximum Dice Score".

    >>> max_dice(Sketch.zeros(positive=1, negative=3))
    0.4
    """
    _, positive, negative = _counts(sketch)
    return curves.max_dice(positive, negative)


def best_threshold(sketch: Sketch) -> float:
    """Give the score whose Dice is largest, of several the highest; nan where none is positive.

    Of the toy cases' sketch it is the detection threshold of the thesis (section 4.2), for `dice_at`.
    """
    return curves.best_threshold(*_counts(sketch))


def confusion(sketch: Sketch, threshold: float) -> Confusion:
    """Predict `score >= threshold` and count voxels."""
    return curves.confusion(*_counts(sketch), threshold)


def dice_at(sketch: Sketch, threshold: float) -> float:
    """Dice of `score >= threshold`; nan where none is positive.

    The thesis (section 4.2) takes the threshold from the toy cases: `best_threshold` of their sketch.

    >>> dice_at(Sketch.zeros(positive=1, negative=3), threshold=0.5)
    0.0
    """
    return confusion(sketch, threshold).dice


def accuracy(sketch: Sketch) -> float:
    """(TP + TN) / all at the threshold of the best F1 (SimpleSliceNet, section 3.4); nan where none is positive.

    >>> accuracy(Sketch.zeros(positive=1, negative=3))
    0.25
    """
    best = curves.best_confusion(*_counts(sketch))
    return best.accuracy if best else float("nan")


def specificity(sketch: Sketch) -> float:
    """TN / (TN + FP) at the threshold of the best F1 (SimpleSliceNet, section 3.4); nan of one class.

    >>> specificity(Sketch.zeros(positive=1, negative=3))
    0.0
    """
    best = curves.best_confusion(*_counts(sketch))
    return best.specificity if best else float("nan")


def precision(sketch: Sketch) -> float:
    """TP / (TP + FP) at the threshold of the best F1 (SimpleSliceNet, section 3.4); nan where none is positive.

    >>> precision(Sketch.zeros(positive=1, negative=3))
    0.25
    """
    best = curves.best_confusion(*_counts(sketch))
    return best.precision if best else float("nan")


def _counts(sketch: Sketch) -> tuple[Counts, Counts, Counts]:
    """Scores, positives and negatives, float64[k] each."""
    values = sketch.bins.view(np.float16).astype(np.float64)
    return values, sketch.positive.astype(np.float64), sketch.negative.astype(np.float64)
