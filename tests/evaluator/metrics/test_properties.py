"""What every metric in the registry must do."""

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluator.boxes import boxes_of
from evaluator.localised import Localised
from evaluator.metrics import METRICS, Metric, Of, localised, objects, regions, samples, voxels
from evaluator.objects import Detections
from evaluator.regions import Regions
from evaluator.sketch import Sketch

HELPERS = {
    samples.clamped,
    samples.best_threshold,
    samples.confusion,
    voxels.best_threshold,
    voxels.confusion,
    regions.pro_curve,
}
AT_A_THRESHOLD = {Of.SKETCH_AT, Of.REGIONS_AT, Of.CASES_AT}
COUNTING = {name: metric for name, metric in METRICS.items() if metric.of not in {Of.LOCALISED, Of.DETECTIONS}}
FORMULAS = {  # of the metric's name, behind what it counts
    "ap": "ap",
    "auroc": "auroc",
    "fpr_at_95tpr": "fpr",
    "max_dice": "max_dice",
    "dice_at": "dice_at",
    "accuracy": "accuracy",
    "specificity": "specificity",
    "precision": "precision",
    "aupro_30": "aupro",
    "pro_at": "pro_at",
}


def formula(name: str) -> str:
    return next(formula for end, formula in FORMULAS.items() if name.endswith(end))


def in_half(scores: Sequence[float]) -> NDArray[np.uint16]:
    clamped = np.clip(np.nan_to_num(np.array(scores, dtype=np.float64), nan=0), 0, 1)
    return (clamped.astype(np.float16) + np.float16(0)).view(np.uint16)


def one_component(scores: Sequence[float], labels: Sequence[int]) -> Regions:
    found = in_half(scores)[np.array(labels, dtype=bool)]
    return Regions.of(np.zeros(found.size, np.int64), found, np.array([found.size] if found.size else [], np.int64))


def an_image(scores: Sequence[float], labels: Sequence[int]) -> Localised:
    """Each voxel is a row of sixteen pixels."""
    mask = np.repeat(np.array(labels, dtype=bool)[:, None], 16, axis=1)
    image = np.repeat(in_half(scores)[:, None], 16, axis=1)
    return Localised.of(boxes_of(mask), image.ravel(order="F"))


def detections(scores: Sequence[float], labels: Sequence[int]) -> Detections:
    """Each voxel is an object of its own, detected from 0.5 on."""
    found = [score >= 0.5 for score in scores]
    hits = sum(label for label, hit in zip(labels, found, strict=True) if hit)
    return Detections(objects=sum(labels), detections=sum(found), true_positives=hits)


def value(metric: Metric, scores: Sequence[float], labels: Sequence[int]) -> float:
    """Compute a metric from scores and labels, whatever it is a function of; thresholds are 0.5."""

    def sketch() -> Sketch:
        return Sketch.of(np.array(scores, dtype=np.float64), np.array(labels, dtype=bool))

    arguments: dict[Of, Callable[[], tuple[Any, ...]]] = {
        Of.SKETCH: lambda: (sketch(),),
        Of.SKETCH_AT: lambda: (sketch(), 0.5),
        Of.BATCHES: lambda: ([sketch()],),
        Of.SKETCH_AND_REGIONS: lambda: (sketch(), one_component(scores, labels)),
        Of.REGIONS_AT: lambda: (one_component(scores, labels), 0.5),
        Of.LOCALISED: lambda: (an_image(scores, labels),),
        Of.DETECTIONS: lambda: (detections(scores, labels),),
        Of.CASES: lambda: (list(scores), list(labels)),
        Of.CASES_AT: lambda: (list(scores), list(labels), 0.5),
    }
    return float(metric.compute(*arguments[metric.of]()))


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
every_counting = pytest.mark.parametrize(("name", "metric"), COUNTING.items(), ids=COUNTING)
some_cases = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.3, 0.5, 0.7, 1.0, -1.0, 2.0, math.nan, math.inf]), st.integers(0, 1)),
    min_size=1,
    max_size=12,
)


def test_registry_is_complete() -> None:
    public = {
        function
        for module in (voxels, samples, regions, localised, objects)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    entered = {
        metric.compute.func if isinstance(metric.compute, partial) else metric.compute for metric in METRICS.values()
    }
    assert entered == public - HELPERS


def test_titles_tell_metrics_apart() -> None:
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)


@pytest.mark.parametrize("name", [name for name in METRICS if not name.startswith("pl_package")])  # which misses it
def test_perfect_is_best(name: str) -> None:
    metric = METRICS[name]
    assert value(metric, [0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0]) == (0.0 if metric.lower_is_better else 1.0)


@every_counting
def test_worst_order(name: str, metric: Metric) -> None:
    # 0 of 1, 0 of 2, 1 of 3, 2 of 4: AP 1/2 · 1/3 + 1/2 · 2/4; F1 is best where all are predicted: 4/(4 + 2)
    expected = {
        "ap": 5 / 12,
        "auroc": 0,
        "fpr": 1,
        "max_dice": 2 / 3,
        "dice_at": 0,
        "accuracy": 1 / 2,
        "specificity": 0,
        "precision": 1 / 2,
        "aupro": 0,
        "pro_at": 0,
    }
    found = value(metric, [0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1])
    assert found == pytest.approx(expected[formula(name)], abs=1e-15)


@every_metric
def test_nothing_positive(metric: Metric) -> None:
    found = value(metric, [0.3, 0.1], [0, 0])
    assert found == 0 if metric.of is Of.BATCHES else math.isnan(found)


@every_metric
def test_nothing_at_all_is_undefined(metric: Metric) -> None:
    empty: list[object] = []
    nothing = Sketch.total([])
    arguments: dict[Of, tuple[Any, ...]] = {
        Of.SKETCH: (nothing,),
        Of.SKETCH_AT: (nothing, 0.5),
        Of.BATCHES: (empty,),
        Of.SKETCH_AND_REGIONS: (nothing, Regions.total([])),
        Of.REGIONS_AT: (Regions.total([]), 0.5),
        Of.LOCALISED: (Localised.total([]),),
        Of.DETECTIONS: (Detections.total([]),),
        Of.CASES: (empty, empty),
        Of.CASES_AT: (empty, empty, 0.5),
    }
    assert math.isnan(metric.compute(*arguments[metric.of]))


@every_counting
def test_all_positive_is_one_or_undefined(name: str, metric: Metric) -> None:
    found = value(metric, [0.9, 0.6, 0.5], [1, 1, 1])
    assert math.isnan(found) if metric.needs_negative else found == 1.0, name


@every_counting
def test_ties_enter_together(name: str, metric: Metric) -> None:
    # 1 of 2 at 0.5, then 2 of 3 at 0.25: AP 1/2 · 1/2 + 1/2 · 2/3; of two pairs half of one is won
    expected = {
        "ap": 7 / 12,
        "auroc": 1 / 4,
        "fpr": 1,
        "max_dice": 4 / 5,
        "dice_at": 1 / 2,
        "accuracy": 2 / 3,
        "specificity": 0,
        "precision": 2 / 3,
        "aupro": 0.3 / 4,  # a straight line from (0, 0) to (1, 1/2)
        "pro_at": 1 / 2,
    }
    hand_worked = pytest.approx(expected[formula(name)], abs=1e-15)
    assert value(metric, [0.5, 0.5, 0.25], [1, 0, 1]) == hand_worked
    assert value(metric, [0.5, 0.5, 0.25], [0, 1, 1]) == hand_worked


@every_counting
@pytest.mark.parametrize("n", [3, 7, 49, 97])
def test_constant_depends_on_the_prevalence_alone_to_the_last_digit(name: str, metric: Metric, n: int) -> None:
    for positive in range(1, n, 1 + n // 10):
        all_predicted = 2 * positive / (n + positive)
        expected = {
            "ap": positive / n,
            "auroc": 1 / 2,
            "fpr": 1,
            "max_dice": all_predicted,
            "accuracy": positive / n,
            "specificity": 0,
            "precision": positive / n,
            "aupro": pytest.approx(0.15, abs=1e-15),
        }
        for score in (0.0, 0.3, 1.0):
            expected["dice_at"] = all_predicted if score >= 0.5 else 0
            expected["pro_at"] = 1 if score >= 0.5 else 0
            found = value(metric, [score] * n, [1] * positive + [0] * (n - positive))
            assert found == expected[formula(name)]


@every_counting
def test_order_of_storage_does_not_matter(name: str, metric: Metric) -> None:
    rng = np.random.default_rng(3)
    scores, labels = rng.integers(0, 40, 300) / 64, rng.integers(0, 2, 300)
    order = rng.permutation(300)
    permuted = value(metric, scores[order].tolist(), labels[order].tolist())
    assert value(metric, scores.tolist(), labels.tolist()) == permuted, name


@every_counting
def test_monotone_rescaling_matters_only_at_a_threshold(name: str, metric: Metric) -> None:
    rng = np.random.default_rng(4)
    scores, labels = rng.integers(0, 65, 300) / 64, rng.integers(0, 2, 300)
    rescaled = scores**2 / 2  # k²/8192 for k up to 64: exact in half precision
    unchanged = value(metric, rescaled.tolist(), labels.tolist()) == value(metric, scores.tolist(), labels.tolist())
    assert unchanged == (metric.of not in AT_A_THRESHOLD), name


@every_counting
def test_scores_outside_count_as_the_ends(name: str, metric: Metric) -> None:
    odd = [float("inf"), 3.0, float("nan"), -1.0, float("-inf"), 0.5]
    clamped = [1.0, 1.0, 0.0, 0.0, 0.0, 0.5]
    labels = [1, 0, 1, 0, 0, 1]
    assert value(metric, odd, labels) == value(metric, clamped, labels), name


@every_counting
@settings(deadline=None, max_examples=25, derandomize=True)
@given(cases=some_cases)
def test_value_is_within_0_and_1_and_undefined_only_without_a_class(
    name: str, metric: Metric, cases: list[tuple[float, int]]
) -> None:
    scores, labels = [score for score, _ in cases], [label for _, label in cases]
    found = value(metric, scores, labels)
    one_class_missing = not any(labels) or (metric.needs_negative and all(labels))
    if metric.of is Of.BATCHES:
        assert 0 <= found <= 1
    else:
        assert math.isnan(found) if one_class_missing else 0 <= found <= 1, name


@pytest.mark.parametrize("name", ["pl_30", "pl_50", "pl_package_30", "pl_package_50"])
@settings(deadline=None, max_examples=20, derandomize=True)
@given(cases=some_cases)
def test_localised_value_is_within_0_and_1_and_undefined_only_without_a_lesion(
    name: str, cases: list[tuple[float, int]]
) -> None:
    labels = [label for _, label in cases]
    found = value(METRICS[name], [score for score, _ in cases], labels)
    assert 0 <= found <= 1 if any(labels) else math.isnan(found)


@pytest.mark.parametrize("name", [name for name, metric in COUNTING.items() if name.startswith("voxel_")])
@settings(deadline=None, max_examples=25, derandomize=True)
@given(cases=some_cases, deal=st.lists(st.integers(0, 3), min_size=12, max_size=12), order=st.permutations(range(4)))
def test_any_deal_merged_in_any_order_gives_the_same_number(
    name: str, cases: list[tuple[float, int]], deal: list[int], order: list[int]
) -> None:
    parts = [[case for case, place in zip(cases, deal, strict=False) if place == part] for part in order]
    sketches = [
        Sketch.of(np.array([score for score, _ in part]), np.array([label == 1 for _, label in part])) for part in parts
    ]
    nested = sketches[0] + (sketches[1] + (sketches[2] + sketches[3]))
    arguments = () if METRICS[name].of is Of.SKETCH else (0.5,)
    at_once = value(METRICS[name], [score for score, _ in cases], [label for _, label in cases])
    assert same(METRICS[name].compute(Sketch.total(sketches), *arguments), at_once)
    assert same(METRICS[name].compute(nested, *arguments), at_once)
