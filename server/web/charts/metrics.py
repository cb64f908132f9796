"""Numbers of each team side by side: levels of aggregation, detections, the two deals, other metrics."""

from collections.abc import Mapping, Sequence

import altair as alt
from altair.typing import ChartType

from evaluator.analysis.tables import Row, Table, Value
from server.web.charts.paper import (
    ALERT,
    BASELINES,
    FAINT,
    INK,
    MARK,
    SHADES,
    SOFT,
    Paper,
    Rows,
    beside,
    groups,
    lit,
    not_available,
    order_of,
    panels,
    side_by_side,
    team_axis,
    titled,
    tooltips,
    unit_axis,
)

STEP_PX = 22
METRICS = {
    "ap": "AP",
    "auroc": "AUROC",
    "max_dice": "Maximum Dice",
    "dataset_ap": "AP",
    "dataset_auroc": "AUROC",
    "dataset_max_dice": "Maximum Dice",
    "dataset_fpr_at_95tpr": "FPR at 95 % TPR",
    "aupro_30": "AUPRO 0.3",
    "pl_30": "PL at 0.3",
    "pl_50": "PL at 0.5",
    "object_f1": "F1 of objects",
    "object_precision": "Precision of objects",
    "object_recall": "Recall of objects",
}
Kinds = Mapping[str, tuple[str, str, str]]  # column -> what it is called, colour, shape
LEVELS: Kinds = {
    "dataset_level": ("data-set level", INK, "diamond"),
    "scan_mean": ("mean over scans", MARK, "circle"),
    "scan_median": ("median over scans", ALERT, "square"),
}
DETECTIONS: Kinds = {
    "precision": ("precision", MARK, "triangle-right"),
    "recall": ("recall", ALERT, "square"),
    "f1": ("F1", INK, "circle"),
}


def levels(table: Table, paper: Paper) -> ChartType:
    """Each metric on the whole data set, and as mean and median over its scans."""
    drawn = []
    for dataset, of_dataset in groups(table.rows, "dataset").items():
        order = order_of(paper, of_dataset)
        room = paper.label_px(order)
        parts = groups(of_dataset, "metric")
        columns = min(paper.columns(3), len(parts))
        width = paper.shared(columns, room)
        row_of = []
        for number, (metric, rows) in enumerate(parts.items()):
            has_names = number % columns == 0
            panel = points(
                paper, table, rows, LEVELS, order, room if has_names else 0, width, METRICS.get(metric, metric)
            )
            row_of.append(titled(panel, f"{dataset}, {METRICS.get(metric, metric)}", scans_of(rows)))
        drawn.append(side_by_side(row_of, columns))
    return alt.vconcat(*drawn, spacing=24)


def scans_of(rows: Rows) -> str:
    """How many scans have the metric, and how many hold one class only."""
    row = rows[0]
    return f"n = {row['n_scans']} scans, {row['left_out']} left out" if row["n_scans"] is not None else ""


def points(
    paper: Paper, table: Table, rows: Rows, kinds: Kinds, order: Sequence[str], room: int, width: int, title: str
) -> ChartType:
    """Several numbers of a team on one line; `room` 0 leaves the names out, which stand left of another panel."""
    y = team_axis(order, room) if room else team_axis(order, 0).axis(None)
    names = [said for said, _, _ in kinds.values()]
    spots = [
        {**row, "kind": said, "at": row[key]}
        for row in rows
        for key, (said, _, _) in kinds.items()
        if row[key] is not None
    ]
    spans = [
        {"team": row["team"], "low": min(found), "high": max(found)}
        for row in rows
        if (found := [float(value) for key in kinds if (value := row[key]) is not None])
    ]
    color = alt.Scale(domain=names, range=[colour for _, colour, _ in kinds.values()])
    shape = alt.Scale(domain=names, range=[shape for _, _, shape in kinds.values()])
    return alt.layer(
        alt.Chart(paper.data(spans))
        .mark_rule(color=FAINT, strokeWidth=1.5)
        .encode(y=y, x=alt.X("low:Q", title=""), x2="high:Q", opacity=lit()),
        alt.Chart(paper.data(spots))
        .mark_point(filled=True, size=52, opacity=1)
        .encode(
            y=y,
            x=unit_axis(title, "at"),
            opacity=lit(),
            tooltip=tooltips(table),
            color=alt.Color("kind:N", title=None, scale=color, legend=alt.Legend(columns=1 if paper.is_narrow else 3)),
            shape=alt.Shape("kind:N", title=None, scale=shape),
        ),
        not_available(paper, rows, next(iter(kinds)), y),
    ).properties(width=width, height=alt.Step(STEP_PX))


def level_histograms(table: Table, paper: Paper) -> ChartType:
    """How the scans' values are spread: a row of bars for each team."""
    drawn = []
    for dataset, of_dataset in groups(table.rows, "dataset").items():
        order = order_of(paper, of_dataset)
        room = paper.label_px(order)
        parts = groups(of_dataset, "metric")
        columns = min(paper.columns(3), len(parts))
        width = paper.shared(columns, room)
        row_of = [
            titled(
                ridges(
                    paper, table, rows, order, room if number % columns == 0 else 0, width, METRICS.get(metric, metric)
                ),
                f"{dataset}, {METRICS.get(metric, metric)}",
            )
            for number, (metric, rows) in enumerate(parts.items())
        ]
        drawn.append(side_by_side(row_of, columns))
    return alt.vconcat(*drawn, spacing=24)


RIDGE_PX = 30


def ridges(
    paper: Paper, table: Table, rows: Rows, order: Sequence[str], room: int, width: int, title: str
) -> ChartType:
    """Bars of each team over its own line; the highest bar of all fills its row."""
    counted = [row for row in rows if row["scans"] is not None]
    most = max((float(row["scans"] or 0) for row in counted), default=0.0) or 1.0
    bars = [
        {
            **row,
            "foot_px": RIDGE_PX * (order.index(str(row["team"])) + 1),
            "top_px": RIDGE_PX * (order.index(str(row["team"])) + 1 - 0.88 * float(row["scans"] or 0) / most),
        }
        for row in counted
    ]
    total = sum(float(row["scans"] or 0) for row in counted if row["team"] == order[0])
    feet = [{"team": team, "foot_px": RIDGE_PX * (place + 1), "says": team} for place, team in enumerate(order)]
    y = alt.Y("top_px:Q", scale=None, axis=None)
    foot = alt.Y("foot_px:Q", scale=None, axis=None)
    sizes = [f"n = {total:.0f} scans a team", f"highest bar: {most:.0f}"] if counted else []
    x = unit_axis([title, *sizes], "low", ticks=4)
    base = alt.Chart(paper.data(bars))
    line = alt.Chart(paper.data(feet))
    layers: list[ChartType] = [
        base.mark_rect(color=MARK, stroke="white", strokeWidth=0.5).encode(
            x=x, x2="high:Q", y=y, y2="foot_px:Q", tooltip=tooltips(table), opacity=lit(0.85)
        ),
        line.mark_rule(color=FAINT, strokeWidth=0.75).encode(y=foot, x=alt.value(0), x2=alt.value(width)),
    ]
    if room:
        names = line.mark_text(align="right", baseline="bottom", dx=-6, dy=-2, limit=room - 6)
        layers.append(names.encode(y=foot, x=alt.value(0), text="says:N", opacity=lit()))
    if not counted:
        nothing = alt.Chart(paper.data([{}])).mark_text(fontStyle="italic", color=SOFT)
        layers.append(nothing.encode(x=alt.value(width / 2), y=alt.value(20), text=alt.value("n/a")))
    return alt.layer(*layers).properties(width=width, height=RIDGE_PX * len(order))


def detections(table: Table, paper: Paper) -> ChartType:
    """Precision, recall and F1 of detected objects at the threshold from each team's toy cases."""

    def draw(dataset: str, found: list[Row], columns: int) -> ChartType:
        order = order_of(paper, found)
        room = paper.label_px(order)
        width = paper.across(columns, left=room, right=80)
        rows = [{**row, "says": found_text(row)} for row in found]
        chart = points(paper, table, rows, DETECTIONS, order, room, width, "Share of objects or detections")
        counts = beside(paper, rows, team_axis(order, room), width, "true / all found")
        return titled(
            alt.layer(chart, counts).properties(width=width, height=alt.Step(STEP_PX)), dataset, objects_of(found)
        )

    return panels(paper, table.rows, draw)


def found_text(row: Row) -> str:
    """True detections of all."""
    return f"{row['true_positives']} / {row['detections']}" if row["detections"] is not None else ""


def objects_of(rows: Rows) -> str:
    """How many there were to find."""
    counts = [row["objects"] for row in rows if row["objects"] is not None]
    return f"n = {counts[0]} annotated objects" if counts else ""


def deals(table: Table, paper: Paper) -> ChartType:
    """How far the second deal's score lies from the official one, beside what chance would do."""
    shown = [{**row, "error": standard_error(row)} for row in table.rows]
    far = max(
        (abs(float(row["difference"])) + float(row["error"] or 0) for row in shown if row["difference"] is not None),
        default=0.1,
    )
    far = max(0.01, far * 1.1)

    def draw(dataset: str, found: list[Row], columns: int) -> ChartType:
        order = order_of(paper, found)
        room = paper.label_px(order)
        width = paper.across(columns, left=room, right=70)
        y = team_axis(order, room)
        rows = [
            {
                **row,
                "says": signed(row["difference"]),
                "low": -float(row["error"] or 0),
                "high": float(row["error"] or 0),
            }
            for row in shown
            if row["dataset"] == dataset
        ]
        x = alt.X(
            "difference:Q",
            title=["Difference of AP between the deals", "bar: ± SD of batch APs / √batches"],
            scale=alt.Scale(domain=[-far, far], nice=False),
            axis=alt.Axis(tickCount=3, format="+~g", labelExpr="datum.value === 0 ? '0' : datum.label"),
        )
        known = alt.Chart(paper.data(row for row in rows if row["difference"] is not None))
        return titled(
            alt.layer(
                known.mark_bar(color=SHADES[1], height=9).encode(
                    y=y, x=alt.X("low:Q", title=""), x2="high:Q", opacity=lit()
                ),
                alt.Chart(paper.data([{"at": 0}])).mark_rule(color=SOFT).encode(x=alt.X("at:Q", title="")),
                known.mark_point(filled=True, color=MARK, size=60, opacity=1).encode(
                    y=y, x=x, tooltip=tooltips(table), opacity=lit()
                ),
                not_available(paper, rows, "difference", y),
                beside(paper, rows, y, width, "difference"),
            ).properties(width=width, height=alt.Step(STEP_PX)),
            dataset,
            f"n = {found[0]['batches']} batches" if found[0]["batches"] is not None else "",
        )

    return panels(paper, table.rows, draw)


def standard_error(row: Row) -> float | None:
    """Of the mean over batches; None where there is one batch or none."""
    sd, batches = row["sd_of_batches"], row["batches"]
    return float(sd) / float(batches) ** 0.5 if sd is not None and batches else None


def signed(value: Value) -> str:
    """With its sign, and a minus that is one."""
    return f"{round(value, 3) + 0.0:+.3f}".replace("-", "−") if isinstance(value, float | int) else ""


def boards(table: Table, paper: Paper) -> ChartType:
    """Mean of each metric over the data sets; the darker, the better the rank in its row."""
    order = order_of(paper, table.rows)
    ranked = len([team for team in order if team not in BASELINES])
    rows = [
        {
            **row,
            "row": METRICS.get(str(row["metric"]), str(row["metric"])),
            "says": f"{row['mean']:.2f}" if row["mean"] is not None else "n/a",
            "better": better(row, ranked),
        }
        for row in table.rows
    ]
    metrics = list(dict.fromkeys(str(row["row"]) for row in rows))
    room = paper.label_px(order)
    if paper.is_narrow:
        return turned_boards(paper, table, rows, order, metrics)
    left = paper.label_px(metrics)
    width = min(52 * len(order), paper.across(1, left=left, right=30))
    x = alt.X(
        "team:N",
        sort=order,
        title=None,
        scale=alt.Scale(domain=order),
        axis=alt.Axis(orient="top", labelAngle=-40, labelLimit=room, domain=False, ticks=False),
    )
    y = team_axis(metrics, left, key="row", grid=False)
    return cells(paper, table, rows, x, y).properties(width=width, height=alt.Step(STEP_PX))


def better(row: Row, ranked: int) -> float | None:
    """1 for the first, 0 for the last and where there is nobody to compare with; None: not ranked."""
    if row["rank"] is None or row["mean"] is None:
        return None
    return 1 - (float(row["rank"]) - 1) / (ranked - 1) if ranked > 1 else 0.0


def turned_boards(paper: Paper, table: Table, rows: Rows, order: list[str], metrics: list[str]) -> ChartType:
    """The same with a row a team, where the paper is narrow."""
    room = paper.label_px(order)
    x = alt.X("row:N", sort=metrics, title=None, axis=alt.Axis(orient="top", labelAngle=-55, domain=False, ticks=False))
    y = team_axis(order, room, grid=False)
    return cells(paper, table, rows, x, y).properties(width=paper.across(1, left=room + 32), height=alt.Step(STEP_PX))


def cells(paper: Paper, table: Table, rows: Rows, x: alt.X, y: alt.Y) -> ChartType:
    """A cell for each metric and team."""
    base = alt.Chart(paper.data(rows))
    legend = alt.Legend(values=[0, 1], labelExpr="datum.value === 1 ? 'first' : 'last'", gradientLength=120)
    shade = alt.Color(
        "better:Q",
        title="rank; cells: mean over data sets",
        scale=alt.Scale(domain=[0, 1], range=list(SHADES), interpolate="rgb"),
        legend=legend,
    )
    dark = "datum.better > 0.6"
    return alt.layer(
        base.mark_rect(stroke="white", strokeWidth=1.5).encode(
            x=x, y=y, color=shade, tooltip=tooltips(table), opacity=lit()
        ),
        base.mark_text(fontSize=9.5).encode(
            x=x, y=y, text="says:N", opacity=lit(), color=alt.condition(dark, alt.value("white"), alt.value(INK))
        ),
    )
