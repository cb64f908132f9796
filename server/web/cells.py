"""How a table's titles and values are written, the same on pages, in reports and in LaTeX."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluator.analysis.tables import Column, Row, Table, Value
from server import metric_boards
from server.protocol import Task

UNDEFINED = "n/a"
METRICS = {  # as tables name them -> as people do; the caption says what is counted
    **{name: title.removesuffix(" (voxels)") for name, title in metric_boards.titles(Task.PIXEL).items()},
    "ap": "AP",
    "dataset_ap": "AP, pooled",
    "auroc": "AUROC",
    "max_dice": "Best Dice",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row as it is written."""

    cells: tuple[str, ...]  # one a column; empty where it repeats the line above
    begins: bool  # a group of lines


def heading(column: Column) -> str:
    """Write a column's title with its unit."""
    return f"{column.title} ({column.unit})" if column.unit else column.title


def written(column: Column, value: Value) -> str:
    """Write one value: numbers with the column's digits, counts with separators, n/a where undefined.

    >>> written(Column(name="p", title="p", kind="number"), 0.01234)
    '0.012'
    >>> written(Column(name="n", title="n", kind="count"), 12345)
    '12,345'
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return UNDEFINED
    if column.name == "metric":
        return METRICS.get(str(value), str(value))
    if column.kind == "text" or isinstance(value, str):
        return str(value)
    if column.kind == "count" and float(value).is_integer():
        return f"{int(value):,}"
    smallest = 10.0**-column.digits
    if column.name in {"p", "p_holm"} and 0 <= value < smallest:
        return f"< {smallest:.{column.digits}f}"
    # A negative number that rounds to 0 has no sign to show; the others get a minus, not a hyphen.
    return f"{round(value, column.digits) + 0.0:.{column.digits}f}".replace("-", "−")


def lines(table: Table) -> Iterator[Line]:
    """Write all rows; leading texts that repeat the line above are left out, as printed tables do."""
    above: tuple[Value, ...] = ()
    keys = table.columns[: leading(table.columns)]
    in_groups = bool(keys) and len(values(table.rows, keys[0].name)) < len(table.rows)
    for row in table.rows:
        now = tuple(row[column.name] for column in keys)
        pairs = enumerate(zip(above, now, strict=False))
        repeated = next((place for place, (one, other) in pairs if one != other), len(above))
        cells = tuple(
            "" if place < repeated else written(column, row[column.name]) for place, column in enumerate(table.columns)
        )
        yield Line(cells=cells, begins=in_groups and repeated == 0)
        above = now


def leading(columns: Sequence[Column]) -> int:
    """Count the columns of text before the first number: what a row is about."""
    return next((place for place, column in enumerate(columns) if column.kind != "text"), len(columns))


def values(rows: Sequence[Row], name: str) -> list[Value]:
    """Give the different values of a column, in the order in which they come."""
    return list(dict.fromkeys(row[name] for row in rows))
