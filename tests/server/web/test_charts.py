"""Charts as specifications: every table has one, they say what they are made of, and fit where they are put."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from altair.vegalite.v6.schema.core import Root

from evaluator.analysis.tables import Table, table
from server.web import charts, drawings, vector
from server.web.charts.paper import BASELINES, MEDIAN, Paper, order_of, spread
from server.web.charts.sweeps import names_of, overlap, ticks_of
from tests.server.web.made_up import TEAMS, Maker

NAMES = (
    "consensus", "places", "rank_probabilities", "rank_agreement", "schemes", "tests", "categories", "difficulty",
    "false_alarms", "sizes", "contrasts", "proxies", "levels", "level_histograms", "detections", "deals", "costs",
    "boards",
)  # fmt: skip
KEYS = {"radius_voxels", "intensity", "difficulty", "low", "high"}  # numbers that are never undefined
FULL = Maker().tables()
FEW = Maker(teams=TEAMS[:2], datasets=("brain",)).tables()
ONE = Maker(teams=TEAMS[:1], datasets=("brain",)).tables()
MANY = Maker(teams=[f"Team {number}" for number in range(20)]).tables()


def undefined(found: Table) -> Table:
    """The same rows, no number of them defined."""
    kept = {column.name for column in found.columns if column.kind == "text"} | KEYS
    rows = [{name: value if name in kept else None for name, value in row.items()} for row in found.rows]
    return table(found.name, found.title, found.caption, found.columns, rows)


def drawn(found: Table, *, width: int = charts.PAGE, teams: Sequence[str] = ()) -> dict[str, Any]:
    spec = charts.chart(found, width=width, teams=teams)
    assert spec is not None
    return spec


@cache
def usual(name: str) -> dict[str, Any]:
    """The chart of ten teams on a page's width; nobody changes it."""
    return drawn(FULL[name])


def nodes(value: Any, above: str = "") -> Iterator[dict[str, Any]]:
    """Every object inside a specification but its data; `rows` names the data of each mark, its own or its layer's."""
    if isinstance(value, dict):
        name = value["data"]["name"] if "data" in value else above
        yield {**value, "rows": name}
        for key, one in value.items():
            if key != "datasets":
                yield from nodes(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from nodes(one, above)


def picture_width(spec: Mapping[str, Any]) -> float:
    """Of the drawn chart, px."""
    found = re.search(r'<svg[^>]* width="([\d.]+)"', vector.svg(spec))
    assert found
    return float(found[1])


def test_every_table_has_a_chart() -> None:
    assert tuple(FULL) == NAMES
    assert set(charts.CHARTS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_charts_are_vega_lite(name: str) -> None:
    Root.from_dict(drawn(FEW[name]) | {"datasets": {}}, validate=True)


@pytest.mark.parametrize("name", [name for name in NAMES if ONE[name].rows])
def test_charts_of_one_team_are_drawn(name: str) -> None:
    assert vector.svg(drawn(ONE[name])).count("<path") > 1


def test_a_table_without_rows_and_an_unknown_one_have_no_chart() -> None:
    assert charts.chart(table("consensus", "t", "c", FULL["consensus"].columns, ())) is None
    assert charts.chart(table("news", "t", "c", (), ())) is None


@pytest.mark.parametrize("name", NAMES)
def test_charts_carry_their_data_and_fetch_nothing(name: str) -> None:
    spec = usual(name)
    called = {node["data"]["name"] for node in nodes(spec) if "data" in node}
    assert called == set(spec["datasets"])
    assert not [node for node in nodes(spec) if "url" in node]
    json.dumps(spec, allow_nan=False)


@pytest.mark.parametrize("name", NAMES)
def test_charts_fit_a_phone_and_a_page(name: str) -> None:
    assert picture_width(usual(name)) <= charts.PAGE + 1
    assert picture_width(drawn(FULL[name], width=321)) <= 321 + 1


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"rank_probabilities", "tests", "schemes"}])
def test_what_is_undefined_says_so_and_is_not_drawn_at_0(name: str) -> None:
    spec = drawn(undefined(FEW[name]))
    assert "n/a" in vector.svg(spec)
    for node in nodes(spec):
        if isinstance(node.get("mark"), dict) and node["mark"]["type"] in {"point", "circle", "line", "rule", "tick"}:
            encoded = {one.get("field") for key, one in node["encoding"].items() if key in {"x", "y"}} - {None}
            rows = spec["datasets"][node["rows"]]
            assert not [row for row in rows if any(row.get(field) is None for field in encoded)]


@pytest.mark.parametrize("name", NAMES)
def test_axes_of_quantities_have_titles(name: str) -> None:
    for node in nodes(usual(name)):
        for channel, one in node.get("encoding", {}).items():
            has_axis = isinstance(one, dict) and one.get("axis", {}) is not None and one.get("type") == "quantitative"
            if channel in {"x", "y"} and has_axis and name != "difficulty":
                assert one.get("title") is not None, (name, channel, one)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("consensus", "Rank of 10 teams"), ("places", "n = 542 cases, 268 anomalous"), ("tests", "n = 28, unit: batch"),
        ("categories", "n anomalous cases, 40 normal"), ("difficulty", "n = 12"), ("sizes", "n = 1 scan"),
        ("false_alarms", "n anomalous cases, 40 normal"), ("proxies", "(10 teams)"), ("deals", "n = 28 batches"),
        ("levels", "n = 268 scans, 274 left out"), ("detections", "n = 300 annotated objects"), ("costs", "[s]"),
    ],
)  # fmt: skip
def test_charts_say_how_many_they_are_made_from(name: str, said: str) -> None:
    assert said in json.dumps(usual(name))


def test_a_team_looks_the_same_in_all_charts() -> None:
    order = tuple(reversed(TEAMS))
    looks = {
        json.dumps(node["encoding"]["color"]["scale"])
        for name in ("sizes", "contrasts")
        for node in nodes(drawn(FULL[name], teams=order))
        if node.get("encoding", {}).get("color", {}).get("field") == "team"
    }
    assert len(looks) == 1
    assert json.loads(looks.pop())["domain"] == list(order)


def test_no_two_of_twenty_teams_look_alike() -> None:
    scales: dict[str, list[Any]] = {}
    for node in nodes(drawn(MANY["sizes"])):
        for channel in ("color", "shape", "strokeDash"):
            scale = node.get("encoding", {}).get(channel, {}).get("scale")
            if scale:
                scales[channel] = scale["range"]
    assert len({str(look) for look in zip(scales["color"], scales["shape"], strict=True)}) == 20
    assert len({str(look) for look in zip(scales["color"], scales["strokeDash"], strict=True)}) == 20


def test_predictors_that_see_nothing_come_last() -> None:
    rows = [{"team": name} for name in ("random", "B", "constant", "A")]
    assert order_of(Paper(width=720, teams=("A", "B")), rows) == ["A", "B", *BASELINES]


def test_page_points_at_a_team_by_a_parameter() -> None:
    for name in NAMES:
        assert usual(name)["params"] == [{"name": "highlight", "value": ""}]
    assert "highlight" in json.dumps(usual("places")["concat"])


def test_median_stands_over_ticks_of_submissions() -> None:
    spec = usual("categories")
    marks = {node["mark"]["type"]: node for node in nodes(spec) if isinstance(node.get("mark"), dict)}
    assert {row["team"] for row in spec["datasets"][marks["point"]["rows"]]} == {MEDIAN}


def test_cells_of_tests_tell_the_level_of_p() -> None:
    spec = usual("tests")
    cells = [row for rows in spec["datasets"].values() for row in rows]
    assert all((row["p_holm"] < 0.05) == (row["level"] != "not significant") for row in cells)
    assert {row["says"] for row in cells if row["level"] == "p < 0.001"} == {"***"}


def test_tied_teams_keep_their_order_from_scheme_to_scheme() -> None:
    columns = FULL["schemes"].columns
    ranks = {"Zeta": (1, 1), "Alpha": (2, 1), "Beta": (3, 1)}
    rows = [
        {
            "dataset": "brain", "team": team, "aggregate_then_rank": one, "rank_then_aggregate": None,
            "test_based": other, "moves": "no",
        }
        for team, (one, other) in ranks.items()
    ]  # fmt: skip
    spec = drawn(table("schemes", "t", "c", columns, rows))
    nodes_of = max(spec["datasets"].values(), key=len)
    assert [(row["team"], row["scheme"], row["slot"], row["rank"]) for row in nodes_of] == [
        ("Zeta", "aggregate, then rank", 1, 1), ("Alpha", "aggregate, then rank", 2, 2),
        ("Beta", "aggregate, then rank", 3, 3), ("Zeta", "by tests", 1, 1), ("Alpha", "by tests", 2, 1),
        ("Beta", "by tests", 3, 1),
    ]  # fmt: skip


# --- labels -----------------------------------------------------------------------------------------------


def test_labels_are_spread_as_little_as_need_be() -> None:
    assert spread([10, 50], 20, 0, 100) == [10, 50]
    assert spread([50, 50], 20, 0, 100) == [40, 60]
    assert spread([60, 50, 55], 20, 0, 100) == [75, 35, 55]
    assert spread([0, 0, 0], 20, 0, 100) == [0, 20, 40]
    assert spread([100, 100], 20, 0, 100) == [80, 100]
    assert spread([], 20, 0, 100) == []


def test_labels_share_the_room_where_there_is_too_little() -> None:
    assert spread([50, 50, 50], 80, 0, 100) == [0, 50, 100]


def test_names_in_the_picture_do_not_cover_one_another() -> None:
    points = [{"team": f"A long name {n}", "x_px": 100.0, "y_px": 100.0 + 3 * n, "size": 60.0} for n in range(4)]
    placed = names_of(points, 400, 300)
    boxes = [(one["left_px"], one["top_px"] - 5, one["left_px"] + 60, one["top_px"] + 5) for one in placed]
    assert all(overlap(one, other) == 0 for n, one in enumerate(boxes) for other in boxes[:n])
    assert any(one["is_away"] for one in placed)


def test_ticks_of_time_are_round() -> None:
    assert ticks_of(0.5, 12) == [0.5, 1, 2, 5, 10]
    assert ticks_of(2, 800) == [3, 10, 30, 100, 300]
    assert ticks_of(1, 5000) == [1, 10, 100, 1000]


# --- kept drawings ----------------------------------------------------------------------------------------


def test_drawings_are_of_a_few_widths_so_that_they_are_kept() -> None:
    first = drawings.spec(FULL["places"], width=733)
    assert first is drawings.spec(FULL["places"], width=839)
    assert first != drawings.spec(FULL["places"], width=350)
    assert drawings.spec(FULL["places"], width=20) == drawings.spec(FULL["places"], width=300)


def test_a_chart_that_many_ask_for_at_once_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Barrier(2)
    drawn: list[object] = []

    def slow(spec: object) -> str:
        drawn.append(spec)
        with suppress(BrokenBarrierError):
            both.wait(0.2)  # another one that draws would come here too
        return "<svg/>"

    monkeypatch.setattr(vector, "svg", slow)
    asked = Maker(teams=["Asked for by many"], datasets=("brain",)).tables()["consensus"]  # no other test's: it is kept
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(drawings.svg, [asked, asked])) == {"<svg/>"}
    assert len(drawn) == 1


def test_drawings_follow_the_table() -> None:
    svg = drawings.svg(FULL["consensus"])
    assert svg is not None
    assert "FPI" in svg
    assert svg != drawings.svg(ONE["consensus"])
    assert drawings.svg(table("news", "t", "c", (), ())) is None


def test_pictures_are_png() -> None:
    png = drawings.png(FULL["rank_agreement"])
    assert png is not None
    assert png.startswith(b"\x89PNG")


def test_drawer_gives_teams_their_order() -> None:
    draw = drawings.drawer(FULL)
    assert draw(FULL["sizes"]) == drawings.svg(FULL["sizes"], teams=charts.teams_of(FULL))
    assert charts.teams_of({}) == ()
