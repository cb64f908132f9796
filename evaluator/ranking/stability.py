"""How firm a ranking is: the ranks that resamples give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.ranking.places import Ranking
from evaluator.resampling import PERCENTILES

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stability:
    """Ranks on one data set, or in the consensus: of the whole, and of each resample."""

    full: Ranks  # [teams]
    resampled: Ranks  # [resamples, teams]

    def intervals(self) -> list[tuple[int, int]]:
        """Give for each team the smallest ranks that 2.5 and 97.5 percent of the resamples do not exceed."""
        low, high = np.percentile(self.resampled, PERCENTILES, axis=0, method="inverted_cdf")
        return list(zip(low.tolist(), high.tolist(), strict=True))

    def probabilities(self) -> list[list[float]]:
        """Give for each team the share of resamples in which it has rank 1, 2, …, the number of teams."""
        teams = self.full.size
        return [
            (np.bincount(self.resampled[:, i], minlength=teams + 1)[1:] / len(self.resampled)).tolist()
            for i in range(teams)
        ]

    def agreement(self) -> tuple[float, float, float]:
        """Kendall's tau-b of each resample's ranks to the full ones: mean, 2.5th and 97.5th percentile.

        Resamples in which all teams tie have none and are left out; nan where none is left.
        """
        taus = tau_b(self.full, self.resampled)
        defined = taus[~np.isnan(taus)]
        if not defined.size:
            return float("nan"), float("nan"), float("nan")
        low, high = np.percentile(defined, PERCENTILES)
        return float(defined.mean()), float(low), float(high)


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """A ranking's stability, teams in the order of its consensus."""

    teams: tuple[str, ...]
    datasets: Mapping[str, Stability]
    consensus: Stability


def bootstrap(ranking: Ranking, resampled: Mapping[str, Mapping[str, Floats]]) -> Bootstrap:
    """Rank each resample as the whole was: data set by data set, and over all by mean average rank.

    `resampled` data set -> team -> float64[resamples], higher is better, for each data set of the ranking; a team
    that lacks one has 0 there. The i-th resamples of the data sets make one consensus. Raises ValueError without a
    data set.
    """
    if not resampled:
        raise ValueError("no data set to draw from")
    teams = tuple(place.team for place in ranking.consensus)
    values = {name: _columns(of, teams) for name, of in resampled.items()}
    sums = np.sum([average_ranks(one) for one in values.values()], axis=0)
    return Bootstrap(
        teams=teams,
        datasets={
            name: Stability(full=_in_order(ranking.ranks(name), teams), resampled=smallest_ranks(one))
            for name, one in values.items()
        },
        consensus=Stability(full=_in_order(ranking.ranks(), teams), resampled=smallest_ranks(-sums)),
    )


def means_of_draws(
    units: Mapping[str, Sequence[float]], *, resamples: int, seed: int | Sequence[int] = 0
) -> dict[str, Floats]:
    """Draw units with replacement, the same for every team, and give each team's means, float64[resamples]."""
    many = max(map(len, units.values()), default=0)
    if not many:
        return {}
    counts = np.random.default_rng(seed).multinomial(many, np.full(many, 1 / many), size=resamples)
    # Row by row and not as one product of matrices, which may round equal teams apart.
    return {team: (counts * np.asarray(values)).sum(axis=1) / many for team, values in units.items()}


def tau_b(one: ArrayLike, others: ArrayLike) -> Floats:
    """Kendall's tau-b of `one` [n] to each row of `others` [m, n]: float64[m], nan where either is all ties.

    (concordant − discordant pairs) / √(pairs not tied in one · pairs not tied in the other).

    >>> tau_b([1, 2, 3, 3], [[1, 2, 3, 4], [3, 2, 1, 1], [1, 1, 1, 1]]).round(3).tolist()
    [0.913, -1.0, nan]
    """
    x, y = np.asarray(one, dtype=np.float64), np.asarray(others, dtype=np.float64)
    first, second = np.triu_indices(x.size, k=1)
    here, there = np.sign(x[first] - x[second]), np.sign(y[:, first] - y[:, second])
    untied = np.abs(here).sum() * np.abs(there).sum(axis=1)
    found: Floats = np.divide(there @ here, np.sqrt(untied), out=np.full(len(y), np.nan), where=untied > 0)
    return found


def smallest_ranks(values: Floats) -> Ranks:
    """Rank each row descending from 1, ties share the smallest: float64[resamples, teams] to int64 of that shape."""
    if not values.shape[1]:
        return np.empty(values.shape, dtype=np.int64)
    return np.stack([1 + (values > values[:, [i]]).sum(axis=1) for i in range(values.shape[1])], axis=1)


def average_ranks(values: Floats) -> Floats:
    """Rank each row descending from 1, ties share the mean of the ranks they span."""
    if not values.shape[1]:
        return values
    tied = np.stack([(values == values[:, [i]]).sum(axis=1) for i in range(values.shape[1])], axis=1)
    ranks: Floats = smallest_ranks(values) + (tied - 1) / 2
    return ranks


def _columns(of: Mapping[str, Floats], teams: Sequence[str]) -> Floats:
    """Put teams side by side, float64[resamples, teams]; 0 for one that is not there."""
    resamples = max((one.size for one in of.values()), default=1)
    columns = [of.get(team, np.zeros(resamples)) for team in teams]
    return np.stack(columns, axis=1) if columns else np.empty((resamples, 0))


def _in_order(ranks: Mapping[str, int], teams: Sequence[str]) -> Ranks:
    return np.array([ranks[team] for team in teams], dtype=np.int64)
