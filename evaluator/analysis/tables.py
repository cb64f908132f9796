"""A tidy table: what an analysis gives, and all that a page, a chart, a report or a file is made from."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Value = str | float | int | None
Row = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. Undefined numbers are None in its rows, n/a on a page."""

    name: str  # key of the rows
    title: str  # as people read it
    kind: Literal["text", "count", "number"] = "text"
    unit: str = ""  # such as s, mm³, voxels; empty where there is none
    digits: int = 3  # of a number, after the point


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of one kind, each with a value for every column."""

    name: str  # in addresses and file names
    title: str
    caption: str  # what the numbers are, how they were made, from how many cases; whole sentences
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()  # sentences: what is too small to say anything, what is left out and why

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON carries it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read what `as_dict` gave and JSON kept."""
        columns = tuple(Column(**column) for column in fields["columns"])
        return cls(**{**fields, "columns": columns, "rows": tuple(fields["rows"]), "notes": tuple(fields["notes"])})

    def csv(self) -> str:
        """Give it as CSV; numbers in full, undefined ones empty."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([column.name for column in self.columns])
        for row in self.rows:
            writer.writerow(["" if row[column.name] is None else row[column.name] for column in self.columns])
        return out.getvalue()


def table(name: str, title: str, caption: str, columns: Sequence[Column], rows: Sequence[Row], *notes: str) -> Table:
    """Make a table, every row checked to have exactly the columns. Raises ValueError."""
    names = {column.name for column in columns}
    for row in rows:
        if set(row) != names:
            raise ValueError(f"table {name}: a row has {sorted(row)}, the columns are {sorted(names)}")
    return Table(name=name, title=title, caption=caption, columns=tuple(columns), rows=tuple(rows), notes=notes)
