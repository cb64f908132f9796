"""Voxels and samples against scikit-learn, on the scores that a half-precision prediction has."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from evaluator.metrics import curves, samples, voxels
from evaluator.sketch import Sketch

Case = tuple[NDArray[np.generic], NDArray[np.bool_]]


def generated(seed: int) -> Case:
    """Scores from a constant to nearly no ties, some out of range, some not finite; labels of one class too."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 3000))
    levels = int(rng.choice([1, 2, 9, 300, 20_000]))
    scores = rng.integers(0, levels, count) / levels * rng.choice([0.001, 1.0, 1.6]) - rng.choice([0.0, 0.3])
    if seed % 3 == 0:
        odd = rng.choice([np.nan, np.inf, -np.inf, 7e4, -1e-9], count)
        scores = np.where(rng.random(count) < 0.05, odd, scores)
    mask = rng.random(count) < rng.choice([0.0, 0.01, 0.5, 0.99, 1.0])
    dtype = (np.float16, np.float32, np.float64, np.dtype(">f4"))[seed % 4]
    with np.errstate(over="ignore"):
        return scores.astype(dtype), mask


def official(scores: NDArray[np.generic]) -> NDArray[np.float16]:
    """Rounded and clamped as the published script does it, where NaN is 0."""
    with np.errstate(over="ignore"):
        return np.clip(np.nan_to_num(scores.astype(np.float16), nan=0, posinf=1, neginf=0), 0, 1)


def best_f1(scores: NDArray[np.float16], mask: NDArray[np.bool_]) -> tuple[float, float]:
    precision, recall, thresholds = precision_recall_curve(mask, scores)
    with np.errstate(invalid="ignore"):
        f1 = 2 * precision * recall / (precision + recall)
    best = np.nanmax(f1)
    return float(best), float(thresholds[np.flatnonzero(f1[:-1] > best - 1e-12)[-1]])


with_positives = pytest.mark.parametrize("case", [case for case in map(generated, range(60)) if case[1].any()])
with_both = pytest.mark.parametrize("case", [case for case in map(generated, range(60)) if 0 < case[1].mean() < 1])


@with_both
def test_auroc_equals_scikit_learn(case: Case) -> None:
    scores, mask = case
    expected = pytest.approx(roc_auc_score(mask, official(scores)), abs=1e-12)
    assert voxels.auroc(Sketch.of(scores, mask)) == expected
    assert samples.auroc(official(scores).tolist(), mask.astype(int).tolist()) == expected


@with_both
def test_fpr_at_95tpr_equals_scikit_learn(case: Case) -> None:
    scores, mask = case
    fpr, tpr, _ = roc_curve(mask, official(scores), drop_intermediate=False)
    expected = pytest.approx(fpr[np.flatnonzero(tpr >= 0.95)[0]], abs=1e-12)
    assert voxels.fpr_at_95tpr(Sketch.of(scores, mask)) == expected
    assert samples.fpr_at_95tpr(official(scores).tolist(), mask.astype(int).tolist()) == expected


@with_positives
def test_average_precision_equals_scikit_learn(case: Case) -> None:
    scores, mask = case
    expected = average_precision_score(mask, official(scores))
    assert voxels.average_precision(Sketch.of(scores, mask)) == expected
    assert samples.average_precision(official(scores).tolist(), mask.astype(int).tolist()) == expected


@with_positives
def test_best_f1_and_its_threshold_equal_scikit_learn(case: Case) -> None:
    scores, mask = case
    best, threshold = best_f1(official(scores), mask)
    sketch, labels = Sketch.of(scores, mask), mask.astype(int).tolist()
    assert voxels.max_dice(sketch) == pytest.approx(best, abs=1e-12)
    assert voxels.best_threshold(sketch) == threshold
    assert samples.max_dice(official(scores).tolist(), labels) == pytest.approx(best, abs=1e-12)
    assert samples.best_threshold(official(scores).tolist(), labels) == threshold


@with_positives
def test_metrics_at_the_best_threshold_equal_scikit_learn(case: Case) -> None:
    scores, mask = case
    predicted = official(scores) >= best_f1(official(scores), mask)[1]
    sketch, labels = Sketch.of(scores, mask), mask.astype(int).tolist()
    for found in (
        (voxels.accuracy(sketch), voxels.precision(sketch)),
        (
            samples.accuracy(official(scores).tolist(), labels),
            samples.precision(official(scores).tolist(), labels),
        ),
    ):
        assert found == pytest.approx((accuracy_score(mask, predicted), precision_score(mask, predicted)), abs=1e-12)


@with_both
def test_specificity_is_scikit_learns_recall_of_the_normal_class(case: Case) -> None:
    scores, mask = case
    predicted = official(scores) >= best_f1(official(scores), mask)[1]
    expected = pytest.approx(recall_score(~mask, ~predicted), abs=1e-12)
    assert voxels.specificity(Sketch.of(scores, mask)) == expected
    assert samples.specificity(official(scores).tolist(), mask.astype(int).tolist()) == expected


@with_positives
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 1.0])
def test_dice_and_recall_at_a_threshold_equal_scikit_learn(case: Case, threshold: float) -> None:
    scores, mask = case
    predicted = official(scores).astype(np.float64) >= threshold
    sketch = Sketch.of(scores, mask)
    assert voxels.dice_at(sketch, threshold) == pytest.approx(f1_score(mask, predicted), abs=1e-12)
    assert voxels.confusion(sketch, threshold).recall == pytest.approx(recall_score(mask, predicted), abs=1e-12)


def test_auroc_is_exact_where_pairs_outgrow_64_bits() -> None:
    # 2^50 of each: even at the lower score, the higher one holds one positive more
    positive, negative = np.array([2.0**50, 1.0]), np.array([2.0**50, 0.0])
    expected = (2**50 * 2**50 + 2 * 2**50) / (2 * (2**50 + 1) * 2**50)
    assert curves.auroc(positive, negative) == expected
    assert expected > 0.5


def test_fpr_at_95tpr_takes_19_of_20() -> None:
    scores, labels = [0.9] * 19 + [0.5, 0.1, 0.5], [1] * 20 + [0, 0]
    assert samples.fpr_at_95tpr(scores, labels) == 0
    assert samples.fpr_at_95tpr([0.8, *scores[1:]], labels) == 0
    assert samples.fpr_at_95tpr([0.5, *scores[1:]], labels) == 1 / 2


def test_dice_curve_has_a_value_for_each_distinct_score() -> None:
    # from high to low: TP 1 FP 0, TP 1 FP 1, TP 3 FP 1 of 3 positives
    found = curves.dice_curve(np.array([2.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0]))
    assert found.tolist() == [6 / 7, 2 / 5, 2 / 4]


def test_best_threshold_is_the_highest_of_equals() -> None:
    assert samples.best_threshold([0.9, 0.5, 0.5, 0.5], [1, 1, 0, 0]) == 0.9  # 2/3 at either


def test_threshold_of_the_toy_cases_serves_others() -> None:
    toy = Sketch.of(np.array([0.75, 0.5, 0.25]), np.array([True, True, False]))
    test = Sketch.of(np.array([0.75, 0.625, 0.25]), np.array([True, False, True]))
    assert voxels.dice_at(test, voxels.best_threshold(toy)) == 1 / 2


def test_precision_at_a_threshold_that_no_score_reaches_is_undefined() -> None:
    found = samples.confusion([0.5, 0.25], [1, 0], 0.75)
    assert np.isnan(found.precision)
    assert (found.accuracy, found.specificity, found.recall, found.dice) == (0.5, 1, 0, 0)


def test_nan_is_no_threshold() -> None:
    with pytest.raises(ValueError, match="nan"):
        samples.dice_at([0.5, 0.25], [1, 0], float("nan"))
