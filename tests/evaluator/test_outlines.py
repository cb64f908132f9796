"""Thinned curves against whole ones, and histograms against numpy's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

from evaluator.outlines import MOST_POINTS, Counted, histogram, precision_recall, thinned
from evaluator.sketch import Sketch

RNG = np.random.default_rng(2)


def counted(scores: np.ndarray, labels: np.ndarray) -> Counted:
    sketch = Sketch.of(scores, labels.astype(bool))
    values = sketch.bins.view(np.float16).astype(np.float64)
    return Counted(values=values, positive=sketch.positive.astype(float), negative=sketch.negative.astype(float))


def voxels(count: int, prevalence: float, gap: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    labels = RNG.random(count) < prevalence
    scores = np.clip(RNG.normal(0.4 + gap * labels, 0.12), 0, 1).astype(np.float16)
    return scores, labels


def test_short_curve_is_scikit_learn_s_with_a_start() -> None:
    scores, labels = RNG.integers(0, 50, 400) / 64, RNG.random(400) < 0.3
    found = precision_recall(counted(scores, labels))
    assert found is not None
    recall, precision = found
    theirs, of_recall, _ = precision_recall_curve(labels, scores)
    np.testing.assert_allclose(recall[1:], of_recall[-2::-1], atol=1e-15)
    np.testing.assert_allclose(precision[1:], theirs[-2::-1], atol=1e-15)
    assert np.sum(np.diff(recall) * precision[1:]) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("scores", ["separate", "alike", "worse than chance"])
@pytest.mark.parametrize("prevalence", [0.5, 0.01])
def test_thinned_curve_looks_the_same(prevalence: float, scores: str) -> None:
    gap = {"separate": 0.2, "alike": 0.0, "worse than chance": -0.1}[scores]
    whole_of = counted(*voxels(200_000, prevalence, gap))
    whole, found = precision_recall(whole_of, most_points=10**6), precision_recall(whole_of)
    assert whole is not None
    assert found is not None
    recall, precision = found
    assert recall.size <= MOST_POINTS < whole[0].size
    assert (recall[0], recall[-1], precision[-1]) == (0.0, 1.0, whole[1][-1])
    on_paper = np.array([1, 1 / np.ptp(whole[1])])
    away = distances(np.stack(whole, axis=1) * on_paper, np.stack(found, axis=1) * on_paper)
    assert away.max() < 0.004  # a pixel of 250


def distances(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """How far each point [n, 2] lies from a polyline [k, 2]."""
    starts, steps = line[:-1], np.diff(line, axis=0)
    lengths = np.maximum(np.sum(steps**2, axis=1), 1e-300)
    along = np.clip(np.sum((points[:, np.newaxis] - starts) * steps, axis=2) / lengths, 0, 1)
    nearest = starts + along[..., np.newaxis] * steps
    found: np.ndarray = np.linalg.norm(points[:, np.newaxis] - nearest, axis=2).min(axis=1)
    return found


def test_curve_without_a_positive_is_none() -> None:
    assert precision_recall(counted(np.array([0.5, 0.2]), np.array([0, 0]))) is None


def test_points_on_a_line_are_left_out() -> None:
    x = np.linspace(0, 1, 1000)
    y = np.where(x < 0.5, x, 1 - x)
    kept = thinned(x, y, 100)
    assert 0 in kept
    assert 999 in kept
    assert kept.size < 10
    np.testing.assert_allclose(np.interp(x, x[kept], y[kept]), y, atol=1e-12)


def test_upright_parts_keep_their_extremes() -> None:
    y = np.concatenate([[0.5], RNG.random(500) * 0.8, [0.9, 0.5]])
    kept = thinned(np.zeros(y.size), y, 50)
    assert {int(y.argmin()), int(y.argmax())} <= set(kept.tolist())
    assert kept.size <= 50  # on one line nothing else is seen


def test_histogram_is_numpy_s() -> None:
    scores, labels = voxels(5000, 0.2)
    edges, negative, positive = histogram(counted(scores, labels))
    for found, kind in ((negative, 0), (positive, 1)):
        theirs, of_edges = np.histogram(scores[labels == kind].astype(float), bins=edges)
        assert found.tolist() == theirs.tolist()
        np.testing.assert_array_equal(edges, of_edges)
    assert (edges[0], edges[-1]) == (scores.min(), scores.max())


@pytest.mark.parametrize("scores", [[], [0.0], [1.0, 1.0], [0.25]])
def test_equal_scores_span_everything(scores: list[float]) -> None:
    edges, negative, positive = histogram(counted(np.array(scores), np.zeros(len(scores))))
    assert (edges[0], edges[-1]) == (0, 1)
    assert (negative.sum(), positive.sum()) == (len(scores), 0)
