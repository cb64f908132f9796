"""Curves and histograms for the eye: few numbers, the same picture."""

import heapq
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_POINTS: Final = 200  # of a curve
BINS: Final = 64  # of a histogram
_UNSEEN: Final = 1e-4  # of an axis' length

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Units (voxels or cases) by score.

    `values` float64[k], the distinct scores, ascending; `positive`, `negative` float64[k], how many units have each.
    """

    values: Numbers
    positive: Numbers
    negative: Numbers


def precision_recall(counted: Counted, most_points: int = MOST_POINTS) -> tuple[Numbers, Numbers] | None:
    """Give recall and precision of `score >= value`, from the highest score to the lowest; None without a positive.

    The first point stands at recall 0 with the precision of the highest score, so that the area under the steps,
    each as high as its right end, is the average precision. Of many points those are kept that the polyline cannot
    do without: see `thinned`.

    >>> counted = Counted(values=np.array([0.2, 0.7]), positive=np.array([1.0, 1.0]), negative=np.array([2.0, 0.0]))
    >>> recall, precision = precision_recall(counted)
    >>> recall.tolist(), precision.tolist()
    ([0.0, 0.5, 1.0], [1.0, 1.0, 0.5])
    """
    found, alarms = np.cumsum(counted.positive[::-1]), np.cumsum(counted.negative[::-1])
    if not found.size or found[-1] == 0:
        return None
    recall = np.append(0.0, found / found[-1])
    precision = found / (found + alarms)
    precision = np.append(precision[0], precision)
    kept = thinned(recall, precision, most_points)
    return recall[kept], precision[kept]


def histogram(counted: Counted, bins: int = BINS) -> tuple[Numbers, NDArray[np.int64], NDArray[np.int64]]:
    """Give the edges float64[bins + 1] of equal bins over the scores that occur, and int64[bins] of both kinds.

    The edges span 0 to 1 where all scores are equal, or there is none.

    >>> counted = Counted(values=np.array([0.25, 0.75]), positive=np.array([1.0, 1.0]), negative=np.array([2.0, 0.0]))
    >>> edges, negative, positive = histogram(counted, bins=2)
    >>> edges.tolist(), negative.tolist(), positive.tolist()
    ([0.25, 0.5, 0.75], [2, 0], [1, 1])
    """
    several = counted.values.size > 1
    low, high = (counted.values[0], counted.values[-1]) if several else (0.0, 1.0)
    edges = np.linspace(low, high, bins + 1)
    place = np.clip(np.searchsorted(edges, counted.values, side="right") - 1, 0, bins - 1)
    negative, positive = (
        np.bincount(place, weights=units, minlength=bins).astype(np.int64)  # exact to 2^53
        for units in (counted.negative, counted.positive)
    )
    return edges, negative, positive


def thinned(x: Numbers, y: Numbers, most_points: int) -> NDArray[np.int64]:
    """Give the indices, ascending, of at most so many points whose polyline looks like that of all.

    Both ends are kept; then, again and again, the point that lies farthest from the polyline so far: U. Ramer's and
    D. Douglas and T. Peucker's rule, stopped by number. Distances are those on paper, where either axis is as long as
    its values reach.
    """
    if x.size <= most_points:
        return np.arange(x.size)
    points = np.stack([x / (np.ptp(x) or 1), y / (np.ptp(y) or 1)], axis=1)
    kept = [0, x.size - 1]
    waiting: list[tuple[float, int, int, int]] = []
    _push(waiting, points, 0, x.size - 1)
    while waiting and len(kept) < most_points:
        _, first, middle, last = heapq.heappop(waiting)
        kept.append(middle)
        _push(waiting, points, first, middle)
        _push(waiting, points, middle, last)
    return np.array(sorted(kept), dtype=np.int64)


def _push(waiting: list[tuple[float, int, int, int]], points: Numbers, first: int, last: int) -> None:
    """Remember the point between two that lies farthest from the line that joins them."""
    if last - first <= 1:
        return
    inside, step = points[first + 1 : last] - points[first], points[last] - points[first]
    length = float(step @ step)
    along = np.clip(inside @ step / length, 0, 1) if length else np.zeros(len(inside))
    away = np.sum((inside - along[:, np.newaxis] * step) ** 2, axis=1)
    farthest = int(away.argmax())
    if away[farthest] > _UNSEEN**2:
        heapq.heappush(waiting, (-float(away[farthest]), first, first + 1 + farthest, last))
