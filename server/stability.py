"""What the analyses add to a leaderboard: how far its ranks could move, and the ranks by other schemes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sqlalchemy.orm import Session

from evaluator.analysis.tables import Row, Table
from evaluator.ranking import ALPHA, CONSENSUS
from server import analyses, leaderboard
from server.leaderboard import BoardRow, BoardView, Resampling
from server.models import Challenge
from server.protocol import Task


class Scheme(StrEnum):
    """How values become ranks; each is a column of the table `schemes`."""

    AGGREGATE_THEN_RANK = "aggregate_then_rank"  # the official one
    RANK_THEN_AGGREGATE = "rank_then_aggregate"
    TEST_BASED = "test_based"


TITLES: Final[Mapping[Scheme, str]] = MappingProxyType(
    {
        Scheme.AGGREGATE_THEN_RANK: "Official ranking",
        Scheme.RANK_THEN_AGGREGATE: "Rank, then aggregate",
        Scheme.TEST_BASED: "Significance tests",
    }
)


def said(scheme: Scheme, task: Task) -> str:
    """Say how a scheme ranks the teams of a task."""
    if scheme is Scheme.AGGREGATE_THEN_RANK:
        return "Aggregate, then rank: a team's one AP on each data set is ranked, and its ranks there are averaged."
    if scheme is Scheme.TEST_BASED:
        return (
            f"On each data set a team is ranked by how many others it is significantly better than (one-sided tests at "
            f"{ALPHA:.0%}, with Holm's correction), and its ranks on the data sets are averaged."
        )
    if task is Task.SAMPLE:
        return (
            "This scheme ranks case by case, and then averages the ranks. It is undefined in the sample task: "
            "a single case has no AP."
        )
    return (
        "The teams are ranked on each batch of cases, and on a data set by the mean of these ranks; the ranks on the "
        "data sets are averaged."
    )


def notes(view: BoardView, scheme: Scheme) -> tuple[str, ...]:
    """Give what the analyses say of the ranking by a scheme: sentences."""
    if view.resampling is None:
        return ()
    return view.resampling.notes if scheme is Scheme.AGGREGATE_THEN_RANK else view.resampling.scheme_notes


def board(s: Session, challenge: Challenge, task: Task) -> BoardView:
    """Give the leaderboard, with what the analyses add where they are of the same scores."""
    view = leaderboard.board(s, challenge, task)
    document = analyses.latest(s, challenge, task)
    if document is None or not analyses.is_current(s, challenge, task):
        return view
    if document.error is not None:
        return replace(view, resampling_failed=True)
    return with_stability(
        view, document.tables, made_at=document.made_at, resamples=document.resamples, seed=document.seed
    )


def with_stability(
    view: BoardView, tables: Mapping[str, Table], *, made_at: datetime, resamples: int, seed: int
) -> BoardView:
    """Give the board with intervals and schemes, from the tables `consensus`, `places` and `schemes`.

    The tables must be of the same scores as the board. A team that a table does not name has none there.
    """
    ranks = {str(row["team"]): row for row in rows(tables, "consensus")}
    values = {(str(row["dataset"]), str(row["team"])): row for row in rows(tables, "places")}
    schemes = {(str(row["dataset"]), str(row["team"])): row for row in rows(tables, "schemes")}
    return replace(
        view,
        rows=tuple(stable_row(row, view.datasets, ranks, values, schemes) for row in view.rows),
        resampling=Resampling(
            made_at=made_at,
            resamples=resamples,
            seed=seed,
            notes=tables["consensus"].notes if "consensus" in tables else (),
            scheme_notes=tables["schemes"].notes if "schemes" in tables else (),
        ),
    )


def rows(tables: Mapping[str, Table], name: str) -> tuple[Row, ...]:
    """Give a table's rows; none where there is no such table."""
    return tables[name].rows if name in tables else ()


def stable_row(
    row: BoardRow,
    datasets: tuple[str, ...],
    ranks: Mapping[str, Row],
    values: Mapping[tuple[str, str], Row],
    schemes: Mapping[tuple[str, str], Row],
) -> BoardRow:
    """One team's."""
    found = ranks.get(row.team, {})
    low, high = number(found, "rank_low"), number(found, "rank_high")
    between = {
        name: (least, most)
        for name in datasets
        if (least := number(values.get((name, row.team), {}), "value_low")) is not None
        and (most := number(values.get((name, row.team), {}), "value_high")) is not None
    }
    return replace(
        row,
        rank_interval=None if low is None or high is None else (round(low), round(high)),
        value_intervals=between,
        schemes={
            scheme: {
                name: round(rank)
                for name in (*datasets, CONSENSUS)
                if (rank := number(schemes.get((name, row.team), {}), scheme)) is not None
            }
            for scheme in Scheme
        },
    )


def number(row: Row, column: str) -> float | None:
    """Give a table's number; None where it is undefined or there is no such row."""
    value = row.get(column)
    return float(value) if isinstance(value, int | float) else None
