"""The leaderboard in a real Chromium: sorting, switching, publishing, sealing, downloading, re-scoring."""

import csv
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, expect

from server import analyses
from server.models import Score
from server.protocol import Task
from tests.server.test_leaderboard import score
from tests.server.web.browsing import PHONE, Windows
from tests.server.world import NOW, World

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("backend", ["embedded"], indirect=True)]
BOARD = "/leaderboard/pixel"


@pytest.fixture
def board(world: World) -> World:
    """Three teams in the pixel task, two of them tied on top; analyses are computed."""
    for team, constant in (("Team", False), ("Best too", False), ("Constant", True)):
        score(world, team, task=Task.PIXEL, constant=constant)
    analyses.compute(world.db, world.store, "tiny", Task.PIXEL, world.now)
    return world


def teams(page: Page) -> list[str]:
    return [text.removesuffix(" your team") for text in page.locator("table.board tbody th").all_inner_texts()]


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize("javascript", [True, False])
def test_headings_sort_with_javascript_and_without(open_page: Windows, *, javascript: bool) -> None:
    page = open_page(javascript=javascript, who="organizer")
    page.goto(BOARD)
    assert teams(page) == ["Best too", "Team", "Constant"]
    heading = page.get_by_role("columnheader", name="AP brain")
    heading.get_by_role("link").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    heading.get_by_role("link").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert teams(page) == ["Constant", "Best too", "Team"]
    page.get_by_role("columnheader", name="Team").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Team")).to_have_attribute("aria-sort", "ascending")
    assert teams(page) == ["Best too", "Constant", "Team"]
    page.reload()  # the address says it all
    assert teams(page) == ["Best too", "Constant", "Team"]


@pytest.mark.usefixtures("board")
def test_what_is_undefined_comes_last_by_the_script_too(open_page: Windows, world: World) -> None:
    with world.db.write() as session:
        for row in session.query(Score).limit(2):
            row.metrics = row.metrics | {"aupro_30": None}
    page = open_page(who="organizer")
    page.goto(f"{BOARD}?metric=aupro_30")
    mean = page.get_by_role("columnheader", name="Mean").get_by_role("link")
    lasts = []
    for _ in range(2):
        mean.click()
        lasts.append(page.locator("table.board tbody tr").last.locator("td").nth(3).inner_text())
    assert lasts == ["n/a", "n/a"]


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize("javascript", [True, False])
def test_schemes_and_metrics_are_switched(open_page: Windows, *, javascript: bool) -> None:
    page = open_page(javascript=javascript, who="organizer")
    page.goto(BOARD)
    expect(page.locator("table.board tbody td.rank").first).to_contain_text("1=")
    expect(page.locator("table.board thead")).to_contain_text("95 % interval")
    page.get_by_role("link", name="Rank, then aggregate").click()
    expect(page.get_by_role("heading", name="Rank, then aggregate")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Official rank")).to_be_visible()
    page.get_by_label("or by").select_option("AUROC (voxels)")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="AUROC (voxels)")).to_be_visible()
    assert teams(page) == ["Best too", "Team", "Constant"]


@pytest.mark.usefixtures("board")
def test_organizer_publishes_and_takes_back(open_page: Windows) -> None:
    organizer, visitor = open_page(who="organizer"), open_page(who="visitor")
    organizer.goto(BOARD)
    organizer.get_by_role("button", name="Publish", exact=True).click()
    expect(organizer.get_by_text("This leaderboard is published.")).to_be_visible()
    visitor.goto(BOARD)
    assert teams(visitor) == ["Best too", "Team", "Constant"]
    organizer.get_by_role("button", name="Take it back").click()
    expect(organizer.get_by_text("is not published: only organizers")).to_be_visible()
    visitor.reload()
    expect(visitor.get_by_text("is not published yet")).to_be_visible()


def test_a_sealed_board_opens_on_its_date(open_page: Windows, board: World) -> None:
    organizer, visitor = open_page(who="organizer"), open_page(who="visitor")
    organizer.goto(BOARD)
    organizer.get_by_label("or publish it on a date, UTC").fill("2026-03-02T18:00")
    organizer.get_by_role("button", name="Seal until then").click()
    expect(organizer.get_by_text("This leaderboard is sealed until 2 Mar 2026, 18:00 UTC.")).to_be_visible()
    visitor.goto(BOARD)
    expect(visitor.get_by_text("They open on 2 Mar 2026, 18:00 UTC.")).to_be_visible()
    board.now = NOW + timedelta(days=1, hours=6)
    visitor.reload()
    assert teams(visitor) == ["Best too", "Team", "Constant"]


@pytest.mark.usefixtures("board")
def test_values_are_downloaded_as_shown(open_page: Windows, tmp_path: Path) -> None:
    page = open_page(who="organizer")
    page.goto(BOARD)
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV for challengeR").click()
    assert started.value.suggested_filename == "pixel-ap.csv"
    started.value.save_as(tmp_path / "board.csv")
    lines = list(csv.DictReader((tmp_path / "board.csv").read_text(encoding="utf-8").splitlines()))
    assert [(line["task"], line["alg_name"]) for line in lines[:3]] == [
        ("brain", "Best too"),
        ("brain", "Team"),
        ("brain", "Constant"),
    ]


def test_a_team_finds_its_row_and_takes_its_name_back(open_page: Windows, board: World) -> None:
    organizer, page = open_page(who="organizer"), open_page()
    organizer.goto(BOARD)
    organizer.get_by_role("button", name="Publish", exact=True).click()
    expect(organizer.get_by_text("This leaderboard is published.")).to_be_visible()
    page.goto(BOARD)
    expect(page.locator("tr.own th")).to_contain_text("Team")
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.on("dialog", answer)
    page.get_by_role("button", name="Take our name back").click()
    expect(page.locator("tr.own th")).to_contain_text("Anonymous 1")
    assert asked == ["Rank Team without its name? It can be put back at any time."]
    page.get_by_role("button", name="Show our name").click()
    expect(page.locator("tr.own th")).to_contain_text("Team")
    assert len(board.history("team", board_team(board))) == 2


def board_team(world: World) -> str:
    with world.db.read() as session:
        return world.account(session).team_id or ""


@pytest.mark.usefixtures("board")
def test_scores_are_computed_again_and_published(open_page: Windows, world: World) -> None:
    with world.db.write() as session:
        for row in session.query(Score):
            row.value, row.evaluator_version = 0.125, "0.0.9"
    page = open_page(who="organizer")
    page.goto("/organizer")
    page.get_by_role("link", name="Re-scoring").click()
    page.get_by_role("button", name="Compute all scores again").click()
    publish = page.get_by_role("button", name="Publish the new scores")
    expect(publish).to_be_visible()
    expect(page.locator("main")).to_contain_text("0.1250")
    page.on("dialog", lambda dialog: dialog.accept())
    publish.click()
    expect(page.get_by_text("The scores that were replaced are kept.")).to_be_visible()
    page.goto(BOARD)
    expect(page.locator("table.board tbody tr").first).to_contain_text("1.000")


@pytest.mark.usefixtures("board")
def test_pages_fit_on_a_phone(open_page: Windows) -> None:
    page = open_page(width=PHONE, who="organizer")
    schemes = [f"{BOARD}?scheme=test_based", f"{BOARD}?metric=pl_30"]
    for path in (BOARD, *schemes, "/organizer", "/organizer/rescoring", "/organizer/teams"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, path
