"""Charts of the ranking: who is where, how sure that is, and who would change place under another scheme."""

import math
from collections.abc import Mapping

import altair as alt
from altair.typing import ChartType

from evaluator.analysis.tables import Row, Table
from server.web.charts.paper import (
    ALERT,
    FAINT,
    INK,
    MARK,
    SHADES,
    SOFT,
    Paper,
    Rows,
    axis_title,
    beside,
    lit,
    not_available,
    order_of,
    panels,
    team_axis,
    titled,
    tooltips,
    unit_axis,
)

STEP_PX = 22  # a row of a team
SCHEMES = {
    "aggregate_then_rank": "aggregate, then rank",
    "rank_then_aggregate": "rank, then aggregate",
    "test_based": "by tests",
}
LEVELS = ("p < 0.001", "p < 0.01", "p < 0.05", "not significant", "undefined")
LEVEL_SHADES = (SHADES[4], SHADES[3], SHADES[2], SHADES[0], "#ffffff")
STARS = {"p < 0.001": "***", "p < 0.01": "**", "p < 0.05": "*", "not significant": "", "undefined": "–"}


def consensus(table: Table, paper: Paper) -> ChartType:
    """Each team's rank with its interval."""
    rows = [{**row, "says": f"{row['mean_rank']:.2f}" if row["mean_rank"] is not None else ""} for row in table.rows]
    order = order_of(paper, rows)
    room = paper.label_px(order, most=230)
    width = min(430, paper.across(1, left=room, right=70))
    names = ("rank_low", "rank", "rank_high")
    return interval(paper, table, rows, names, rank_axis(len(order)), team_axis(order, room), width, "mean rank")


def places(table: Table, paper: Paper) -> ChartType:
    """Each team's score on each data set with its interval; the rank beside it."""

    def draw(name: str, found: list[Row], columns: int) -> ChartType:
        rows = [{**row, "says": rank_text(row)} for row in found]
        order = [str(row["team"]) for row in sorted(rows, key=worst_last)]
        room = paper.label_px(order)
        width = paper.across(columns, left=room, right=70)
        x = unit_axis(f"{axis_title(table, 'value')}; line: 95 % interval", "value")
        names = ("value_low", "value", "value_high")
        chart = interval(paper, table, rows, names, x, team_axis(order, room), width, "rank (95 %)")
        return titled(chart, name, size_of(found))

    return panels(paper, table.rows, draw)


def interval(
    paper: Paper, table: Table, rows: Rows, names: tuple[str, str, str], x: alt.X, y: alt.Y, width: int, head: str
) -> ChartType:
    """A point on a line for each team, and what it `says` at the right."""
    low, value, high = names
    base = alt.Chart(paper.data(row for row in rows if row[value] is not None))
    ends = alt.Chart(paper.data(row for row in rows if row[low] is not None and row[high] is not None))
    line = ends.mark_rule(color=MARK, strokeWidth=2, strokeCap="round", clip=True)
    point = base.mark_point(filled=True, color=MARK, size=64, opacity=1)
    return alt.layer(
        line.encode(y=y, x=alt.X(f"{low}:Q", title=""), x2=f"{high}:Q", opacity=lit(0.75)),
        point.encode(y=y, x=x, tooltip=tooltips(table), opacity=lit()),
        not_available(paper, rows, value, y),
        beside(paper, rows, y, width, head),
    ).properties(width=width, height=alt.Step(STEP_PX))


def rank_axis(count: int) -> alt.X:
    """Whole ranks, the first at the left."""
    return alt.X(
        "rank:Q",
        title=f"Rank of {count} teams (1 is best); line: 95 % interval" if count > 1 else "Rank (one team)",
        scale=alt.Scale(domain=[0.7, max(2, count) + 0.3], nice=False, zero=False),
        axis=alt.Axis(values=list(range(1, max(2, count) + 1, 1 + count // 20)), format="d"),
    )


def rank_text(row: Row) -> str:
    """3 (2–5)."""
    if row["rank"] is None:
        return ""
    return f"{row['rank']} ({row['rank_low']}–{row['rank_high']})" if row["rank_low"] is not None else f"{row['rank']}"


def worst_last(row: Row) -> tuple[bool, float]:
    """Order by value; the undefined at the end."""
    return row["value"] is None, -float(row["value"] or 0)


def size_of(rows: Rows) -> str:
    """How many cases a data set has."""
    row = rows[0]
    if row["n_cases"] is None:
        return ""
    return f"n = {row['n_cases']} cases, {row['n_anomalous']} anomalous"


def rank_probabilities(table: Table, paper: Paper) -> ChartType:
    """Share of resamples in which a team has a rank: darker is more."""
    order = order_of(paper, table.rows)
    room = paper.label_px(order)
    ranks = sorted({int(row["rank"] or 0) for row in table.rows})
    columns = paper.columns(3 if len(order) <= 12 else 2)  # noqa: PLR2004  more cells than that are too small to read

    def draw(name: str, found: list[Row], columns: int) -> ChartType:
        is_first = columns == 1 or name in firsts
        left = room if is_first else 0
        width = min(34 * len(ranks), paper.shared(columns, room))
        cell = width / max(1, len(ranks))
        rows = [{**row, "says": percent(row["probability"])} for row in found if row["probability"]]
        y = team_axis(order, left, grid=False) if is_first else team_axis(order, 0).axis(None)
        x = alt.X(
            "rank:O",
            title="Rank",
            axis=alt.Axis(labelAngle=0, domain=False, ticks=False),
            scale=alt.Scale(domain=ranks),
        )
        base = alt.Chart(paper.data(rows))
        cells = base.mark_rect(stroke="white").encode(
            x=x,
            y=y,
            tooltip=tooltips(table),
            opacity=lit(),
            color=alt.Color(
                "probability:Q",
                title="share of resamples",
                scale=alt.Scale(domain=[0, 1], range=SHADES, interpolate="rgb"),
                legend=alt.Legend(format="%", gradientLength=140),
            ),
        )
        words = base.mark_text(fontSize=min(10, round(cell * 0.42)), opacity=1 if cell > 14 else 0).encode(  # noqa: PLR2004  px for two digits
            x=x,
            y=y,
            text="says:N",
            color=alt.condition("datum.probability > 0.5", alt.value("white"), alt.value(INK)),
            opacity=lit() if cell > 14 else alt.value(0),  # noqa: PLR2004  as above
        )
        return titled(alt.layer(cells, words).properties(width=width, height=alt.Step(STEP_PX)), name)

    names = list(dict.fromkeys(str(row["dataset"]) for row in table.rows))
    firsts = set(names[::columns])
    return panels(paper, table.rows, draw, most=columns)


def percent(value: object) -> str:
    """Whole percent, without the sign; nothing below half of one."""
    return f"{100 * value:.0f}" if isinstance(value, float | int) and value >= 0.005 else ""  # noqa: PLR2004  half a percent


def rank_agreement(table: Table, paper: Paper) -> ChartType:
    """How like the full ranking the resampled ones are."""
    rows = [{**row, "team": row["dataset"], "says": tau_text(row)} for row in table.rows]
    order = [str(row["team"]) for row in rows]
    room = paper.label_px(order)
    width = min(430, paper.across(1, left=room, right=60))
    lowest = min((float(row["tau_b_low"]) for row in rows if row["tau_b_low"] is not None), default=0.0)
    x = unit_axis(
        "Kendall's tau-b to the full ranking; line: 95 % of resamples", "tau_b", low=-1.0 if lowest < 0 else 0.0
    )
    return interval(paper, table, rows, ("tau_b_low", "tau_b", "tau_b_high"), x, team_axis(order, room), width, "tau-b")


def tau_text(row: Row) -> str:
    """Two digits say enough of a correlation of a few teams."""
    return f"{row['tau_b']:.2f}" if row["tau_b"] is not None else ""


def schemes(table: Table, paper: Paper) -> ChartType:
    """Places under each scheme, a line a team; who moves is drawn strongly. A node's number is the rank."""

    def draw(name: str, found: list[Row], columns: int) -> ChartType:
        defined = [scheme for scheme in SCHEMES if any(row[scheme] is not None for row in found)]
        points = [point for scheme in defined for point in slots(found, scheme, defined[0])]
        first = [point for point in points if point["scheme"] == SCHEMES[defined[0]]]  # in the order of their slots
        room = paper.label_px([str(point["team"]) for point in first])
        width = min(300, paper.across(columns, left=room + 8, right=16))
        x = alt.X(
            "scheme:N",
            sort=[SCHEMES[scheme] for scheme in defined],
            title=None,
            scale=alt.Scale(padding=0.25),
            axis=alt.Axis(
                orient="top",
                labelAngle=0,
                domain=False,
                ticks=False,
                labelExpr="split(datum.label, ', ')",
                labelPadding=14,
            ),
        )
        y = alt.Y("slot:Q", axis=None, scale=alt.Scale(domain=[len(first) + 0.6, 0.3], nice=False))
        base = alt.Chart(paper.data(points))
        moving = alt.condition("datum.moves === 'yes'", alt.value(ALERT), alt.value(FAINT))
        return titled(
            alt.layer(
                base.mark_line().encode(
                    x=x,
                    y=y,
                    detail="team:N",
                    color=moving,
                    opacity=lit(),
                    strokeWidth=alt.condition("datum.moves === 'yes'", alt.value(2.5), alt.value(1.25)),
                ),
                base.mark_circle(size=230, opacity=1).encode(
                    x=x, y=y, color=moving, tooltip=tooltips(table, "team", "moves"), opacity=lit()
                ),
                base.mark_text(fontSize=10, color="white", fontWeight="bold").encode(
                    x=x, y=y, text="rank:Q", opacity=lit()
                ),
                alt.Chart(paper.data(first))
                .mark_text(align="right", dx=-4, limit=room)
                .encode(x=alt.value(0), y=y, text="team:N", opacity=lit()),
            ).properties(width=width, height=STEP_PX * max(1, len(first)) + 6),
            name,
            "" if defined else "n/a: no scheme is defined",
        )

    return panels(paper, table.rows, draw)


def slots(rows: Rows, scheme: str, first: str) -> list[Mapping[str, object]]:
    """One node a team: where it stands, ties one under the other as in the first scheme, and the rank that it shows."""

    def rank(row: Row, of: str) -> float:
        value = row[of]
        return math.inf if value is None else float(value)

    placed = sorted(rows, key=lambda row: (rank(row, scheme), rank(row, first), str(row["team"])))
    return [
        {**row, "scheme": SCHEMES[scheme], "slot": slot, "rank": row[scheme] if row[scheme] is not None else "–"}
        for slot, row in enumerate(placed, start=1)
    ]


def tests(table: Table, paper: Paper) -> ChartType:
    """Whom a team beats: a row is tested against each column."""
    order = order_of(paper, table.rows, "better")
    order += [team for team in order_of(paper, table.rows, "worse") if team not in order]
    numbered = {team: f"{number}  {team}" for number, team in enumerate(order, start=1)}
    room = paper.label_px(numbered.values())

    def draw(name: str, found: list[Row], columns: int) -> ChartType:
        rows = [
            {
                **row,
                "team": row["better"],
                "row": numbered[str(row["better"])],
                "column": order.index(str(row["worse"])) + 1,
                "level": level_of(row["p_holm"]),
                "says": STARS[level_of(row["p_holm"])],
            }
            for row in found
        ]
        width = min(30 * len(order), paper.across(columns, left=room + 14))
        x = alt.X(
            "column:O",
            title="… than team number",
            scale=alt.Scale(domain=list(range(1, len(order) + 1))),
            axis=alt.Axis(labelAngle=0, domain=False, ticks=False),
        )
        y = team_axis(list(numbered.values()), room, key="row", grid=False)
        base = alt.Chart(paper.data(rows))
        cells = base.mark_rect(stroke="white", strokeWidth=1.5).encode(
            x=x,
            y=y,
            opacity=lit(),
            tooltip=tooltips(table),
            color=alt.Color(
                "level:N",
                title=[
                    "the row is better than the column:",
                    "one-sided, after Holm's correction;",
                    "blank: the row scores less",
                ],
                scale=alt.Scale(domain=list(LEVELS), range=list(LEVEL_SHADES)),
                legend=alt.Legend(
                    symbolType="square",
                    symbolStrokeColor=SOFT,
                    symbolStrokeWidth=0.5,
                    columns=2 if paper.is_narrow else 5,
                ),
            ),
        )
        dark = "datum.level === 'p < 0.001' || datum.level === 'p < 0.01'"
        words = base.mark_text(fontSize=11, dy=2).encode(
            x=x, y=y, text="says:N", opacity=lit(), color=alt.condition(dark, alt.value("white"), alt.value(INK))
        )
        chart = alt.layer(cells, words).properties(width=width, height=alt.Step(STEP_PX))
        return titled(chart, name, units_of(found))

    return panels(paper, table.rows, draw)


def units_of(rows: Rows) -> str:
    """What was compared, and how many of them."""
    row = rows[0]
    return f"n = {row['n']}, unit: {row['unit']}" if row["n"] is not None else ""


def level_of(p: object) -> str:
    """The step of a p value."""
    if not isinstance(p, float | int):
        return "undefined"
    return next((f"p < {limit}" for limit in (0.001, 0.01, 0.05) if p < limit), "not significant")
