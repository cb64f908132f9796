"""A file's scores as a board: a ranking under a scheme, what other schemes make of it, and how firm it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from evaluator.ranking.comparisons import Comparison, by_flipping, untestable
from evaluator.ranking.places import Ranking
from evaluator.ranking.schemes import (
    CONSENSUS,
    Scheme,
    SideBySide,
    aggregate_then_rank,
    rank_by_tests,
    rank_then_aggregate,
    side_by_side,
    unit_ranks,
)
from evaluator.ranking.scores import Scores, ScoresError, Units
from evaluator.ranking.stability import Bootstrap, Floats, bootstrap, means_of_draws
from evaluator.resampling import PERCENTILES

MOST_TESTED_UNASKED: Final = 20  # teams; with more, testing all pairs takes longer than anybody waits unasked


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What resamples of the cases give."""

    resamples: int
    seed: int
    ranks: Bootstrap
    values: Mapping[str, Mapping[str, Floats]]  # data set -> team -> what teams are ordered by, [resamples]

    def as_dict(self) -> dict[str, Any]:
        """Give what `mood rank --bootstrap --json` writes: docs/ranking.md says what each key is."""
        return {
            "resamples": self.resamples,
            "seed": self.seed,
            "datasets": {
                name: [{**row, **self._bounds(name, row["team"])} for row in self._rows(name)]
                for name in self.ranks.datasets
            },
            "consensus": list(self._rows(None)),
            "rank_agreement": {
                **{name: _agreement(one.agreement()) for name, one in self.ranks.datasets.items()},
                CONSENSUS: _agreement(self.ranks.consensus.agreement()),
            },
        }

    def _rows(self, dataset: str | None) -> Iterator[dict[str, Any]]:
        firm = self.ranks.consensus if dataset is None else self.ranks.datasets[dataset]
        for team, (low, high), shares in zip(self.ranks.teams, firm.intervals(), firm.probabilities(), strict=True):
            yield {"team": team, "rank_low": low, "rank_high": high, "probabilities": shares}

    def _bounds(self, dataset: str, team: str) -> dict[str, float]:
        low, high = np.percentile(self.values[dataset][team], PERCENTILES)
        return {"value_low": float(low), "value_high": float(high)}


@dataclass(frozen=True, kw_only=True)
class Board:
    """A ranking and what is beside it."""

    scheme: Scheme
    ranking: Ranking
    schemes: Sequence[SideBySide]  # empty where each data set has one case: all schemes agree or are undefined
    comparisons: Mapping[str, Sequence[Comparison]]
    drawn: Drawn | None  # None: not asked for
    notes: tuple[str, ...]  # sentences

    def as_dict(self) -> dict[str, Any]:
        """Give what `mood rank --json` writes: docs/ranking.md says what each key is."""
        return {
            **self.ranking.as_dict(),
            "scheme": str(self.scheme),
            "notes": list(self.notes),
            "schemes": [
                {"dataset": one.dataset, "team": one.team, "moves": one.moves, **_by_key(one)} for one in self.schemes
            ],
            "tests": {
                name: [{**asdict(one), "significant": one.significant} for one in found]
                for name, found in self.comparisons.items()
            },
            "bootstrap": self.drawn.as_dict() if self.drawn else None,
        }


def board(scores: Scores, scheme: Scheme = Scheme.AGGREGATE, *, resamples: int = 0, seed: int = 0) -> Board:
    """Rank under a scheme; `resamples` of the cases, 0 for none. Raises ScoresError where it is undefined."""
    units = scores.units()
    _check(units, scheme, resamples)
    tested = scheme is Scheme.TESTS or len(_teams(units)) <= MOST_TESTED_UNASKED
    comparisons = {
        name: by_flipping(of, seed=(seed, i)) if tested else () for i, (name, of) in enumerate(units.items())
    }
    rankings = _rankings(units, comparisons, tested=tested)
    found = side_by_side(rankings)
    return Board(
        scheme=scheme,
        ranking=rankings[scheme],
        schemes=found if any(_many(of) > 1 for of in units.values()) else [],
        comparisons=comparisons,
        drawn=_draw(units, scheme, rankings[scheme], resamples, seed) if resamples else None,
        notes=(*scores.notes, *_about(units, tested=tested)),
    )


def _rankings(units: Units, comparisons: Mapping[str, Sequence[Comparison]], *, tested: bool) -> dict[Scheme, Ranking]:
    """Rank under each scheme; test-based where it was tested, and a difference could be significant."""
    teams = _teams(units)
    testable = {name: found for name, found in comparisons.items() if not untestable(len(teams), _many(units[name]))}
    return {
        Scheme.AGGREGATE: aggregate_then_rank(units),
        Scheme.RANKS: rank_then_aggregate(units),
        Scheme.TESTS: rank_by_tests(teams, testable if tested else {}),
    }


def _check(units: Units, scheme: Scheme, resamples: int) -> None:
    """See that what is asked for is defined. Raises ScoresError."""
    alone = all(_many(of) == 1 for of in units.values())
    if alone and resamples:
        raise ScoresError(
            "Nothing can be drawn again: there is one value a team on each data set. Give a value for each case."
        )
    if alone and scheme is Scheme.RANKS:
        raise ScoresError(
            f"{scheme} is undefined: there is one value a team on each data set. Give a value for each case."
        )
    if scheme is not Scheme.TESTS:
        return
    if resamples:
        raise ScoresError(
            f"{scheme} has no bootstrap: the tests are not made again in each resample. Ask for one of the two."
        )
    for name, of in units.items():
        if reason := untestable(len(of), _many(of)):
            raise ScoresError(f"{scheme} is undefined on {name}: {reason}.")


def _draw(units: Units, scheme: Scheme, ranking: Ranking, resamples: int, seed: int) -> Drawn:
    """Draw cases, of each data set alike for all teams, and rank each resample."""
    values = {}
    for i, (name, of) in enumerate(units.items()):
        drawn = unit_ranks(of) if scheme is Scheme.RANKS else of
        values[name] = means_of_draws(drawn, resamples=resamples, seed=(seed, i))
    higher_is_better = {
        name: {team: -one if scheme is Scheme.RANKS else one for team, one in of.items()} for name, of in values.items()
    }
    return Drawn(resamples=resamples, seed=seed, ranks=bootstrap(ranking, higher_is_better), values=values)


def _about(units: Units, *, tested: bool) -> Iterator[str]:
    """Say what the values cannot tell, and what was left out."""
    teams = _teams(units)
    if not tested:
        yield f"Over {MOST_TESTED_UNASKED} teams pairs are tested only where the scheme is {Scheme.TESTS}."
    if len(teams) == 1:
        yield f"{teams[0]} is the only team: there is nobody to compare it with."
        return
    for name, of in units.items():
        if len({tuple(sorted(values)) for values in of.values()}) == 1:
            yield f"{name}: all teams have the same values, so that it orders nobody."


def _teams(units: Units) -> list[str]:
    """Every data set has them all."""
    return list(next(iter(units.values())))


def _many(of: Mapping[str, Sequence[float]]) -> int:
    """How many units a data set has."""
    return max(map(len, of.values()))


def _by_key(one: SideBySide) -> dict[str, int | None]:
    return {scheme.replace("-", "_"): rank for scheme, rank in one.ranks.items()}


def _agreement(found: tuple[float, float, float]) -> dict[str, float | None]:
    names = ("tau_b", "tau_b_low", "tau_b_high")
    return {name: None if np.isnan(value) else value for name, value in zip(names, found, strict=True)}
