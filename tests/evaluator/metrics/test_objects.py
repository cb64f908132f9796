import math

import pytest

from evaluator.metrics import objects
from evaluator.objects import Detections


def detections(*, tp: int, fp: int, fn: int) -> Detections:
    return Detections(objects=tp + fn, detections=tp + fp, true_positives=tp)


@pytest.mark.parametrize(
    ("found", "precision", "recall", "f1"),
    [
        (detections(tp=3, fp=0, fn=0), 1, 1, 1),
        (detections(tp=0, fp=2, fn=3), 0, 0, 0),
        (detections(tp=3, fp=1, fn=0), 3 / 4, 1, 6 / 7),
        (detections(tp=1, fp=1, fn=3), 1 / 2, 1 / 4, 1 / 3),
    ],
)
def test_shares_are_those_of_the_counts(found: Detections, precision: float, recall: float, f1: float) -> None:
    assert (objects.precision(found), objects.recall(found), objects.f1(found)) == (precision, recall, f1)


def test_precision_without_a_detection_is_undefined() -> None:
    silent = detections(tp=0, fp=0, fn=2)
    assert math.isnan(objects.precision(silent))
    assert (objects.recall(silent), objects.f1(silent)) == (0, 0)


def test_recall_without_an_object_is_undefined() -> None:
    healthy = detections(tp=0, fp=2, fn=0)
    assert math.isnan(objects.recall(healthy))
    assert (objects.precision(healthy), objects.f1(healthy)) == (0, 0)


def test_nothing_at_all_is_undefined() -> None:
    nothing = Detections.total([])
    assert all(math.isnan(metric(nothing)) for metric in (objects.precision, objects.recall, objects.f1))
