"""What rounding to half precision may have cost: bounds of the average precision of the scores before rounding.

Half precision is the official rule. A submission whose scores lie in a narrow range keeps few distinct values, and
two submissions whose bounds overlap are told apart by their rounding alone, as far as a sketch can know.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics import voxels
from evaluator.sketch import Sketch

_SLACK: Final = 2.0**-46  # 64 ulp of 1: far above what the sums below are rounded by, far below what matters
_TERMS: Final = 32  # of a harmonic sum that are added one by one, before the series is good to the last digit


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The average precision of the full-precision scores lies in [low, high]; nan where none is positive.

    `distinct`: how many different half-precision scores occur.
    """

    low: float
    high: float
    distinct: int

    @classmethod
    def of(cls, sketch: Sketch) -> Self:
        """Bound the average precision that `sketch` would have had without rounding.

        Rounding keeps the order, so only the order within a bin is unknown. Let a bin hold p of P positives and n
        negatives, a positives and b negatives being in higher bins. Its i-th positive enters with at least a + i
        positives and at most b + n negatives found, and with at most a + p and at least b:

            Σ_{i=1..p} (a + i)/(a + i + b + n) / P  <=  the bin's part of AP  <=  p (a + p)/(a + p + b) / P,

        the left with its negatives first and its positives one by one, the right with its positives first and tied.
        Bin 0 is three: scores above 0 that were rounded to 0, and those that were 0, which are tied in truth. Without
        any rounding both bounds are the average precision; otherwise they are moved outward by 64 ulp.
        """
        exact = voxels.average_precision(sketch)
        if sketch.rounded == 0 or math.isnan(exact):
            return cls(low=exact, high=exact, distinct=sketch.distinct)
        positive, negative = _above_zero(sketch)
        found, alarms = np.cumsum(positive), np.cumsum(negative)
        ties = (sketch.n_positive - int(found[-1])) * sketch.n_positive / sketch.n_voxels
        high = math.fsum(positive * found / np.maximum(found + alarms - negative, 1)) + ties
        low = math.fsum(positive - alarms * _harmonic(found - positive + alarms, positive)) + ties
        return cls(
            low=max(0.0, low / sketch.n_positive - _SLACK),
            high=min(1.0, high / sketch.n_positive + _SLACK),
            distinct=sketch.distinct,
        )

    @classmethod
    def batched(cls, batches: Sequence[Sketch]) -> Self:
        """Bound the mean over batches; a batch without a positive counts 0. nan without a batch.

        `distinct` is of all batches together.
        """
        distinct = Sketch.total(batches).distinct
        if not batches:
            return cls(low=float("nan"), high=float("nan"), distinct=distinct)
        found = [cls.of(batch) for batch in batches]
        return cls(
            low=math.fsum(one.low for one in found if math.isfinite(one.low)) / len(found),
            high=math.fsum(one.high for one in found if math.isfinite(one.high)) / len(found),
            distinct=distinct,
        )


def indistinguishable(bounds: Mapping[str, tuple[float, float]]) -> list[tuple[str, str]]:
    """Pairs of teams whose bounds (low, high) overlap or touch; each pair and the list are sorted.

    O(n log n) and the pairs found. Raises ValueError where bounds are nan or the wrong way round.

    >>> indistinguishable({"B": (0.2, 0.4), "A": (0.3, 0.5), "C": (0.45, 0.6)})
    [('A', 'B'), ('A', 'C')]
    """
    wrong = [team for team, (low, high) in bounds.items() if not low <= high]
    if wrong:
        raise ValueError(f"bounds of {wrong[:8]} are nan or the wrong way round")
    by_low = sorted(bounds, key=lambda team: bounds[team])
    lows = np.array([bounds[team][0] for team in by_low])
    ends = np.searchsorted(lows, [bounds[team][1] for team in by_low], side="right")
    return sorted(
        (min(team, other), max(team, other))
        for place, team in enumerate(by_low)
        for other in by_low[place + 1 : ends[place]]
    )


def _above_zero(sketch: Sketch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positives and negatives with each score, descending, float64[k + 1]; last those that were rounded to 0."""
    above = sketch.bins > 0
    return (
        np.append(sketch.positive[above][::-1].astype(np.float64), sketch.tiny_positive),
        np.append(sketch.negative[above][::-1].astype(np.float64), sketch.tiny_negative),
    )


def _harmonic(first: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ_{i=1..count} 1/(first + i) for each pair of whole numbers, to 1e-14.

    The first terms are added one by one. The rest is the digamma function between its ends, by the series
    ψ(x + ½) = ln x + 1/24x² − 7/960x⁴ + 31/8064x⁶ − …, whose next term is under 4e-15 from x = 32.5.
    """
    steps = np.arange(1, _TERMS + 1)
    terms = np.where(steps <= count[:, None], 1 / (first[:, None] + steps), 0.0).sum(axis=1)
    start = first + np.minimum(count, _TERMS) + 0.5
    end = first + count + 0.5
    total: NDArray[np.float64] = terms + np.log1p((end - start) / start) + (_tail(end) - _tail(start))
    return total


def _tail(x: NDArray[np.float64]) -> NDArray[np.float64]:
    square = 1 / (x * x)
    tail: NDArray[np.float64] = square * (1 / 24 - square * (7 / 960 - square * 31 / 8064))
    return tail
