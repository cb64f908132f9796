import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from evaluator.sketch import MOST_BYTES, VALUES, Sketch


def bins(*scores: float) -> list[int]:
    return [int(pattern) for pattern in np.array(scores, dtype=np.float16).view(np.uint16)]


def sketch(scores: list[float], mask: list[int]) -> Sketch:
    return Sketch.of(np.array(scores, dtype=np.float64), np.array(mask, dtype=bool))


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **{name: np.asarray(array) for name, array in arrays.items()})
    return stream.getvalue()


GOOD = {
    "bins": np.array([0, 5], "<u2"),
    "positive": np.array([1, 0], "<u8"),
    "negative": np.array([2, 3], "<u8"),
    "counters": np.array([0, 0, 0, 0, 1, 0, 0, 1], "<u8"),
}


def test_voxels_are_counted_by_score_and_label() -> None:
    found = sketch([0.5, 0.25, 0.5, 0.5], [1, 0, 0, 1])
    assert found.bins.tolist() == bins(0.25, 0.5)
    assert found.positive.tolist() == [0, 2]
    assert found.negative.tolist() == [1, 1]
    assert (found.n_positive, found.n_negative, found.n_voxels, found.distinct) == (2, 2, 4, 2)


def test_what_is_outside_is_clamped_and_counted() -> None:
    inf, nan = float("inf"), float("nan")
    found = sketch([-inf, -2.0, -0.0, 0.0, 1.0, 1.5, inf, nan, -nan], [0] * 9)
    assert found.bins.tolist() == bins(0.0, 1.0)
    assert found.negative.tolist() == [6, 3]
    assert found.counters == (2, 1, 1, 1, 1, 0, 0, 0)


def test_finite_value_beyond_half_precision_is_clamped_not_infinite() -> None:
    found = sketch([1e6, float("inf"), -1e6], [0, 0, 0])
    assert (found.posinf, found.above) == (1, 1)
    assert (found.neginf, found.below) == (0, 1)


def test_scores_that_half_precision_takes_for_zero_are_kept_apart() -> None:
    found = sketch([1e-9, 1e-12, 0.0, -1e-9, 0.5], [1, 0, 0, 1, 1])
    assert found.bins.tolist() == bins(0.0, 0.5)
    assert (found.tiny_positive, found.tiny_negative) == (1, 1)


@pytest.mark.parametrize(
    ("scores", "rounded"), [([0.0, 0.25, 1.0, 7.3, -0.1], 0), ([0.25, 0.1], 1), ([1e-9], 1), ([1 - 1e-9], 1)]
)
def test_whether_rounding_changed_a_score_is_known(scores: list[float], rounded: int) -> None:
    assert sketch(scores, [0] * len(scores)).rounded == rounded


def test_there_are_15361_scores() -> None:
    every = np.arange(0x3C01, dtype=np.uint16).view(np.float16)
    assert Sketch.of(every, np.zeros(every.shape, bool)).distinct == VALUES == 15_361


def test_missing_prediction_is_zero_everywhere() -> None:
    assert Sketch.zeros(positive=2, negative=1) == sketch([0, 0, 0], [1, 1, 0])
    assert Sketch.zeros(positive=2, negative=1).distinct == 1


def test_sum_of_sketches_is_the_sketch_of_all() -> None:
    first, second = ([0.1, 7.0, 0.3], [1, 0, 0]), ([0.3, float("nan")], [1, 1])
    both = replace(sketch(first[0] + second[0], first[1] + second[1]), rounded=2)  # two predictions
    assert sketch(*first) + sketch(*second) == both
    assert Sketch.total([sketch(*second), sketch(*first)]) == both
    assert Sketch.total([both]) == both


def test_sum_of_none_is_empty() -> None:
    assert Sketch.total([]).n_voxels == 0


def test_scores_and_mask_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scores are \(2,\), the mask is \(1,\)"):
        sketch([0, 0], [1])


def test_bytes_bring_it_back() -> None:
    scores = np.random.default_rng(0).normal(0.5, 0.4, 5000)
    found = Sketch.of(scores, scores > 0.7)
    assert Sketch.from_bytes(found.to_bytes()) == found
    assert Sketch.from_bytes(npz(**GOOD)).counters == (0, 0, 0, 0, 1, 0, 0, 1)


def test_equal_sketches_have_equal_bytes_and_numpy_reads_them() -> None:
    found = sketch([0.5, 0.25], [1, 0])
    assert found.to_bytes() == sketch([0.25, 0.5], [0, 1]).to_bytes()
    with np.load(io.BytesIO(found.to_bytes()), allow_pickle=False) as arrays:
        assert arrays["positive"].tolist() == [0, 1]


def test_largest_sketch_fits_its_limit() -> None:
    every = np.arange(0x3C01, dtype=np.uint16)
    counts = np.random.default_rng(0).integers(1, 2**39, (2, VALUES)).astype(np.uint64)
    found = Sketch(bins=every, positive=counts[0], negative=counts[1])
    assert len(found.to_bytes()) < MOST_BYTES
    assert Sketch.from_bytes(found.to_bytes()) == found


@pytest.mark.parametrize(
    "change",
    [
        {"bins": np.array([5, 0], "<u2")},
        {"bins": np.array([5, 5], "<u2")},
        {"bins": np.array([0, 0x3C01], "<u2")},
        {"bins": np.array([0], "<u2")},
        {"bins": np.array([0, 5], "<u4")},
        {"bins": np.array([[0, 5]], "<u2")},
        {"positive": np.array([0, 0], "<u8"), "negative": np.array([0, 3], "<u8")},
        {"negative": np.array([2, 2**63], "<u8")},
        {"negative": np.array([2.0, 3.0], "<f8")},
        {"counters": np.array([0, 0, 0, 0, 99, 0, 0, 0], "<u8")},
        {"counters": np.array([0, 0, 0, 0, 0, 2, 0, 0], "<u8")},  # of one positive voxel that is 0
        {"counters": np.array([0, 0, 0, 0, 0, 0, 3, 0], "<u8")},  # of two negative ones
        {"counters": np.array([0, 0, 0, 0, 0, 0, 0, 7], "<u8")},  # predictions of six voxels
        {"counters": np.array([0, 0, 0, 0], "<u8")},
        {"counters": np.array([0, 0, 0, 0, 0, 0, 0, object()], dtype=object)},
    ],
)
def test_sketch_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a sketch"):
        Sketch.from_bytes(npz(**{**GOOD, **change}))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive", npz(**GOOD)[:-60], npz(other=[1])])
def test_bytes_of_something_else_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="a sketch"):
        Sketch.from_bytes(content)


def test_array_that_claims_more_than_it_holds_is_refused() -> None:
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "<u2", "fortran_order": False, "shape": (10**12,)})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("bins", "positive", "negative", "counters"):
            archive.writestr(f"{name}.npy", member.getvalue())
    with pytest.raises(ValueError, match="a sketch's bins is"):
        Sketch.from_bytes(stream.getvalue())


def test_archive_that_inflates_to_much_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("bins", "positive", "negative", "counters"):
            archive.writestr(f"{name}.npy", bytes(10**7))
    with pytest.raises(ValueError, match="claims 10000000 bytes"):
        Sketch.from_bytes(stream.getvalue())


def test_every_damaged_byte_is_refused_or_gives_a_sketch_that_can_be() -> None:
    good = sketch([0.5, 0.25, 0.5], [1, 0, 0]).to_bytes()
    for place in range(len(good)):
        damaged = good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :]
        try:
            assert Sketch.from_bytes(damaged).n_voxels >= 0
        except ValueError:
            continue
