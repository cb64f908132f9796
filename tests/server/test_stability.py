"""What the analyses add to a leaderboard, and when they add nothing."""

from evaluator.analysis.tables import Column, Row, Table, table
from server import analyses, leaderboard, stability
from server.leaderboard import BoardView
from server.protocol import Task
from server.stability import Scheme
from tests.server.test_leaderboard import anonymise, score
from tests.server.world import World


def made(name: str, *rows: Row) -> Table:
    return table(name, name, "A caption.", [Column(name=column, title=column) for column in rows[0]], rows)


def board(world: World, task: Task = Task.SAMPLE) -> BoardView:
    with world.db.read() as s:
        return stability.board(s, world.challenge(s), task)


def computed(world: World, task: Task = Task.SAMPLE) -> BoardView:
    analyses.compute(world.db, world.store, "tiny", task, world.now)
    return board(world, task)


def test_intervals_come_from_the_tables(world: World) -> None:
    score(world, "A")
    score(world, "B", constant=True)
    with world.db.read() as s:
        view = leaderboard.board(s, world.challenge(s), Task.SAMPLE)
    scheme = {"aggregate_then_rank": 1, "rank_then_aggregate": None, "test_based": 2, "moves": "yes"}
    tables = {
        "consensus": made("consensus", {"team": "A", "mean_rank": 1.0, "rank": 1, "rank_low": 1, "rank_high": 2}),
        "places": made("places", {"dataset": "brain", "team": "A", "value_low": 0.25, "value_high": 0.75}),
        "schemes": made("schemes", {"dataset": "consensus", "team": "A", **scheme}),
    }
    first, second = stability.with_stability(view, tables, made_at=world.now, resamples=10, seed=1).rows
    assert (first.rank_interval, first.value_intervals) == ((1, 2), {"brain": (0.25, 0.75)})
    assert first.schemes[Scheme.TEST_BASED] == {"consensus": 2}
    assert first.schemes[Scheme.RANK_THEN_AGGREGATE] == {}
    assert (second.rank_interval, second.value_intervals) == (None, {})


def test_a_board_without_tables_is_as_it_was(world: World) -> None:
    score(world, "A")
    with world.db.read() as s:
        view = leaderboard.board(s, world.challenge(s), Task.SAMPLE)
    (row,) = stability.with_stability(view, {}, made_at=world.now, resamples=10, seed=1).rows
    assert (row.rank, row.rank_interval, row.value_intervals) == (1, None, {})


def test_intervals_are_there_once_they_are_computed_and_gone_with_the_next_score(world: World) -> None:
    score(world, "A")
    score(world, "B", constant=True)
    assert board(world).resampling is None
    found = computed(world)
    assert found.resampling is not None
    assert [(row.team, row.rank_interval) for row in found.rows] == [("A", (1, 1)), ("B", (2, 2))]
    assert found.rows[0].value_intervals == {"brain": (1.0, 1.0), "abdom": (1.0, 1.0)}
    score(world, "C")
    assert board(world).resampling is None
    assert all(row.rank_interval is None for row in board(world).rows)
    assert computed(world).resampling is not None


def test_schemes_of_the_pixel_task(world: World) -> None:
    score(world, "A", task=Task.PIXEL)
    score(world, "B", task=Task.PIXEL, constant=True)
    first, second = computed(world, Task.PIXEL).rows
    assert first.schemes[Scheme.RANK_THEN_AGGREGATE] == {"brain": 1, "abdom": 1, "consensus": 1}
    assert second.schemes[Scheme.RANK_THEN_AGGREGATE] == {"brain": 2, "abdom": 2, "consensus": 2}


def test_what_is_undefined_in_the_sample_task_says_so(world: World) -> None:
    score(world, "A")
    found = computed(world)
    assert all(not row.schemes[Scheme.RANK_THEN_AGGREGATE] for row in found.rows)
    assert any("undefined" in note for note in stability.notes(found, Scheme.RANK_THEN_AGGREGATE))
    assert "undefined" in stability.said(Scheme.RANK_THEN_AGGREGATE, Task.SAMPLE)


def test_a_computation_that_failed_adds_nothing_and_is_told(world: World) -> None:
    score(world, "A")
    computed(world)
    with world.db.write() as s:
        row = s.scalar(analyses.row_of(world.challenge(s), Task.SAMPLE))
        assert row is not None
        row.content = row.content | {"error": "It broke."}
    found = board(world)
    assert (found.resampling, found.resampling_failed) == (None, True)
    score(world, "B")
    assert not board(world).resampling_failed


def test_a_team_whose_name_changed_waits_for_the_next_computation(world: World) -> None:
    score(world, "A")
    computed(world)
    anonymise(world, "A")
    found = board(world)
    assert (found.rows[0].team, found.resampling) == ("Anonymous 1", None)
