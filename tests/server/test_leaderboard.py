"""Which submissions count, and how the board shows them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from server import leaderboard, submissions
from server.errors import Invalid
from server.leaderboard import BoardView
from server.models import Account, Board, Dataset, Job, Score, Team
from server.protocol import Queue, Task
from tests.server.test_lifecycle import fail
from tests.server.world import NOW, World


def board(world: World, task: Task = Task.SAMPLE) -> BoardView:
    with world.db.read() as s:
        return leaderboard.board(s, world.challenge(s), task)


def score(world: World, team: str, *, constant: bool = False, task: Task = Task.SAMPLE) -> str:
    world.later(minutes=1)
    submission = world.submit(team, task=task)
    for _ in range(2):
        world.finish(world.claim(), constant=constant)
    return submission


def anonymise(world: World, team: str) -> None:
    with world.db.write() as s:
        s.query(Team).filter_by(name=team).one().anonymous = True


def test_a_board_without_scores_is_empty(world: World) -> None:
    world.submit()
    found = board(world)
    assert (found.rows, found.as_of, found.evaluator_versions) == ((), None, ())
    assert found.datasets == ("brain", "abdom")


def test_the_valid_submission_received_last_counts(world: World) -> None:
    score(world, "A")
    last = score(world, "A", constant=True)
    (row,) = board(world).rows
    assert row.submission == last
    assert row.values == {"brain": 0.75, "abdom": 0.75}


def test_while_a_newer_one_runs_or_fails_the_older_keeps_its_place(world: World) -> None:
    first = score(world, "A")
    world.later(minutes=1)
    world.again("A")
    world.finish(world.claim(datasets=("brain",)), constant=True)
    assert [row.submission for row in board(world).rows] == [first]
    fail(world, world.claim(datasets=("abdom",)))
    assert [row.submission for row in board(world).rows] == [first]


def test_toy_submissions_never_count(world: World) -> None:
    world.submit(queue=Queue.TOY)
    for _ in range(2):
        world.finish(world.claim())
    assert board(world).rows == ()


def test_each_task_has_its_own_board(world: World) -> None:
    score(world, "A", task=Task.PIXEL)
    assert board(world).rows == ()
    assert len(board(world, Task.PIXEL).rows) == 1


def test_tied_teams_share_the_smallest_rank(world: World) -> None:
    for team in ("B", "A"):
        score(world, team)
    score(world, "C", constant=True)
    assert [(row.rank, row.is_tied, row.team, row.mean_rank) for row in board(world).rows] == [
        (1, True, "A", 1.5),
        (1, True, "B", 1.5),
        (3, False, "C", 3.0),
    ]


def test_anonymous_teams_are_ranked_without_their_names(world: World) -> None:
    for team in ("Zebra", "Anonymous 1", "Yak"):
        score(world, team)
    for team in ("Zebra", "Yak"):
        anonymise(world, team)
    names = {row.team for row in board(world).rows}
    assert names == {"Anonymous 1", "Anonymous 2", "Anonymous 3"}
    text = leaderboard.csv(board(world))
    assert "Zebra" not in text


def publish(world: World, organizer: str, *, published: bool = True, sealed_until: datetime | None = None) -> None:
    with world.db.write() as s:
        account = s.get_one(Account, organizer)
        challenge = world.challenge(s)
        leaderboard.publish(
            s, challenge, Task.SAMPLE, published, account, world.later(minutes=1), sealed_until=sealed_until
        )


def visible(world: World, task: Task = Task.SAMPLE) -> bool:
    with world.db.read() as s:
        return leaderboard.visible(s, world.challenge(s), task, world.now)


def test_publishing_is_a_switch_that_is_recorded(world: World) -> None:
    organizer = world.organizer()
    assert not visible(world)
    for published in (True, False, True):
        publish(world, organizer, published=published)
        assert board(world).published is visible(world) is published
    assert not visible(world, Task.PIXEL)
    with world.db.read() as s:
        row = s.query(Board).one()
        assert (row.changed_by, row.changed_at) == (organizer, world.now)
    assert world.history("board", row.id) == ["open", "closed", "open"]


def test_a_sealed_board_opens_by_itself(world: World) -> None:
    opens = NOW + timedelta(hours=1)
    publish(world, world.organizer(), sealed_until=opens)
    assert (board(world).published, board(world).sealed_until, visible(world)) == (True, opens, False)
    world.now = opens
    assert visible(world)


def test_a_seal_is_lifted_by_publishing_and_gone_once_taken_back(world: World) -> None:
    organizer = world.organizer()
    publish(world, organizer, sealed_until=NOW + timedelta(hours=1))
    publish(world, organizer)
    assert visible(world)
    publish(world, organizer, published=False, sealed_until=NOW + timedelta(hours=1))
    world.later(hours=2)
    assert (board(world).sealed_until, visible(world)) == (None, False)


def test_a_seal_that_would_be_over_already_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="that is over"):
        publish(world, world.organizer(), sealed_until=NOW)
    assert not visible(world)


@pytest.mark.parametrize("text", ["2026-12-31T18:00", "2026-12-31T19:00+01:00"])
def test_an_instant_without_a_zone_is_utc(text: str) -> None:
    assert leaderboard.instant(text) == datetime(2026, 12, 31, 18, tzinfo=UTC)


def test_what_is_no_instant_is_refused() -> None:
    with pytest.raises(Invalid, match="is no date with a time"):
        leaderboard.instant("tomorrow")


def test_a_team_has_its_own_scored_submissions(world: World) -> None:
    first = score(world, "A")
    second = score(world, "A", constant=True)
    score(world, "B")
    score(world, "A", task=Task.PIXEL)
    world.submit("A", task=Task.SAMPLE, archive=b"not an image")
    with world.db.read() as s:
        team = world.account(s, "A").team_id or ""
        found = leaderboard.attempts(s, world.challenge(s), Task.SAMPLE, team)
    assert [(one.submission, one.counts, one.values["brain"]) for one in found] == [
        (second, True, 0.75),
        (first, False, 1.0),
    ]


def test_csv_has_challengers_columns_and_every_digit(world: World) -> None:
    score(world, "A, B")
    found = board(world)
    (row,) = found.rows
    third = replace(found, rows=(replace(row, values={"brain": 1 / 3, "abdom": 0.5}),))
    assert leaderboard.csv(third).splitlines() == [
        "task,alg_name,value,case",
        'brain,"A, B",0.3333333333333333,sample',
        'abdom,"A, B",0.5,sample',
    ]


def test_the_board_says_as_of_when_and_with_what(world: World) -> None:
    score(world, "A")
    found = board(world)
    assert found.as_of == world.now > NOW
    assert found.evaluator_versions == ("0.1.0",)


def test_a_cancelled_submission_does_not_count(world: World) -> None:
    submission = world.submit("A")
    world.finish(world.claim(datasets=("brain",)))
    with world.db.write() as s:
        submissions.cancel(s, account=world.account(s, "A"), submission_id=submission, now=world.now)
    assert board(world).rows == ()


def bound(world: World, submission: str, low: float, high: float) -> None:
    """As if rounding had left open where between the two the team stands on brain."""
    with world.db.write() as s:
        for row in s.query(Score).join(Job).join(Dataset).where(Job.submission_id == submission):
            if row.job.dataset.name == "brain":
                row.low, row.high = low, high


def test_teams_that_half_precision_may_have_ordered_are_named(world: World) -> None:
    first, second = score(world, "A", task=Task.PIXEL), score(world, "B", task=Task.PIXEL, constant=True)
    assert board(world, Task.PIXEL).close == {}
    bound(world, first, 0.3, 1.0)
    bound(world, second, 0.1, 0.3)
    found = board(world, Task.PIXEL)
    assert found.close == {"brain": (("A", "B"),)}
    assert [row.bounds["brain"] for row in found.rows] == [(0.3, 1.0), (0.1, 0.3)]


def test_equal_teams_are_tied_not_close(world: World) -> None:
    score(world, "A", task=Task.PIXEL)
    score(world, "B", task=Task.PIXEL)
    assert board(world, Task.PIXEL).close == {}


def test_sample_scores_are_not_rounded(world: World) -> None:
    score(world, "A")
    assert [dict(row.bounds) for row in board(world).rows] == [{}]
