"""Resamples against scoring each one again with scikit-learn, case by case."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from evaluator import resampling
from evaluator.metrics import samples, voxels
from evaluator.sketch import Sketch

Volume = tuple[NDArray[np.float16], NDArray[np.bool_]]


def volumes(rng: np.random.Generator, count: int, levels: int, size: int = 60) -> list[Volume]:
    """Half of them anomalous; few levels make many ties."""
    scores = [(rng.integers(0, levels, size) / levels).astype(np.float16) for _ in range(count)]
    masks = [(rng.random(size) < 0.2) & (i % 2 == 0) for i in range(count)]
    for mask in masks[::2]:
        mask[0] = True
    return list(zip(scores, masks, strict=True))


def naive(cases: list[Volume], counts: NDArray[np.int32]) -> float:
    """Draw the cases again, pool their voxels, and ask scikit-learn."""
    drawn = [case for case, count in zip(cases, counts, strict=True) for _ in range(count)]
    scores, masks = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    return float(average_precision_score(masks, scores))


@pytest.mark.parametrize("levels", [1, 2, 7, 2000])
def test_each_resample_of_sketches_equals_scikit_learn(levels: int) -> None:
    rng = np.random.default_rng(levels)
    batches = [volumes(rng, 8, levels), volumes(rng, 5, levels)]
    names = [[f"{b}-{i}" for i in range(len(batch))] for b, batch in enumerate(batches)]
    cases = {
        name: case for row, batch in zip(names, batches, strict=True) for name, case in zip(row, batch, strict=True)
    }
    counts = resampling.draws(names, {name: int(mask.any()) for name, (_, mask) in cases.items()}, resamples=50)
    found = resampling.batched_ap({name: Sketch.of(*case) for name, case in cases.items()}, names, counts)
    expected = [
        math.fsum(naive(batch, drawn[i]) for batch, drawn in zip(batches, counts, strict=True)) / 2 for i in range(50)
    ]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("levels", [1, 3, 5000])
def test_each_resample_of_scores_equals_scikit_learn(levels: int) -> None:
    rng = np.random.default_rng(levels)
    scores = rng.integers(0, levels, 80) / levels * 1.2 - 0.1  # some beyond 0 and 1, which clamping ties
    labels = (rng.random(80) < 0.4).astype(int)
    names = [str(i) for i in range(80)]
    (counts,) = resampling.draws([names], dict(zip(names, labels.tolist(), strict=True)), resamples=50)
    found = resampling.ap_of_scores(scores.tolist(), labels.tolist(), counts)
    expected = [
        average_precision_score(np.repeat(labels, drawn), np.repeat(np.clip(scores, 0, 1), drawn)) for drawn in counts
    ]
    assert found == pytest.approx(expected, abs=1e-12)


def test_every_case_once_gives_the_official_scores() -> None:
    rng = np.random.default_rng(0)
    cases = volumes(rng, 6, 300)
    sketches = [Sketch.of(*case) for case in cases]
    once = np.ones((1, 6), dtype=np.int32)
    assert resampling.ap_of_sketches(sketches, once)[0] == pytest.approx(
        voxels.average_precision(Sketch.total(sketches)), abs=1e-14
    )
    scores, labels = [0.2, float("nan"), 0.7, 0.7, math.inf, 0.1], [1, 0, 1, 0, 0, 1]
    assert resampling.ap_of_scores(scores, labels, once)[0] == pytest.approx(
        samples.average_precision(scores, labels), abs=1e-14
    )


def test_each_resample_has_as_many_of_each_label_in_each_batch() -> None:
    labels = {"a": 1, "b": 0, "c": 1, "d": 0, "e": 0, "f": 1}
    batches = [["d", "a", "b", "c"], ["e", "f"]]
    drawn = resampling.draws(batches, labels, resamples=200)
    for batch, counts in zip(batches, drawn, strict=True):
        assert counts.shape == (200, len(batch))
        assert counts.dtype == np.int32
        anomalous = np.array([labels[name] for name in batch], dtype=bool)
        assert set(counts[:, anomalous].sum(axis=1)) == {anomalous.sum()}
        assert set(counts[:, ~anomalous].sum(axis=1)) == {(~anomalous).sum()}
    assert set(drawn[0][:, 1]) == {0, 1, 2}  # "a" comes twice, once or never
    assert set(drawn[1].ravel()) == {1}  # alone of their labels, both come each time


def test_cases_are_drawn_alike_often() -> None:
    names = [str(i) for i in range(10)]
    (counts,) = resampling.draws([names], dict.fromkeys(names, 0), resamples=4000)
    assert counts.mean(axis=0) == pytest.approx(np.ones(10), abs=0.06)  # four standard errors
    assert counts.var(axis=0) == pytest.approx(np.full(10, 0.9), abs=0.1)  # binomial: 10 · 0.1 · 0.9


def test_a_seed_gives_the_same_draws_and_another_others() -> None:
    names = [str(i) for i in range(20)]
    first, again, other = (
        resampling.draws([names], dict.fromkeys(names, 1), resamples=5, seed=seed)[0].tolist() for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_a_resample_without_a_positive_is_undefined_and_counts_zero_in_a_batch() -> None:
    sketches = {"a": Sketch.zeros(positive=1, negative=1), "b": Sketch.zeros(positive=0, negative=2)}
    counts = np.array([[1, 1], [0, 3], [0, 0]], dtype=np.int32)
    found = resampling.ap_of_sketches(list(sketches.values()), counts)
    assert found[0] == 0.25
    assert np.isnan(found[1:]).all()
    assert resampling.batched_ap(sketches, [["a", "b"]], [counts]).tolist() == [0.25, 0.0, 0.0]
    assert np.isnan(resampling.ap_of_scores([0.5, 0.5], [0, 0], counts)).all()
    assert np.isnan(resampling.ap_of_sketches([], np.zeros((2, 0), dtype=np.int32))).all()


def test_a_batch_of_normal_cases_counts_zero() -> None:
    sketches = {"a": Sketch.zeros(positive=1, negative=1), "b": Sketch.zeros(positive=0, negative=2)}
    once = np.ones((2, 1), dtype=np.int32)
    assert resampling.batched_ap(sketches, [["a"], ["b"]], [once, once]).tolist() == [0.25, 0.25]
    assert resampling.ap_of_batches(sketches, [["a"], ["b"]], [once, once]).tolist() == [[0.5, 0.5], [0.0, 0.0]]


def test_large_volumes_count_exactly() -> None:
    # 512³ voxels, twenty times: 1 positive voxel of 2^31.3, found last
    sketches = [Sketch.zeros(positive=1, negative=512**3 - 1)] + [Sketch.zeros(positive=0, negative=512**3)] * 19
    counts = np.ones((1, 20), dtype=np.int32)
    assert resampling.ap_of_sketches(sketches, counts)[0] == 1 / (20 * 512**3)


def test_resamples_are_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    sketches = [Sketch.of(*case) for case in volumes(rng, 6, 500)]
    counts = rng.integers(0, 3, (37, 6))
    whole = resampling.ap_of_sketches(sketches, counts)
    monkeypatch.setattr(resampling, "_ROWS", 5)
    monkeypatch.setattr(resampling, "_PRODUCT", 1)
    monkeypatch.setattr(resampling, "_LEAST_COLUMNS", 3)
    assert resampling.ap_of_sketches(sketches, counts) == pytest.approx(whole, abs=1e-15)


def test_no_batch_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no batch"):
        resampling.batched_ap({}, [], [])
