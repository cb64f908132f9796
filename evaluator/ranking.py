"""The ranking: places on each data set, and the consensus of all, as MOOD's script (challengeR) computes it."""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

COLUMNS: Final = ("task", "alg_name", "value")  # challengeR's names; `task` is the data set
_MISSING: Final = {"", "na", "nan", "n/a"}  # counts 0

Values = Mapping[str, Mapping[str, float]]  # data set -> team -> value


class ScoresError(ValueError):
    """A file of scores cannot be used; the message names file, line, column and value."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A team's place on one data set."""

    team: str
    value: float
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


def rank(values: Values) -> Ranking:
    """Rank teams: higher values first, a missing or NaN value counts 0.

    Tied teams share the smallest rank on a data set; the consensus takes the mean over data sets of the
    teams' *average* ranks (two tied winners count 1.5 each), and ties in it share the smallest rank.

    >>> board = rank({"a": {"A": 0.9, "B": 0.9, "C": 0.5}, "b": {"A": 0.5, "B": 0.4, "C": 0.9}})
    >>> [(place.team, place.mean_rank, place.rank) for place in board.consensus]
    [('A', 1.75, 1), ('C', 2.0, 2), ('B', 2.25, 3)]
    """
    teams = sorted({team for scores in values.values() for team in scores})
    filled = {name: {team: _or_zero(scores.get(team)) for team in teams} for name, scores in values.items()}
    # Sums of average ranks are multiples of one half, so teams that tie do so exactly.
    sums = {team: sum(average_ranks(scores)[team] for scores in filled.values()) for team in teams}
    shown = smallest_ranks({team: -total for team, total in sums.items()})
    consensus = [Consensus(team=team, mean_rank=sums[team] / len(filled), rank=shown[team]) for team in teams]
    return Ranking(
        datasets={name: _places(scores) for name, scores in filled.items()},
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


def read_csv(path: Path) -> dict[str, dict[str, float]]:
    """Read scores in challengeR's columns, in any order; other columns are ignored.

    Several rows of a team on a data set are averaged; NA, NaN and an empty value count 0. Data sets keep
    the order in which they appear. Raises ScoresError.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            values = _averaged(_rows(path, csv.DictReader(file)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScoresError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    if not values:
        raise ScoresError(f"{path}: holds no score")
    return values


@dataclass(frozen=True, kw_only=True)
class _Row:
    dataset: str
    team: str
    value: float


def _rows(path: Path, lines: "csv.DictReader[str]") -> Iterator[_Row]:
    """Check and convert line by line."""
    header = [name.strip() for name in lines.fieldnames or []]
    lines.fieldnames = header
    for column in COLUMNS:
        if header.count(column) != 1:
            raise ScoresError(
                f"{path}, line 1, column {column}: stands there {header.count(column)} times; found "
                f"{', '.join(header) or 'nothing'}. The first line names {', '.join(COLUMNS)}, with commas between."
            )
    for row in lines:
        where = f"{path}, line {lines.line_num}"
        if None in row or None in row.values():
            raise ScoresError(f"{where}: not {len(header)} cells, as many as the first line has columns")
        for column in ("task", "alg_name"):
            if not row[column].strip():
                raise ScoresError(f"{where}, column {column}: {row[column]!r} is empty; a name is needed")
        value = _number(row["value"].strip(), f"{where}, column value")
        yield _Row(dataset=row["task"].strip(), team=row["alg_name"].strip(), value=value)


def _number(text: str, where: str) -> float:
    """Convert one value; what stands for a missing one is 0."""
    if text.lower() in _MISSING:
        return 0.0
    try:
        value = float(text)
    except ValueError as error:
        raise ScoresError(f"{where}: {text!r} is not a number. Write it as 0.5, or NA where missing.") from error
    if not math.isfinite(value):
        raise ScoresError(f"{where}: {text!r} is not finite. Write a number, or NA where missing.")
    return value


def _averaged(rows: Iterable[_Row]) -> dict[str, dict[str, float]]:
    collected: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        collected.setdefault(row.dataset, {}).setdefault(row.team, []).append(row.value)
    return {
        name: {team: math.fsum(values) / len(values) for team, values in teams.items()}
        for name, teams in collected.items()
    }


def _or_zero(value: float | None) -> float:
    return 0.0 if value is None or math.isnan(value) else value


def _places(scores: Mapping[str, float]) -> list[Place]:
    ranks = smallest_ranks(scores)
    places = [Place(team=team, value=value, rank=ranks[team]) for team, value in scores.items()]
    return sorted(places, key=lambda place: (place.rank, place.team))
