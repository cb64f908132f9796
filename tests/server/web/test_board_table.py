"""Sorting a leaderboard, and what its cells say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.leaderboard import BoardRow, BoardView, Resampling
from server.metric_boards import MetricBoard, MetricRow
from server.protocol import Task
from server.stability import Scheme
from server.web import board_table
from server.web.board_table import BoardTable, Order, Reader

AT = datetime(2026, 3, 1, tzinfo=UTC)
NOBODY = Reader(submission=None, sees_submissions=False)


def row(rank: int, team: str, brain: float, **more: Any) -> BoardRow:
    fields: dict[str, Any] = {
        "is_tied": False,
        "values": {"brain": brain},
        "ranks": {"brain": rank},
        "bounds": {},
        "mean_rank": float(rank),
        "submission": f"of{team}",
        "received_at": AT + timedelta(hours=rank),
        **more,
    }
    return BoardRow(rank=rank, team=team, **fields)


def view(*rows: BoardRow) -> BoardView:
    return BoardView(
        task=Task.PIXEL,
        datasets=("brain",),
        rows=rows,
        close={},
        as_of=AT,
        evaluator_versions=("0.1.0",),
        published=True,
        sealed_until=None,
        resampling=Resampling(made_at=AT, resamples=10, seed=1),
    )


def official(*rows: BoardRow, sort: str = "rank", order: Order | None = None, reader: Reader = NOBODY) -> BoardTable:
    return board_table.table(*board_table.official(view(*rows), reader), sort=sort, order=order)


def teams(table: BoardTable) -> str:
    return "".join(line.team for line in table.lines)


THREE = (row(1, "b", 0.5), row(2, "A", 0.75), row(2, "C", 0.25))


@pytest.mark.parametrize(
    ("sort", "order", "expected"),
    [
        ("rank", None, "bAC"),
        ("rank", "desc", "ACb"),  # the two that tie keep their order
        ("team", None, "AbC"),
        ("brain", None, "AbC"),
        ("brain", "asc", "CbA"),
        ("received", None, "ACb"),
        ("no such column", None, "bAC"),
    ],
)
def test_lines_are_sorted_by_a_column(sort: str, order: Order | None, expected: str) -> None:
    assert teams(official(*THREE, sort=sort, order=order)) == expected


def test_a_second_click_turns_the_order_round() -> None:
    table = official(*THREE, sort="brain")
    orders = {heading.key: table.order_of(heading) for heading in table.headings}
    assert (orders["brain"], orders["rank"], orders["received"]) == ("asc", "asc", "desc")


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_what_is_undefined_comes_last_either_way(order: Order) -> None:
    rows = tuple(
        MetricRow(rank=i, is_tied=False, team=team, values={"brain": value}, mean=value, sd=None, submission=team)
        for i, (team, value) in enumerate({"a": None, "b": 0.0, "c": 1.0}.items())
    )
    board = MetricBoard(
        task=Task.PIXEL,
        metric="pl_30",
        title="PL",
        lower_is_better=False,
        datasets=("brain",),
        undefined_on=(),
        rows=rows,
        not_computed=0,
    )
    table = board_table.table(*board_table.by_metric(board, NOBODY), sort="mean", order=order)
    assert teams(table)[-1] == "a"
    assert [cell.text for cell in table.lines[-1].cells] == ["0", "a", "n/a", "n/a", "n/a"]


def test_ties_and_intervals_are_said() -> None:
    one = row(1, "A", 0.5, is_tied=True, rank_interval=(1, 3), value_intervals={"brain": (0.25, 0.75)})
    rank, _, value, *_ = official(one).lines[0].cells
    assert (rank.text, rank.under, rank.said) == ("1=", "1–3", "tied")
    assert (value.text, value.under) == ("0.500", "0.250–0.750")


def test_a_scheme_shows_who_moves() -> None:
    schemes = {Scheme.TEST_BASED: {"consensus": 1, "brain": 1}}
    rows = [row(1, "A", 0.5, schemes=schemes), row(2, "B", 0.4, schemes=schemes), row(3, "C", 0.3)]
    table = board_table.table(*board_table.by_scheme(view(*rows), Scheme.TEST_BASED, NOBODY))
    assert [[cell.text for cell in line.cells] for line in table.lines] == [
        ["1=", "A", "1", "1", "–"],
        ["1=", "B", "1", "2", "▲ 1"],
        ["n/a", "C", "n/a", "3", "n/a"],
    ]


@pytest.mark.parametrize(
    ("reader", "links"),
    [
        (NOBODY, ["", ""]),
        (Reader(submission="ofA", sees_submissions=False), ["/submissions/ofA", ""]),
        (Reader(submission=None, sees_submissions=True), ["/submissions/ofA", "/submissions/ofB"]),
    ],
)
def test_submissions_are_linked_for_those_who_may_open_them(reader: Reader, links: list[str]) -> None:
    table = official(row(1, "A", 0.5), row(2, "B", 0.4), reader=reader)
    assert [line.cells[-1].link for line in table.lines] == links
