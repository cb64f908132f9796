"""Boxes against the published package `proportion-localised` (named oracle), pixel by pixel."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from proportion_localised import PL_calculation
from scipy import ndimage

from evaluator.boxes import boxes_of
from evaluator.localised import Boxes
from tests.evaluator.lesions import SIDE, Mask, ellipses, specks


def inside(boxes: Boxes, box: int) -> Mask:
    """Which pixels, flat in Fortran order, are in a box."""
    found: Mask = np.repeat(boxes.part, boxes.cells.lengths) == 2 * box + 1
    found[boxes.farther[box].indices()] = True
    return found


def counted(boxes: Boxes, box: int) -> Mask:
    """Which pixels count for a box."""
    found: Mask = inside(boxes, box) | (np.repeat(boxes.part, boxes.cells.lengths) // 2 == box)
    return found


def flat(image: NDArray[np.number]) -> Mask:
    return image.astype(bool).ravel(order="F")


def assert_is_the_packages(mask: Mask) -> Boxes:
    """Same boxes in the same order, of the same pixels."""
    boxes = boxes_of(mask)
    _, _, _, ([regions], [boxed], _) = PL_calculation(np.zeros((1, SIDE, SIDE)), mask[np.newaxis], n_thresholds=1)
    assert len(boxes) == len(boxed)
    for box in range(len(boxes)):
        np.testing.assert_array_equal(inside(boxes, box), flat(boxed[box]))
        np.testing.assert_array_equal(counted(boxes, box), flat(regions[box]))
        assert boxes.areas[box] == np.count_nonzero(boxed[box])
    return boxes


def n_lesions(mask: Mask) -> int:
    return int(ndimage.label(mask, np.ones((3, 3)))[1])


@pytest.mark.parametrize("seed", range(32))
def test_boxes_of_many_lesions(seed: int) -> None:
    assert_is_the_packages(ellipses(seed))


def test_many_lesions_are_merged_and_many_are_not() -> None:
    images = [ellipses(seed) for seed in range(32)]
    left = [(n_lesions(mask), len(boxes_of(mask))) for mask in images]
    assert sum(boxes < lesions for lesions, boxes in left) >= 8
    assert sum(boxes > 2 for _, boxes in left) >= 16


@pytest.mark.parametrize(
    "mask",
    [
        specks((128, 128)),
        specks((0, 0)),
        specks((255, 0)),
        specks((100, 40), (100, 41)),
        specks((0, 255), (255, 0)),
        np.eye(SIDE, dtype=bool),
        np.eye(SIDE, dtype=bool)[::-1],
        np.eye(SIDE, 1, dtype=bool).repeat(SIDE, axis=1),
        np.eye(SIDE, 1, -100, dtype=bool).repeat(SIDE, axis=1),
        np.eye(SIDE, 1, -100, dtype=bool).repeat(SIDE, axis=1).T,
        np.ones((SIDE, SIDE), dtype=bool),
    ],
    ids=[
        "speck",
        "corner",
        "other corner",
        "pair of pixels",
        "opposite corners",
        "diagonal",
        "antidiagonal",
        "first row",
        "row",
        "column",
        "everything",
    ],
)
def test_degenerate_lesions_are_boxed(mask: Mask) -> None:
    assert_is_the_packages(mask)


def test_pixels_that_touch_by_a_corner_are_one_lesion() -> None:
    assert len(assert_is_the_packages(specks((100, 100), (101, 101), (102, 100)))) == 1


def test_lesion_in_the_hole_of_another_is_merged_with_it() -> None:
    ring = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (120, 90), 30, 1, 2).astype(bool)
    assert len(assert_is_the_packages(ring | specks((90, 120)))) == 1


def test_small_boxes_are_widened_to_an_eighth_of_the_image() -> None:
    boxes = boxes_of(specks((100, 50)))
    row, column = np.unravel_index(np.flatnonzero(inside(boxes, 0)), (SIDE, SIDE), order="F")
    assert (row.min(), row.max(), column.min(), column.max()) == (84, 116, 34, 66)  # 32 wide, both edges drawn
    assert boxes.areas.tolist() == [33 * 33]


def test_pixels_as_far_from_two_centres_count_for_the_first() -> None:
    boxes = assert_is_the_packages(specks((60, 128), (200, 128)))
    assert counted(boxes, 0).reshape(SIDE, SIDE, order="F")[130].all()
    assert not counted(boxes, 1).reshape(SIDE, SIDE, order="F")[130].any()


def test_pixels_inside_two_boxes_count_for_both() -> None:
    boxes = assert_is_the_packages(specks((100, 100), (123, 100)))  # 9 of 32 shared: less than a third
    both = inside(boxes, 0) & inside(boxes, 1)
    assert np.count_nonzero(both) == 10 * 33
    assert boxes.farther[0].n_voxels + boxes.farther[1].n_voxels == 10 * 33


def test_boxes_that_share_over_a_third_are_merged() -> None:
    assert len(assert_is_the_packages(specks((100, 100), (121, 100)))) == 1  # 11 of 32
    assert len(assert_is_the_packages(specks((100, 100), (122, 100)))) == 2  # 10 of 32


def test_the_third_is_of_the_box_with_the_smaller_sides() -> None:
    bar = np.zeros((SIDE, SIDE), dtype=bool)
    bar[100, 20:240] = True
    assert len(assert_is_the_packages(bar | specks((121, 100)))) == 1  # 11 of the speck's 32
    assert len(assert_is_the_packages(bar | specks((122, 100)))) == 2


def test_merged_boxes_are_merged_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = specks((104, 83), (119, 92), (103, 105))  # the first two's box reaches the third's, theirs do not
    assert len(assert_is_the_packages(mask)) == 1
    monkeypatch.setattr("evaluator.boxes._ROUNDS", 1)
    assert len(boxes_of(mask)) == 2


def test_equally_distant_boxes_lose_no_pair() -> None:
    # Here the package's result depends on how the processor sorts ties.
    grid = [(40 + 21 * i, 40 + 21 * j) for i in range(4) for j in range(4)]
    assert len(boxes_of(specks(*grid))) == 1


def test_overlaps_are_measured_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = boxes_of(ellipses(7))
    monkeypatch.setattr("evaluator.boxes._PAIRS", 2)
    in_parts = boxes_of(ellipses(7))
    np.testing.assert_array_equal(in_parts.cells.starts, at_once.cells.starts)
    np.testing.assert_array_equal(in_parts.part, at_once.part)


def test_no_lesion_has_no_box() -> None:
    boxes = boxes_of(np.zeros((9, 7), dtype=bool))
    assert len(boxes) == 0
    assert boxes.n_pixels == 63


@pytest.mark.parametrize("shape", [(4,), (4, 4, 1), (0, 4)])
def test_what_is_not_an_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not an image"):
        boxes_of(np.zeros(shape, dtype=bool))


def test_storage_order_does_not_matter() -> None:
    mask = ellipses(3)
    np.testing.assert_array_equal(boxes_of(np.asfortranarray(mask)).part, boxes_of(mask).part)


def test_least_side_is_of_the_root_of_the_area() -> None:
    wide = boxes_of(specks((64, 256), shape=(128, 512)))  # √(128 · 512) / 8 = 32
    high = boxes_of(specks((256, 64), shape=(512, 128)))
    assert wide.areas.tolist() == high.areas.tolist() == [33 * 33]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2), (7, 7)])
def test_least_images_are_boxed(shape: tuple[int, int]) -> None:
    boxes = boxes_of(specks((0, 0), shape=shape))
    assert inside(boxes, 0)[0]


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.floats(0.001, 0.5), st.integers(0, 2**32))
def test_every_pixel_has_one_nearest_box(shape: tuple[int, int], density: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random(shape) < density
    mask[-1, -1] = True
    boxes = boxes_of(mask)
    assert 1 <= len(boxes) <= n_lesions(mask)
    assert boxes.cells.indices().tolist() == list(range(mask.size))
    assert set(boxes.part // 2) <= set(range(len(boxes)))
    assert [np.count_nonzero(inside(boxes, box)) for box in range(len(boxes))] == boxes.areas.tolist()
    assert boxes.areas.min() > 0
