"""One board for each metric beside the official one: the mean and SD over data sets, and the rank by that mean."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev

from evaluator.analysis.entries import Entry
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import BASELINES, TEAM, by_order, counted, listed

OFFICIAL = "ap"
LOWER_IS_BETTER = frozenset({"dataset_fpr_at_95tpr"})
COLUMNS = (
    Column(name="metric", title="Metric"),
    TEAM,
    Column(name="mean", title="Mean over data sets", kind="number"),
    Column(name="sd", title="SD over data sets", kind="number"),
    Column(name="rank", title="Rank", kind="count"),
    Column(name="n_datasets", title="Data sets", kind="count"),
)
CAPTION = (
    "Each metric of the challenge's hidden cases, as mean and standard deviation (n − 1) over data sets. “ap” is the "
    "official score; its rank here is by the mean over data sets, not the official consensus of ranks. Ties share the "
    "smallest rank; a team without a value on one data set stands behind all that have more. Lower is better for FPR "
    "at 95 % TPR alone. “constant” scores 0 everywhere, “random” 0 or 1 by a seeded coin; they are not ranked."
)


@dataclass(frozen=True, kw_only=True)
class _Mean:
    team: str
    mean: float
    sd: float | None
    n_datasets: int


def boards(
    entries: Mapping[str, Sequence[Entry]], baselines: Mapping[str, Sequence[Entry]], teams: Sequence[str]
) -> Table:
    """Make the table from each data set's submissions, with the metrics that were stored for them; `teams` in order."""
    metrics = list(dict.fromkeys(name for of in entries.values() for entry in of for name in entry.metrics))
    rows = [row for name in (OFFICIAL, *metrics) for row in _rows(name, entries, baselines, teams)]
    empty = [name for name in metrics if not any(row["metric"] == name for row in rows)]
    notes = [f"{listed(empty)}: undefined for all submissions." if empty else None, *_notes(entries, teams)]
    return table("boards", "Other metrics", CAPTION, COLUMNS, rows, *filter(None, notes))


def _rows(
    metric: str,
    entries: Mapping[str, Sequence[Entry]],
    baselines: Mapping[str, Sequence[Entry]],
    teams: Sequence[str],
) -> Iterator[Row]:
    found = _means(metric, entries)
    sign = -1 if metric in LOWER_IS_BETTER else 1
    keys = {team: (one.n_datasets, sign * one.mean) for team, one in found.items()}
    ranks = {team: 1 + sum(other > key for other in keys.values()) for team, key in keys.items()}
    others = _means(metric, baselines)
    for team in sorted(by_order(found, teams), key=ranks.__getitem__):
        yield _row(metric, found[team], ranks[team])
    for team in BASELINES:
        if found and team in others:
            yield _row(metric, others[team], None)


def _means(metric: str, entries: Mapping[str, Sequence[Entry]]) -> dict[str, _Mean]:
    """Give each team that has a value its mean over the data sets where it has one."""
    values: dict[str, list[float]] = {}
    for found in entries.values():
        for entry in found:
            value = entry.value if metric == OFFICIAL else entry.metrics.get(metric)
            if value is not None:
                values.setdefault(entry.team, []).append(value)
    return {
        team: _Mean(
            team=team,
            mean=math.fsum(of) / len(of),
            sd=stdev(of) if len(of) > 1 else None,
            n_datasets=len(of),
        )
        for team, of in values.items()
    }


def _row(metric: str, one: _Mean, rank: int | None) -> Row:
    return {
        "metric": metric,
        "team": one.team,
        "mean": one.mean,
        "sd": one.sd,
        "rank": rank,
        "n_datasets": one.n_datasets,
    }


def _notes(entries: Mapping[str, Sequence[Entry]], teams: Sequence[str]) -> Iterator[str]:
    if len(entries) == 1:
        yield f"There is one data set ({next(iter(entries))}), so there is no SD over data sets."
    for team in teams:
        here = [dataset for dataset, of in entries.items() if any(entry.team == team for entry in of)]
        if len(here) < len(entries):
            yield f"{team} has {counted(len(here), 'data set')} of {len(entries)}."
