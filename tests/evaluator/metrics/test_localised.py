"""PL against the published package `proportion-localised` (named oracle), and what sets ours apart from it."""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from proportion_localised import PL

from evaluator.boxes import boxes_of
from evaluator.localised import LIMITS, Localised
from evaluator.metrics.localised import _SCORES, _percentiles, pl, pl_package
from tests.evaluator.lesions import SIDE, Mask, ellipses, heat_map, patterns, specks, stacked

Map = NDArray[np.float64]

every_limit = pytest.mark.parametrize("limit", LIMITS)
either = pytest.mark.parametrize("metric", [pl, pl_package])


def localised(masks: Sequence[Mask], maps: Sequence[Map]) -> Localised:
    """What a pass over images keeps."""
    return Localised.total(
        Localised.of(boxes_of(mask), patterns(scores)) for mask, scores in zip(masks, maps, strict=True)
    )


def marked(mask: Mask) -> Map:
    """1 in the boxes of specks, 0 elsewhere."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((33, 33), np.uint8)).astype(np.float64)


def disc(row: int, column: int, radius: int) -> Mask:
    return cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (column, row), radius, 1, -1).astype(bool)


@pytest.mark.parametrize(
    ("first", "change"),
    [
        (0, np.asarray),
        (8, lambda scores: np.round(scores * 4) / 4),
        (16, lambda scores: scores / 1024),
        (24, lambda scores: scores > 0.2),
    ],
    ids=["fine", "five scores", "tiny", "binary"],
)
def test_package_thresholds_give_the_packages_number(first: int, change: Callable[[Map], Map]) -> None:
    masks = [ellipses(seed) for seed in range(first, first + 8)]
    maps = [np.asarray(change(heat_map(mask, seed)), np.float16).astype(np.float64) for seed, mask in enumerate(masks)]
    upright = PL(anomaly_likelihood_definitely_increasing=True)
    for limit in LIMITS:
        score, _ = upright.calculate(stacked(maps), stacked(masks), limit)
        assert pl_package(localised(masks, maps), limit) == score


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 0x3C00), st.integers(1, 90)), min_size=1, max_size=60, unique_by=lambda x: x[0])
)
def test_percentiles_are_numpys(counted: list[tuple[int, int]]) -> None:
    bins, counts = np.array(sorted(counted)).T
    kept = Localised.total([]).arrays() | {
        "boxes": np.array([1], np.uint64),
        "bins": bins.astype(np.uint16),
        "counts": counts.astype(np.uint64),
    }
    percent = np.linspace(0, 100, 27)
    expected = np.percentile(np.repeat(_SCORES[bins], counts), percent)
    assert _percentiles(Localised.from_arrays(kept), percent).tolist() == expected.tolist()


def test_perfect_map_of_small_lesions_is_perfect_here_and_not_in_the_package() -> None:
    # Two lesions of 0.7 % of the image each have 41 % of their boxes' pixels and lie above all else, which is noise:
    # the package's highest threshold lets through 3.8 % of all pixels.
    masks = [disc(60, 70, 12), disc(200, 150, 12)]
    rng = np.random.default_rng(0)
    maps = [np.where(mask, 0.9, rng.uniform(0, 0.5, mask.shape)) for mask in masks]
    found = localised(masks, maps)
    assert pl(found) == 1.0
    assert pl_package(found) == 0.0
    assert PL(anomaly_likelihood_definitely_increasing=True).calculate(stacked(maps), stacked(masks))[0] == 0.0


@every_limit
def test_map_that_marks_the_boxes_is_perfect_however_small_the_lesions(limit: float) -> None:
    mask = specks((40, 40), (180, 60), (90, 200))
    boxes = marked(mask) * 0.25
    assert pl(localised([mask], [boxes]), limit) == 1.0


def test_lesions_count_and_not_images() -> None:
    three, one = specks((40, 40), (180, 60), (90, 200)), specks((100, 100))
    found = localised([three, one], [marked(three), np.zeros((SIDE, SIDE))])
    assert pl(found) == 3 / 4


def test_one_threshold_serves_all_lesions() -> None:
    # Each map finds its lesion at a threshold of its own, at which the other's is lost.
    mask = specks((100, 100))
    box = marked(mask)
    low, high = box * 0.25, np.maximum(box * 0.75, 0.5)
    assert pl(localised([mask], [low])) == pl(localised([mask], [high])) == 1.0
    assert pl(localised([mask, mask], [low, high])) == 0.5


def test_constant_map_predicts_every_pixel_at_its_score() -> None:
    whole, speck = np.ones((SIDE, SIDE), dtype=bool), specks((100, 100))
    constant = np.full((SIDE, SIDE), 0.5)
    assert pl(localised([whole, speck], [constant, constant])) == 0.5
    assert pl_package(localised([whole, speck], [constant, constant])) == 0.0  # nothing is above the threshold


@pytest.mark.parametrize("seed", range(12))
def test_package_is_never_above_the_best_threshold(seed: int) -> None:
    mask = ellipses(seed)
    found = localised([mask], [heat_map(mask, seed)])
    for limit in LIMITS:
        assert 0 <= pl_package(found, limit) <= pl(found, limit) <= 1
    assert pl(found, 0.5) <= pl(found, 0.3)


def test_monotone_rescaling_does_not_matter() -> None:
    mask = ellipses(2)
    coarse = np.round(heat_map(mask, 2) * 64) / 64
    assert pl(localised([mask], [coarse**2 / 2])) == pl(localised([mask], [coarse]))  # k² / 8192: exact in half


@either
@every_limit
def test_no_lesion_is_undefined(metric: Callable[[Localised, float], float], limit: float) -> None:
    assert math.isnan(metric(Localised.total([]), limit))


@either
def test_unknown_limit_is_refused(metric: Callable[[Localised, float], float]) -> None:
    with pytest.raises(ValueError, match=r"not 0\.4"):
        metric(Localised.total([]), 0.4)
