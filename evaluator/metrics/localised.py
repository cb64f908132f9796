"""Proportion Localised: the share of lesions whose box a thresholded map meets with an IoU above a limit.

Taylor et al., VisionAD and Proportion Localised (PL), section 3.4 and algorithm 1. Lesions count, not images;
images without one do not enter. On volumes every axial slice with a lesion is an image.
"""

import numpy as np
from numpy.typing import NDArray

from evaluator.localised import Localised
from evaluator.sketch import VALUES

_SCORES = np.arange(VALUES, dtype=np.uint16).view(np.float16).astype(np.float64)  # of every clamped pattern
_THRESHOLDS = 25  # of the published package


def pl(localised: Localised, limit: float = 0.3) -> float:
    """Max over t of (boxes whose IoU with {score ≥ t} is above `limit`) / boxes; nan without a box.

    Every distinct score of the images with a lesion is tried, so that a perfect map has 1 whatever its lesions'
    sizes; the paper tries 25 thresholds. `limit` is one of `evaluator.localised.LIMITS`; raises ValueError else.

    >>> pl(Localised.total([]))
    nan
    """
    found = localised.most_found(limit)
    return found / localised.boxes if localised.boxes else float("nan")


def pl_package(localised: Localised, limit: float = 0.3) -> float:
    """As `pl`, but with {score > t} and the 25 values of t that the package proportion-localised 0.1.3 tries.

    They are the percentiles 100 · i / 26, i from 1 to 25, of all pixels of the images with a lesion. Lesions that
    fill little of these are lost, however good the map. The package also scores the inverted map and reports
    the better; this is the upright one's. nan without a box; raises ValueError as `pl` does.

    >>> pl_package(Localised.total([]))
    nan
    """
    thresholds = _percentiles(localised, np.linspace(0, 100, _THRESHOLDS + 2)[1:-1])
    above = np.searchsorted(_SCORES, thresholds, side="right")  # the first pattern above each
    found = localised.found(limit, above)
    return int(found.max()) / localised.boxes if localised.boxes else float("nan")


def _percentiles(localised: Localised, percent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give `np.percentile(scores, percent)` of all pixels as doubles, in its expressions: equal to the last bit."""
    if not localised.counts.size:
        return np.full(percent.shape, np.nan)
    ranks = np.cumsum(localised.counts.astype(np.int64))
    last = int(ranks[-1]) - 1
    place = last * (percent / 100)
    before = np.floor(place)
    low, high = (
        _SCORES[localised.bins[np.searchsorted(ranks, rank, side="right")]]
        for rank in (before.astype(np.int64), np.minimum(before.astype(np.int64) + 1, last))
    )
    weight = place - before
    return np.where(weight < 0.5, low + (high - low) * weight, high - (high - low) * (1 - weight))  # noqa: PLR2004  numpy's
