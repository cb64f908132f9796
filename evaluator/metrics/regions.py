"""Metrics that weigh every connected component of the labels alike: functions of regions.

PRO at a threshold is the mean over components C_k of |A ∩ C_k| / |C_k|, A the voxels with score >= threshold
(Bergmann 2019; BMAD). Components are of full connectivity, and those of all cases are pooled.
"""

import numpy as np
from numpy.typing import NDArray

from evaluator.regions import Regions
from evaluator.sketch import VALUES, Sketch


def pro_curve(sketch: Sketch, regions: Regions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """FPR and PRO at every distinct score from high to low, from (0, 0) to (1, 1), float64[k + 1] each.

    FPR is over all voxels with label 0. All nan without a component or without a negative voxel. Raises ValueError
    where sketch and regions are not of the same cases.
    """
    _check(sketch, regions)
    if not _defined(sketch, regions):
        return np.full(sketch.distinct + 1, np.nan), np.full(sketch.distinct + 1, np.nan)
    alarms = np.cumsum(sketch.negative[::-1], dtype=np.float64)
    by_bin = np.bincount(regions.bins, weights=_weights(regions), minlength=VALUES)
    found = np.cumsum(by_bin[sketch.bins][::-1])
    return np.append(0.0, alarms / alarms[-1]), np.append(0.0, found / found[-1])


def aupro(sketch: Sketch, regions: Regions, limit: float = 0.3) -> float:
    """Area under `pro_curve` up to an FPR of `limit`, interpolated there, divided by `limit`.

    nan without a component or without a negative voxel. Raises ValueError where the limit is not within 0 and 1 or
    where sketch and regions are not of the same cases.

    The trapezoid rule is linear in the components' recalls, so the area is a sum over voxels of components: where
    those with a voxel's score raise FP from f to g, the voxel's recall rises from 0 at f to 1 at g, and up to
    FP = L = limit · N the area under that ramp is L − (f + g)/2, or (L − f)²/2(g − f) where L is within (f, g),
    or 0 where L <= f. Each voxel weighs 1/|C_k|; no running sum is rounded.

    >>> component = Regions.zeros(np.array([2]))
    >>> aupro(Sketch.zeros(positive=2, negative=6), component)  # the straight line from (0, 0) to (1, 1)
    0.15
    """
    if not 0 < limit <= 1:
        raise ValueError(f"the limit of the false-positive rate is {limit}")
    _check(sketch, regions)
    if not _defined(sketch, regions):
        return float("nan")
    after = np.cumsum(sketch.negative[::-1], dtype=np.float64)[::-1]
    before = after - sketch.negative
    most = limit * after[0]
    reached = np.minimum(after, most)
    ramp = (reached - before) ** 2 / np.maximum(2 * (after - before), 1)
    area = np.where(before < most, ramp + (most - reached), 0)
    by_bin = np.zeros(VALUES)
    by_bin[sketch.bins] = area / most
    weights = _weights(regions)
    return float(np.sum(weights * by_bin[regions.bins]) / np.sum(weights))


def pro_at(regions: Regions, threshold: float) -> float:
    """PRO of `score >= threshold`: the mean over components of the share that is found; nan without a component.

    BMAD. Raises ValueError where the threshold is nan.

    >>> pro_at(Regions.zeros(np.array([2])), threshold=0.5)
    0.0
    """
    if np.isnan(threshold):
        raise ValueError("a threshold is nan")
    if regions.n_components == 0:
        return float("nan")
    weights = _weights(regions)
    found = regions.bins.view(np.float16) >= np.float64(threshold)
    return float(np.sum(weights * found) / np.sum(weights))


def _weights(regions: Regions) -> NDArray[np.float64]:
    """Give the share of components that each count is: voxels by size, float64[m]; all add up to the components."""
    weights: NDArray[np.float64] = regions.counts / regions.sizes[regions.group]
    return weights


def _defined(sketch: Sketch, regions: Regions) -> bool:
    return regions.n_components > 0 and sketch.n_negative > 0


def _check(sketch: Sketch, regions: Regions) -> None:
    """Raise ValueError where the components' voxels are not the sketch's positive ones."""
    positive = np.zeros(VALUES)
    positive[sketch.bins] = sketch.positive
    if not np.array_equal(np.bincount(regions.bins, weights=regions.counts, minlength=VALUES), positive):
        raise ValueError("a sketch and its regions are of different voxels")
