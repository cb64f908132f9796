"""A participant's first day, in a real browser, against the production pair and the real engine."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.conftest import Backend
from tests.stack import PASSWORD, RunningStack, running_stack

pytestmark = [pytest.mark.docker, pytest.mark.browser, pytest.mark.redis, pytest.mark.postgres]

# Without these Chromium looks for hosts of its own at every start.
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
PATIENCE_MS = 120_000  # containers run meanwhile
PHONE = ViewportSize(width=390, height=844)


@pytest.fixture
def stack(production_backend: Backend, tmp_path: Path, tiny_challenge: Path) -> Iterator[RunningStack]:
    with running_stack(production_backend, tmp_path / "home", tiny_challenge) as running:
        yield running


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, stack: RunningStack) -> Page:
    return browser.new_context(base_url=stack.url).new_page()


@pytest.fixture
def archive(tmp_path: Path, brightness_image: str) -> Path:
    path = tmp_path / "brightness.tar"
    subprocess.run(["docker", "save", "--output", str(path), brightness_image], check=True)
    return path


def register(page: Page, team: str) -> None:
    page.goto("/register")
    page.get_by_label("Team name").fill(team)
    page.get_by_label("E-mail address").fill("first@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()


def log_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("E-mail address").fill("first@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()


def hand_in(page: Page, archive: Path, task: str, queue: str) -> None:
    page.goto(f"/submit?task={task}&queue={queue}")
    page.get_by_label("Image archive").set_input_files(archive)
    page.get_by_role("button", name="Upload and submit").click()
    page.wait_for_url("**/submissions/*")


def overflow_px(page: Page) -> int:
    """How much wider than the window a page is."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_first_day_of_a_participant(stack: RunningStack, page: Page, archive: Path) -> None:
    register(page, "First day")
    page.get_by_role("button", name="Log out").click()
    log_in(page)

    hand_in(page, archive, "pixel", "toy")
    expect(page.locator("#state")).to_contain_text("scored", timeout=PATIENCE_MS)
    report = page.locator("#jobs")
    expect(report).to_contain_text("Brain MR")
    expect(report).to_contain_text("Abdominal CT")
    expect(report).to_contain_text("scored 4 cases")  # the toy run's log

    hand_in(page, archive, "pixel", "final")
    expect(page.locator("#state")).to_contain_text("scored", timeout=PATIENCE_MS)

    page.goto("/leaderboard/pixel")
    expect(page.get_by_role("main")).to_contain_text("not published")
    stack.organizer().post("/leaderboards/pixel/publish", {"published": True})
    page.reload()
    row = page.get_by_role("row").filter(has_text="First day")
    expect(row.get_by_role("cell").first).to_have_attribute("data-value", "1.0")

    page.set_viewport_size(PHONE)
    for path in ("/", "/submissions", "/submit?task=pixel&queue=toy", "/leaderboard/pixel", "/tokens"):
        page.goto(path)
        assert overflow_px(page) <= 0, path


def test_a_bad_archive_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    register(page, "Not an image")
    text = tmp_path / "notes.tar"
    text.write_text("not a tar")
    hand_in(page, text, "sample", "final")
    expect(page.locator("#state")).to_contain_text("E-ARCHIVE-FORMAT", timeout=PATIENCE_MS)
    page.goto("/submit?task=sample&queue=final")
    expect(page.get_by_role("main")).to_contain_text("10 of 10 tries left")
