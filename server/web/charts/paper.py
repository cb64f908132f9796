"""What all charts share: paper, colours, how a team is told apart, panels side by side, and labels that do not touch.

Colours are Okabe and Ito's, which people with any colour vision tell apart; in grey the shape of a point, the dashes of
a line and a name written beside it tell the same.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
from altair.typing import ChartType

from evaluator.analysis.tables import Column, Row, Table

INK, SOFT, FAINT, LINE = "#17202b", "#4c5a6a", "#8a96a3", "#dde2e8"
MARK = "#0072b2"  # where one colour is enough
ALERT = "#d55e00"  # what a reader should see first
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # yellow is lost on white
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
DASHES = ((1, 0), (6, 2), (2, 2), (8, 2, 2, 2), (12, 3))
SHADES = ("#f1f4f8", "#c3d7ea", "#7fb0d6", "#3a7fb8", "#0b3f75")  # from little to much; steps of grey too
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
LETTER_PX = 5.9  # mean width of a letter at 11 px
GAP_PX = 18  # between panels
OVERHANG_PX = 16  # of the numbers at both ends of an axis
MEDIAN = "median of submissions"
BASELINES = {"constant": (2, 2), "random": (6, 3)}  # predictors that see nothing, and their dashes
CONSENSUS = "consensus"

Rows = Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class Paper:
    """What a chart is drawn on. A width of 720 px is a page of a paper, 340 px a phone."""

    width: int
    teams: tuple[str, ...] = ()  # in the order of the consensus, so that a team looks the same in all charts
    datasets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # rows by the name that marks call them by

    @property
    def is_narrow(self) -> bool:
        """One panel beside another would be too small to read."""
        return self.width < 520  # noqa: PLR2004  px; two panels of teams with their names

    def data(self, rows: Iterable[Mapping[str, Any]]) -> alt.NamedData:
        """Keep rows inside the specification, once: no chart fetches anything."""
        kept = [dict(row) for row in rows]
        name = f"rows-{hashlib.sha256(json.dumps(kept).encode()).hexdigest()[:12]}"
        self.datasets[name] = kept
        return alt.NamedData(name=name)

    def columns(self, most: int) -> int:
        """How many panels stand side by side."""
        return 1 if self.is_narrow else most

    def across(self, columns: int, *, left: int = 0, right: int = 0) -> int:
        """Width of a panel's plot, px, beside its labels."""
        return max(80, math.floor((self.width - 10 - GAP_PX * (columns - 1)) / columns) - left - right)

    def shared(self, columns: int, room: int) -> int:
        """Width of a panel's plot, px, where names stand left of the first one in a row alone."""
        if columns == 1:
            return self.across(1, left=room + OVERHANG_PX)
        return self.across(columns, left=math.ceil(room / columns) + OVERHANG_PX)

    def label_px(self, labels: Iterable[str], *, most: int = 150) -> int:
        """Room for labels on a vertical axis, px; longer ones are cut."""
        longest = max((len(label) for label in labels), default=0)
        return min(round(longest * LETTER_PX) + 14, 104 if self.is_narrow else most)


def order_of(paper: Paper, rows: Rows, key: str = "team") -> list[str]:
    """Teams of these rows, those that the paper knows first and in its order; predictors that see nothing last."""
    found = list(dict.fromkeys(str(row[key]) for row in rows))
    known = [team for team in paper.teams if team in found]
    others = [team for team in found if team not in paper.teams and team not in BASELINES]
    return [*known, *others, *(name for name in BASELINES if name in found)]


def groups(rows: Rows, key: str) -> dict[str, list[Row]]:
    """Rows by a column's value, in the order of the table."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row[key]), []).append(row)
    return found


def column(table: Table, name: str) -> Column:
    """Give a column by its name."""
    return next(found for found in table.columns if found.name == name)


def axis_title(table: Table, name: str, more: str = "") -> str:
    """A column's title with its unit, and what else must be said."""
    found = column(table, name)
    unit = f" [{found.unit}]" if found.unit else ""
    return f"{found.title}{unit}{more}"


def tooltips(table: Table, *names: str) -> list[alt.Tooltip]:
    """All that a row says, or these columns of it."""
    shown = [column(table, name) for name in names] if names else table.columns
    return [
        alt.Tooltip(
            field=found.name,
            type="nominal" if found.kind == "text" else "quantitative",
            title=found.title + (f" [{found.unit}]" if found.unit else ""),
            format=f".{found.digits}f" if found.kind == "number" else alt.Undefined,
        )
        for found in shown
    ]


def lit(strong: float = 1.0, faint: float = 0.12) -> Any:
    """Opacity: the team that the page's reader points at stands out. Says nothing on paper."""
    return alt.condition("!highlight || datum.team === highlight", alt.value(strong), alt.value(faint))


def team_colour(order: Sequence[str]) -> alt.Color:
    """The n-th team has the n-th colour; after seven they come again, with other shapes and dashes."""
    return alt.Color(
        "team:N", sort=list(order), legend=None, scale=scale(order, COLOURS, dict.fromkeys(BASELINES, SOFT))
    )


def team_shape(order: Sequence[str]) -> alt.Shape:
    """Eight shapes: with seven colours no two of 56 teams look alike."""
    return alt.Shape(
        "team:N", sort=list(order), legend=None, scale=scale(order, SHAPES, dict.fromkeys(BASELINES, "stroke"))
    )


def team_dash(order: Sequence[str]) -> alt.StrokeDash:
    """Five dashes: with seven colours no two of 35 lines look alike."""
    return alt.StrokeDash("team:N", sort=list(order), legend=None, scale=scale(order, DASHES, BASELINES))


def scale(order: Sequence[str], kinds: Sequence[Any], special: Mapping[str, Any]) -> alt.Scale:
    """Give each team its kind, in turns; predictors that see nothing have one of their own."""
    turns = [special.get(name, kinds[number % len(kinds)]) for number, name in enumerate(order)]
    return alt.Scale(domain=list(order), range=turns)


def team_axis(order: Sequence[str], room: int, *, key: str = "team", grid: bool = True) -> alt.Y:
    """Names on the left, one a row, in this order."""
    axis = alt.Axis(
        labelLimit=room, minExtent=room, maxExtent=room, domain=False, ticks=False, grid=grid, labelPadding=9
    )
    return alt.Y(f"{key}:N", sort=list(order), title=None, axis=axis, scale=alt.Scale(domain=list(order)))


def unit_axis(title: str | list[str], name: str, *, low: float = 0.0, high: float = 1.0, ticks: int = 5) -> alt.X:
    """A quantity from 0 to 1, all of it: half of the truth is no picture."""
    return alt.X(
        f"{name}:Q", title=title, scale=alt.Scale(domain=[low, high], nice=False), axis=alt.Axis(tickCount=ticks)
    )


def beside(
    paper: Paper, rows: Iterable[Mapping[str, Any]], y: alt.Y, width: int, head: str, *, name: str = "says"
) -> ChartType:
    """A text right of the plot, one a row, under its heading: what the picture cannot say exactly."""
    style: dict[str, Any] = {"align": "left", "dx": 8, "fontSize": 10, "color": SOFT}
    said = alt.Chart(paper.data(rows)).mark_text(baseline="middle", **style)
    heading = alt.Chart(paper.data([{}])).mark_text(baseline="bottom", fontStyle="italic", **style)
    return alt.layer(
        said.encode(y=y, x=alt.value(width), text=f"{name}:N", opacity=lit()),
        heading.encode(y=alt.value(-1), x=alt.value(width), text=alt.value(head)),
    )


def not_available(paper: Paper, rows: Rows, name: str, y: alt.Y) -> alt.Chart:
    """Say n/a where a number is undefined, instead of drawing nothing."""
    missing = alt.Chart(paper.data(row for row in rows if row[name] is None))
    words: alt.Chart = missing.mark_text(
        align="left", baseline="middle", dx=4, fontSize=10, color=SOFT, fontStyle="italic"
    )
    return words.encode(y=y, x=alt.value(0), text=alt.value("n/a"))


def titled(panel: ChartType, title: str, subtitle: str = "") -> ChartType:
    """Name a panel, and under it what it is made from."""
    return panel.properties(title=alt.TitleParams(text=title, subtitle=subtitle or alt.Undefined))


def side_by_side(panels: Sequence[ChartType], columns: int) -> ChartType:
    """Panels in rows."""
    return alt.concat(*panels, columns=columns, spacing=GAP_PX)


def panels(
    paper: Paper, rows: Rows, draw: Callable[[str, list[Row], int], ChartType], *, most: int = 2, key: str = "dataset"
) -> ChartType:
    """One panel for each data set; `draw` is given its name, its rows and how many stand side by side."""
    parts = groups(rows, key)
    columns = min(paper.columns(most), max(1, len(parts)))
    return side_by_side([draw(name, found, columns) for name, found in parts.items()], columns)


def finish(chart: ChartType, paper: Paper) -> dict[str, Any]:
    """Give the specification, in our style and with the parameter that a page sets to point at a team."""
    styled = chart.properties(background="white", padding={"left": 2, "top": 4, "right": 6, "bottom": 4})
    spec: dict[str, Any] = styled.to_dict(validate=False)  # a test validates them all
    spec["config"] = CONFIG
    spec["datasets"] = paper.datasets
    spec["params"] = [{"name": "highlight", "value": ""}]
    return spec


def spread(targets: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions as little as possible (in squares) so that they are at least `gap` apart and within bounds.

    Where there is no room for all, the gap shrinks. Pools adjacent violators of targets less their multiple of the gap.
    """
    count = len(targets)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    order = sorted(range(count), key=lambda number: (targets[number], number))
    pools: list[tuple[float, int]] = []  # mean, members
    for place, number in enumerate(order):
        mean, members = targets[number] - place * gap, 1
        while pools and pools[-1][0] > mean:
            before, size = pools.pop()
            mean = (before * size + mean * members) / (size + members)
            members += size
        pools.append((mean, members))
    top = high - (count - 1) * gap
    fitted = [min(max(mean, low), top) for mean, members in pools for _ in range(members)]
    found = [0.0] * count
    for place, number in enumerate(order):
        found[number] = fitted[place] + place * gap
    return found


CONFIG: dict[str, Any] = {
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelFlush": False,
        "labelFont": FONT,
        "titleFont": FONT,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": SOFT,
        "gridColor": LINE,
        "domainColor": FAINT,
        "tickColor": FAINT,
        "tickSize": 4,
        "titlePadding": 7,
        "labelPadding": 4,
    },
    "legend": {
        "labelFont": FONT,
        "titleFont": FONT,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": SOFT,
        "orient": "bottom",
        "labelLimit": 300,
        "titleLimit": 400,
    },
    "title": {
        "font": FONT,
        "subtitleFont": FONT,
        "fontSize": 12,
        "subtitleFontSize": 11,
        "color": INK,
        "subtitleColor": SOFT,
        "anchor": "start",
        "frame": "group",
        "offset": 8,
        "subtitlePadding": 3,
        "limit": 420,
    },
    "text": {"font": FONT, "fontSize": 11, "color": INK},
    "concat": {"spacing": GAP_PX},
}
