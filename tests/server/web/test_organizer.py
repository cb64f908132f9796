from pathlib import Path

from sqlalchemy import select

from server import accounts
from server.models import View
from server.protocol import HostReport, Task
from tests.server.companion_maker import claim_on, load_companion
from tests.server.web.conftest import People, Play
from tests.server.world import World


def test_page_is_for_organizers(people: People) -> None:
    assert people.browser().get("/organizer").status_code == 403
    assert people.browser("Other").get("/organizer/events").status_code == 403
    assert people.visitor().get("/organizer").headers["location"].startswith("/login")


def test_page_shows_all_teams_queue_and_workers(people: People, world: World) -> None:
    ids = [world.submit(team, task=Task.SAMPLE) for team in ("One", "Two")]
    host = world.host()
    report = HostReport(
        worker="gpu1-0",
        architecture="amd64",
        engine="Docker 20.10.24",
        gpus=["NVIDIA H100"],
        datasets=world.offers(),
        checks={"engine": "ok", "disk": "only 3 GB are free"},
        at=world.now,
    )
    with world.db.write() as session:
        accounts.host_reported(session, host, report, world.now)
    page = people.organizer().get("/organizer").text
    assert all(submission in page for submission in ids)
    assert "One" in page
    assert "gpu1-0" in page
    assert "NVIDIA H100" in page
    assert "only 3 GB are free" in page
    assert "idle" in page


def test_worker_that_fell_silent_is_marked(people: People, world: World) -> None:
    host = world.host()
    report = HostReport(worker="w", architecture="amd64", engine="e", gpus=[], datasets=[], checks={}, at=world.now)
    with world.db.write() as session:
        accounts.host_reported(session, host, report, world.now)
    world.later(minutes=10)
    assert "silent" in people.organizer().get("/organizer").text


def test_organizer_cancels_any_teams_submission(people: People, world: World) -> None:
    submission = world.submit("One")
    assert people.organizer().fill(f"/submissions/{submission}/cancel").status_code == 303
    assert world.submission(submission).status == "cancelled"


def test_what_an_organizer_asks_the_api_for_is_recorded_too(people: People, world: World) -> None:
    submission = world.submit("One")
    path = f"/api/v1/submissions/{submission}"
    organizer = people.organizer()
    assert organizer.get(path).status_code == 200
    assert organizer.post(f"{path}/cancel").status_code == 200
    assert organizer.get(f"{path}/events").status_code == 200  # over: it is one event and the end
    people.client("One").get(path)
    with world.db.read() as session:
        assert session.scalars(select(View.subject)).all() == [f"submission {submission}"] * 3


def test_what_an_organizer_looks_at_is_recorded(people: People, world: World) -> None:
    submission = world.submit("One")
    organizer = people.organizer()
    for path in ("/organizer", f"/submissions/{submission}", "/leaderboard/pixel"):
        organizer.get(path)
    people.browser("One").get(f"/submissions/{submission}")
    with world.db.read() as session:
        subjects = session.scalars(select(View.subject)).all()
    assert sorted(subjects) == [
        "all submissions",
        f"submission {submission}",
        "unpublished leaderboard, pixel task",
    ]


def test_page_says_what_is_published_and_sealed(people: People) -> None:
    organizer = people.organizer()
    organizer.fill("/leaderboard/sample/publish", published="true", sealed_until="2026-03-02T12:00")
    organizer.fill("/leaderboard/pixel/publish", published="true")
    page = organizer.get("/organizer").text
    assert "2 Mar 2026, 12:00 UTC" in page
    assert "sealed" in page
    assert "published" in page


def test_organizer_takes_a_teams_name_off(people: People, world: World) -> None:
    world.team("One")
    with world.db.read() as session:
        team = world.account(session, "One").team_id
    organizer = people.organizer()
    assert "under its name" in organizer.get("/organizer/teams").text
    assert organizer.fill(f"/organizer/teams/{team}/name", anonymous="true").status_code == 303
    assert "without its name" in organizer.get("/organizer/teams").text
    assert world.history("team", team or "") == ["anonymous"]
    assert organizer.fill("/organizer/teams/nothing/name", anonymous="true").status_code == 404


def test_teams_and_companion_sets_are_for_organizers(people: People, world: World) -> None:
    world.team("One")
    with world.db.read() as session:
        team = world.account(session, "One").team_id
    browser = people.browser("Other")
    assert browser.get("/organizer/teams").status_code == 403
    assert browser.fill(f"/organizer/teams/{team}/name", anonymous="true").status_code == 403
    assert browser.fill("/organizer/companions").status_code == 403


def test_without_a_companion_set_there_is_none_to_run_on(people: People) -> None:
    organizer = people.organizer()
    assert "Companion sets" not in organizer.get("/organizer").text
    assert organizer.fill("/organizer/companions").status_code == 404


def test_counting_submissions_run_on_companion_sets(people: People, world: World, play: Play, tmp_path: Path) -> None:
    play.scored("One")
    load_companion(world, tmp_path / "analysis")
    organizer = people.organizer()
    assert "tiny-analysis" in organizer.get("/organizer").text
    assert organizer.fill("/organizer/companions").status_code == 303
    assert claim_on(world, "tiny-analysis") is not None
