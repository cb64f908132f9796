"""Scores in a file: the CSV that challengeR reads, in and out."""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

COLUMNS: Final = ("task", "alg_name", "value")  # challengeR's names; `task` is the data set
CASE: Final = "case"  # its column for what was scored; optional here
_LARGEST: Final = 1e100
_MISSING: Final = {"", "na", "nan", "n/a"}  # counts 0

Units = Mapping[str, Mapping[str, Sequence[float]]]  # data set -> team -> one value a unit, in the same order for all
Cases = Mapping[str, Mapping[str, Mapping[str, float | None]]]  # data set -> team -> case -> value, None where missing


class ScoresError(ValueError):
    """A file of scores cannot be used; the message names file, line, column and value."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a file says, and what is to be known about it."""

    cases: Cases
    notes: tuple[str, ...]  # sentences: what counts 0, what was averaged

    def units(self) -> dict[str, dict[str, list[float]]]:
        """One value for each team and each case that any team of the data set has.

        What a team lacks, a value, a case or the data set, counts 0, or as the lowest value of the data set where
        that is below 0.
        """
        teams = sorted({team for of in self.cases.values() for team in of})
        return {name: _filled(of, teams) for name, of in self.cases.items()}

    def values(self) -> dict[str, dict[str, float]]:
        """Give each team's mean over the cases of the data set; teams that lack the data set are left out."""
        units = self.units()
        return {
            name: {team: math.fsum(units[name][team]) / len(units[name][team]) for team in of}
            for name, of in self.cases.items()
        }


def read_csv(path: Path) -> dict[str, dict[str, float]]:
    """Read scores in challengeR's columns, in any order, and give the mean of each team on each data set.

    See `read_scores`. Raises ScoresError.
    """
    return read_scores(path).values()


def read_scores(path: Path) -> Scores:
    """Read scores in challengeR's columns, in any order; other columns are ignored.

    NA, NaN and an empty value are missing. Several rows of a team for one case are averaged; so are all rows of a
    team where there is no column `case`. Data sets and cases keep the order in which they appear. Raises ScoresError.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            rows = list(_rows(path, lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScoresError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    if not rows:
        raise ScoresError(f"{path}: holds no score")
    cases = _collected(rows)
    return Scores(cases=cases, notes=(*_of_rows(rows, named=CASE in (lines.fieldnames or [])), *_of_gaps(cases)))


def write_csv(cases: Cases) -> str:
    """Write scores in challengeR's columns, a row for each data set, team and case; what is missing is NA.

    challengeR drops a team that lacks a data set, so each team has each case of each data set here.

    >>> print(write_csv({"brain": {"A": {"1": 0.5}, "B": {}}}), end="")
    task,alg_name,value,case
    brain,A,0.5,1
    brain,B,NA,1
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, CASE])
    teams = list(dict.fromkeys(team for of in cases.values() for team in of))
    for name, of in cases.items():
        for case in _cases(of):
            for team in teams:
                value = of.get(team, {}).get(case)
                writer.writerow([name, team, "NA" if value is None or math.isnan(value) else repr(value), case])
    return out.getvalue()


@dataclass(frozen=True, kw_only=True)
class _Row:
    dataset: str
    team: str
    case: str
    value: float | None


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
    if header.count(CASE) > 1:
        raise ScoresError(f"{path}, line 1, column {CASE}: stands there {header.count(CASE)} times")
    for row in lines:
        where = f"{path}, line {lines.line_num}"
        if None in row or None in row.values():
            raise ScoresError(f"{where}: not {len(header)} cells, as many as the first line has columns")
        for column in ("task", "alg_name"):
            if not row[column].strip():
                raise ScoresError(f"{where}, column {column}: {row[column]!r} is empty; a name is needed")
        value = _number(row["value"].strip(), f"{where}, column value")
        case = row.get(CASE, "").strip()
        yield _Row(dataset=row["task"].strip(), team=row["alg_name"].strip(), case=case, value=value)


def _number(text: str, where: str) -> float | None:
    """Convert one value; None stands for a missing one."""
    if text.lower() in _MISSING:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise ScoresError(f"{where}: {text!r} is not a number. Write it as 0.5, or NA where missing.") from error
    if not math.isfinite(value):
        raise ScoresError(f"{where}: {text!r} is not finite. Write a number, or NA where missing.")
    if abs(value) > _LARGEST:
        raise ScoresError(f"{where}: {text!r} is beyond ±{_LARGEST:g}, where sums are no longer numbers")
    return value


def _collected(rows: Iterable[_Row]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Average the rows of one case; missing ones among them count 0."""
    found: dict[str, dict[str, dict[str, list[float | None]]]] = {}
    for row in rows:
        found.setdefault(row.dataset, {}).setdefault(row.team, {}).setdefault(row.case, []).append(row.value)
    return {
        name: {team: {case: _mean(values) for case, values in cases.items()} for team, cases in of.items()}
        for name, of in found.items()
    }


def _mean(values: Sequence[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    if not given:
        return None
    return math.fsum([*given, *[_lowest(given)] * (len(values) - len(given))]) / len(values)


def _lowest(given: Iterable[float]) -> float:
    """What a missing value counts: 0, or no more than the lowest that is given."""
    return min([*given, 0.0])


def _filled(of: Mapping[str, Mapping[str, float | None]], teams: Sequence[str]) -> dict[str, list[float]]:
    """Give every team a value for every case, in the order in which the cases appear."""
    cases = _cases(of)
    lowest = _lowest(_given(of))
    filled: dict[str, list[float]] = {}
    for team in teams:
        found = [of.get(team, {}).get(case) for case in cases]
        filled[team] = [lowest if value is None else value for value in found]
    return filled


def _given(of: Mapping[str, Mapping[str, float | None]]) -> list[float]:
    return [value for found in of.values() for value in found.values() if value is not None]


def _cases(of: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    return list(dict.fromkeys(case for found in of.values() for case in found))


def _of_rows(rows: Sequence[_Row], *, named: bool) -> Iterator[str]:
    """Say what was averaged and what is written as missing."""
    times = Counter((row.dataset, row.team, row.case) for row in rows)
    again = Counter((dataset, team) for (dataset, team, _), count in times.items() if count > 1)
    if not named:
        if again:
            yield f"There is no column {CASE}: the rows of a team on a data set are averaged, whatever their number."
    else:
        for (dataset, team), count in again.items():
            yield f"{dataset}: {team} has several rows for {_in_words(count, CASE)}; they are averaged."
    missing = Counter((row.dataset, row.team) for row in rows if row.value is None)
    for (dataset, team), count in missing.items():
        yield f"{dataset}: {team} has no value (NA, NaN or empty) in {_in_words(count, 'row')}: counts 0."


def _of_gaps(cases: Cases) -> Iterator[str]:
    """Say which teams lack a case or a data set that others have."""
    teams = list(dict.fromkeys(team for of in cases.values() for team in of))
    for name, of in cases.items():
        every = len(_cases(of))
        for team in teams:
            lacking = every - len(of.get(team, {}))
            if team not in of:
                yield f"{name}: {team} has no row: counts 0."
            elif lacking:
                yield f"{name}: {team} has no row for {_in_words(lacking, CASE)} of {every}: counts 0."
        if (lowest := _lowest(_given(of))) < 0:
            yield f"{name}: values are below 0, so what is missing counts as the lowest of them, {lowest:g}, and not 0."


def _in_words(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"
