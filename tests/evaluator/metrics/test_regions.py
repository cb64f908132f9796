"""PRO and AUPRO against a sweep over all distinct thresholds in exact rational arithmetic."""

import math
from fractions import Fraction
from itertools import pairwise

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluator.metrics import regions
from evaluator.regions import Regions
from evaluator.sketch import Sketch

Volume = tuple[NDArray[np.float16], NDArray[np.int64]]  # scores, and components from 1, 0 outside


def volume(rng: np.random.Generator, shape: tuple[int, ...], levels: int) -> Volume:
    """Random boxes, their components, and coarse scores that see some of them."""
    mask = np.zeros(shape, dtype=np.uint8)
    for _ in range(int(rng.integers(1, 9))):
        low = [int(rng.integers(0, n - 1)) for n in shape]
        mask[tuple(slice(a, a + int(rng.integers(1, 4))) for a in low)] = 1
    component = cc3d.connected_components(mask, connectivity=26).astype(np.int64)
    seen = rng.random(int(component.max()) + 1) * (component > 0).any()
    scores = rng.integers(0, levels, shape) + levels * seen[component] * (component > 0)
    return (scores.astype(np.int64) / (2 * levels)).astype(np.float16), component


def kept(volumes: list[Volume]) -> tuple[Sketch, Regions]:
    sketches, found = [], []
    for scores, component in volumes:
        anomalous = component > 0
        sketches.append(Sketch.of(scores, anomalous))
        patterns = scores[anomalous].view(np.uint16)
        found.append(Regions.of(component[anomalous] - 1, patterns, np.bincount(component[anomalous])[1:]))
    return Sketch.total(sketches), Regions.total(found)


def sweep(volumes: list[Volume]) -> list[tuple[Fraction, Fraction]]:
    """FPR and PRO at every distinct threshold, from high to low."""
    thresholds = np.unique(np.concatenate([scores.ravel() for scores, _ in volumes]))[::-1]
    normal = [scores[component == 0] for scores, component in volumes]
    components = [scores[component == i] for scores, component in volumes for i in range(1, int(component.max()) + 1)]
    n_normal = sum(scores.size for scores in normal)
    points = [(Fraction(0), Fraction(0))]
    for threshold in thresholds:
        alarms = sum(int((scores >= threshold).sum()) for scores in normal)
        recalls = [Fraction(int((scores >= threshold).sum()), scores.size) for scores in components]
        points.append((Fraction(alarms, n_normal), sum(recalls, Fraction(0)) / len(recalls)))
    return points


def area(points: list[tuple[Fraction, Fraction]], limit: Fraction) -> Fraction:
    """Trapezoid up to the limit, interpolated there, divided by it."""
    total = Fraction(0)
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 < limit and x1 > x0:
            end = min(x1, limit)
            y_end = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
            total += (end - x0) * (y0 + y_end) / 2
    return total / limit


def check(volumes: list[Volume]) -> None:
    sketch, found = kept(volumes)
    points = sweep(volumes)
    for limit in (Fraction(3, 10), Fraction(1, 100), Fraction(1)):
        expected = float(area(points, limit))
        assert regions.aupro(sketch, found, limit=float(limit)) == pytest.approx(expected, abs=1e-12)
    fpr, pro = regions.pro_curve(sketch, found)
    assert fpr == pytest.approx([float(x) for x, _ in points], abs=1e-12)
    assert pro == pytest.approx([float(y) for _, y in points], abs=1e-12)


@pytest.mark.parametrize("levels", [1, 9, 200])
@pytest.mark.parametrize("seed", range(8))
def test_equals_the_exact_sweep_over_several_volumes(seed: int, levels: int) -> None:
    rng = np.random.default_rng([seed, levels])
    check([volume(rng, shape, levels) for shape in ((8, 9, 7), (12, 5, 6), (10, 11, 1 + seed % 3))[: 1 + seed % 3]])


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    component=st.lists(st.integers(0, 3), min_size=2, max_size=30).filter(lambda found: {0} < set(found)),
    seed=st.integers(0, 1000),
    levels=st.sampled_from([1, 2, 9]),
)
def test_equals_the_exact_sweep_over_any_components(component: list[int], seed: int, levels: int) -> None:
    _, consecutive = np.unique(component, return_inverse=True)
    scores = np.random.default_rng(seed).integers(0, levels + 1, len(component)) / 16
    check([(scores.astype(np.float16), consecutive.astype(np.int64))])


def test_constant_is_the_straight_line() -> None:
    sketch, found = Sketch.zeros(positive=7, negative=50), Regions.zeros(np.array([1, 2, 4]))
    assert regions.aupro(sketch, found) == pytest.approx(0.15, abs=1e-15)
    assert [axis.tolist() for axis in regions.pro_curve(sketch, found)] == [[0, 1], [0, 1]]


def test_small_component_weighs_as_much_as_a_large_one() -> None:
    scores = np.array([0.5] + [0.25] * 9 + [0.375], dtype=np.float16)  # found: 1 of 1, before 0 of 9
    component = np.array([1] + [2] * 9 + [0])
    sketch, found = kept([(scores, component)])
    assert regions.pro_at(found, 0.5) == 1 / 2
    assert regions.aupro(sketch, found) == 1 / 2


def test_pro_at_a_threshold_counts_its_own_score() -> None:
    found = Regions.of(
        np.array([0, 0, 0, 1]), np.array([0.25, 0.5, 0.75, 0.5], np.float16).view(np.uint16), np.array([3, 1])
    )
    assert regions.pro_at(found, 0.5) == pytest.approx((2 / 3 + 1) / 2, abs=1e-15)
    assert regions.pro_at(found, 0.5 + 1e-9) == pytest.approx((1 / 3 + 0) / 2, abs=1e-15)
    assert regions.pro_at(found, 0.0) == 1


def test_nothing_to_find_or_nothing_normal_is_undefined() -> None:
    nothing, one = Regions.total([]), Regions.zeros(np.array([2]))
    assert math.isnan(regions.aupro(Sketch.zeros(positive=0, negative=5), nothing))
    assert math.isnan(regions.aupro(Sketch.zeros(positive=2, negative=0), one))
    assert np.isnan(regions.pro_curve(Sketch.zeros(positive=2, negative=0), one)).all()
    assert math.isnan(regions.pro_at(nothing, 0.5))


@pytest.mark.parametrize("limit", [0.0, -0.1, 1.1, math.nan])
def test_limit_is_a_rate(limit: float) -> None:
    with pytest.raises(ValueError, match="limit"):
        regions.aupro(Sketch.zeros(positive=2, negative=5), Regions.zeros(np.array([2])), limit=limit)


def test_sketch_and_regions_of_other_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="different voxels"):
        regions.aupro(Sketch.zeros(positive=3, negative=5), Regions.zeros(np.array([2])))
    with pytest.raises(ValueError, match="different voxels"):
        regions.pro_curve(Sketch.of(np.array([0.5, 0]), np.array([True, False])), Regions.zeros(np.array([1])))


def test_nan_is_no_threshold() -> None:
    with pytest.raises(ValueError, match="nan"):
        regions.pro_at(Regions.zeros(np.array([2])), math.nan)
