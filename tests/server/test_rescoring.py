"""Scores anew, beside the old ones, and published in one step."""

from pathlib import Path
from typing import Any

import pytest

import evaluator
from server import leaderboard, rescoring
from server.errors import Conflict, NotFound
from server.models import Account, CaseScore, Job, PastScore, Rescoring, Score
from server.protocol import Task
from server.rescoring import Comparison, Pair
from tests.server.companion_maker import analyse, finish_on, load_companion
from tests.server.test_leaderboard import score
from tests.server.world import World


def begin(world: World) -> str:
    with world.db.write() as s:
        return rescoring.begin(s, world.challenge(s), world.later(minutes=1), None)


def computed(world: World) -> str:
    made = begin(world)
    rescoring.compute(world.db, world.store, made, lambda: world.later(seconds=5))
    return made


def comparison(world: World, made: str) -> Comparison:
    with world.db.read() as s:
        return rescoring.comparison(s, made)


def publish(world: World, made: str, *, leave: bool = False) -> int:
    with world.db.write() as s:
        return rescoring.publish(s, made, world.later(minutes=1), None, leave=leave)


def as_if_by_an_older_evaluator(world: World, submission: str, **fields: Any) -> None:
    """Its scores on all data sets, with other numbers than today's evaluator finds."""
    with world.db.write() as s:
        for row in s.query(Score).join(Job).where(Job.submission_id == submission):
            for name, value in {"evaluator_version": "0.0.9", **fields}.items():
                setattr(row, name, value)


def ranked(world: World, task: Task = Task.SAMPLE) -> list[tuple[int, str, float]]:
    with world.db.read() as s:
        view = leaderboard.board(s, world.challenge(s), task)
        return [(row.rank, row.team, row.values["brain"]) for row in view.rows]


@pytest.fixture
def wrong(world: World) -> str:
    """A board on which an older evaluator put the constant submission first; gives the wronged submission."""
    perfect, constant = score(world, "Perfect"), score(world, "Constant", constant=True)
    as_if_by_an_older_evaluator(world, perfect, value=0.5, metrics={})
    as_if_by_an_older_evaluator(world, constant)
    assert ranked(world) == [(1, "Constant", 0.75), (2, "Perfect", 0.5)]
    return perfect


@pytest.mark.usefixtures("wrong")
def test_old_and_new_stand_beside_each_other(world: World) -> None:
    found = comparison(world, computed(world))
    assert (found.scores, found.changed, found.metrics_changed, found.left) == (4, 2, 2, ())
    assert (found.old_versions, found.evaluator_version) == (("0.0.9",), evaluator.__version__)
    board = next(board for board in found.boards if board.task is Task.SAMPLE)
    assert [(team.team, team.old_rank, team.new_rank, team.values["brain"]) for team in board.teams] == [
        ("Perfect", 2, 1, Pair(old=0.5, new=1.0)),
        ("Constant", 1, 2, Pair(old=0.75, new=0.75)),
    ]
    assert board.moved == 2


@pytest.mark.usefixtures("wrong")
def test_several_processes_find_the_same(world: World) -> None:
    alone = comparison(world, computed(world))
    made = begin(world)
    seen: list[tuple[int, int]] = []
    rescoring.compute(world.db, world.store, made, lambda: world.now, lambda *at: seen.append(at), processes=2)
    together = comparison(world, made)
    assert (together.boards, together.changed, together.problem) == (alone.boards, alone.changed, None)
    assert seen == [(number, 4) for number in (1, 2, 3, 4)]


@pytest.mark.usefixtures("wrong")
def test_nothing_changes_before_it_is_published(world: World) -> None:
    computed(world)
    assert ranked(world) == [(1, "Constant", 0.75), (2, "Perfect", 0.5)]


def test_published_in_one_step_and_the_old_rows_are_kept(world: World, wrong: str) -> None:
    made = computed(world)
    finished_at = comparison(world, made).finished_at
    assert publish(world, made) == 4
    assert ranked(world) == [(1, "Perfect", 1.0), (2, "Constant", 0.75)]
    with world.db.read() as s:
        new = s.query(Score).join(Job).where(Job.submission_id == wrong).first()
        assert new is not None
        assert (new.evaluator_version, new.computed_at) == (evaluator.__version__, finished_at)
        assert new.metrics["dataset_auroc"] == 1.0
        past = s.query(PastScore).filter_by(job_id=new.job_id).one()
        assert (past.content["id"], past.content["value"], past.content["metrics"]) == (new.id, 0.5, {})
        assert (past.rescoring_id, past.replaced_at) == (made, world.now)
        assert s.query(PastScore).count() == 4
    assert world.history("rescoring", made) == ["published"]


def test_pixel_scores_come_from_sketches_and_details(world: World) -> None:
    submission = score(world, "A", task=Task.PIXEL)
    with world.db.read() as s:
        before = {row.job_id: (row.value, row.low, row.high, row.details, row.metrics) for row in s.query(Score)}
    as_if_by_an_older_evaluator(world, submission, value=0.0, low=None, high=None, details={}, metrics={})
    publish(world, computed(world))
    with world.db.read() as s:
        after = {row.job_id: (row.value, row.low, row.high, row.details, row.metrics) for row in s.query(Score)}
    assert after == before


@pytest.mark.usefixtures("wrong")
def test_a_comparison_stays_as_it_was_once_it_is_published(world: World) -> None:
    made = computed(world)
    before = comparison(world, made)
    publish(world, made)
    after = comparison(world, made)
    assert (after.boards, after.changed, after.is_open) == (before.boards, before.changed, False)


@pytest.mark.usefixtures("wrong")
def test_published_once_only(world: World) -> None:
    made = computed(world)
    publish(world, made)
    with pytest.raises(Conflict, match="published already"):
        publish(world, made)


@pytest.mark.usefixtures("wrong")
def test_of_two_the_one_that_is_out_of_date_is_refused_as_a_whole(world: World) -> None:
    first, second = computed(world), computed(world)
    publish(world, second)
    board = ranked(world)
    with pytest.raises(Conflict, match="4 scores changed since"):
        publish(world, first)
    assert ranked(world) == board


@pytest.mark.usefixtures("wrong")
def test_dropped_ones_change_nothing(world: World) -> None:
    made, organizer = computed(world), world.organizer()
    with world.db.write() as s:
        account = s.get_one(Account, organizer)
        rescoring.drop(s, made, world.later(minutes=1), account)
    with pytest.raises(Conflict, match="was dropped"):
        publish(world, made)
    assert ranked(world) == [(1, "Constant", 0.75), (2, "Perfect", 0.5)]


def lose_a_case(world: World, submission: str) -> None:
    with world.db.write() as s:
        row = s.query(CaseScore).join(Score).join(Job).where(Job.submission_id == submission).first()
        s.delete(row)


def test_what_cannot_be_computed_again_is_named_and_stays_if_that_is_meant(world: World, wrong: str) -> None:
    lose_a_case(world, wrong)
    made = computed(world)
    (left,) = comparison(world, made).left
    assert left.submission == wrong
    assert "1 missing" in left.reason
    with pytest.raises(Conflict, match="1 scores have no new one"):
        publish(world, made)
    assert publish(world, made, leave=True) == 3
    with world.db.read() as s:
        assert sorted(row.evaluator_version for row in s.query(Score)) == ["0.0.9", *3 * [evaluator.__version__]]


@pytest.mark.usefixtures("wrong")
def test_a_score_that_came_since_stays_where_it_is_by_this_evaluator(world: World) -> None:
    made = computed(world)
    score(world, "Late")
    assert publish(world, made) == 4
    assert [team for _, team, _ in ranked(world)] == ["Late", "Perfect", "Constant"]


@pytest.mark.usefixtures("wrong")
@pytest.mark.parametrize("leave", [False, True])
def test_a_score_by_another_evaluator_that_came_since_is_refused_whatever_may_stay(
    world: World, *, leave: bool
) -> None:
    made = computed(world)
    as_if_by_an_older_evaluator(world, score(world, "Late"))
    with pytest.raises(Conflict, match=r"2 scores by another evaluator than .* came since"):
        publish(world, made, leave=leave)


def test_one_is_computed_at_a_time(world: World) -> None:
    made = begin(world)
    with pytest.raises(Conflict, match=f"re-scoring {made} is being computed"):
        begin(world)
    with pytest.raises(Conflict, match="still being computed"):
        publish(world, made)
    with world.db.write() as s:
        rescoring.drop(s, made, world.now, None)
    begin(world)


@pytest.mark.usefixtures("wrong")
def test_a_fault_is_told_and_nothing_can_be_published(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a metric broke")

    monkeypatch.setattr("server.scores.rejudge", broken)
    made = computed(world)
    assert comparison(world, made).problem == "ZeroDivisionError: a metric broke"
    with pytest.raises(Conflict, match="a metric broke"):
        publish(world, made)


def test_companion_sets_are_scored_anew_too(world: World, tmp_path: Path) -> None:
    score(world, "A")
    load_companion(world, tmp_path / "analysis")
    analyse(world)
    assert finish_on(world, "tiny-analysis") == 2
    found = comparison(world, computed(world))
    assert found.scores == 4
    assert [len(board.teams) for board in found.boards if board.task is Task.SAMPLE] == [1]


def test_without_scores_there_is_nothing_to_do(world: World) -> None:
    made = computed(world)
    found = comparison(world, made)
    assert (found.scores, found.boards) == (0, ())
    assert publish(world, made) == 0


def test_an_unknown_one_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        comparison(world, "nothing")


def test_they_are_listed_the_latest_first(world: World) -> None:
    first, second = computed(world), computed(world)
    with world.db.read() as s:
        assert [one.id for one in rescoring.latest(s, world.challenge(s))] == [second, first]
        assert s.get_one(Rescoring, first).evaluator_version == evaluator.__version__
