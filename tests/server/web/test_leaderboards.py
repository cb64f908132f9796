import csv
import io
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from server import analyses
from server.models import Event, Score, View
from server.protocol import Task
from tests.server.web.conftest import Browser, People, Play
from tests.server.world import NOW, World

OPENS = NOW + timedelta(days=1)


def two_teams(world: World) -> None:
    for team, constant in (("Perfect", False), ("Constant", True)):
        world.submit(team, task=Task.SAMPLE)
        for _ in range(2):
            world.finish(world.claim(), constant=constant)
        world.later(minutes=1)


def test_board_is_shown_once_the_organizer_publishes_it(people: People, world: World) -> None:
    two_teams(world)
    visitor, organizer = people.visitor(), people.organizer()
    assert "Perfect" not in visitor.get("/leaderboard/sample").text
    assert "Perfect" in organizer.get("/leaderboard/sample").text
    assert organizer.fill("/leaderboard/sample/publish", published="true").status_code == 303
    assert "Perfect" in visitor.get("/leaderboard/sample").text
    assert "Perfect" not in visitor.get("/leaderboard/pixel").text
    assert organizer.fill("/leaderboard/sample/publish", published="false").status_code == 303
    assert "Perfect" not in visitor.get("/leaderboard/sample").text


def test_only_the_organizer_publishes(people: People) -> None:
    assert people.browser().fill("/leaderboard/sample/publish", published="true").status_code == 403
    answer = people.client().post("/api/v1/leaderboards/sample/publish", json={"published": True})
    assert answer.json()["code"] == "E-NOT-ALLOWED"
    assert "is not published yet" in people.visitor().get("/leaderboard/sample").text


def test_board_as_json(people: People, world: World) -> None:
    two_teams(world)
    organizer, visitor = people.organizer(), people.visitor()
    assert visitor.get("/api/v1/leaderboards/sample").json()["code"] == "E-NOT-PUBLISHED"
    organizer.post("/api/v1/leaderboards/sample/publish", json={"published": True})
    board = visitor.get("/api/v1/leaderboards/sample").json()
    assert board["datasets"] == ["brain", "abdom"]
    found = [(row["rank"], row["team"], row["values"], row["mean_rank"]) for row in board["rows"]]
    # Three of the four hidden cases are anomalous: a constant's AP is 3/4.
    assert found == [
        (1, "Perfect", {"brain": 1.0, "abdom": 1.0}, 1.0),
        (2, "Constant", {"brain": 0.75, "abdom": 0.75}, 2.0),
    ]


@pytest.mark.parametrize("path", ["", "/metrics/dataset_auroc"])
def test_submissions_are_named_to_those_who_may_open_them(people: People, world: World, path: str) -> None:
    two_teams(world)
    organizer = people.organizer()
    organizer.post("/api/v1/leaderboards/sample/publish", json={"published": True})
    own = people.browser("Constant")
    perfect, constant = (row["submission"] for row in rows_of(organizer, path))
    assert own.get(f"/submissions/{constant}").status_code == 200
    assert own.get(f"/submissions/{perfect}").status_code == 404
    assert [row["submission"] for row in rows_of(own, path)] == [None, constant]
    assert [row["submission"] for row in rows_of(people.visitor(), path)] == [None, None]


def rows_of(reader: Browser, path: str) -> list[dict[str, str | None]]:
    found: list[dict[str, str | None]] = reader.get(f"/api/v1/leaderboards/sample{path}").json()["rows"]
    return found


def test_board_as_csv_has_challenger_columns(people: People, world: World) -> None:
    two_teams(world)
    answer = people.organizer().get("/api/v1/leaderboards/sample.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert lines[0] == {"task": "brain", "alg_name": "Perfect", "value": "1.0", "case": "sample"}
    assert len(lines) == 4


def test_own_team_is_marked(people: People, world: World, play: Play) -> None:
    play.scored("Team")
    people.organizer().fill("/leaderboard/sample/publish", published="true")
    assert "your team" in people.browser("Team").get("/leaderboard/sample").text
    world.later(minutes=1)
    assert "your team" not in people.browser("Other").get("/leaderboard/sample").text


def test_unknown_task_is_answered(people: People) -> None:
    assert people.visitor().get("/leaderboard/voxel").status_code == 404
    assert people.visitor().get("/api/v1/leaderboards/voxel").json()["code"] == "E-NOT-FOUND"


def shown(page: str) -> list[str]:
    """The teams of the ranking, in order."""
    table = page.partition('<table class="board"')[2].partition("</table>")[0]
    return re.findall(r'<th scope="row"[^>]*>([^<]*?) *<', table)


def seal(organizer: Browser, until: str = "2026-03-02T12:00") -> int:
    return organizer.fill("/leaderboard/sample/publish", published="true", sealed_until=until).status_code


def test_a_sealed_board_says_when_it_opens_and_opens_by_itself(people: People, world: World) -> None:
    two_teams(world)
    visitor, organizer = people.visitor(), people.organizer()
    assert seal(organizer) == 303
    page = visitor.get("/leaderboard/sample").text
    assert "are sealed. They open on" in page
    assert "2 Mar 2026, 12:00 UTC" in page
    assert "Perfect" not in page
    answer = visitor.get("/api/v1/leaderboards/sample.csv")
    assert (answer.status_code, answer.json()["code"]) == (404, "E-SEALED")
    assert "Perfect" not in visitor.get("/").text
    assert shown(organizer.get("/leaderboard/sample").text) == ["Perfect", "Constant"]
    world.now = OPENS
    assert shown(visitor.get("/leaderboard/sample").text) == ["Perfect", "Constant"]
    assert visitor.get("/api/v1/leaderboards/sample").json()["rows"][0]["team"] == "Perfect"


@pytest.mark.parametrize("until", ["2026-03-01T11:59", "some day"])
def test_a_date_that_cannot_be_is_told_where_the_form_is(people: People, until: str) -> None:
    organizer = people.organizer()
    answer = organizer.fill("/leaderboard/sample/publish", published="true", sealed_until=until)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "Seal until then" in answer.text
    assert "is not published yet" in people.visitor().get("/leaderboard/sample").text


def test_a_program_seals_too(people: People, world: World) -> None:
    two_teams(world)
    organizer, visitor = people.organizer(), people.visitor()
    body = {"published": True, "sealed_until": OPENS.isoformat()}
    assert organizer.post("/api/v1/leaderboards/sample/publish", json=body).status_code == 200
    assert visitor.get("/api/v1/leaderboards/sample").json()["code"] == "E-SEALED"
    assert organizer.get("/api/v1/leaderboards/sample").json()["sealed_until"].startswith("2026-03-02T12:00")


def test_that_an_organizer_looks_at_a_sealed_board_is_recorded(people: People, world: World) -> None:
    organizer = people.organizer()
    seal(organizer)
    organizer.get("/leaderboard/sample")
    organizer.get("/api/v1/leaderboards/sample.csv")
    world.now = OPENS
    organizer.get("/leaderboard/sample")
    with world.db.read() as session:
        assert session.scalars(select(View.subject)).all() == ["unpublished leaderboard, sample task"] * 2


def test_who_published_and_sealed_is_kept(people: People, world: World) -> None:
    seal(people.organizer())
    with world.db.read() as session:
        (event,) = session.scalars(select(Event).where(Event.kind == "board")).all()
    assert (event.from_status, event.to_status) == ("closed", "sealed")
    assert event.reason == "until 2026-03-02T12:00:00+00:00, by organizer@example.org"


def test_headings_sort_without_a_script(people: People, world: World) -> None:
    two_teams(world)
    organizer = people.organizer()
    page = organizer.get("/leaderboard/sample").text
    assert 'href="?sort=team"' not in page  # the link says the order too
    assert shown(organizer.get("/leaderboard/sample?sort=team&order=asc").text) == ["Constant", "Perfect"]
    worst_first = organizer.get("/leaderboard/sample?sort=brain&order=asc").text
    assert shown(worst_first) == ["Constant", "Perfect"]
    assert re.search(r'aria-sort="ascending"[^>]*><a href="\?sort=brain&amp;order=desc"', worst_first)
    assert organizer.get("/leaderboard/sample?order=sideways").status_code == 422


def test_intervals_and_schemes_are_shown_once_they_are_computed(people: People, world: World) -> None:
    two_teams(world)
    organizer = people.organizer()
    assert "are being computed" in organizer.get("/leaderboard/sample").text
    assert "are being computed" in organizer.get("/leaderboard/sample?scheme=test_based").text
    analyses.compute(world.db, world.store, "tiny", Task.SAMPLE, world.now)
    page = organizer.get("/leaderboard/sample").text
    assert "are being computed" not in page
    assert "95 % interval" in page
    assert '<span class="under">1–1</span>' in page
    assert "1,000 resamples" in page
    assert "is undefined in the sample task" in organizer.get("/leaderboard/sample?scheme=rank_then_aggregate").text
    assert organizer.get("/api/v1/leaderboards/sample").json()["rows"][1]["rank_interval"] == [2, 2]
    assert organizer.get("/leaderboard/sample?scheme=by_mood").status_code == 422


def test_intervals_that_could_not_be_computed_are_told(people: People, world: World) -> None:
    two_teams(world)
    analyses.compute(world.db, world.store, "tiny", Task.SAMPLE, world.now)
    with world.db.write() as session:
        row = session.scalar(analyses.row_of(world.challenge(session), Task.SAMPLE))
        assert row is not None
        row.content = row.content | {"error": "It broke."}
    page = people.organizer().get("/leaderboard/sample").text
    assert "could not be computed" in page
    assert "are being computed" not in page
    assert shown(page) == ["Perfect", "Constant"]


def test_other_metrics_have_boards_of_their_own(people: People, world: World) -> None:
    two_teams(world)
    organizer, visitor = people.organizer(), people.visitor()
    page = organizer.get("/leaderboard/sample?metric=dataset_fpr_at_95tpr").text
    assert "FPR@95TPR (cases)" in page
    assert "Lower is better" in page
    assert shown(page) == ["Perfect", "Constant"]
    path = "/api/v1/leaderboards/sample/metrics/dataset_auroc"
    assert visitor.get(path).json()["code"] == "E-NOT-PUBLISHED"
    assert visitor.get(f"{path}.csv").json()["code"] == "E-NOT-PUBLISHED"
    organizer.post("/api/v1/leaderboards/sample/publish", json={"published": True})
    rows = visitor.get(path).json()["rows"]
    assert [(row["rank"], row["team"], row["mean"], row["sd"]) for row in rows] == [
        (1, "Perfect", 1.0, 0.0),
        (2, "Constant", 0.5, 0.0),
    ]
    assert "brain,Constant,0.5,dataset_auroc" in visitor.get(f"{path}.csv").text.splitlines()
    assert visitor.get("/leaderboard/sample?metric=voodoo").status_code == 404
    assert visitor.get("/api/v1/leaderboards/sample/metrics/voodoo").json()["code"] == "E-NOT-FOUND"


def test_scores_without_other_metrics_are_told(people: People, world: World) -> None:
    two_teams(world)
    with world.db.write() as session:
        for row in session.scalars(select(Score)):
            row.metrics = {}
    page = people.organizer().get("/leaderboard/sample?metric=dataset_auroc").text
    assert "not kept for 4 scores" in page
    assert "undefined for every team on brain and abdom" in page


def test_a_team_sees_its_own_scores_only_where_the_board_is_seen(people: People, world: World, play: Play) -> None:
    first = play.scored("Team")
    world.later(minutes=1)
    second = play.scored("Team")
    browser, other, organizer = people.browser("Team"), people.browser("Other"), people.organizer()
    hidden = browser.get("/leaderboard/sample").text
    assert "Your team, Team" in hidden
    assert first not in hidden
    organizer.fill("/leaderboard/sample/publish", published="true")
    page = browser.get("/leaderboard/sample").text
    assert page.index(second) < page.index(first)
    assert page.count("<td>ranked</td>") == 1
    assert first not in other.get("/leaderboard/sample").text
    assert second not in people.visitor().get("/leaderboard/sample").text
    seal(organizer)
    assert first not in browser.get("/leaderboard/sample").text


def test_a_team_takes_its_name_back(people: People, world: World) -> None:
    two_teams(world)
    organizer, browser, visitor = people.organizer(), people.browser("Perfect"), people.visitor()
    organizer.fill("/leaderboard/sample/publish", published="true")
    answer = browser.fill("/team/name", anonymous="true", next="/leaderboard/sample")
    assert (answer.status_code, answer.headers["location"]) == (303, "/leaderboard/sample")
    assert shown(visitor.get("/leaderboard/sample").text) == ["Anonymous 1", "Constant"]
    assert "Perfect" not in visitor.get("/api/v1/leaderboards/sample.csv").text
    own = browser.get("/leaderboard/sample").text
    assert "as Anonymous 1" in own
    assert "your team" in own
    browser.fill("/team/name", anonymous="false", next="//elsewhere.example")
    assert shown(visitor.get("/leaderboard/sample").text) == ["Perfect", "Constant"]


def test_a_name_is_taken_back_by_members_alone(people: People) -> None:
    assert people.organizer().fill("/team/name", anonymous="true").status_code == 403
    assert people.visitor().post("/team/name", data={"anonymous": "true"}).status_code == 401
    assert people.browser().post("/team/name", data={"anonymous": "true", "form_token": "x"}).status_code == 403


def test_after_a_name_is_changed_nobody_is_sent_elsewhere(people: People) -> None:
    answer = people.browser().fill("/team/name", anonymous="true", next="//elsewhere.example")
    assert answer.headers["location"] == "/"
