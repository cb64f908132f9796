"""Is one team better than another? One-sided tests of every pair of teams, corrected for how many they are.

Two kinds, after what a score is a mean of. Where it is a mean over units (batches, or the cases of a file): signs of
the paired differences are flipped. Where one score is had of all cases together (average precision of the sample
task): cases are drawn again, the same for both.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALPHA: Final = 0.05  # challengeR's
LEAST_DRAWS: Final = 9_999
MOST_TEAMS: Final = 50  # draws and pairs both grow with their square
MOST_EXACT_UNITS: Final = 16  # 65,536 ways to choose signs
_TOLERANCE: Final = 1e-12  # of sums, which are added up in any order
_AT_ONCE: Final = 1 << 21  # numbers of an intermediate array: 16 MB


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Whether the team with the higher score is better than the other. Of equal scores, the first by name stands."""

    better: str
    worse: str
    difference: float  # of their scores
    p: float  # one-sided
    p_holm: float  # corrected for the tests of all ordered pairs

    @property
    def significant(self) -> bool:
        """Is the corrected p at most 0.05?"""
        return self.p_holm <= ALPHA


def draws_needed(teams: int) -> int:
    """So many draws that the smallest p there can be, of all ordered pairs, is at most 0.02 after correction.

    >>> draws_needed(10), draws_needed(20)
    (9999, 18999)
    """
    many = min(teams, MOST_TEAMS)
    return max(LEAST_DRAWS, 50 * many * (many - 1) - 1)


def by_flipping(units: Mapping[str, Sequence[float]], *, seed: int | Sequence[int] = 0) -> tuple[Comparison, ...]:
    """Test pairs of teams by a paired permutation of units; the statistic is the mean difference.

    `units` one value a unit for each team, in the same order. Under the hypothesis that both are alike, each unit's
    difference could as well have the other sign: p is the share of all choices of signs whose mean is at least the
    one found. All choices up to 16 units, else `draws_needed` random ones and the one found.

    >>> found = by_flipping({"A": [0.9, 0.8, 0.7], "B": [0.5, 0.6, 0.5]})[0]
    >>> found.better, round(found.difference, 3), found.p, found.p_holm
    ('A', 0.267, 0.125, 0.25)
    """
    means = {team: math.fsum(values) / len(values) for team, values in units.items()} if any(units.values()) else {}
    pairs = list(_pairs(means))
    if not pairs:
        return ()
    differences = np.array([np.subtract(units[better], units[worse]) for better, worse in pairs])
    return _corrected(pairs, means, _flipped(differences, draws_needed(len(means)), seed))


def by_resampling(values: Mapping[str, float], resampled: Mapping[str, Floats]) -> tuple[Comparison, ...]:
    """Test pairs of teams by the bootstrap: `resampled` float64[draws] has the same draws of cases for each team.

    p is the share of draws (and one more) in which the better team is not better.

    >>> found = by_resampling({"A": 0.9, "B": 0.5}, {"A": np.array([0.9, 0.8, 0.4]), "B": np.array([0.5, 0.6, 0.4])})[0]
    >>> found.p, found.p_holm
    (0.5, 1.0)
    """
    pairs = list(_pairs(values))
    shares = [
        (1 + int(np.count_nonzero(resampled[better] <= resampled[worse]))) / (1 + resampled[better].size)
        for better, worse in pairs
    ]
    return _corrected(pairs, values, shares)


def untestable(teams: int, units: int | None = None) -> str | None:
    """Say why no difference can be significant; None where one could be. No units are meant where cases are drawn.

    >>> untestable(teams=2, units=5)
    '5 units are too few for a difference among 2 teams to be significant after correction'
    >>> untestable(teams=2, units=6), untestable(teams=10, units=27), untestable(teams=1, units=1)
    (None, None, None)
    """
    if teams > MOST_TEAMS:
        return f"{teams} teams are more than are tested pair by pair ({MOST_TEAMS})"
    if units is None or units > MOST_EXACT_UNITS or teams * (teams - 1) * 2.0**-units <= ALPHA:
        return None
    few = "1 unit is" if units == 1 else f"{units} units are"
    return f"{few} too few for a difference among {teams} teams to be significant after correction"


def wins(teams: Sequence[str], comparisons: Sequence[Comparison]) -> dict[str, int]:
    """Give how many teams each one is significantly better than."""
    return {
        team: sum(comparison.better == team and comparison.significant for comparison in comparisons) for team in teams
    }


def holm(p: Sequence[float], *, tests: int | None = None) -> list[float]:
    """Holm's correction, in the order given: the i-th smallest times (tests − i + 1), at least its forerunner's.

    `tests` is how many there are where not all are given; those left out are no smaller than these.

    >>> holm([0.01, 0.04, 0.03]), holm([0.01], tests=4)
    ([0.03, 0.06, 0.06], [0.04])
    """
    many = len(p) if tests is None else tests
    corrected = [0.0] * len(p)
    highest = 0.0
    for place, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, p[i] * (many - place)))
        corrected[i] = highest
    return corrected


def _pairs(values: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Each two teams, the better one first; none of too many teams."""
    if len(values) <= MOST_TEAMS:
        yield from combinations(sorted(values, key=lambda team: (-values[team], team)), 2)


def _corrected(
    pairs: Sequence[tuple[str, str]], values: Mapping[str, float], p: Sequence[float]
) -> tuple[Comparison, ...]:
    """Correct for both directions of each pair: which one is tested was chosen by looking."""
    return tuple(
        Comparison(better=better, worse=worse, difference=values[better] - values[worse], p=one, p_holm=corrected)
        for (better, worse), one, corrected in zip(pairs, p, holm(p, tests=2 * len(p)), strict=True)
    )


def _flipped(differences: Floats, draws: int, seed: int | Sequence[int]) -> list[float]:
    """Give p of each row of differences [pairs, units]."""
    pairs, units = differences.shape
    found = differences.sum(axis=1) - _TOLERANCE * np.abs(differences).sum(axis=1)
    exact = units <= MOST_EXACT_UNITS
    total = 1 << units if exact else draws
    rng = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // max(pairs, units))
    reached = np.zeros(pairs, dtype=np.int64)
    for start in range(0, total, step):
        many = min(step, total - start)
        if exact:
            positive = (np.arange(start, start + many)[:, np.newaxis] >> np.arange(units)) & 1
        else:
            positive = rng.integers(0, 2, (many, units))
        reached += ((2.0 * positive - 1) @ differences.T >= found).sum(axis=0)
    beside = 0 if exact else 1  # the signs found are among all, and come to random ones
    return [(int(count) + beside) / (total + beside) for count in reached]
