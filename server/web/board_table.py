"""A leaderboard as a table that can be sorted: headings, cells and their order, for each kind of board."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from evaluator.ranking import CONSENSUS
from server.leaderboard import BoardRow, BoardView
from server.metric_boards import MetricBoard, MetricRow
from server.stability import Scheme
from server.web.rendering import number

Order = Literal["asc", "desc"]
RANK: Final = "rank"
TEAM: Final = "team"


@dataclass(frozen=True, kw_only=True)
class Heading:
    """One column."""

    key: str  # in ?sort=
    title: str
    is_number: bool = True
    first: Order = "desc"  # how a first click on it sorts
    under: str = ""  # below it, small


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One value."""

    text: str
    value: str | float | None  # what it is sorted by; None, undefined, comes last either way
    under: str = ""  # below it, small
    said: str = ""  # for a screen reader, behind it
    at: datetime | None = None  # shown instead of the text, as an instant
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One team."""

    team: str
    is_own: bool
    cells: tuple[Cell, ...]  # one a heading


@dataclass(frozen=True, kw_only=True)
class BoardTable:
    """What the page shows, in order."""

    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    sort: str  # a heading's key
    order: Order

    def order_of(self, heading: Heading) -> Order:
        """How a click on this heading sorts: the other way round where it is sorted by it already."""
        if heading.key != self.sort:
            return heading.first
        return "asc" if self.order == "desc" else "desc"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Whose table it is."""

    submission: str | None  # their team's, that is ranked
    sees_submissions: bool  # an organizer may open everybody's


def official(view: BoardView, reader: Reader) -> tuple[tuple[Heading, ...], tuple[Line, ...]]:
    """AP on each data set, mean rank and rank, with intervals where they are computed."""
    interval = "95 % interval" if view.resampling else ""
    headings = (
        Heading(key=RANK, title="Rank", is_number=False, first="asc", under=interval),
        Heading(key=TEAM, title="Team", is_number=False, first="asc"),
        *(Heading(key=name, title=f"AP {name}", under=interval) for name in view.datasets),
        Heading(key="mean_rank", title="Mean rank", first="asc"),
        Heading(key="received", title="Received", is_number=False),
    )
    return headings, tuple(line(row, reader, official_cells(row, view, reader)) for row in view.rows)


def official_cells(row: BoardRow, view: BoardView, reader: Reader) -> tuple[Cell, ...]:
    """One team's."""
    return (
        rank_cell(row.rank, is_tied=row.is_tied, between=row.rank_interval),
        Cell(text=row.team, value=row.team.casefold()),
        *(value_cell(row.values[name], row.value_intervals.get(name)) for name in view.datasets),
        Cell(text=number(row.mean_rank, 2), value=row.mean_rank),
        Cell(text="", value=row.received_at.timestamp(), at=row.received_at, link=submission_link(row, reader)),
    )


def by_scheme(view: BoardView, scheme: Scheme, reader: Reader) -> tuple[tuple[Heading, ...], tuple[Line, ...]]:
    """Ranks by another scheme, beside the official one; the teams in the scheme's order."""
    headings = (
        Heading(key=RANK, title="Rank", is_number=False, first="asc"),
        Heading(key=TEAM, title="Team", is_number=False, first="asc"),
        *(Heading(key=name, title=f"Rank {name}", first="asc") for name in view.datasets),
        Heading(key="official", title="Official rank", first="asc"),
        Heading(key="move", title="Moves by", first="asc"),
    )
    shared = Counter(row.schemes.get(scheme, {}).get(CONSENSUS) for row in view.rows)
    return headings, tuple(line(row, reader, scheme_cells(row, view, scheme, shared)) for row in view.rows)


def scheme_cells(row: BoardRow, view: BoardView, scheme: Scheme, shared: Counter[int | None]) -> tuple[Cell, ...]:
    """One team's; what the scheme leaves undefined is n/a. `shared`: how many teams have a rank."""
    found = row.schemes.get(scheme, {})
    rank = found.get(CONSENSUS)
    return (
        count_cell(rank) if rank is None else rank_cell(rank, is_tied=shared[rank] > 1),
        Cell(text=row.team, value=row.team.casefold()),
        *(count_cell(found.get(name)) for name in view.datasets),
        rank_cell(row.rank, is_tied=row.is_tied),
        move_cell(None if rank is None else rank - row.rank),
    )


def by_metric(view: MetricBoard, reader: Reader) -> tuple[tuple[Heading, ...], tuple[Line, ...]]:
    """A metric on each data set, its mean and standard deviation, and the rank by the mean."""
    best_first: Order = "asc" if view.lower_is_better else "desc"
    headings = (
        Heading(key=RANK, title="Rank", is_number=False, first="asc"),
        Heading(key=TEAM, title="Team", is_number=False, first="asc"),
        *(Heading(key=name, title=name, first=best_first) for name in view.datasets),
        Heading(key="mean", title="Mean", first=best_first),
        Heading(key="sd", title="SD", first="asc"),
    )
    return headings, tuple(line(row, reader, metric_cells(row, view)) for row in view.rows)


def metric_cells(row: MetricRow, view: MetricBoard) -> tuple[Cell, ...]:
    """One team's."""
    return (
        rank_cell(row.rank, is_tied=row.is_tied),
        Cell(text=row.team, value=row.team.casefold()),
        *(value_cell(row.values[name]) for name in view.datasets),
        value_cell(row.mean),
        value_cell(row.sd),
    )


def table(
    headings: tuple[Heading, ...], lines: Iterable[Line], *, sort: str = RANK, order: Order | None = None
) -> BoardTable:
    """Order the lines by a heading; an unknown one means the rank. Equal lines keep the board's order."""
    by_key = {heading.key: place for place, heading in enumerate(headings)}
    key = sort if sort in by_key else RANK
    place = by_key[key]
    way = order or headings[place].first
    known = [one for one in lines if one.cells[place].value is not None]
    unknown = [one for one in lines if one.cells[place].value is None]
    known.sort(key=sort_key(place), reverse=way == "desc")
    return BoardTable(headings=headings, lines=(*known, *unknown), sort=key, order=way)


def sort_key(place: int) -> Callable[[Line], tuple[float, str]]:
    """By the cell in this place: numbers as numbers, words as words."""

    def key(one: Line) -> tuple[float, str]:
        value = one.cells[place].value
        return (0.0, value) if isinstance(value, str) else (float(value or 0.0), "")

    return key


def line(row: BoardRow | MetricRow, reader: Reader, cells: tuple[Cell, ...]) -> Line:
    """Mark the reader's own."""
    return Line(team=row.team, is_own=row.submission == reader.submission, cells=cells)


def rank_cell(rank: int, *, is_tied: bool = False, between: tuple[int, int] | None = None) -> Cell:
    """Write a rank: 3= where others share it, below it how far it could move."""
    return Cell(
        text=f"{rank}=" if is_tied else str(rank),
        value=float(rank),
        under=f"{between[0]}–{between[1]}" if between else "",
        said="tied" if is_tied else "",
    )


def count_cell(value: int | None) -> Cell:
    """Write a whole number."""
    return Cell(text="n/a" if value is None else str(value), value=value)


def move_cell(places: int | None) -> Cell:
    """Write how many places a team would lose or win."""
    if not places:
        return Cell(text="n/a" if places is None else "–", value=places, said="stays" if places == 0 else "")
    return Cell(text=f"{'▼' if places > 0 else '▲'} {abs(places)}", value=places, said="down" if places > 0 else "up")


def value_cell(value: float | None, between: tuple[float, float] | None = None) -> Cell:
    """Write a metric's value, below it its interval."""
    under = f"{number(between[0])}–{number(between[1])}" if between else ""
    return Cell(text=number(value), value=value, under=under)


def submission_link(row: BoardRow, reader: Reader) -> str:
    """Where the ranked submission is shown, for those who may open it."""
    return f"/submissions/{row.submission}" if reader.sees_submissions or row.submission == reader.submission else ""
