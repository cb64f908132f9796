"""What is kept for PL, against the published package's table of IoUs and against counting box by box."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from proportion_localised import PL_calculation

from evaluator.boxes import boxes_of
from evaluator.localised import LIMITS, Localised
from evaluator.sketch import VALUES
from tests.evaluator.lesions import Mask, ellipses, heat_map, patterns, specks, stacked
from tests.evaluator.test_boxes import counted, inside

Arrays = Mapping[str, NDArray[np.generic]]


def image(seed: int) -> Localised:
    mask = ellipses(seed)
    return Localised.of(boxes_of(mask), patterns(heat_map(mask, seed)))


def assert_same(one: Localised, other: Localised) -> None:
    assert {name: (array.dtype, array.tolist()) for name, array in one.arrays().items()} == {
        name: (array.dtype, array.tolist()) for name, array in other.arrays().items()
    }


def small_image(seed: int) -> tuple[Mask, NDArray[np.uint16]]:
    """A mask of 24 × 20 with some lesions, and patterns of six scores."""
    rng = np.random.default_rng(seed)
    mask = rng.random((24, 20)) < 0.02
    mask[20, 3] = True
    scores = rng.choice([0, 0x0001, 0x2000, 0x3800, 0x3801, 0x3C00], mask.size).astype(np.uint16)
    return mask, scores


def test_boxes_found_at_the_packages_thresholds_are_those_of_its_table() -> None:
    masks = [ellipses(seed) for seed in range(16)]
    maps = [heat_map(mask, seed) for seed, mask in enumerate(masks)]
    table, _, _, _ = PL_calculation(stacked(maps), stacked(masks))
    thresholds = np.percentile(stacked(maps), np.linspace(0, 100, 27)[1:-1])
    total = Localised.total(image(seed) for seed in range(16))
    assert total.boxes == table.shape[1]
    scores = np.arange(VALUES).astype(np.uint16).view(np.float16).astype(np.float64)
    above = [np.count_nonzero(scores <= threshold) for threshold in thresholds]
    for limit in LIMITS:
        found = total.found(limit, np.array(above))
        assert found.tolist() == (table > limit).sum(axis=1).tolist()
        assert 0 < found.max() <= total.most_found(limit)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.integers(0, 2**32))
def test_boxes_found_are_those_of_a_count_for_every_pattern(seed: int) -> None:
    mask, scores = small_image(seed)
    boxes = boxes_of(mask)
    localised = Localised.of(boxes, scores)
    found = {limit: [0] for limit in LIMITS}
    for pattern in (*np.unique(scores).tolist(), 0x1000, 0x3802, VALUES):
        predicted = scores >= pattern
        ious = [
            np.count_nonzero(predicted & inside(boxes, box))
            / np.count_nonzero((predicted & counted(boxes, box)) | inside(boxes, box))
            for box in range(len(boxes))
        ]
        for limit in LIMITS:
            found[limit].append(int(np.count_nonzero(np.array(ious) > limit)))
            assert localised.found(limit, np.array([pattern])).tolist() == found[limit][-1:]
    assert {limit: localised.most_found(limit) for limit in LIMITS} == {limit: max(found[limit]) for limit in LIMITS}


def test_a_limit_must_be_exceeded() -> None:
    boxes = boxes_of(specks((128, 128)))  # 1089 pixels; 1089 / 2 is no integer, 3 / 10 neither
    box = np.flatnonzero(inside(boxes, 0))
    outside = np.flatnonzero(~inside(boxes, 0))
    scores = np.zeros(boxes.n_pixels, dtype=np.uint16)
    scores[box[:330]] = 0x3C00
    scores[outside[:11]] = 0x3C00  # 330 / (1089 + 11) is 0.3
    assert Localised.of(boxes, scores).most_found(0.3) == 0
    scores[outside[0]] = 0
    assert Localised.of(boxes, scores).most_found(0.3) == 1


def test_nothing_predicted_finds_nothing() -> None:
    assert [image(1).found(limit, np.array([VALUES])).tolist() for limit in LIMITS] == [[0], [0]]


def test_all_pixels_of_an_image_are_counted_once() -> None:
    mask, scores = small_image(0)
    localised = Localised.of(boxes_of(mask), scores)
    bins, counts = np.unique(scores, return_counts=True)
    assert (localised.bins.tolist(), localised.counts.tolist()) == (bins.tolist(), counts.tolist())


def test_pixels_are_counted_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    mask, scores = small_image(4)
    at_once = Localised.of(boxes_of(mask), scores)
    for chunk in (1, 7, 50):
        monkeypatch.setattr("evaluator.localised._CHUNK", chunk)
        assert_same(Localised.of(boxes_of(mask), scores), at_once)


def test_image_without_a_lesion_does_not_enter() -> None:
    nothing = Localised.of(boxes_of(np.zeros((4, 5), dtype=bool)), np.full(20, 0x3C00, dtype=np.uint16))
    assert_same(nothing, Localised.total([]))
    assert_same(Localised.total([image(0), nothing]), image(0))


def test_patterns_of_another_image_are_refused() -> None:
    with pytest.raises(ValueError, match="20 pixels"):
        Localised.of(boxes_of(np.ones((4, 5), dtype=bool)), np.zeros(21, dtype=np.uint16))


def test_limit_that_was_not_kept_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not 0\.4"):
        Localised.total([]).most_found(0.4)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.permutations(range(6)), st.integers(0, 6), st.integers(0, 6))
def test_merging_in_any_order_and_grouping_gives_the_same(order: list[int], first: int, second: int) -> None:
    images = [Localised.of(boxes_of(mask), scores) for mask, scores in map(small_image, order)]
    low, high = sorted((first, second))
    groups = [Localised.total(images[:low]), Localised.total(images[low:high]), Localised.total(images[high:])]
    at_once = Localised.total(Localised.of(boxes_of(mask), scores) for mask, scores in map(small_image, range(6)))
    assert_same(Localised.total(groups), at_once)


def test_steps_that_cancel_are_left_out() -> None:
    lower = Localised.of(boxes_of(np.ones((1, 2), dtype=bool)), np.array([5, 5], dtype=np.uint16))
    assert lower.steps[0].changes.tolist() == [1]
    both = Localised.total([image(0), lower])
    assert all(np.all(steps.changes != 0) for steps in both.steps)


@pytest.mark.parametrize("seed", [0, 5, 9])
def test_arrays_hold_all(seed: int) -> None:
    assert_same(Localised.from_arrays(image(seed).arrays()), image(seed))


def test_arrays_of_nothing_hold_all() -> None:
    assert_same(Localised.from_arrays(Localised.total([]).arrays()), Localised.total([]))


def one_box() -> dict[str, NDArray[np.generic]]:
    """Of four pixels, two of pattern 9 find the box at both limits; the rest, of 4, lose it again at the higher."""
    return {
        "boxes": np.array([1], np.uint64),
        "bins": np.array([4, 9], np.uint16),
        "counts": np.array([2, 2], np.uint64),
        "bins_30": np.array([9], np.uint16),
        "changes_30": np.array([1], np.int64),
        "bins_50": np.array([4, 9], np.uint16),
        "changes_50": np.array([-1, 1], np.int64),
    }


def test_one_box_is_read() -> None:
    read, places = Localised.from_arrays(one_box()), np.array([0, 4, 5, 9, 10])
    assert read.found(0.3, places).tolist() == [1, 1, 1, 1, 0]
    assert read.found(0.5, places).tolist() == [0, 0, 1, 1, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"boxes": np.array([1, 1], np.uint64)},
        {"boxes": np.array(1, np.uint64)},
        {"boxes": np.array([1], np.int64)},
        {"boxes": np.array([1.0])},
        {"boxes": np.array([0], np.uint64)},
        {"boxes": np.array([1 << 60], np.uint64)},
        {"bins": np.array([9, 4], np.uint16)},
        {"bins": np.array([9, 9], np.uint16)},
        {"bins": np.array([4, 0x3C01], np.uint16)},
        {"bins": np.array([[4, 9]], np.uint16)},
        {"bins": np.array([4, 9], np.uint32)},
        {"bins": np.array([9], np.uint16)},
        {"bins": np.array([4, 9], object)},
        {"counts": np.array([2, 0], np.uint64)},
        {"counts": np.array([2, 1 << 63], np.uint64)},
        {"counts": np.array([2], np.uint64)},
        {"counts": np.array([2, 2], np.int64)},
        {"changes_30": np.array([0], np.int64)},
        {"changes_30": np.array([-1], np.int64)},
        {"changes_30": np.array([2], np.int64)},
        {"changes_30": np.array([-(1 << 63)], np.int64)},
        {"changes_30": np.array([1, 1], np.int64)},
        {"changes_30": np.array([1], np.uint64)},
        {"changes_50": np.array([1, 1], np.int64)},
        {"bins_30": np.array([4], np.uint16)},
        {"bins_70": np.array([4], np.uint16)},
        {name: np.array([], dtype) for name, dtype in {"bins": np.uint16, "counts": np.uint64}.items()},
    ],
    ids=str,
)
def test_arrays_that_cannot_be_are_refused(change: Arrays) -> None:
    with pytest.raises(ValueError, match=r"bins|boxes|step|score|localised"):
        Localised.from_arrays(one_box() | dict(change))


def test_arrays_that_lack_one_are_refused() -> None:
    for name in one_box():
        with pytest.raises(ValueError, match="localised hold"):
            Localised.from_arrays({other: array for other, array in one_box().items() if other != name})


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.data())
def test_numbers_that_overflow_are_refused(data: st.DataObject) -> None:
    """However large the steps, what is read has between none and all boxes found."""
    bins = np.arange(data.draw(st.integers(1, 40)), dtype=np.uint16)
    numbers = st.one_of(st.integers(-3, 3), st.integers(-(1 << 63), (1 << 63) - 1))
    changes = [np.array(data.draw(st.lists(numbers, min_size=bins.size, max_size=bins.size)), np.int64) for _ in LIMITS]
    arrays = one_box() | {
        "boxes": np.array([data.draw(st.integers(0, (1 << 64) - 1))], np.uint64),
        **dict.fromkeys(("bins", "bins_30", "bins_50"), bins),
        "counts": np.ones(bins.size, np.uint64),
        "changes_30": changes[0],
        "changes_50": changes[1],
    }
    try:
        read = Localised.from_arrays(arrays)
    except ValueError:
        return
    for limit in LIMITS:
        found = read.found(limit, bins)
        assert 0 <= found.min() <= found.max() == read.most_found(limit) <= read.boxes
