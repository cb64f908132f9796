"""Formulas on counts by distinct score, which voxels, slices and samples share.

`values` float64[k], the distinct scores, ascending; `positive`, `negative` float64[k], how many units have each.
"Predicted positive" is score >= threshold, so that units with equal scores enter together. Undefined is nan.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]

_OVERFLOWS: Final = 1 << 63  # int64


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """What a threshold makes of the units, and the ratios that follow; a ratio is nan where it divides by 0.

    >>> found = Confusion(true_positives=1, false_positives=1, false_negatives=0, true_negatives=2)
    >>> found.accuracy, found.specificity, found.precision, found.recall, found.dice
    (0.75, 0.6666666666666666, 0.5, 1.0, 0.6666666666666666)
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all."""
        right = self.true_positives + self.true_negatives
        return _ratio(right, right + self.false_positives + self.false_negatives)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP)."""
        return _ratio(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN), which is F1; nan where nothing is positive."""
        if self.true_positives + self.false_negatives == 0:
            return float("nan")
        return _ratio(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)


def average_precision(positive: Counts, negative: Counts) -> float:
    """Σ (R_n − R_{n−1}) P_n over distinct thresholds, ties grouped.

    `positive`, `negative` float64[k]: cases with each distinct score, ascending by score. nan where nothing
    is positive. Equal to scikit-learn 1.9's `average_precision_score` to the last bit: its expressions, in
    its order.

    >>> average_precision(np.array([1.0, 1.0]), np.array([2.0, 0.0]))  # 1 of 1, then 2 of 4
    0.75
    """
    found = np.cumsum(positive[::-1], dtype=np.float64)
    alarms = np.cumsum(negative[::-1], dtype=np.float64)
    if not found.size or found[-1] == 0:
        return float("nan")
    precision = (found / (found + alarms))[::-1]
    recall = np.append((found / found[-1])[::-1], 0.0)
    return float(max(0.0, -np.sum(np.diff(recall) * precision)))


def auroc(positive: Counts, negative: Counts) -> float:
    """P(a positive's score > a negative's) + ½ P(they are equal), the area under the ROC curve; nan of one class.

    Twice the number of ordered pairs is an integer; where 64 bits cannot hold it, Python adds it up. The one
    division is rounded once.

    >>> auroc(np.array([1.0, 1.0]), np.array([2.0, 0.0]))  # of 4 pairs 2 are won and 2 are even
    0.75
    """
    positives, negatives = int(positive.sum()), int(negative.sum())
    if positives == 0 or negatives == 0:
        return float("nan")
    above = positives - np.cumsum(positive, dtype=np.int64)
    wins, losers = 2 * above + positive.astype(np.int64), negative.astype(np.int64)
    pairs = 2 * positives * negatives
    if pairs < _OVERFLOWS:
        won = int(wins @ losers)
    else:
        won = sum(int(win) * int(loser) for win, loser in zip(wins, losers, strict=True))
    return won / pairs


def fpr_at_tpr(positive: Counts, negative: Counts, tpr: float) -> float:
    """FP / N at the first threshold, from high to low, where TP / P is at least `tpr`; nan of one class.

    >>> fpr_at_tpr(np.array([1.0, 1.0]), np.array([3.0, 1.0]), tpr=0.5)
    0.25
    """
    found, alarms = np.cumsum(positive[::-1]), np.cumsum(negative[::-1])
    if not found.size or found[-1] == 0 or alarms[-1] == 0:
        return float("nan")
    return float(alarms[np.argmax(found / found[-1] >= tpr)] / alarms[-1])


def dice_curve(positive: Counts, negative: Counts) -> Counts:
    """Dice = F1 = 2 TP / (P + TP + FP) of `score >= value` for each distinct score, float64[k]; nan without a positive.

    >>> dice_curve(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    array([0.66666667, 0.66666667])
    """
    found, alarms = np.cumsum(positive[::-1])[::-1], np.cumsum(negative[::-1])[::-1]
    if not found.size or found[0] == 0:
        return np.full(positive.shape, np.nan)
    curve: Counts = 2 * found / (found[0] + found + alarms)
    return curve


def max_dice(positive: Counts, negative: Counts) -> float:
    """Give the largest of `dice_curve`, which is the maximum F1; nan without a positive."""
    curve = dice_curve(positive, negative)
    return float(curve.max()) if curve.size else float("nan")


def best_threshold(values: Counts, positive: Counts, negative: Counts) -> float:
    """Give the distinct score whose Dice is largest, of several the highest; nan without a positive.

    Exact: each Dice is one rounded division of integers, so equal ones compare equal.

    >>> best_threshold(np.array([0.2, 0.7]), np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    0.7
    """
    curve = dice_curve(positive, negative)
    if not curve.size or np.isnan(curve[0]):
        return float("nan")
    return float(values[np.flatnonzero(curve == curve.max())[-1]])


def confusion(values: Counts, positive: Counts, negative: Counts, threshold: float) -> Confusion:
    """Predict `score >= threshold` and count. Raises ValueError where the threshold is nan.

    >>> confusion(np.array([0.2, 0.7]), np.array([1.0, 1.0]), np.array([2.0, 0.0]), threshold=0.5)
    Confusion(true_positives=1, false_positives=0, false_negatives=1, true_negatives=2)
    """
    if np.isnan(threshold):
        raise ValueError("a threshold is nan")
    first = int(np.searchsorted(values, threshold))
    return Confusion(
        true_positives=int(positive[first:].sum()),
        false_positives=int(negative[first:].sum()),
        false_negatives=int(positive[:first].sum()),
        true_negatives=int(negative[:first].sum()),
    )


def best_confusion(values: Counts, positive: Counts, negative: Counts) -> Confusion | None:
    """Count at the threshold of the best Dice; None without a positive, where there is no such threshold."""
    threshold = best_threshold(values, positive, negative)
    return None if np.isnan(threshold) else confusion(values, positive, negative, threshold)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
