"""The organizer's pages on which scores are computed again."""

import pytest
from sqlalchemy import select

from server import rescoring
from server.models import CaseScore, Rescoring, Score, View
from tests.server.web.conftest import Browser, People, Play
from tests.server.web.test_html import check
from tests.server.world import World


@pytest.fixture
def organizer(people: People) -> Browser:
    return people.organizer()


@pytest.fixture
def wrong(world: World, play: Play) -> str:
    """A team whose scores an older evaluator got wrong."""
    submission = play.scored("Team")
    with world.db.write() as session:
        for row in session.scalars(select(Score)):
            row.value, row.evaluator_version = 0.25, "0.0.9"
    return submission


def compute(organizer: Browser) -> str:
    """Begin one; the test client answers when it is computed. Gives its address."""
    answer = organizer.fill("/organizer/rescoring")
    assert answer.status_code == 303
    return str(answer.headers["location"])


@pytest.mark.usefixtures("wrong")
def test_old_and_new_are_shown_and_published(organizer: Browser, people: People) -> None:
    address = compute(organizer)
    page = organizer.get(address).text
    check(page, address)
    assert "0.2500" in page
    assert "1.0000" in page
    assert "+0.75" in page
    assert "not published" in page
    organizer.fill("/leaderboard/sample/publish", published="true")
    board = "/api/v1/leaderboards/sample"
    assert people.visitor().get(board).json()["rows"][0]["values"]["brain"] == 0.25
    assert organizer.fill(f"{address}/publish").status_code == 303
    assert people.visitor().get(board).json()["rows"][0]["values"]["brain"] == 1.0
    page = organizer.get(address).text
    assert "The scores that were replaced are kept" in page
    assert "Publish the new scores" not in page
    assert "published" in organizer.get("/organizer/rescoring").text


@pytest.mark.usefixtures("wrong")
def test_dropped_ones_cannot_be_published(organizer: Browser) -> None:
    address = compute(organizer)
    assert organizer.fill(f"{address}/drop").status_code == 303
    assert "dropped" in organizer.get("/organizer/rescoring").text
    answer = organizer.fill(f"{address}/publish")
    assert answer.status_code == 409
    assert "was dropped" in answer.text


def test_what_cannot_be_computed_is_named_before_it_is_left(organizer: Browser, world: World, wrong: str) -> None:
    with world.db.write() as session:
        session.delete(session.scalars(select(CaseScore)).first())
    address = compute(organizer)
    page = organizer.get(address).text
    assert f'<a href="/submissions/{wrong}">' in page
    assert "Publish all the same" in page
    assert organizer.fill(f"{address}/publish").status_code == 409
    assert organizer.fill(f"{address}/publish", leave="true").status_code == 303


def test_one_that_is_being_computed_says_so(organizer: Browser, world: World) -> None:
    with world.db.write() as session:
        made = rescoring.begin(session, world.challenge(session), world.now, None)
    page = organizer.get(f"/organizer/rescoring/{made}").text
    assert "are being computed" in page
    assert 'http-equiv="refresh"' in page
    assert "Publish" not in page
    answer = organizer.fill("/organizer/rescoring")
    assert answer.status_code == 409


def test_a_fault_is_told(organizer: Browser, world: World) -> None:
    address = compute(organizer)
    with world.db.write() as session:
        session.scalars(select(Rescoring)).one().problem = "OSError: the disk is gone"
    page = organizer.get(address).text
    assert "OSError: the disk is gone" in page
    assert "Publish" not in page


def test_they_are_for_organizers_and_looking_is_recorded(organizer: Browser, people: People, world: World) -> None:
    address = compute(organizer)
    browser = people.browser("Other")
    for path in ("/organizer/rescoring", address):
        assert browser.get(path).status_code == 403
        assert browser.fill(path if path != address else f"{path}/publish").status_code == 403
    assert browser.fill(f"{address}/drop").status_code == 403
    organizer.get(address)
    assert organizer.get("/organizer/rescoring/nothing").status_code == 404
    with world.db.read() as session:
        assert session.scalars(select(View.subject)).all() == [f"re-scoring {address.rpartition('/')[2]}"]
        assert session.scalars(select(Rescoring.made_by)).one() is not None


def test_the_list_while_there_is_none(organizer: Browser) -> None:
    page = organizer.get("/organizer/rescoring").text
    check(page, "/organizer/rescoring")
    assert "were never computed again" in page
