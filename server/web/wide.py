"""Tables for reading: intervals in one cell, and long tables turned so that what is compared stands side by side.

The files keep every number in a cell of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from evaluator.analysis.tables import Column, Row, Table, Value
from evaluator.analysis.words import counted
from server.web.cells import UNDEFINED, values, written

MOST_COLUMNS = 16  # of what is compared: more do not fit on a page


@dataclass(frozen=True, kw_only=True)
class Turn:
    """How a long table is laid out for reading."""

    rows: tuple[str, ...]  # columns that stay
    across: str  # column whose values become columns
    value: str  # column whose numbers fill them
    said: str  # a sentence about what stands in the cells


TURNS: Mapping[str, Turn] = {
    "rank_probabilities": Turn(
        rows=("dataset", "team"), across="rank", value="probability", said="Columns are ranks, cells probabilities."
    ),
    "tests": Turn(
        rows=("dataset", "better"),
        across="worse",
        value="p_holm",
        said="Cells are p after Holm's correction, that the row's team is better than the column's.",
    ),
    "categories": Turn(rows=("dataset", "level", "group"), across="team", value="ap", said="Cells are AP."),
    "difficulty": Turn(rows=("dataset", "category", "difficulty"), across="team", value="ap", said="Cells are AP."),
    "sizes": Turn(rows=("dataset", "radius_voxels"), across="team", value="ap", said="Cells are AP."),
    "contrasts": Turn(rows=("dataset", "intensity"), across="team", value="ap", said="Cells are AP."),
    "boards": Turn(rows=("team",), across="metric", value="mean", said="Cells are means over the data sets."),
}
PRINTED = 120  # rows; a longer table is in the files alone
FILES_ALONE = frozenset({"level_histograms"})  # a histogram's counts: its figure says it all
KINDS = {  # table -> columns that name a kind of anomaly
    "categories": ("dataset", "level", "group"),
    "difficulty": ("dataset", "category"),
    "false_alarms": ("dataset", "category", "subcategory"),
}
LOW, HIGH = "_low", "_high"


def readable(table: Table) -> Table:
    """Lay a table out for reading; one for which nothing is known but intervals keeps its rows."""
    turn = TURNS.get(table.name)
    if turn is not None and 1 < len(heads := _heads(table, turn)) <= MOST_COLUMNS:
        return _turned(table, turn, heads)
    return _joined(table)


def told(table: Table) -> Table:
    """Leave out kinds of anomaly of which no number is known: dozens of them would fill a figure with nothing."""
    keys = KINDS.get(table.name)
    if keys is None:
        return table
    numbers = [column.name for column in table.columns if column.kind == "number"]
    known = {
        tuple(row[key] for key in keys) for row in table.rows if any(row[number] is not None for number in numbers)
    }
    return replace(table, rows=tuple(row for row in table.rows if tuple(row[key] for key in keys) in known))


def is_printed(table: Table) -> bool:
    """Is a table worth reading as it is laid out, or is it in the files alone?"""
    return 0 < len(readable(table).rows) <= PRINTED and table.name not in FILES_ALONE


def _heads(table: Table, turn: Turn) -> list[Value]:
    """Give what is compared; the same things as in the lines stand in their order."""
    order = values(table.rows, turn.rows[-1])
    return sorted(values(table.rows, turn.across), key=lambda head: order.index(head) if head in order else len(order))


def _turned(table: Table, turn: Turn, heads: list[Value]) -> Table:
    by_name = {column.name: column for column in table.columns}
    cell, across = by_name[turn.value], by_name[turn.across]
    columns = tuple(by_name[name] for name in turn.rows) + tuple(
        Column(name=_key(turn, head), title=written(across, head), kind=cell.kind, digits=cell.digits) for head in heads
    )
    together: dict[tuple[Value, ...], dict[str, Value]] = {}
    for row in table.rows:
        kept = {name: row[name] for name in turn.rows}
        line = together.setdefault(tuple(kept.values()), kept | {_key(turn, head): "" for head in heads})
        line[_key(turn, row[turn.across])] = row[turn.value]
    filled = [line for line in together.values() if any(line[_key(turn, head)] not in {None, ""} for head in heads)]
    left_out = len(together) - len(filled)
    left = f" {counted(left_out, 'line')} without a number {'is' if left_out == 1 else 'are'} left out."
    said = turn.said + (left if left_out else "")
    return replace(table, caption=f"{table.caption} {said}", columns=columns, rows=tuple(filled))


def _key(turn: Turn, head: Value) -> str:
    return f"{turn.across}={head}"


def _joined(table: Table) -> Table:
    """Write x, x_low and x_high into one cell."""
    by_name = {column.name: column for column in table.columns}
    joined = [name for name in by_name if {name + LOW, name + HIGH} <= by_name.keys()]
    ends = {name + end for name in joined for end in (LOW, HIGH)}
    columns = tuple(
        replace(column, title=f"{column.title} [95 % interval]") if column.name in joined else column
        for column in table.columns
        if column.name not in ends
    )
    return replace(table, columns=columns, rows=tuple(_joined_row(row, joined, ends, by_name) for row in table.rows))


def _joined_row(row: Row, joined: list[str], ends: set[str], columns: Mapping[str, Column]) -> Row:
    found: dict[str, Value] = {name: value for name, value in row.items() if name not in ends}
    for name in joined:
        middle, low, high = (written(columns[key], row[key]) for key in (name, name + LOW, name + HIGH))
        found[name] = middle if UNDEFINED in {low, high} else f"{middle} [{low}, {high}]"
    return found
