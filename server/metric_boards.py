"""Boards of the other metrics, beside the official one: mean and standard deviation over data sets."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlalchemy.orm import Session

from evaluator import ranking
from evaluator.metrics import METRICS, Metric
from server import leaderboard
from server.errors import NotFound
from server.models import Challenge
from server.protocol import Task

NAMES: Final[Mapping[Task, Mapping[str, str]]] = MappingProxyType(
    {  # key in Score.metrics -> name in evaluator.metrics
        Task.SAMPLE: {
            "dataset_auroc": "sample_auroc",
            "dataset_max_dice": "sample_max_dice",
            "dataset_fpr_at_95tpr": "sample_fpr_at_95tpr",
        },
        Task.PIXEL: {
            "dataset_ap": "voxel_ap",
            "dataset_auroc": "voxel_auroc",
            "dataset_max_dice": "voxel_max_dice",
            "dataset_fpr_at_95tpr": "voxel_fpr_at_95tpr",
            "aupro_30": "aupro_30",
            "pl_30": "pl_30",
            "pl_50": "pl_50",
            "object_f1": "object_f1",
            "object_precision": "object_precision",
            "object_recall": "object_recall",
        },
    }
)

Values = Mapping[str, Mapping[str, float | None]]  # team -> data set -> value; None where undefined


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One team."""

    rank: int
    is_tied: bool
    team: str
    values: Mapping[str, float | None]  # data set -> value
    mean: float | None  # over the data sets where it is defined; None: nowhere
    sd: float | None  # standard deviation between them (n - 1); None with fewer than two
    submission: str | None  # None: whoever reads it may not open it


@dataclass(frozen=True, kw_only=True)
class MetricBoard:
    """The board of a metric, ordered by rank and then name."""

    task: Task
    metric: str  # key in Score.metrics
    title: str
    lower_is_better: bool
    datasets: tuple[str, ...]
    undefined_on: tuple[str, ...]  # data sets where no team has it
    rows: tuple[MetricRow, ...]
    not_computed: int  # scores from before other metrics were kept


def metric(task: Task, name: str) -> Metric:
    """Give what a board's metric is. Raises NotFound."""
    known = NAMES[task]
    if name not in known:
        raise NotFound(f"the {task} task has no board of {name!r}: there are {', '.join(known)}")
    return METRICS[known[name]]


def titles(task: Task) -> dict[str, str]:
    """Give the metrics of a task's boards, by key."""
    return {name: METRICS[of].title for name, of in NAMES[task].items()}


def board(s: Session, challenge: Challenge, task: Task, name: str) -> MetricBoard:
    """Rank the submissions that count on the official board by another metric. Raises NotFound."""
    found = metric(task, name)
    counting = leaderboard.valid_submissions(s, challenge, task)
    names = leaderboard.shown_names(counting)
    datasets = tuple(dataset.name for dataset in challenge.datasets)
    scores = {key: leaderboard.by_team(counting, names, key) for key in datasets}
    values = {team: {key: scores[key][team].metrics.get(name) for key in datasets} for team in names.values()}
    return MetricBoard(
        task=task,
        metric=name,
        title=found.title,
        lower_is_better=found.lower_is_better,
        datasets=datasets,
        undefined_on=tuple(key for key in datasets if values and all(own[key] is None for own in values.values())),
        rows=rows(values, {names[one.team_id]: one.id for one in counting}, found),
        not_computed=sum(not score.metrics for of in scores.values() for score in of.values()),
    )


def rows(values: Values, submissions: Mapping[str, str], of: Metric) -> tuple[MetricRow, ...]:
    """Rank by the mean over the data sets where a team has a value.

    Who has a value on more data sets stands before, as in the analyses: what is missing never ranks above what is not.
    """
    sign = -1 if of.lower_is_better else 1
    defined = {team: [value for value in own.values() if value is not None] for team, own in values.items()}
    keys = {team: (len(own), sign * (mean(own) or 0.0)) for team, own in defined.items()}
    ranks = {team: 1 + sum(other > key for other in keys.values()) for team, key in keys.items()}
    shared = Counter(ranks.values())
    found = (
        MetricRow(
            rank=ranks[team],
            is_tied=shared[ranks[team]] > 1,
            team=team,
            values=values[team],
            mean=mean(own),
            sd=statistics.stdev(own) if len(own) > 1 else None,
            submission=submissions[team],
        )
        for team, own in defined.items()
    )
    return tuple(sorted(found, key=lambda one: (one.rank, one.team)))


def mean(defined: Sequence[float]) -> float | None:
    """Their mean; None where there are none."""
    return statistics.fmean(defined) if defined else None


def csv(view: MetricBoard) -> str:
    """The values in challengeR's columns: task (the data set), alg_name, value or NA, case (the metric)."""
    return ranking.write_csv(
        {name: {one.team: {view.metric: one.values[name]} for one in view.rows} for name in view.datasets}
    )
