"""One quantity against another: AP against size, contrast, run time and memory; toy data against test data."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import altair as alt
from altair.typing import ChartType

from evaluator.analysis.tables import Row, Table
from server.web.charts.paper import (
    BASELINES,
    FAINT,
    INK,
    LETTER_PX,
    MARK,
    SOFT,
    Paper,
    Rows,
    axis_title,
    beside,
    lit,
    not_available,
    order_of,
    panels,
    spread,
    team_axis,
    team_colour,
    team_dash,
    team_shape,
    titled,
    tooltips,
    unit_axis,
)

AP_AXIS = alt.Y(
    "ap:Q",
    title="AP",
    scale=alt.Scale(domain=[0, 1]),
    axis=alt.Axis(tickCount=5, minExtent=30, maxExtent=30, titlePadding=2),
)
HEIGHT_PX = 230
LEAST, MOST = 40, 600  # area of a circle, px²
MEMORIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)  # GB, in a legend
COSTS_PX = 270
AWAY_PX = 9  # a name so far from its circle gets a line to it
FEW = 2  # names that fit into a line
LONGEST = 22  # letters of a name in the picture
LABEL_PX = 13  # from one label to the next
EVERY = 4  # a line bears a mark at each fourth point, each team's at another one


def sizes(table: Table, paper: Paper) -> ChartType:
    """AP against the radius of a sphere at a fixed place, a line a submission."""
    return lines(table, paper, "radius_voxels")


def contrasts(table: Table, paper: Paper) -> ChartType:
    """AP against the intensity of a sphere at a fixed place, a line a submission."""
    return lines(table, paper, "intensity")


def lines(table: Table, paper: Paper, name: str) -> ChartType:
    """A line for each team, named at its end."""
    order = order_of(paper, table.rows)

    def draw(dataset: str, found: list[Row], columns: int) -> ChartType:
        defined = [row for row in found if row["ap"] is not None]
        room = paper.label_px(order, most=128) + 26
        width = paper.across(columns, left=40, right=room)
        curves = alt.layer(*curves_of(table, paper, defined, order, name))
        chart = alt.layer(curves, alt.layer(*ends_of(paper, defined, order, name, width, room)))
        nothing = "" if defined else "n/a: no number is defined"
        sized = chart.resolve_scale(y="independent").properties(width=width, height=HEIGHT_PX)
        return titled(sized, dataset, nothing)

    return panels(paper, table.rows, draw)


def curves_of(table: Table, paper: Paper, rows: Rows, order: Sequence[str], name: str) -> list[alt.Chart]:
    """Lines, and a mark at some of their points."""
    x = alt.X(
        f"{name}:Q",
        title=[axis_title(table, name), "n = 1 scan, one anomaly a point"],
        scale=alt.Scale(nice=False, zero=False, padding=3),
        axis=alt.Axis(grid=False, tickCount=5),
    )
    look: dict[str, Any] = {
        "x": x,
        "y": AP_AXIS,
        "color": team_colour(order),
        "opacity": lit(),
        "tooltip": tooltips(table),
    }
    marks = [row for row in rows if row["team"] not in BASELINES and marked(row, rows, order)]
    return [
        alt.Chart(paper.data(rows)).mark_line(strokeWidth=1.75).encode(strokeDash=team_dash(order), **look),
        alt.Chart(paper.data(marks))
        .mark_point(filled=True, size=42, opacity=1)
        .encode(shape=team_shape(order), **look),
    ]


def ends_of(paper: Paper, rows: Rows, order: Sequence[str], name: str, width: int, room: int) -> list[alt.Chart]:
    """Each line's name at its end, with its mark; names do not touch."""
    end = alt.Chart(paper.data(labels_of(rows, order, name)))
    y = alt.Y("label_px:Q", scale=None, axis=None)
    shape, colour = team_shape(order), team_colour(order)
    return [
        end.mark_rule(color=FAINT, strokeWidth=0.75).encode(
            x=alt.value(width),
            x2=alt.value(width + 10),
            y=alt.Y("end_px:Q", scale=None, axis=None),
            y2="label_px:Q",
            opacity=lit(),
        ),
        end.mark_point(filled=True, size=42, opacity=1).encode(
            x=alt.value(width + 16), y=y, shape=shape, color=colour, opacity=lit()
        ),
        end.mark_text(align="left", baseline="middle", fontSize=10.5, limit=room - 26).encode(
            x=alt.value(width + 24), y=y, text="team:N", opacity=lit()
        ),
    ]


def marked(row: Row, rows: Rows, order: Sequence[str]) -> bool:
    """Bears this point of a line a mark? Marks of different teams stand at different points."""
    points = [other for other in rows if other["team"] == row["team"]]
    return (points.index(row) + order.index(str(row["team"]))) % min(EVERY, max(1, len(points) // 2)) == 0


def labels_of(rows: Rows, order: Sequence[str], name: str) -> list[Mapping[str, Any]]:
    """Where each line ends and where its name stands, px from the top."""
    last: dict[str, Row] = {}
    for row in rows:
        team = str(row["team"])
        if team not in last or float(row[name] or 0) >= float(last[team][name] or 0):
            last[team] = row
    teams = [team for team in order if team in last]
    ends = [HEIGHT_PX * (1 - float(last[team]["ap"] or 0)) for team in teams]
    places = spread(ends, LABEL_PX, 4, HEIGHT_PX - 4)
    return [{"team": t, "end_px": end, "label_px": at} for t, end, at in zip(teams, ends, places, strict=True)]


def costs(table: Table, paper: Paper) -> ChartType:
    """AP against run time; a circle's area is the peak memory, a team's name stands beside it."""
    known = [row for row in table.rows if row["seconds_a_case"] and row["ap"] is not None]
    times = [float(row["seconds_a_case"] or 1) for row in known]
    low, high = (min(times) * 0.5, max(times) * 2) if times else (1.0, 100.0)
    most = max((float(row["peak_memory_gb"] or 0) for row in known), default=0.0) or 1.0
    top = min(1.0, math.ceil(10 * max((float(row["ap"] or 0) for row in known), default=1.0) + 0.5) / 10)

    def draw(dataset: str, found: list[Row], columns: int) -> ChartType:
        width = paper.across(columns, left=56)
        left_out = [str(row["team"]) for row in found if row not in known]
        points = [
            {
                **row,
                "x_px": width * math.log(float(row["seconds_a_case"] or 1) / low) / math.log(high / low),
                "y_px": COSTS_PX * (1 - float(row["ap"] or 0) / top),
                "size": LEAST + (MOST - LEAST) * float(row["peak_memory_gb"] or 0) / most,
            }
            for row in found
            if row in known
        ]
        x = alt.X(
            "seconds_a_case:Q",
            title=f"{axis_title(table, 'seconds_a_case')}, logarithmic",
            scale=alt.Scale(type="log", domain=[low, high], nice=False),
            axis=alt.Axis(values=ticks_of(low, high), format="~g", grid=False),
        )
        y = AP_AXIS.copy()
        y["scale"] = alt.Scale(domain=[0, top], nice=False)
        size = alt.Size(
            "peak_memory_gb:Q",
            title=axis_title(table, "peak_memory_gb"),
            scale=alt.Scale(domain=[0, most], range=[LEAST, MOST]),
            legend=alt.Legend(values=[value for value in MEMORIES if value <= most][-3:] or [most]),
        )
        circles = alt.Chart(paper.data(points)).mark_circle(color=MARK, stroke=INK, strokeWidth=0.75)
        chart = alt.layer(
            circles.encode(x=x, y=y, opacity=lit(0.45), tooltip=tooltips(table), size=size),
            *names(paper, names_of(points, width, COSTS_PX)),
        ).resolve_scale(x="independent", y="independent")
        absent = ", ".join(left_out) if len(left_out) <= FEW else f"{len(left_out)} submissions"
        nothing = f"n/a: {absent}" if left_out else ""
        return titled(chart.properties(width=width, height=COSTS_PX), dataset, nothing)

    return panels(paper, table.rows, draw)


def names(paper: Paper, placed: Sequence[Mapping[str, Any]]) -> list[alt.Chart]:
    """Names at their places, each with a line to its circle where that is away."""

    def px(channel: type[alt.X] | type[alt.Y], name: str) -> Any:
        return channel(f"{name}:Q", scale=None, axis=None)

    away = alt.Chart(paper.data(name for name in placed if name["is_away"]))
    words = alt.Chart(paper.data(placed)).mark_text(fontSize=10, align="left", baseline="middle")
    return [
        away.mark_rule(color=SOFT, strokeWidth=0.6).encode(
            x=px(alt.X, "x_px"), y=px(alt.Y, "y_px"), x2="foot_px:Q", y2="top_px:Q", opacity=lit()
        ),
        words.encode(x=px(alt.X, "left_px"), y=px(alt.Y, "top_px"), text="says:N", opacity=lit()),
    ]


def ticks_of(low: float, high: float) -> list[float]:
    """Whole powers of ten and, where these are few, two and five times them."""
    decades = math.log10(high / low)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if decades > 3 else (1, 3) if decades > 1.5 else (1, 2, 5)  # noqa: PLR2004  so many ticks fit
    return [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]


def names_of(points: Sequence[Mapping[str, Any]], width: float, height: float) -> list[Mapping[str, Any]]:
    """Put each name where it covers least: right, left, above or below its circle. Positions in px, left middle."""
    boxes: list[tuple[float, float, float, float]] = [
        (p["x_px"] - r, p["y_px"] - r, p["x_px"] + r, p["y_px"] + r)
        for p in points
        for r in (math.sqrt(p["size"] / math.pi),)
    ]
    placed: list[Mapping[str, Any]] = []
    for point in points:
        team = str(point["team"])
        says = team if len(team) <= LONGEST else f"{team[: LONGEST - 1].rstrip(', ')}…"
        long = len(says) * LETTER_PX * 0.92

        def cost(offer: tuple[float, float, float], long: float = long) -> float:
            box = (offer[0] - 2, offer[1] - 6, offer[0] + long + 2, offer[1] + 6)
            outside = max(0, -box[0]) + max(0, box[2] - width) + max(0, -box[1]) + max(0, box[3] - height)
            return 30 * outside + sum(overlap(box, other) for other in boxes) + offer[2]

        left, top, far = min(offers(point, long), key=cost)
        boxes.append((left, top - 6, left + long, top + 6))
        foot = min(max(point["x_px"], left), left + long)  # of the line to its circle
        placed.append(
            {
                "team": team, "says": says, "left_px": left, "top_px": top, "foot_px": foot,
                "x_px": point["x_px"], "y_px": point["y_px"], "is_away": far >= AWAY_PX,
            }
        )  # fmt: skip
    return placed


def offers(point: Mapping[str, Any], long: float) -> Iterator[tuple[float, float, float]]:
    """Places for a name of so many px, each with how much it is disliked: the farther, the more."""
    x, y = point["x_px"], point["y_px"]
    for far in (3, AWAY_PX, 16, 26, 38):
        r = math.sqrt(point["size"] / math.pi) + far
        yield from ((x + r, y, far), (x - r - long, y, far + 1))
        for up in (-1, 1):
            yield (x - long / 2, y + up * (r + 5), far + 2)
            yield (x + 0.7 * r, y + up * (0.7 * r + 3), far + 2)
            yield (x - 0.7 * r - long, y + up * (0.7 * r + 3), far + 3)


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Area that two boxes share, px²; boxes are left, top, right, bottom."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)


PROXIES = {"toy": ("toy cases", "square"), "toyish": ("toy-ish set", "circle")}


def proxies(table: Table, paper: Paper) -> ChartType:
    """How like the official ranking one by toy data is."""
    rows = [
        {
            **row,
            "key": f"{row['dataset']}, {PROXIES.get(str(row['proxy']), (row['proxy'], ''))[0]}",
            "says": tau_text(row),
        }
        for row in table.rows
    ]
    order = [str(row["key"]) for row in rows]
    room = paper.label_px(order)
    width = min(400, paper.across(1, left=room, right=110))
    y = team_axis(order, room, key="key")
    x = unit_axis("Kendall's tau-b to the official ranking", "tau_b", low=-1.0, ticks=4)
    points = alt.Chart(paper.data(row for row in rows if row["tau_b"] is not None))
    zero = alt.Chart(paper.data([{"at": 0}])).mark_rule(color=SOFT, strokeDash=[3, 3])
    return alt.layer(
        zero.encode(x=alt.X("at:Q", title="")),
        points.mark_rule(color=MARK, strokeWidth=2).encode(y=y, x=alt.X("tau_b:Q", title=""), x2=alt.datum(0)),
        points.mark_point(filled=True, color=MARK, size=70, opacity=1).encode(
            y=y,
            x=x,
            tooltip=tooltips(table),
            shape=alt.Shape(
                "proxy:N", legend=None, scale=alt.Scale(domain=list(PROXIES), range=[s for _, s in PROXIES.values()])
            ),
        ),
        not_available(paper, rows, "tau_b", y),
        beside(paper, rows, y, width, "tau-b (n)"),
    ).properties(width=width, height=alt.Step(24))


def tau_text(row: Row) -> str:
    """The number, and of how many teams."""
    n = f" ({row['n_teams']} teams)" if row["n_teams"] is not None else ""
    return f"{row['tau_b']:.3f}{n}".replace("-", "−") if row["tau_b"] is not None else n.strip()
