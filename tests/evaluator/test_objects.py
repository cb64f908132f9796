"""The rule of object-level detection, and its counts."""

from dataclasses import replace

import pytest

from evaluator.objects import MOST_LISTED, Detection, Detections, ObjectRule


def test_counts_add_up() -> None:
    one = Detections(objects=3, detections=2, true_positives=1)
    other = Detections(objects=1, detections=4, true_positives=1)
    assert Detections.total([one, other]) == Detections(objects=4, detections=6, true_positives=2)
    assert Detections.total([]) == Detections(objects=0, detections=0, true_positives=0)


def test_list_of_a_case_is_not_in_a_sum() -> None:
    one = Detection(volume_mm3=2.0, centre=(1, 2, 3), matched=True)
    case = Detections(objects=1, detections=1, true_positives=1, largest=(one,))
    assert Detections.total([case]).largest == ()


DOT = Detection(volume_mm3=1.0, centre=(0, 0, 0), matched=False)


@pytest.mark.parametrize(
    ("counts", "largest"),
    [((0, 1, 0), (DOT, DOT)), ((0, 999, 0), (DOT,) * (MOST_LISTED + 1)), ((1, 1, 0), (replace(DOT, matched=True),))],
)
def test_list_that_does_not_fit_the_counts_is_refused(
    counts: tuple[int, int, int], largest: tuple[Detection, ...]
) -> None:
    with pytest.raises(ValueError, match="listed"):
        Detections(objects=counts[0], detections=counts[1], true_positives=counts[2], largest=largest)


@pytest.mark.parametrize(
    ("volume_mm3", "centre"),
    [(-1.0, (0, 0, 0)), (float("nan"), (0, 0, 0)), (float("inf"), (0, 0, 0)), (1.0, (0, -1, 0))],
)
def test_detection_that_cannot_be_is_refused(volume_mm3: float, centre: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"^a detection of"):
        Detection(volume_mm3=volume_mm3, centre=centre, matched=False)


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
