"""Average precision from counts: the one formula that voxels and samples share."""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]


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
