"""What cases.csv says of each case: its lines checked, with complaints by line and column, and made into facts.

Only the first four columns must be there; others of docs/making-a-test-set.md are read where they are, and more are
passed over.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evaluator.analysis.entries import Facts

NEEDED: Final = ("case", "dataset", "split", "scope")
SPLITS: Final = ("toy", "test")
SCOPES: Final = ("normal", "local", "global")
ORIGINS: Final = ("", "natural", "artificial")
HARDEST, EASIEST = 1, 5
MOST_COMPLAINTS: Final = 10  # told at a time


class FactsError(ValueError):
    """cases.csv cannot be used. Each complaint names line, column and value."""

    def __init__(self, complaints: Sequence[str]) -> None:
        more = len(complaints) - MOST_COMPLAINTS
        told = [*complaints[:MOST_COMPLAINTS], *([f"and {more} more"] if more > 0 else [])]
        super().__init__("; ".join(told))
        self.complaints = tuple(complaints)


@dataclass(frozen=True, kw_only=True)
class Described:
    """One line."""

    dataset: str
    case: str
    split: str  # toy, test
    row: Mapping[str, str]  # as it stands there; `facts_of` reads it again

    @property
    def facts(self) -> Facts:
        """What it says."""
        return facts_of(self.row)


def read(text: str) -> tuple[Described, ...]:
    """Read the content of cases.csv, every line checked, in its order. Raises FactsError with all complaints."""
    lines = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        header = [name.strip() for name in lines.fieldnames or []]
        _verify_header(header)
        lines.fieldnames = header
        found, complaints = _lines(lines, len(header))
    except csv.Error as error:
        raise FactsError([f"line {lines.line_num}: not CSV: {error}"]) from error
    if complaints:
        raise FactsError(complaints)
    return tuple(found)


def facts_of(row: Mapping[str, str]) -> Facts:
    """Make facts of a line, as `Described.row` has it. Raises FactsError naming the columns."""
    complaints = list(_complaints(row))
    if complaints:
        raise FactsError(complaints)
    size, contrast, difficulty = (_cell(row, name) for name in ("size_voxels", "contrast", "difficulty"))
    return Facts(
        scope=_cell(row, "scope"),
        category=_cell(row, "category"),
        subcategory=_cell(row, "subcategory"),
        origin=_cell(row, "origin"),
        difficulty=int(difficulty) if difficulty else None,
        size_voxels=int(size) if size else None,
        contrast=float(contrast) if contrast else None,
        parameters=_parameters(_cell(row, "parameters")),
    )


def _verify_header(header: Sequence[str]) -> None:
    for name in header:
        if header.count(name) > 1:
            raise FactsError([f"line 1, column {name}: stands there {header.count(name)} times"])
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise FactsError([f"line 1: {', '.join(missing)} missing; found {', '.join(header) or 'nothing'}"])


def _lines(lines: "csv.DictReader[str]", columns: int) -> tuple[list[Described], list[str]]:
    """Give what can be read, and what is wrong with the rest."""
    found: dict[tuple[str, str], Described] = {}
    complaints: list[str] = []
    for row in lines:
        where = f"line {lines.line_num}"
        if None in row or None in row.values():
            complaints.append(f"{where}: not {columns} cells, as many as the first line has columns")
            continue
        wrong = list(_complaints(row))
        complaints += [f"{where}, {complaint}" for complaint in wrong]
        if not wrong:
            one = Described(dataset=_cell(row, "dataset"), case=_cell(row, "case"), split=_cell(row, "split"), row=row)
            if (one.dataset, one.case) in found:
                complaints.append(f"{where}, column case: {one.case} of {one.dataset} stands there twice")
            found[one.dataset, one.case] = one
    return list(found.values()), complaints


def _complaints(row: Mapping[str, str]) -> Iterator[str]:
    """Say what is wrong with a line, column by column."""
    for name in ("case", "dataset"):
        if not _cell(row, name):
            yield f"column {name}: empty; a name is needed"
    for name, allowed in (("split", SPLITS), ("scope", SCOPES), ("origin", ORIGINS)):
        cell = _cell(row, name)
        if cell not in allowed:
            yield f"column {name}: {cell!r} is not one of {', '.join(filter(None, allowed))}"
    for name, fits, what in _NUMBERS:
        cell = _cell(row, name)
        if cell and not fits(cell):
            yield f"column {name}: {cell!r} is not {what}"
    if _cell(row, "scope") not in ("normal", "") and not _cell(row, "category"):
        yield "column category: empty, though the case is not normal"


def _cell(row: Mapping[str, str], name: str) -> str:
    return (row.get(name) or "").strip()


def _is_difficulty(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and HARDEST <= int(cell) <= EASIEST


def _is_count(cell: str) -> bool:
    return cell.isascii() and cell.isdigit()


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _is_object(cell: str) -> bool:
    try:
        return isinstance(json.loads(cell), dict)
    except (ValueError, RecursionError):
        return False


def _parameters(cell: str) -> dict[str, float | str]:
    """Keep numbers and words; nested values are written out."""
    found = json.loads(cell) if cell else {}
    return {name: value if isinstance(value, int | float | str) else json.dumps(value) for name, value in found.items()}


_NUMBERS: Final[Sequence[tuple[str, Callable[[str], bool], str]]] = (
    ("difficulty", _is_difficulty, f"a whole number from {HARDEST} (hardest) to {EASIEST}"),
    ("size_voxels", _is_count, "a whole number of voxels"),
    ("contrast", _is_number, "a number"),
    ("parameters", _is_object, "a JSON object"),
)
