"""Boards of the other metrics: the mean over data sets, and who lacks a value."""

import math

import pytest

from evaluator.metrics import METRICS
from server import metric_boards
from server.errors import NotFound
from server.metric_boards import MetricBoard
from server.models import Dataset, Job, Score
from server.protocol import Task
from tests.server.test_leaderboard import score
from tests.server.world import World

HIGHER, LOWER = METRICS["voxel_auroc"], METRICS["voxel_fpr_at_95tpr"]


def rows(values: metric_boards.Values, *, lower: bool = False) -> list[tuple[int, str]]:
    found = metric_boards.rows(values, dict.fromkeys(values, "id"), LOWER if lower else HIGHER)
    return [(row.rank, row.team) for row in found]


def board(world: World, metric: str, task: Task = Task.PIXEL) -> MetricBoard:
    with world.db.read() as s:
        return metric_boards.board(s, world.challenge(s), task, metric)


def test_mean_and_standard_deviation_of_data_sets() -> None:
    (row,) = metric_boards.rows({"A": {"brain": 0.5, "abdom": 0.75}}, {"A": "id"}, HIGHER)
    assert (row.rank, row.is_tied, row.mean) == (1, False, 0.625)
    assert row.sd == pytest.approx(math.sqrt(2 * 0.125**2))


def test_higher_is_better_and_ties_share_the_smallest_rank() -> None:
    values = {"A": {"brain": 0.25, "abdom": 0.75}, "B": {"brain": 0.5, "abdom": 0.5}, "C": {"brain": 1.0, "abdom": 1.0}}
    assert rows(values) == [(1, "C"), (2, "A"), (2, "B")]


def test_lower_is_better_where_it_is() -> None:
    assert rows({"A": {"brain": 0.75}, "B": {"brain": 0.25}}, lower=True) == [(1, "B"), (2, "A")]


@pytest.mark.parametrize("lower", [False, True])
def test_who_lacks_a_value_never_stands_before_who_has_it(*, lower: bool) -> None:
    best, worst = (0.0, 1.0) if lower else (1.0, 0.0)
    values: dict[str, dict[str, float | None]] = {
        "Nothing": {"brain": None, "abdom": None},
        "Half": {"brain": best, "abdom": None},
        "Whole": {"brain": worst, "abdom": worst},
    }
    assert rows(values, lower=lower) == [(1, "Whole"), (2, "Half"), (3, "Nothing")]


@pytest.mark.parametrize("lower", [False, True])
def test_means_that_differ_in_the_last_digit_are_no_tie(*, lower: bool) -> None:
    least = 5e-324
    values = {"A": {"brain": least, "abdom": least}, "B": {"brain": 0.0, "abdom": 0.0}}
    assert rows(values, lower=lower) == ([(1, "B"), (2, "A")] if lower else [(1, "A"), (2, "B")])


def test_a_metric_that_is_undefined_for_all_orders_nobody() -> None:
    assert rows({"B": {"brain": None}, "A": {"brain": None}}) == [(1, "A"), (1, "B")]


@pytest.mark.parametrize(("task", "metrics"), metric_boards.NAMES.items())
def test_every_board_has_the_metrics_that_scores_keep(world: World, task: Task, metrics: dict[str, str]) -> None:
    score(world, "A", task=task)
    with world.db.read() as s:
        kept = s.query(Score).join(Job).join(Dataset).filter(Dataset.name == "brain").one().metrics
    assert metrics.keys() == kept.keys()


def test_a_board_reads_what_was_stored(world: World) -> None:
    score(world, "Perfect", task=Task.PIXEL)
    score(world, "Constant", task=Task.PIXEL, constant=True)
    found = board(world, "dataset_fpr_at_95tpr")
    assert found.lower_is_better
    assert [(row.rank, row.team, row.mean) for row in found.rows] == [(1, "Perfect", 0.0), (2, "Constant", 1.0)]
    assert (found.undefined_on, found.not_computed) == ((), 0)


def test_scores_from_before_metrics_were_kept_are_counted(world: World) -> None:
    score(world, "A", task=Task.PIXEL)
    with world.db.write() as s:
        for row in s.query(Score):
            row.metrics = {}
    found = board(world, "dataset_auroc")
    assert (found.not_computed, found.undefined_on) == (2, ("brain", "abdom"))
    assert found.rows[0].mean is None


def test_csv_says_na_where_a_metric_is_undefined(world: World) -> None:
    score(world, "A", task=Task.PIXEL)
    with world.db.write() as s:
        for row in s.query(Score).join(Job).join(Dataset).filter(Dataset.name == "abdom"):
            row.metrics = row.metrics | {"pl_30": None}
    assert metric_boards.csv(board(world, "pl_30")).splitlines() == [
        "task,alg_name,value,case",
        "brain,A,1.0,pl_30",
        "abdom,A,NA,pl_30",
    ]


def test_a_metric_of_the_other_task_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="no board of 'aupro_30'"):
        board(world, "aupro_30", Task.SAMPLE)


def test_nobody_has_a_board_before_there_is_a_score(world: World) -> None:
    assert board(world, "pl_30").rows == ()
