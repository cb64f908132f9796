"""Details of whole volumes against the same, worked out from arrays in memory."""

import io
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from evaluator import kernels
from evaluator.boxes import boxes_of
from evaluator.counting import read_pixel, without_prediction
from evaluator.details import Details
from evaluator.formats import SLAB_VOXELS
from evaluator.gathering import Gathering, lowest_at_least
from evaluator.kernels import Loops
from evaluator.localised import Localised
from evaluator.objects import Detection, Detections, ObjectRule
from evaluator.readings import Status
from evaluator.regions import Regions
from evaluator.sketch import Sketch
from evaluator.truth import Truth
from tests.evaluator.files import Array, volume

SHAPES = [(30, 20, 12), (64, 48, 1), (1, 1, 5), (300, 300, 3), (9, 8, 7, 2)]
RULE = ObjectRule(threshold=0.6, min_volume_mm3=3)
RNG = np.random.default_rng(3)


def scores_and_mask(shape: tuple[int, ...]) -> tuple[Array, NDArray[np.bool_]]:
    mask = ndimage.binary_dilation(RNG.random(shape) < 0.002, iterations=2)
    scores = (RNG.random(shape) ** 2 * 1.2 + 0.3 * mask - 0.1).astype(np.float32)
    return scores, mask


def details(scores: Array, mask: NDArray[np.bool_], loops: Loops = kernels.PLAIN) -> Details:
    truth = Truth.read(io.BytesIO(volume(mask, dtype="u1")), mask.shape)
    watch = partial(Gathering, loops=loops, rule=RULE)
    found = read_pixel(io.BytesIO(volume(scores)), truth, loops=loops, watch=watch).details
    assert found
    return found


def planes(array: Array) -> Array:
    """The volume's axial slices, one after the other."""
    return np.moveaxis(array.reshape((*array.shape[:2], -1), order="F"), 2, 0)


@pytest.mark.parametrize("loops", [kernels.PLAIN, kernels.best()], ids=lambda loops: loops.name)
@pytest.mark.parametrize("shape", SHAPES)
def test_details_are_those_of_the_arrays(shape: tuple[int, ...], loops: Loops) -> None:
    scores, mask = scores_and_mask(shape)
    assert np.prod(shape[:2]) <= SLAB_VOXELS or shape == (300, 300, 3)  # a plane of several slabs, and several planes
    found = details(scores, mask, loops)
    halves = np.clip(scores.astype(np.float16), 0, 1)
    highest = planes(halves).max(axis=(1, 2))
    slices = Sketch.of(highest, np.any(planes(mask), axis=(1, 2)))
    assert (found.slices.bins.tolist(), found.slices.positive.tolist()) == (
        slices.bins.tolist(),
        slices.positive.tolist(),
    )
    stack = np.moveaxis(planes(mask), 0, 2)
    labels, count = ndimage.label(stack, structure=np.ones((3, 3, 3)))
    patterns = np.moveaxis(planes(halves), 0, 2).view(np.uint16)
    regions = Regions.of(labels[stack] - 1, patterns[stack], np.bincount(labels[stack] - 1, minlength=count))
    assert {name: array.tolist() for name, array in found.regions.arrays().items()} == {
        name: array.tolist() for name, array in regions.arrays().items()
    }
    images = [
        Localised.of(boxes_of(one), half.ravel(order="F").view(np.uint16))
        for one, half in zip(planes(mask), planes(halves), strict=True)
        if one.any()
    ]
    for name, array in Localised.total(images).arrays().items():
        np.testing.assert_array_equal(found.localised.arrays()[name], array)


def test_missing_prediction_has_the_details_of_zeros() -> None:
    scores, mask = scores_and_mask((30, 20, 12))
    truth = Truth.read(io.BytesIO(volume(mask, dtype="u1")), mask.shape)
    watch = partial(Gathering, loops=kernels.PLAIN, rule=RULE)
    missing = without_prediction(Status.MISSING, truth, watch=watch).details
    assert missing
    assert missing.to_bytes() == details(np.zeros_like(scores), mask).to_bytes()


def test_objects_are_found_at_the_threshold_and_measured_by_the_header() -> None:
    mask = np.zeros((12, 10, 4), dtype=bool)
    mask[2:5, 2:5, 1:3] = True
    scores = np.where(mask, 0.6, 0.0)  # in half precision a little above 0.6
    scores[9, 8, 3] = 1.0  # a voxel of 1 mm³
    lesion = Detection(volume_mm3=18.0, centre=(3, 3, 2), matched=True)
    assert details(scores, mask).objects == Detections(objects=1, detections=1, true_positives=1, largest=(lesion,))
    assert details(scores / 2, mask).objects == Detections(objects=1, detections=0, true_positives=0)


@pytest.mark.parametrize("threshold", [0.0, 2.0**-24, 2.0**-25, 0.1, 0.5, 0.5001, 1.0])
def test_threshold_is_reached_by_the_lowest_half_that_is_no_less(threshold: float) -> None:
    pattern = lowest_at_least(threshold)
    halves = np.arange(0x3C01, dtype=np.uint16).view(np.float16).astype(np.float64)
    assert np.flatnonzero(halves >= threshold)[0] == pattern


def test_details_add_up_and_come_back_from_bytes() -> None:
    several = [details(*scores_and_mask((30, 20, 12))) for _ in range(3)]
    whole = Details.total(several)
    nested = Details.total([Details.total(several[1:]), several[0]])
    assert whole.to_bytes() == nested.to_bytes() == Details.from_bytes(whole.to_bytes()).to_bytes()
    assert whole.objects
    assert whole.objects.objects == sum(one.objects.objects for one in several if one.objects)
    assert Details.total([]).objects is not None


def test_list_of_detections_comes_back_from_bytes() -> None:
    found = details(*scores_and_mask((30, 20, 12)))
    assert found.objects
    assert found.objects.largest
    assert Details.from_bytes(found.to_bytes()).objects == found.objects


def test_details_fit_their_own_sketch_alone() -> None:
    scores, mask = scores_and_mask((30, 20, 12))
    found, sketch = details(scores, mask), Sketch.of(scores, mask)
    assert found.fit(sketch, (30, 20, 12))
    assert not found.fit(sketch, (30, 10, 24))
    assert not found.fit(Sketch.of(scores + 0.25 * mask, mask), (30, 20, 12))
    assert not found.fit(Sketch.of(scores, np.roll(mask, 1)), (30, 20, 12))


def test_damaged_byte_is_refused_or_gives_details_that_can_be() -> None:
    good = details(*scores_and_mask((9, 8, 3))).to_bytes()
    for place in range(0, len(good), 3):
        damaged = good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :]
        try:
            assert Details.from_bytes(damaged).slices.n_voxels >= 0
        except ValueError:
            continue
