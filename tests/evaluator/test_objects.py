"""The rule of object-level detection, and its counts."""

import pytest

from evaluator.objects import Detections, ObjectRule


def test_counts_add_up() -> None:
    one = Detections(objects=3, detections=2, true_positives=1)
    other = Detections(objects=1, detections=4, true_positives=1)
    assert Detections.total([one, other]) == Detections(objects=4, detections=6, true_positives=2)
    assert Detections.total([]) == Detections(objects=0, detections=0, true_positives=0)


@pytest.mark.parametrize(("objects", "detections", "true"), [(1, 2, 2), (2, 1, 2), (0, 0, -1)])
def test_more_pairs_than_objects_or_detections_are_refused(objects: int, detections: int, true: int) -> None:
    with pytest.raises(ValueError, match="more pairs than there can be"):
        Detections(objects=objects, detections=detections, true_positives=true)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 0.0},
        {"threshold": 1.5},
        {"threshold": float("nan")},
        {"threshold": 0.5, "min_volume_mm3": -1.0},
        {"threshold": 0.5, "min_volume_mm3": float("nan")},
        {"threshold": 0.5, "size_factor": 0.5},
        {"threshold": 0.5, "size_factor": float("nan")},
    ],
)
def test_rule_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"^an object's|^sizes differ"):
        ObjectRule(**wrong)
