"""The bootstrap over cases: how often each case is drawn in a resample, and the average precisions that follow.

Nothing is read or scored again. Counts of voxels add up, so a resample's counts are one product of matrices; a metric
that scikit-learn gives for the drawn cases one by one is reproduced to rounding (a test compares them).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics import samples
from evaluator.sketch import Sketch

Draws = NDArray[np.int32]  # [resamples, cases]: how often a resample has each case
Floats = NDArray[np.float64]

PERCENTILES: Final = (2.5, 97.5)  # of resamples: the ends of every interval
_ROWS: Final = 16  # resamples at once
_PRODUCT: Final = 1 << 18  # multiplications; OpenBLAS shares more out to threads, which on a busy machine wait for long
_LEAST_COLUMNS: Final = 256
_NOTHING: Final = 1e-300  # beside units: no number of them changes, and where nothing is drawn 0 / 0 becomes 0


def draws(
    batches: Sequence[Sequence[str]],
    labels: Mapping[str, int],
    *,
    resamples: int = 1000,
    seed: int | Sequence[int] = 0,
) -> tuple[Draws, ...]:
    """Draw cases with replacement inside each batch, as many of each label (0, 1) as it has.

    Gives int32[resamples, cases of the batch in their order] for each batch: how often a resample has a case. So each
    resample has the batches of the original, each with as many anomalous cases, and its statistic is the official
    one. The same arguments give the same draws: take one for all teams. Raises KeyError for a case without a label.

    >>> draws([["a", "b", "c"]], {"a": 1, "b": 0, "c": 0}, resamples=3)[0].tolist()
    [[1, 1, 1], [1, 1, 1], [1, 0, 2]]
    """
    rng = np.random.default_rng(seed)
    return tuple(_draw(np.array([labels[case] for case in batch], dtype=bool), resamples, rng) for batch in batches)


def ap_of_scores(scores: Sequence[float], labels: Sequence[int], counts: NDArray[np.integer]) -> Floats:
    """Average precision of cases with one score each, for each row of counts; nan where nothing positive is drawn.

    `scores`, `labels` [cases], `counts` int[resamples, cases]; gives float64[resamples]. Scores are clamped as in
    `evaluator.metrics.samples`, and equal ones enter together.

    >>> ap_of_scores([0.9, 0.8, 0.1], [1, 0, 1], np.array([[1, 1, 1], [0, 1, 2], [0, 1, 0]])).tolist()
    [0.8333333333333333, 0.6666666666666666, nan]
    """
    clamped = np.array([samples.clamped(score) for score in scores], dtype=np.float64)
    order = np.argsort(clamped)[::-1]
    positive = np.array(labels, dtype=np.float64)[order]
    ends = np.flatnonzero(np.append(clamped[order][1:] != clamped[order][:-1], True)) if order.size else order
    found = np.full(len(counts), np.nan)
    for start in range(0, len(counts) if order.size else 0, _ROWS):
        rows = slice(start, start + _ROWS)
        weights = counts[rows][:, order].astype(np.float64)
        true = np.cumsum(weights * positive, axis=1)[:, ends]
        every = np.cumsum(weights, axis=1)[:, ends] + _NOTHING
        found[rows] = _ratio(_gain(np.diff(true, axis=1, prepend=0), true, every), true[:, -1])
    return found


def ap_of_sketches(sketches: Sequence[Sketch], counts: NDArray[np.integer]) -> Floats:
    """Average precision of the voxels of cases, pooled, for each row of counts; nan where nothing positive is drawn.

    `sketches` of the cases, `counts` int[resamples, cases]; gives float64[resamples]. Only scores that a positive
    voxel of any case has are looked at: recall stands still at the others.

    >>> ap_of_sketches([Sketch.zeros(positive=1, negative=3)], np.array([[1], [5], [0]])).tolist()
    [0.25, 0.25, nan]
    """
    positive_bins = [sketch.bins[sketch.positive > 0] for sketch in sketches]
    bins = np.unique(np.concatenate([*positive_bins, np.empty(0, np.uint16)]))[::-1]
    positive = np.zeros((len(sketches), bins.size))
    every = np.full((len(sketches) + 1, bins.size), _NOTHING)  # the last row counts once
    for row, sketch in enumerate(sketches):
        first = np.searchsorted(sketch.bins, bins)  # of the case's bins from this score upwards
        positive[row] = _from_the_top(sketch.positive)[first]
        every[row] = _from_the_top(sketch.positive + sketch.negative)[first]
    having = positive.any(axis=1)  # cases that add to the true positives
    positive = positive[having]
    gained = np.diff(positive, axis=1, prepend=0)
    found = np.full(len(counts), np.nan)
    for start in range(0, len(counts) if bins.size else 0, _ROWS):
        rows = slice(start, start + _ROWS)
        weights = np.hstack([counts[rows], np.ones((len(counts[rows]), 1))])
        of_positive = weights[:, :-1][:, having]
        gain = np.zeros(len(weights))
        for block in _blocks(bins.size, len(sketches)):
            gain += _gain(of_positive @ gained[:, block], of_positive @ positive[:, block], weights @ every[:, block])
        found[rows] = _ratio(gain, of_positive @ positive[:, -1])
    return found


def ap_of_batches(
    sketches: Mapping[str, Sketch], batches: Sequence[Sequence[str]], counts: Sequence[NDArray[np.integer]]
) -> Floats:
    """Average precision of each batch for each row of its counts, float64[batches, resamples]; 0 where it has none.

    One batch of sketches is held at a time, each asked for once.
    """
    found = [
        ap_of_sketches([sketches[case] for case in batch], drawn) for batch, drawn in zip(batches, counts, strict=True)
    ]
    return np.nan_to_num(np.array(found, dtype=np.float64), nan=0.0)


def batched_ap(
    sketches: Mapping[str, Sketch], batches: Sequence[Sequence[str]], counts: Sequence[NDArray[np.integer]]
) -> Floats:
    """Mean over batches of their average precisions, float64[resamples]; ValueError without a batch.

    A batch without a positive voxel counts 0, as in `evaluator.metrics.voxels.batched_average_precision`.
    """
    if not batches:
        raise ValueError("no batch to take a mean over")
    return np.asarray(ap_of_batches(sketches, batches, counts).mean(axis=0), dtype=np.float64)


def _draw(anomalous: NDArray[np.bool_], resamples: int, rng: np.random.Generator) -> Draws:
    """Draw within each class of a batch, int32[resamples, cases]."""
    counts = np.zeros((resamples, anomalous.size), dtype=np.int32)
    for places in (np.flatnonzero(anomalous), np.flatnonzero(~anomalous)):
        if places.size:
            counts[:, places] = rng.multinomial(places.size, np.full(places.size, 1 / places.size), size=resamples)
    return counts


def _from_the_top(counts: NDArray[np.uint64]) -> Floats:
    """Sums of counts[i:] for each i, and 0 behind the last; float64[k + 1]."""
    sums = np.zeros(counts.size + 1)
    np.cumsum(counts[::-1], out=sums[-2::-1], dtype=np.float64)
    return sums


def _blocks(columns: int, cases: int) -> Iterator[slice]:
    """Cut columns so that a product of `_ROWS` rows with them is left to one thread, but not too small."""
    step = max(_LEAST_COLUMNS, _PRODUCT // (_ROWS * cases))
    yield from (slice(start, start + step) for start in range(0, columns, step))


def _gain(gained: Floats, true: Floats, every: Floats) -> Floats:
    """Σ of positive units times the precision at their score, for each row; float64[rows]. Overwrites `every`.

    float64[rows, k] each, by score: `gained` positive units with it, `true` those with at least it, `every` all units
    with at least it, and `_NOTHING`. All are sums of whole numbers below 2^53, so exact in any order.
    """
    precision = np.divide(true, every, out=every)
    return np.asarray(np.einsum("ij,ij->i", gained, precision), dtype=np.float64)


def _ratio(gain: Floats, positive: Floats) -> Floats:
    """Divide by the positive units; nan where there is none."""
    found: Floats = np.divide(gain, positive, out=np.full(positive.shape, np.nan), where=positive > 0)
    return found
