import math
from collections.abc import Callable
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from evaluator.metrics import voxels
from evaluator.resolution import Bounds, indistinguishable
from evaluator.sketch import Sketch

ULP = 2.0**-46  # what bounds may be moved outward by

CLOSE_TOGETHER: dict[str, Callable[[float], float]] = {
    "all": lambda unit: unit,
    "in a few bins": lambda unit: 0.5 + unit / 256,
    "in one bin": lambda unit: 0.5 + unit / 65536,
    "rounded to 0": lambda unit: unit * 1e-7,
    "rounded to 0 or clamped": lambda unit: unit * 2e-7 - 1e-7,
    "rounded to 1 or clamped": lambda unit: 1 + unit / 1024 - 1 / 2048,
}
some_voxels = st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=60)


def rounded(bins: list[tuple[float, int, int]], *, tiny: tuple[int, int] = (0, 0)) -> Sketch:
    """Scores with their positives and negatives, ascending; those of score 0 that are above it."""
    return Sketch(
        bins=np.array([score for score, _, _ in bins], np.float16).view(np.uint16),
        positive=np.array([positive for _, positive, _ in bins], np.uint64),
        negative=np.array([negative for _, _, negative in bins], np.uint64),
        tiny_positive=tiny[0],
        tiny_negative=tiny[1],
        rounded=1,
    )


def ap(steps: list[tuple[int, int]]) -> float:
    """AP of groups of tied (positives, negatives), from the highest score down."""
    found = list(accumulate(positive for positive, _ in steps))
    alarms = list(accumulate(negative for _, negative in steps))
    parts = (step[0] / found[-1] * a / (a + b) for step, a, b in zip(steps, found, alarms, strict=True) if step[0])
    return math.fsum(parts)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    cases=some_voxels, where=st.sampled_from(sorted(CLOSE_TOGETHER)), dtype=st.sampled_from([np.float32, np.float64])
)
def test_average_precision_before_rounding_is_within_the_bounds(
    cases: list[tuple[float, bool]], where: str, dtype: type[np.floating]
) -> None:
    scores = np.array([CLOSE_TOGETHER[where](score) for score, _ in cases], dtype=dtype)
    mask = np.array([positive for _, positive in cases])
    sketch = Sketch.of(scores, mask)
    found = Bounds.of(sketch)
    if not mask.any():
        assert math.isnan(found.low)
        assert math.isnan(found.high)
        return
    full = average_precision_score(mask, np.clip(scores, 0, 1))
    assert 0 <= found.low <= full <= found.high <= 1
    if not sketch.tiny_positive + sketch.tiny_negative:
        assert found.low <= voxels.average_precision(sketch) <= found.high


def test_average_precision_after_rounding_may_lie_outside_the_bounds() -> None:
    tiny_above_zero = Sketch.of(np.array([1e-9, 0.0]), np.array([True, False]))  # which a sketch tells apart
    assert voxels.average_precision(tiny_above_zero) == 0.5
    assert Bounds.of(tiny_above_zero).low == pytest.approx(1.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_volume_is_within_its_bounds(dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(8)
    mask = rng.random(200_000) < 0.02
    scores = (0.5 + (rng.random(200_000) + 0.5 * mask) / 500).astype(dtype)
    found = Bounds.of(Sketch.of(scores, mask))
    assert found.low < average_precision_score(mask, scores) < found.high
    assert 3 <= found.distinct <= 10


@pytest.mark.parametrize(
    ("bins", "tiny"),
    [
        ([(0.5, 3, 5)], (0, 0)),
        ([(0.25, 4, 1), (0.5, 0, 7), (0.75, 100, 3)], (0, 0)),
        ([(0.0, 6, 9), (0.5, 2, 2)], (4, 3)),
        ([(0.0, 6, 9)], (0, 3)),
        ([(0.25, 70, 0), (0.5, 1, 40)], (0, 0)),
    ],
)
def test_bounds_are_attained(bins: list[tuple[float, int, int]], tiny: tuple[int, int]) -> None:
    unknown = [(positive, negative) for score, positive, negative in bins[::-1] if score > 0] + [tiny]
    zero = [(p - tiny[0], n - tiny[1]) for score, p, n in bins if score == 0]
    lowest = [step for p, n in unknown for step in [(0, n), *[(1, 0)] * p]]
    highest = [step for p, n in unknown for step in [(p, 0), (0, n)]]
    found = Bounds.of(rounded(bins, tiny=tiny))
    assert ap(lowest + zero) - 2 * ULP <= found.low <= ap(lowest + zero)
    assert ap(highest + zero) <= found.high <= ap(highest + zero) + 2 * ULP


@pytest.mark.parametrize(("positives", "negatives"), [(1_000_000, 0), (1_000_000, 3), (1_000_000, 10**9), (20, 10**15)])
def test_many_voxels_of_one_score_are_summed_exactly(positives: int, negatives: int) -> None:
    i = np.arange(1, positives + 1)
    expected = math.fsum(i / (i + negatives)) / positives
    assert expected - 2 * ULP <= Bounds.of(rounded([(0.5, positives, negatives)])).low <= expected


def test_scores_that_were_not_rounded_have_no_uncertainty() -> None:
    sketch = Sketch.of(np.array([0.5, 0.5, 0.25, 0.0], np.float32), np.array([True, False, True, False]))
    found = Bounds.of(sketch)
    assert found.low == found.high == voxels.average_precision(sketch)
    assert found.distinct == 3


def test_exact_zeros_are_tied_in_truth() -> None:
    scores, mask = np.array([1 / 3, 0.0, 0.0, -1.0]), np.array([True, True, False, False])
    found = Bounds.of(Sketch.of(scores, mask))
    assert found.low == pytest.approx(3 / 4, abs=1e-12)  # 1 of 1, then 2 of 4
    assert found.high == pytest.approx(3 / 4, abs=1e-12)


def test_batches_have_the_mean_of_their_bounds() -> None:
    known, unknown = rounded([(0.25, 0, 1), (0.5, 1, 0)]), rounded([(0.5, 1, 1)])
    found = Bounds.batched([known, unknown])
    assert found.low == pytest.approx((1 + 1 / 2) / 2, abs=1e-12)
    assert found.high == pytest.approx(1, abs=1e-12)
    assert found.distinct == 2


def test_batch_without_a_positive_counts_0() -> None:
    found = Bounds.batched([rounded([(0.5, 1, 0)]), rounded([(0.75, 0, 5)])])
    assert found.low == pytest.approx(1 / 2, abs=1e-12)
    assert found.high == pytest.approx(1 / 2, abs=1e-12)


def test_without_a_batch_bounds_are_undefined() -> None:
    found = Bounds.batched([])
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.distinct == 0


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted), max_size=8))
def test_teams_whose_bounds_overlap_are_named_in_pairs(ends: list[list[int]]) -> None:
    bounds = {f"team {i}": (low / 8, high / 8) for i, (low, high) in enumerate(ends)}
    expected = [
        (one, other)
        for one in sorted(bounds)
        for other in sorted(bounds)
        if one < other and bounds[one][0] <= bounds[other][1] and bounds[other][0] <= bounds[one][1]
    ]
    assert indistinguishable(bounds) == expected


@pytest.mark.parametrize("bounds", [(math.nan, math.nan), (0.5, 0.4)])
def test_impossible_bounds_are_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="team"):
        indistinguishable({"team": bounds, "other": (0, 1)})
