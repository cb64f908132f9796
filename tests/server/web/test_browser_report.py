"""Reports in a real Chromium, under their content policies."""

import zipfile

import pytest
from playwright.sync_api import Page, expect

from server import analyses
from server.protocol import Task
from tests.server.web.browsing import PHONE, Windows
from tests.server.web.conftest import Play
from tests.server.web.made_up import Maker
from tests.server.web.test_analyses_pages import publish
from tests.server.web.test_report import document
from tests.server.web.test_toy_report import CURVE, HISTOGRAM, toy_slices, with_slices
from tests.server.world import World

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("backend", ["embedded"], indirect=True)]

PRINTED_MS = 120_000  # a report that nobody has asked for yet is made first
LOADED = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
FEW = {name: table for name, table in Maker(("One", "Two")).tables().items() if name in {"consensus", "categories"}}


def keep(world: World) -> None:
    """As if the sweeper had computed it."""
    with world.db.write() as session:
        made = document(("One", "Two"), slug="tiny", tables=FEW)
        analyses.keep(session, world.challenge(session).id, made, "mark")


def fits(page: Page, width: int) -> bool:
    found: int = page.evaluate("document.documentElement.scrollWidth")
    return found <= width


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_report_is_read_by_everybody_once_it_is_published(open_page: Windows, world: World, width: int) -> None:
    keep(world)
    publish(world, world.organizer())
    page = open_page(width=width, who="visitor")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/report/pixel.html", timeout=PRINTED_MS)
    expect(page.get_by_role("heading", name="Methods")).to_be_visible()
    assert page.evaluate("document.images.length") >= 2
    assert page.evaluate(LOADED)
    assert fits(page, width)
    assert [url for url in asked if not url.startswith("data:")] == [page.url]


def test_organizer_fetches_all_files_from_the_organizers_page(open_page: Windows, world: World) -> None:
    keep(world)
    page = open_page(who="organizer")
    page.goto("/organizer")
    with page.expect_download(timeout=PRINTED_MS) as fetched:
        page.locator("a[href='/report/pixel.zip']").click()
    with zipfile.ZipFile(fetched.value.path()) as archive:
        assert "tiny-pixel-report/figures/consensus.svg" in archive.namelist()


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_toy_report_has_its_pictures_and_plots(open_page: Windows, world: World, play: Play, width: int) -> None:
    submission = world.submit(task=Task.PIXEL)
    page = open_page(width=width)
    page.goto(f"/submissions/{submission}")
    sha256 = world.store.put(toy_slices().to_bytes())
    play.toy(world.claim(), task="pixel", curve=CURVE, histogram=HISTOGRAM, cases=with_slices(sha256))
    picture = page.locator(".slices img")  # comes with the page's own events
    expect(picture).to_be_visible()
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", value=True)
    assert picture.evaluate("image => image.naturalWidth") > 0
    expect(page.locator("svg.plot")).to_have_count(2)
    assert fits(page, width)
