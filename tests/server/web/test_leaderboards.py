import csv
import io

from server.protocol import Task
from tests.server.web.conftest import People, Play
from tests.server.world import World


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
