"""What pages show beyond server.views: a challenge, a toy report in words, a history, tries that are left."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from evaluator import notes
from server import challenges, leaderboard, lifecycle, messages, submissions
from server.models import Challenge, Dataset, Submission, Team
from server.protocol import Queue, Stage, Task, WarningCode
from server.web.rendering import number, score

log = logging.getLogger(__name__)

PHASES = {"before": "not open yet", "open": "open for submissions", "closed": "closed"}


@dataclass(frozen=True, kw_only=True)
class DatasetView:
    """A data set: how many cases, never which."""

    name: str
    title: str
    toy_cases: int
    hidden_cases: dict[str, int]  # by task


@dataclass(frozen=True, kw_only=True)
class ChallengeView:
    """A challenge as everybody may see it."""

    slug: str
    title: str
    description: str
    rules: str
    phase: str  # before, open, closed
    opens_at: datetime | None
    closes_at: datetime | None
    budget_s: float  # for each case of a container start
    final_submissions: int  # a team and task
    batch_size: int  # cases
    architecture: str
    max_archive_bytes: int
    datasets: list[DatasetView]
    published: list[Task]  # leaderboards that everybody may see

    @property
    def phase_text(self) -> str:
        """In words."""
        return PHASES[self.phase]


def challenge_view(session: Session, challenge: Challenge, now: datetime) -> ChallengeView:
    """Read it."""
    settings = challenges.settings(challenge)
    return ChallengeView(
        slug=challenge.slug,
        title=challenge.title,
        description=settings.description,
        rules=settings.rules,
        phase=challenges.phase(challenge, now),
        opens_at=settings.opens_at,
        closes_at=settings.closes_at,
        budget_s=settings.budget_s,
        final_submissions=settings.final_submissions,
        batch_size=settings.batch_size,
        architecture=settings.architecture,
        max_archive_bytes=settings.max_archive_bytes,
        datasets=[dataset_view(dataset) for dataset in challenge.datasets],
        published=[task for task in Task if leaderboard.visible(session, challenge, task, now)],
    )


def dataset_view(dataset: Dataset) -> DatasetView:
    """Count its cases."""
    toy = {case.name for task in Task for case in challenges.cases(dataset, Stage.TOY, task)}
    hidden = {task.value: len(challenges.cases(dataset, Stage.HIDDEN, task)) for task in Task}
    return DatasetView(name=dataset.name, title=dataset.title, toy_cases=len(toy), hidden_cases=hidden)


@dataclass(frozen=True, kw_only=True)
class ToyCaseView:
    """One toy case of a report."""

    case: str
    is_anomalous: bool
    value: str  # sample task: its score; pixel task: its average precision
    notes: tuple[str, ...]  # empty: read, and nothing odd about it


@dataclass(frozen=True, kw_only=True)
class ReportView:
    """A report on toy cases, in words."""

    ap: float | None
    bounds: tuple[float, float] | None  # of `ap` before rounding; None: nothing was rounded
    distinct: int
    wall_s: float
    peak_memory_bytes: int | None  # None: too short to measure
    cases: tuple[ToyCaseView, ...]
    warnings: tuple[tuple[str, str], ...]  # code, sentence


class StoredCase(BaseModel):
    """One case of a report, as a worker sent it."""

    case: str
    label: int
    score: float | None = None  # sample task
    ap: float | None = None  # pixel task
    notes: dict[str, int]


class StoredWarning(BaseModel):
    """One kind of warning of a report."""

    code: str
    count: int


class StoredReport(BaseModel):
    """evaluator.report.toy_report, as a worker sent it: checked before it is shown."""

    task: Task
    ap: float | None
    ap_bounds: tuple[float, float] | None
    distinct: int
    wall_s: float
    peak_memory_bytes: int | None
    cases: list[StoredCase]
    warnings: list[StoredWarning]


def report_view(report: Mapping[str, Any]) -> ReportView | None:
    """Put a report into words. None: it is not one, which is a worker's doing and no reason to hide the page."""
    try:
        stored = StoredReport.model_validate(report)
    except ValidationError as error:
        log.warning("a stored toy report cannot be shown", extra={"error": str(error)})
        return None
    return ReportView(
        ap=stored.ap,
        bounds=stored.ap_bounds if stored.ap_bounds and stored.ap_bounds[0] < stored.ap_bounds[1] else None,
        distinct=stored.distinct,
        wall_s=stored.wall_s,
        peak_memory_bytes=stored.peak_memory_bytes,
        cases=tuple(
            ToyCaseView(
                case=case.case,
                is_anomalous=bool(case.label),
                value=score(case.score) if stored.task is Task.SAMPLE else number(case.ap),
                notes=tuple(case_note(code, count) for code, count in case.notes.items()),
            )
            for case in stored.cases
        ),
        warnings=tuple((one.code, sentence(one.code, one.count)) for one in stored.warnings),
    )


def case_note(code: str, count: int) -> str:
    """What is odd about one prediction, with how many of its voxels where that is more than one."""
    said = notes.SENTENCES.get(code, code)
    return f"{said} ({count:,} voxels)" if count > 1 else said


def sentence(code: str, count: int) -> str:
    """A warning in words; a later worker's code that is not known here stands for itself."""
    return messages.warning(WarningCode(code), count) if code in set(WarningCode) else f"{code} × {count}"


@dataclass(frozen=True, kw_only=True)
class EventView:
    """One change of state."""

    at: datetime
    what: str
    reason: str  # empty where it could tell of hidden cases


def history_views(session: Session, submission: Submission, *, everything: bool) -> list[EventView]:
    """All changes of a submission and its jobs, in order; a job's reasons are for organizers."""
    found = [(event, "", event.reason) for event in lifecycle.history(session, "submission", submission.id)]
    for job in submission.jobs:
        for event in lifecycle.history(session, "job", job.id):
            reason = f"{event.reason}{f' ({event.host})' if event.host else ''}" if everything else ""
            found.append((event, f"{job.dataset.title}: ", reason))
    found.sort(key=lambda one: one[0].number)
    return [EventView(at=event.at, what=f"{whose}{event.to_status}", reason=reason) for event, whose, reason in found]


@dataclass(frozen=True, kw_only=True)
class TriesView:
    """Final submissions of a team for one task."""

    task: Task
    left: int
    total: int


def tries_left(session: Session, team: Team, challenge: Challenge) -> list[TriesView]:
    """For each task."""
    counted = [(task, submissions.tries(session, team, challenge, task)) for task in Task]
    return [TriesView(task=task, left=tries.total - tries.used, total=tries.total) for task, tries in counted]


def combinations() -> list[tuple[Task, Queue]]:
    """What an image can be handed in for."""
    return [(task, queue) for task in Task for queue in Queue]
