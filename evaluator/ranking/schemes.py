"""Ways to come from scores to a ranking, and what changes from one to the other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evaluator.ranking.comparisons import Comparison, wins
from evaluator.ranking.places import Ranking, rank, smallest_ranks
from evaluator.ranking.scores import Units

CONSENSUS = "consensus"  # stands where a data set's name would


class Scheme(StrEnum):
    """How a data set's places follow from units; the consensus of data sets is the same rule for all."""

    AGGREGATE = "aggregate-then-rank"  # by the mean over units: the official one
    RANKS = "rank-then-aggregate"  # by the mean of the ranks in each unit
    TESTS = "test-based"  # by how many teams one is significantly better than


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """A team's ranks under each scheme; None where a scheme is undefined."""

    dataset: str  # or `CONSENSUS`
    team: str
    ranks: Mapping[Scheme, int | None]

    @property
    def moves(self) -> bool:
        """Would it change place under another scheme than the official one?"""
        return any(rank not in (None, self.ranks[Scheme.AGGREGATE]) for rank in self.ranks.values())


def aggregate_then_rank(units: Units) -> Ranking:
    """Rank by the mean over units."""
    return rank({name: {team: _mean(values) for team, values in of.items()} for name, of in units.items()})


def rank_then_aggregate(units: Units) -> Ranking:
    """Rank in each unit, ties share the smallest rank; then by the mean of these ranks, the place's value."""
    return rank({name: mean_ranks(of) for name, of in units.items()}, lower_is_better=True)


def rank_by_tests(teams: Sequence[str], comparisons: Mapping[str, Sequence[Comparison]]) -> Ranking:
    """Rank by how many teams one is significantly better than on a data set, the place's value."""
    won = {name: wins(teams, found) for name, found in comparisons.items()}
    return rank({name: {team: float(count) for team, count in of.items()} for name, of in won.items()})


def unit_ranks(units: Mapping[str, Sequence[float]]) -> dict[str, list[int]]:
    """Rank in each unit, ties share the smallest rank.

    >>> unit_ranks({"A": [0.9, 0.5], "B": [0.9, 0.7], "C": [0.1, 0.6]})
    {'A': [1, 3], 'B': [1, 1], 'C': [3, 2]}
    """
    each = [smallest_ranks(dict(zip(units, values, strict=True))) for values in zip(*units.values(), strict=True)]
    return {team: [ranks[team] for ranks in each] for team in units}


def mean_ranks(units: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Give the mean of each team's ranks in the units; 0 for all where there is none.

    >>> mean_ranks({"A": [0.9, 0.5], "B": [0.9, 0.7], "C": [0.1, 0.6]})
    {'A': 2.0, 'B': 1.0, 'C': 2.5}
    """
    return {team: _mean(ranks) for team, ranks in unit_ranks(units).items()}


def side_by_side(rankings: Mapping[Scheme, Ranking]) -> list[SideBySide]:
    """Give every team's ranks on each data set and in the consensus, in the official order.

    A scheme that is not given is undefined; one that lacks a data set is undefined there and in the consensus.
    """
    official = rankings[Scheme.AGGREGATE]
    found = []
    for name in (*official.datasets, None):
        ranks = {
            scheme: ranking.ranks(name)
            for scheme, ranking in rankings.items()
            if (official.datasets.keys() if name is None else {name}) <= ranking.datasets.keys()
        }
        found += [
            SideBySide(
                dataset=CONSENSUS if name is None else name,
                team=team,
                ranks={scheme: ranks[scheme][team] if scheme in ranks else None for scheme in Scheme},
            )
            for team in ranks[Scheme.AGGREGATE]
        ]
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
