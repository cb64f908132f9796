"""Metrics that count objects: functions of detections (see `evaluator.objects`).

After M. Zimmerer's thesis, section 4.2. True positives are pairs of a detection and its object; the other
detections are false positives, the other objects false negatives.
"""

from evaluator.objects import Detections


def precision(found: Detections) -> float:
    """TP / (TP + FP): the share of detections that find an object; nan without a detection.

    >>> precision(Detections(objects=3, detections=4, true_positives=2))
    0.5
    """
    return _share(found.true_positives, found.detections)


def recall(found: Detections) -> float:
    """TP / (TP + FN): the share of objects that are found; nan without an object.

    >>> recall(Detections(objects=4, detections=2, true_positives=1))
    0.25
    """
    return _share(found.true_positives, found.objects)


def f1(found: Detections) -> float:
    """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall; nan without object and detection.

    >>> f1(Detections(objects=5, detections=3, true_positives=2))  # 4 of 8
    0.5
    """
    return _share(2 * found.true_positives, found.objects + found.detections)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
