"""Pages in a real Chromium: what the script adds, and that nothing is lost without it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from server import submissions
from server.protocol import Queue, Task
from tests.server.archive_maker import Image
from tests.server.web.browsing import PHONE, Windows
from tests.server.web.conftest import Play
from tests.server.world import World

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("backend", ["embedded"], indirect=True)]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "image.tar"
    path.write_bytes(Image().save())
    return path


def hand_in(page: Page, archive: Path) -> None:
    page.goto("/submit")
    page.get_by_role("link", name="Pixel task, toy queue").click()
    page.get_by_label("Image archive").set_input_files(archive)
    page.get_by_role("button", name="Upload and submit").click()
    page.wait_for_url("**/submissions/*")


@pytest.mark.parametrize("javascript", [True, False])
def test_form_hands_in_with_javascript_and_without(
    open_page: Windows, world: World, archive: Path, *, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    hand_in(page, archive)
    submission = world.submission(page.url.rpartition("/")[2])
    assert (submission.task, submission.queue) == (Task.PIXEL, Queue.TOY)
    assert world.store.get(submission.archive_sha256) == archive.read_bytes()


def test_refusal_of_an_upload_is_shown_where_the_form_is(open_page: Windows, world: World, archive: Path) -> None:
    page = open_page()
    page.goto("/submit?task=pixel&queue=toy")
    world.upload(task=Task.PIXEL, queue=Queue.TOY)  # meanwhile, by a colleague
    page.get_by_label("Image archive").set_input_files(archive)
    with page.expect_response("**/submit?*") as answer:
        page.get_by_role("button", name="Upload and submit").click()
    assert answer.value.status == 429
    expect(page.get_by_role("alert")).to_contain_text("is on its way")
    expect(page.get_by_role("button", name="Upload and submit")).to_be_enabled()


def test_state_changes_on_the_page_without_a_reload(open_page: Windows, world: World, play: Play) -> None:
    submission = world.submit()
    one, many = open_page(), open_page()
    one.goto(f"/submissions/{submission}")
    many.goto("/submissions")
    expect(one.locator("#state .badge")).to_have_text("queued")
    play.toy(world.claim())
    expect(one.locator("#state .badge")).to_have_text("running")
    expect(one.locator("#jobs")).to_contain_text("toy1.nii.gz")
    expect(many.locator("tbody .badge")).to_have_text("running")
    many.locator("tbody button").focus()
    with world.db.write() as session:
        submissions.cancel(session, account=world.account(session), submission_id=submission, now=world.now)
    expect(one.locator("#state .badge")).to_have_text("cancelled")
    expect(many.locator("tbody .badge")).to_have_text("cancelled")
    expect(many.locator("tbody button")).to_have_count(0)


def test_submission_that_a_colleague_hands_in_appears(open_page: Windows, world: World) -> None:
    world.submit()
    page = open_page()
    page.goto("/submissions")
    expect(page.locator("tbody tr")).to_have_count(1)
    world.later(seconds=1)
    world.submit(task=Task.PIXEL)
    expect(page.locator("tbody tr")).to_have_count(2)


def test_pages_fit_on_a_phone(open_page: Windows, world: World, play: Play) -> None:
    submission = world.submit()
    play.toy(world.claim())
    page = open_page(width=PHONE)
    for path in ("/", "/submit", "/submissions", f"/submissions/{submission}", "/tokens", "/leaderboard/pixel", "/api"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, path


def test_first_stop_of_the_tab_key_leads_to_the_content(open_page: Windows) -> None:
    page = open_page()
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
