"""The slice that is kept of a case: which it is, that it is the same three times, and that no byte is believed."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluator.counting import read_pixel
from evaluator.formats import UnreadableError
from evaluator.packing import pack
from evaluator.slices import MOST_SIDE, Slices, cut, plane_bytes, plane_of
from evaluator.truth import Truth
from tests.evaluator.files import Array, volume

RNG = np.random.default_rng(5)


def kept(image: Array, mask: NDArray[np.bool_], scores: Array | bytes) -> Slices:
    """What a pass and a cut give."""
    label = volume(mask, dtype="u1")
    truth = Truth.read(io.BytesIO(label), mask.shape)
    prediction = scores if isinstance(scores, bytes) else volume(scores)
    plane = read_pixel(io.BytesIO(prediction), truth, shown=True).plane
    content = plane_bytes(plane)
    return cut(io.BytesIO(volume(image)), io.BytesIO(label), mask.shape, plane_of(content, mask.shape))


def arrays(shape: tuple[int, ...]) -> tuple[Array, NDArray[np.bool_], Array]:
    return RNG.random(shape), np.zeros(shape, dtype=bool), RNG.random(shape) * 1.4 - 0.2


@pytest.mark.parametrize("shape", [(6, 5, 4), (300, 400, 3), (6, 5), (1, 1, 1), (4, 3, 2, 2)])
def test_slice_with_the_most_anomalous_voxels_is_kept(shape: tuple[int, ...]) -> None:
    image, mask, scores = arrays(shape)
    planes = [array.reshape((*shape[:2], -1), order="F") for array in (image, mask, scores)]
    z = planes[0].shape[2] - 1
    planes[1][0, 0, :] = True
    planes[1][..., z] = RNG.random(shape[:2]) < 0.8
    planes[1][0, 0, z] = True
    mask = planes[1].reshape(shape, order="F")
    found = kept(image, mask, scores)
    assert found.z == (0 if planes[1][..., z].sum() == 1 else z)
    np.testing.assert_array_equal(found.label, planes[1][..., found.z])
    np.testing.assert_array_equal(found.image, np.rint(255 * planes[0][..., found.z].astype(np.float32)))
    halves = np.clip(planes[2][..., found.z].astype(np.float32).astype(np.float16), 0, 1)
    np.testing.assert_array_equal(found.prediction, halves)


def test_normal_case_shows_its_middle() -> None:
    image, mask, scores = arrays((4, 3, 7))
    assert kept(image, mask, scores).z == 3


def test_first_of_equal_slices_is_kept() -> None:
    image, mask, scores = arrays((4, 3, 7))
    mask[1, 1, 2] = mask[2, 2, 5] = True
    assert kept(image, mask, scores).z == 2


def test_large_slice_is_thinned_alike() -> None:
    image, mask, scores = arrays((2 * MOST_SIDE + 1, 7, 1))
    mask[3:300, :4] = True
    found = kept(image, mask, scores)
    assert found.image.shape == (342, 3)  # every third
    np.testing.assert_array_equal(found.label, mask[::3, ::3, 0])
    np.testing.assert_array_equal(found.prediction, np.clip(scores[::3, ::3, 0].astype(np.float16), 0, 1))


@pytest.mark.parametrize("prediction", [b"no volume", volume(np.zeros((2, 2, 2))), volume(np.ones((4, 3, 7)))[:-40]])
def test_prediction_that_cannot_be_read_shows_zeros(prediction: bytes) -> None:
    image, mask, _ = arrays((4, 3, 7))
    assert not kept(image, mask, prediction).prediction.any()


def test_odd_scores_and_voxels_are_shown_as_they_count() -> None:
    image, mask, scores = np.full((2, 2, 1), np.nan), np.zeros((2, 2, 1), dtype=bool), np.zeros((2, 2, 1))
    image[0, :, 0] = (-1, 2)
    scores[..., 0] = ((np.nan, np.inf), (-np.inf, 7))
    found = kept(image, mask, scores)
    assert found.image.tolist() == [[0, 255], [0, 0]]
    assert found.prediction.tolist() == [[0, 1], [0, 1]]


def test_nothing_is_kept_that_was_not_asked_for() -> None:
    _, mask, scores = arrays((4, 3, 7))
    truth = Truth.read(io.BytesIO(volume(mask, dtype="u1")), mask.shape)
    assert read_pixel(io.BytesIO(volume(scores)), truth).plane is None
    assert plane_of(plane_bytes(None), mask.shape) is None


@pytest.mark.parametrize("content", [b"1", b"12", bytes(2 * 13), b"\xff" * 24])
def test_plane_that_does_not_fit_is_not_believed(content: bytes) -> None:
    with pytest.raises(ValueError, match="are no slice of"):
        plane_of(content, (4, 3, 7))


def test_image_of_another_shape_is_ours() -> None:
    image, mask, _ = arrays((4, 3, 7))
    with pytest.raises(UnreadableError, match="an image is"):
        cut(io.BytesIO(volume(image[..., :3])), io.BytesIO(volume(mask, dtype="u1")), mask.shape, None)


def test_slices_come_back_from_bytes() -> None:
    found = kept(*arrays((6, 5, 4)))
    again = Slices.from_bytes(found.to_bytes())
    assert again.to_bytes() == found.to_bytes()
    assert again.z == found.z
    for name in ("image", "label", "prediction"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


def packed(**changes: NDArray[np.generic]) -> bytes:
    """A file of a slice of 2 by 3, or what is like one."""
    good: dict[str, NDArray[np.generic]] = {
        "place": np.array([1, 2, 3], dtype=np.int64),
        "image": np.zeros(6, dtype=np.uint8),
        "label": np.zeros(6, dtype=np.uint8),
        "prediction": np.zeros(6, dtype=np.uint16),
    }
    return pack(good | changes)


@pytest.mark.parametrize(
    "content",
    [
        b"PK",
        packed(place=np.array([1, 2])),
        packed(place=np.array([-1, 2, 3])),
        packed(place=np.array([1, 2, 4])),
        packed(place=np.array([1, -2, -3])),
        packed(place=np.array([1, 2**32, 2**32])),
        packed(place=np.array([1, 1, 6 * MOST_SIDE])),
        packed(image=np.zeros(5, dtype=np.uint8)),
        packed(label=np.full(6, 2, dtype=np.uint8)),
        packed(prediction=np.full(6, 0x3C01, dtype=np.uint16)),
        packed(prediction=np.full(6, np.nan, dtype=np.float16).view(np.uint16)),
    ],
)
def test_file_that_cannot_be_a_slice_is_refused(content: bytes) -> None:
    assert Slices.from_bytes(packed()).image.shape == (2, 3)
    with pytest.raises(ValueError, match="slice"):
        Slices.from_bytes(content)


def test_damaged_byte_is_refused_or_gives_a_slice_that_can_be() -> None:
    good = kept(*arrays((6, 5, 4))).to_bytes()
    for place in range(len(good)):
        damaged = good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :]
        try:
            assert Slices.from_bytes(damaged).prediction.max() <= 1
        except ValueError:
            continue
