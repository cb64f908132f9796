"""What every metric in the registry must do."""

import inspect
import math
from collections.abc import Sequence

import numpy as np
import pytest

from evaluator.metrics import METRICS, Metric, Of, samples, voxels
from evaluator.sketch import Sketch

HELPERS = {samples.clamped}


def value(metric: Metric, scores: Sequence[float], labels: Sequence[int]) -> float:
    """Compute a metric from scores and labels, whatever it is a function of."""
    if metric.of is Of.CASES:
        return float(metric.compute(list(scores), list(labels)))
    sketch = Sketch.of(np.array(scores, dtype=np.float64), np.array(labels, dtype=bool))
    return float(metric.compute([sketch] if metric.of is Of.BATCHES else sketch))


every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


def test_registry_is_complete() -> None:
    public = {
        function
        for module in (voxels, samples)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert {metric.compute for metric in METRICS.values()} == public - HELPERS


@every_metric
def test_perfect_is_one(metric: Metric) -> None:
    assert value(metric, [0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0]) == 1.0


@every_metric
def test_worst_order(metric: Metric) -> None:
    # 0 of 1, 0 of 2, 1 of 3, 2 of 4: 1/2 · 1/3 + 1/2 · 2/4
    assert value(metric, [0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1]) == pytest.approx(5 / 12, abs=1e-15)


@every_metric
def test_nothing_positive(metric: Metric) -> None:
    found = value(metric, [0.9, 0.1], [0, 0])
    assert found == 0 if metric.of is Of.BATCHES else math.isnan(found)


@every_metric
def test_nothing_at_all_is_undefined(metric: Metric) -> None:
    empty: list[object] = []
    arguments = {Of.SKETCH: (Sketch.total([]),), Of.BATCHES: (empty,), Of.CASES: (empty, empty)}
    assert math.isnan(metric.compute(*arguments[metric.of]))


@every_metric
def test_all_positive_is_one(metric: Metric) -> None:
    assert value(metric, [0.9, 0.1, 0.5], [1, 1, 1]) == 1.0


@every_metric
def test_ties_enter_together(metric: Metric) -> None:
    # 1 of 2 at 0.5, then 2 of 3 at 0.25: 1/2 · 1/2 + 1/2 · 2/3
    expected = pytest.approx(7 / 12, abs=1e-15)
    assert value(metric, [0.5, 0.5, 0.25], [1, 0, 1]) == expected
    assert value(metric, [0.5, 0.5, 0.25], [0, 1, 1]) == expected


@every_metric
@pytest.mark.parametrize("n", [3, 7, 20, 49, 97])
def test_constant_is_the_prevalence_to_the_last_digit(metric: Metric, n: int) -> None:
    for positive in range(1, n + 1):
        for score in (0.0, 0.3, 1.0):
            assert value(metric, [score] * n, [1] * positive + [0] * (n - positive)) == positive / n


@every_metric
def test_order_of_storage_does_not_matter(metric: Metric) -> None:
    rng = np.random.default_rng(3)
    scores, labels = rng.integers(0, 40, 300) / 64, rng.integers(0, 2, 300)
    order = rng.permutation(300)
    assert value(metric, scores.tolist(), labels.tolist()) == value(
        metric, scores[order].tolist(), labels[order].tolist()
    )


@every_metric
def test_monotone_rescaling_does_not_matter(metric: Metric) -> None:
    rng = np.random.default_rng(4)
    scores, labels = rng.integers(0, 65, 300) / 64, rng.integers(0, 2, 300)
    rescaled = scores**2 / 2  # k²/8192 for k up to 64: exact in half precision
    assert value(metric, rescaled.tolist(), labels.tolist()) == value(metric, scores.tolist(), labels.tolist())


@every_metric
def test_scores_outside_count_as_the_ends(metric: Metric) -> None:
    odd = [float("inf"), 3.0, float("nan"), -1.0, float("-inf"), 0.5]
    clamped = [1.0, 1.0, 0.0, 0.0, 0.0, 0.5]
    labels = [1, 0, 1, 0, 0, 1]
    assert value(metric, odd, labels) == value(metric, clamped, labels)
