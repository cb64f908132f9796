"""Places of teams: on each data set, and the consensus of all, as MOOD's script (challengeR) computes it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

Values = Mapping[str, Mapping[str, float]]  # data set -> team -> value


@dataclass(frozen=True, kw_only=True)
class Place:
    """A team's place on one data set."""

    team: str
    value: float  # what teams are ordered by
    rank: int


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """A team's place over all data sets."""

    team: str
    mean_rank: float  # mean over data sets of its average ranks
    rank: int


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Places on each data set and over all, each ordered by rank and then name."""

    datasets: Mapping[str, Sequence[Place]]
    consensus: Sequence[Consensus]

    def as_dict(self) -> dict[str, object]:
        """Give {"datasets": {name: [{team, value, rank}]}, "consensus": [{team, mean_rank, rank}]}."""
        return {
            "datasets": {name: [asdict(place) for place in places] for name, places in self.datasets.items()},
            "consensus": [asdict(place) for place in self.consensus],
        }

    def ranks(self, dataset: str | None = None) -> dict[str, int]:
        """Give each team's rank on a data set; of None, in the consensus."""
        places = self.consensus if dataset is None else self.datasets[dataset]
        return {place.team: place.rank for place in places}


def rank(values: Values, *, lower_is_better: bool = False) -> Ranking:
    """Rank teams: higher values first, a missing or NaN value counts 0, or as the lowest where that is below 0.

    Tied teams share the smallest rank on a data set; the consensus takes the mean over data sets of the
    teams' *average* ranks (two tied winners count 1.5 each), and ties in it share the smallest rank. Where lower is
    better, a missing value counts as the highest.

    >>> board = rank({"a": {"A": 0.9, "B": 0.9, "C": 0.5}, "b": {"A": 0.5, "B": 0.4, "C": 0.9}})
    >>> [(place.team, place.mean_rank, place.rank) for place in board.consensus]
    [('A', 1.75, 1), ('C', 2.0, 2), ('B', 2.25, 3)]
    """
    sign = -1 if lower_is_better else 1
    teams = sorted({team for scores in values.values() for team in scores})
    filled = {name: _filled(scores, teams, sign) for name, scores in values.items()}
    # Sums of average ranks are multiples of one half, so teams that tie do so exactly.
    averages = [average_ranks(scores) for scores in filled.values()]
    sums = {team: sum(average[team] for average in averages) for team in teams}
    shown = smallest_ranks({team: -total for team, total in sums.items()})
    consensus = [Consensus(team=team, mean_rank=sums[team] / len(filled), rank=shown[team]) for team in teams]
    return Ranking(
        datasets={name: _places(scores, sign) for name, scores in filled.items()},
        consensus=sorted(consensus, key=lambda place: (place.rank, place.team)),
    )


def smallest_ranks(values: Mapping[str, float]) -> dict[str, int]:
    """Rank descending from 1; ties share the smallest rank.

    >>> smallest_ranks({"A": 0.5, "B": 0.9, "C": 0.9})
    {'A': 3, 'B': 1, 'C': 1}
    """
    return {team: 1 + sum(other > value for other in values.values()) for team, value in values.items()}


def average_ranks(values: Mapping[str, float]) -> dict[str, float]:
    """Rank descending from 1; ties share the mean of the ranks they span.

    >>> average_ranks({"A": 0.5, "B": 0.9, "C": 0.9})
    {'A': 3.0, 'B': 1.5, 'C': 1.5}
    """
    smallest = smallest_ranks(values)
    return {
        team: smallest[team] + (sum(other == value for other in values.values()) - 1) / 2
        for team, value in values.items()
    }


def is_missing(value: float | None) -> bool:
    """Is there no number?"""
    return value is None or math.isnan(value)


def _filled(scores: Mapping[str, float], teams: Sequence[str], sign: int) -> dict[str, float]:
    """Give every team a value, higher is better; what is missing is not above anything that is there."""
    given = {team: sign * value for team, value in scores.items() if not is_missing(value)}
    lowest = min([*given.values(), 0.0])
    return {team: given.get(team, lowest) for team in teams}


def _places(scores: Mapping[str, float], sign: int) -> list[Place]:
    ranks = smallest_ranks(scores)
    places = [Place(team=team, value=sign * value, rank=ranks[team]) for team, value in scores.items()]
    return sorted(places, key=lambda place: (place.rank, place.team))
