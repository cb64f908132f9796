"""The analyses in a real Chromium, under the content policy of a real server."""

import json

import pytest
from playwright.sync_api import Page, expect

from server.protocol import Task
from server.web.charts import CHARTS
from tests.server.detections import LARGE, SMALL, with_detections
from tests.server.web.browsing import PHONE, Windows
from tests.server.web.conftest import Play
from tests.server.web.made_up import TEAMS, Maker
from tests.server.web.test_analyses_pages import keep, publish
from tests.server.world import World

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("backend", ["embedded"], indirect=True)]

SMALL_TABLES = Maker(teams=TEAMS[:4], datasets=("brain",)).tables()
IS_WIDER = "place => place.scrollWidth > place.clientWidth"
DRAWN_MS = 60_000  # a chart that nobody has asked for yet is drawn by the server first


@pytest.fixture
def published(world: World) -> None:
    keep(world, SMALL_TABLES)
    publish(world, world.organizer())


def chart(page: Page, name: str) -> None:
    """Scroll to a chart until it is drawn."""
    place = page.locator(f"[data-chart$='/{name}.vl']")
    place.scroll_into_view_if_needed()
    expect(place).to_have_attribute("data-drawn", "yes", timeout=DRAWN_MS)
    expect(place.locator("svg")).to_be_visible()


@pytest.mark.usefixtures("published")
def test_every_chart_is_drawn_under_the_content_policy_and_fits_a_phone(open_page: Windows) -> None:
    page = open_page(width=PHONE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/analyses/pixel")
    for name in CHARTS:
        chart(page, name)
    host = page.url.split("/analyses")[0]
    assert not [url for url in asked if not url.startswith((host, "data:"))]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    wide = (
        "[...document.querySelectorAll('.chart')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.dataset.chart)"
    )
    assert page.evaluate(wide) == []


@pytest.mark.usefixtures("published")
def test_reader_points_at_a_team_in_all_charts(open_page: Windows) -> None:
    page = open_page()
    page.goto("/analyses/pixel")
    chart(page, "consensus")
    chart(page, "places")
    faint = page.locator("[data-chart$='/consensus.vl'] svg .mark-symbol path[opacity='0.12']")
    expect(faint).to_have_count(0)
    page.get_by_label("Point at a team").select_option("FPI")
    expect(faint).to_have_count(3)
    expect(page.locator("[data-chart$='/places.vl'] svg .mark-symbol path[opacity='0.12']")).to_have_count(3)
    page.get_by_label("Point at a team").select_option("all alike")
    expect(faint).to_have_count(0)


@pytest.mark.usefixtures("published")
def test_what_a_mark_stands_for_is_told_where_the_pointer_is(open_page: Windows) -> None:
    page = open_page()
    page.goto("/analyses/pixel")
    chart(page, "consensus")
    page.locator("[data-chart$='/consensus.vl'] svg .mark-symbol path").first.hover()
    expect(page.locator("#vg-tooltip-element")).to_contain_text("FPI")


@pytest.mark.usefixtures("published")
def test_page_without_javascript_has_pictures_and_tables(open_page: Windows) -> None:
    page = open_page(javascript=False)
    page.goto("/analyses/pixel")
    picture = page.get_by_alt_text("Chart: Consensus ranking.")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", value=True, timeout=DRAWN_MS)
    assert picture.evaluate("e => e.naturalWidth") > 100
    page.get_by_text("Table: Consensus ranking").click()
    expect(page.get_by_role("cell", name=TEAMS[1], exact=True).first).to_be_visible()


@pytest.mark.usefixtures("published")
def test_tables_are_downloaded(open_page: Windows) -> None:
    page = open_page()
    page.goto("/analyses/pixel")
    card = page.get_by_role("article", name="Consensus ranking")
    with page.expect_download() as csv:
        card.get_by_role("link", name="CSV").click()
    assert csv.value.path().read_text() == SMALL_TABLES["consensus"].csv()
    with page.expect_download() as whole:
        card.get_by_role("link", name="JSON").click()
    assert json.loads(whole.value.path().read_text())["name"] == "consensus"


def test_expert_judges_by_keyboard(open_page: Windows, world: World, play: Play) -> None:
    job = with_detections(world, play.scored("A", task=Task.PIXEL), test0=(SMALL,), test1=(LARGE,))
    page = open_page(who="organizer")
    page.goto(f"/judging/{job}")
    page.get_by_role("article", name="test1.nii.gz").get_by_role("button", name="Imaging artefact").press("Enter")
    expect(page.get_by_text("1 of 2 unmatched detections are judged")).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(1)
    page.get_by_role("link", name="All", exact=True).click()
    pressed = page.get_by_role("article", name="test1.nii.gz").get_by_role("button", pressed=True)
    expect(pressed).to_have_text("Imaging artefact")
