"""Charts of what anomalies are hard: by scope, origin, category, subcategory and human-perceived difficulty."""

import math

import altair as alt
from altair.typing import ChartType

from evaluator.analysis.tables import Row, Table, Value
from server.web.charts.paper import (
    ALERT,
    BASELINES,
    FAINT,
    INK,
    MARK,
    MEDIAN,
    SOFT,
    Paper,
    Rows,
    beside,
    groups,
    lit,
    not_available,
    panels,
    side_by_side,
    team_axis,
    titled,
    tooltips,
    unit_axis,
)

STEP_PX = 20
SCOPES = ("local", "global", "both")
SCOPE_COLOURS = (ALERT, MARK, SOFT)
SCOPE_SHAPES = ("diamond", "circle", "square")
COARSE = ("scope", "origin", "category")


def categories(table: Table, paper: Paper) -> ChartType:
    """The median submission with its interval on each group of anomalies, over a tick for each submission."""

    def draw(name: str, found: list[Row], columns: int) -> ChartType:
        coarse = [row for row in found if row["level"] in COARSE]
        fine = [row for row in found if row["level"] not in COARSE]
        parts = [(f"{name}: scope, origin, category", coarse), (f"{name}: subcategories", fine)]
        room = paper.label_px((str(row["group"]) for row in found), most=140)
        width = paper.across(columns, left=room, right=40)
        shown = [(title, rows) for title, rows in parts if rows]
        drawn = [
            titled(group_panel(paper, table, rows, room, width, is_last=rows is shown[-1][1]), title, normals(rows))
            for title, rows in shown
        ]
        return alt.vconcat(*drawn, spacing=22)

    return panels(paper, table.rows, draw)


def group_panel(paper: Paper, table: Table, rows: Rows, room: int, width: int, *, is_last: bool) -> ChartType:
    """One row a group, in the order of the table."""
    shown = [{**row, "key": label(row, rows)} for row in rows]
    medians = [row for row in shown if row["team"] == MEDIAN]
    order = list(dict.fromkeys(str(row["key"]) for row in shown))
    y = team_axis(order, room, key="key")
    x = unit_axis(["AP of the median submission, 95 % interval", *(legend(shown) if is_last else [])], "ap")
    submissions = alt.Chart(paper.data(of_submissions(shown)))
    median = alt.Chart(paper.data(row for row in medians if row["ap"] is not None))
    bands = alt.Chart(paper.data(row for row in medians if row["ap_low"] is not None))
    colour = alt.Color("scope:N", scale=alt.Scale(domain=list(SCOPES), range=list(SCOPE_COLOURS)), legend=None)
    shape = alt.Shape("scope:N", scale=alt.Scale(domain=list(SCOPES), range=list(SCOPE_SHAPES)), legend=None)
    counted = [{**row, "says": f"{row['n_anomalous']}" if row["n_anomalous"] is not None else ""} for row in medians]
    return alt.layer(
        *baselines(table, paper, shown, x, y),
        submissions.mark_tick(color=FAINT, thickness=1.5, size=11).encode(
            y=y, x=x, tooltip=tooltips(table), opacity=lit(0.8, 0.15)
        ),
        bands.mark_rule(strokeWidth=2, strokeCap="round", opacity=0.8).encode(
            y=y, x=alt.X("ap_low:Q", title=""), x2="ap_high:Q", color=colour
        ),
        median.mark_point(filled=True, size=70, opacity=1).encode(
            y=y, x=x, color=colour, shape=shape, tooltip=tooltips(table)
        ),
        not_available(paper, medians, "ap", y),
        beside(paper, counted, y, width, "n"),
    ).properties(width=width, height=alt.Step(STEP_PX))


def legend(rows: Rows) -> list[str]:
    """What the marks mean, where a reader looks for it."""
    scopes = ["diamond: local, circle: global"] if any(row["scope"] in {"local", "global"} for row in rows) else []
    return ["grey ticks: submissions", *scopes, "long black tick: constant, short: random"]


def label(row: Row, rows: Rows) -> str:
    """A group's name; with its scope where two scopes have a group of that name."""
    scopes = {other["scope"] for other in rows if (other["level"], other["group"]) == (row["level"], row["group"])}
    return f"{row['group']} ({row['scope']})" if len(scopes) > 1 else str(row["group"])


def of_submissions(rows: Rows) -> list[Row]:
    """Rows of submissions themselves, as far as they have an AP."""
    return [row for row in rows if row["team"] not in {MEDIAN, *BASELINES} and row["ap"] is not None]


def normals(rows: Rows) -> str:
    """Against what they were scored."""
    counts = sorted({int(row["n_normal"]) for row in rows if row["n_normal"] is not None})
    said = " or ".join(str(count) for count in counts)
    return f"n anomalous cases, {said} normal" if said else ""


def baselines(table: Table, paper: Paper, rows: Rows, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Where predictors that see nothing stand: in the pixel task each group has its own chance level."""
    drawn = []
    for name, size, thickness in (("constant", STEP_PX, 1), ("random", 9, 3)):
        known = alt.Chart(paper.data(row for row in rows if row["team"] == name and row["ap"] is not None))
        drawn.append(
            known.mark_tick(color=INK, size=size, thickness=thickness).encode(
                x=x, y=y, tooltip=tooltips(table), opacity=alt.value(0.7)
            )
        )
    return drawn


def difficulty(table: Table, paper: Paper) -> ChartType:
    """The median submission against difficulty, a panel a category; a dot for each submission behind."""
    drawn = []
    for dataset, found in groups(table.rows, "dataset").items():
        parts = groups(found, "category")
        columns = math.ceil(len(parts) / math.ceil(len(parts) / (2 if paper.is_narrow else 5)))
        width = paper.across(columns, left=42)
        panels_of = [
            titled(
                difficulty_panel(paper, table, rows, width, is_left=number % columns == 0),
                category,
                f"{dataset}{tell_n(rows)}",
            )
            for number, (category, rows) in enumerate(parts.items())
        ]
        drawn.append(side_by_side(panels_of, columns))
    return alt.vconcat(*drawn, spacing=24)


def tell_n(rows: Rows) -> str:
    """Smallest and largest number of anomalous cases of a point."""
    counts = [int(row["n_anomalous"]) for row in rows if row["n_anomalous"] is not None]
    if not counts:
        return ""
    return f", n = {min(counts)}" if min(counts) == max(counts) else f", n = {min(counts)}–{max(counts)}"


def difficulty_panel(paper: Paper, table: Table, rows: Rows, width: int, *, is_left: bool) -> ChartType:
    """Five classes from the hardest to the easiest."""
    axis = alt.Axis(
        labelAngle=0,
        labelExpr=HARD_TO_EASY,
        grid=False,
        format="d",
        values=[1, 2, 3, 4, 5],
    )
    x = alt.X("difficulty:Q", title=None, axis=axis, scale=alt.Scale(domain=[0.6, 5.4], nice=False, zero=False))
    y = alt.Y(
        "ap:Q",
        title="AP" if is_left else None,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(tickCount=3, minExtent=24, maxExtent=24, titlePadding=2),
    )
    median = alt.Chart(paper.data(row for row in rows if row["team"] == MEDIAN and row["ap"] is not None))
    bands = alt.Chart(paper.data(row for row in rows if row["team"] == MEDIAN and row["ap_low"] is not None))
    submissions = alt.Chart(paper.data(of_submissions(rows)))
    nothing = alt.Chart(paper.data([{}] if all(row["ap"] is None for row in rows) else []))
    return alt.layer(
        submissions.mark_circle(size=14, color=FAINT).encode(x=x, y=y, tooltip=tooltips(table), opacity=lit(0.7, 0.15)),
        bands.mark_rule(color=MARK, strokeWidth=2).encode(x=x, y=alt.Y("ap_low:Q", title=""), y2="ap_high:Q"),
        median.mark_line(color=MARK, strokeWidth=2, point=alt.OverlayMarkDef(filled=True, size=60, color=MARK)).encode(
            x=x, y=y, tooltip=tooltips(table)
        ),
        nothing.mark_text(fontStyle="italic", color=SOFT).encode(
            x=alt.value(width / 2), y=alt.value(50), text=alt.value("n/a")
        ),
    ).properties(width=width, height=100)


HARD_TO_EASY = "datum.value === 1 ? ['1', 'hardest'] : datum.value === 5 ? ['5', 'easiest'] : datum.label"
FALSE_ALARMS = {
    "median": ("median submission", MARK, "circle"),
    "best_submission": ("best submission", INK, "square"),
    "best_of_all": ("best of all, for each subcategory", ALERT, "triangle-left"),
}


def false_alarms(table: Table, paper: Paper) -> ChartType:
    """What share of normal cases is flagged when 95 % of the anomalous ones are found, by subcategory."""
    kinds = [said for said, _, _ in FALSE_ALARMS.values()]

    def draw(name: str, found: list[Row], columns: int) -> ChartType:
        rows: list[dict[str, Value]] = [{**row, "key": kind_name(row, paper)} for row in found]
        rows = [{**row, "says": f"{row['n_anomalous']}" if row["n_anomalous"] is not None else ""} for row in rows]
        order = [
            str(row["key"]) for row in sorted(rows, key=lambda row: (row["median"] is None, float(row["median"] or 0)))
        ]
        room = paper.label_px(order, most=178)
        width = paper.across(columns, left=room, right=40)
        y = team_axis(order, room, key="key")
        points = [
            {**row, "kind": said, "value": row[key]}
            for row in rows
            for key, (said, _, _) in FALSE_ALARMS.items()
            if row[key] is not None
        ]
        x = unit_axis("FPR at 95 % TPR (less is better)", "value")
        colours = alt.Scale(domain=kinds, range=[colour for _, colour, _ in FALSE_ALARMS.values()])
        shapes = alt.Scale(domain=kinds, range=[shape for _, _, shape in FALSE_ALARMS.values()])
        chart = alt.layer(
            alt.Chart(paper.data(row for row in rows if row["median"] is not None))
            .mark_rule(color=FAINT, strokeWidth=1.5)
            .encode(y=y, x=alt.X("best_of_all:Q", title=""), x2="median:Q"),
            alt.Chart(paper.data(points))
            .mark_point(filled=True, size=56, opacity=1)
            .encode(
                y=y,
                x=x,
                color=alt.Color(
                    "kind:N", title=None, scale=colours, legend=alt.Legend(columns=1 if paper.is_narrow else 3)
                ),
                shape=alt.Shape("kind:N", title=None, scale=shapes),
                tooltip=tooltips(table),
            ),
            not_available(paper, rows, "median", y),
            beside(paper, rows, y, width, "n"),
        ).properties(width=width, height=alt.Step(STEP_PX))
        return titled(chart, name, normals(found))

    return panels(paper, table.rows, draw)


def kind_name(row: Row, paper: Paper) -> str:
    """Category and subcategory; on narrow paper the subcategory, which has a name of its own."""
    return str(row["subcategory"]) if paper.is_narrow else f"{row['category']}: {row['subcategory']}"
