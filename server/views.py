"""What pages and the API show, as small values: who may see what is decided here.

Of hidden cases a team is shown a code, a stage, tenths and rounded counts; an organizer sees all, and
each such look is recorded.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from server import accounts, messages
from server.errors import NotFound
from server.models import Account, Job, Run, Submission, View
from server.protocol import (
    HELD,
    FailureCode,
    HostReport,
    JobStatus,
    Queue,
    Stage,
    SubmissionStatus,
    Task,
    WarningCode,
)

TENTHS = 10
HOST_SILENT_AFTER = timedelta(minutes=3)  # a worker reports every minute


@dataclass(frozen=True, kw_only=True)
class WarningView:
    """One kind of warning."""

    code: WarningCode
    count: int  # of hidden cases a team sees it rounded
    message: str


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One container start."""

    stage: Stage
    status: str
    started_at: datetime
    wall_s: float | None
    peak_memory_bytes: int | None  # None for a team where the cases were hidden, or where it was too short to sample
    exit_code: int | None  # None for a team where the cases were hidden, or where it was killed


@dataclass(frozen=True, kw_only=True)
class ScoreView:
    """A job's official score: for organizers, until a board is published."""

    value: float
    validation: float | None
    evaluator_version: str


@dataclass(frozen=True, kw_only=True)
class JobView:
    """One data set of a submission."""

    id: str
    dataset: str
    title: str  # the data set's
    status: JobStatus
    stage: Stage | None
    cases_done: int
    cases_total: int  # 0: not known yet
    is_exact: bool  # False: cases are tenths of the whole
    started_at: datetime | None
    finished_at: datetime | None
    elapsed_s: float | None  # since a worker took it
    attempt: int
    code: FailureCode | None
    message: str | None
    warnings: tuple[WarningView, ...]  # of the hidden cases, or of the job that failed
    toy_report: dict[str, Any] | None  # evaluator.report.toy_report
    runs: tuple[RunView, ...]  # of this attempt
    has_log: bool  # of the toy run
    log_cut: bool
    worker: str | None  # for organizers
    score: ScoreView | None  # for organizers

    @property
    def is_running(self) -> bool:
        """A worker holds it."""
        return self.status in HELD

    @property
    def progress_text(self) -> str:
        """Where it is, in words."""
        if self.status is not JobStatus.PREDICTING or self.stage is None or not self.cases_total:
            return str(self.status)
        if self.is_exact:
            return f"{self.stage} cases, {self.cases_done} of {self.cases_total}"
        return f"{self.stage} cases, about {100 * self.cases_done // self.cases_total} %"


@dataclass(frozen=True, kw_only=True)
class SubmissionView:
    """One submission, as somebody may see it."""

    id: str
    team: str
    task: Task
    queue: Queue
    status: SubmissionStatus
    received_at: datetime
    changed_at: datetime
    elapsed_s: float
    charged: bool
    digest: str | None
    archive_bytes: int
    code: FailureCode | None
    message: str | None
    can_cancel: bool
    jobs: tuple[JobView, ...]

    @property
    def is_final(self) -> bool:
        """Nothing follows."""
        return self.status.is_final

    @property
    def waiting_text(self) -> str:
        """What it waits for, while it has no jobs."""
        if self.status is SubmissionStatus.CHECKING:
            return "The archive is being checked."
        return "Nothing ran." if self.is_final else "Waits for a worker."


@dataclass(frozen=True, kw_only=True)
class WorkerView:
    """One worker, as it last reported."""

    host: str
    worker: str
    architecture: str
    engine: str
    gpus: tuple[str, ...]
    datasets: tuple[str, ...]
    complaints: Mapping[str, str]  # checks that are not ok
    reported_at: datetime
    is_silent: bool
    job: str | None  # that it holds


@dataclass(frozen=True, kw_only=True)
class QueueView:
    """What waits and what runs."""

    checking: int
    toy_queued: int
    final_queued: int
    companion_queued: int  # on companion sets
    running: int
    oldest_queued_at: datetime | None


def submission_view(submission: Submission, *, account: Account, now: datetime) -> SubmissionView:
    """One loaded submission, as this account may see it."""
    everything = account.organizer
    code = submission.failure_code
    stage = next((j.failure_stage for j in submission.jobs if j.failure_code is code and code is not None), None)
    jobs = tuple(job_view(job, everything=everything, now=now) for job in submission.jobs)
    return SubmissionView(
        id=submission.id,
        team=submission.team.name,
        task=submission.task,
        queue=submission.queue,
        status=submission.status,
        received_at=submission.received_at,
        changed_at=submission.changed_at,
        elapsed_s=seconds(submission.received_at, submission.changed_at if submission.status.is_final else now),
        charged=submission.charged,
        digest=submission.image.digest if submission.image else None,
        archive_bytes=submission.archive_bytes,
        code=code,
        message=messages.failure(code, stage, submission.failure_detail) if code else None,
        can_cancel=not submission.status.is_final
        and all(job.status is not JobStatus.SCORING for job in submission.jobs)
        and (everything or submission.team_id == account.team_id),
        jobs=jobs,
    )


def submission_views(submissions: Iterable[Submission], *, account: Account, now: datetime) -> list[SubmissionView]:
    """Several, in the same order."""
    return [submission_view(one, account=account, now=now) for one in submissions]


def job_view(job: Job, *, everything: bool, now: datetime) -> JobView:
    """One loaded job; `everything` for an organizer."""
    exact = everything or job.stage is not Stage.HIDDEN
    detail = job.failure_detail
    if everything and job.failure_stage is Stage.HIDDEN and detail:
        message = f"{messages.failure(job.failure_code, job.failure_stage)} {detail}" if job.failure_code else None
    else:
        message = messages.failure(job.failure_code, job.failure_stage, detail) if job.failure_code else None
    log = toy_run(job)
    hidden_warnings = job.failure_stage is not Stage.TOY and job.submission.queue is Queue.FINAL
    return JobView(
        id=job.id,
        dataset=job.dataset.name,
        title=job.dataset.title,
        status=job.status,
        stage=job.stage,
        cases_done=job.cases_done if exact else tenths(job.cases_done, job.cases_total),
        cases_total=job.cases_total if exact else TENTHS,
        is_exact=exact,
        started_at=job.started_at,
        finished_at=job.finished_at,
        elapsed_s=seconds(job.started_at, job.finished_at or now) if job.started_at else None,
        attempt=job.attempt,
        code=job.failure_code,
        message=message,
        warnings=warning_views(job.warnings, rounded=hidden_warnings and not everything),
        toy_report=job.toy_report,
        runs=tuple(run_view(run, everything=everything) for run in job.runs if run.attempt == job.attempt),
        has_log=log is not None,
        log_cut=log is not None and log.log_cut,
        worker=job.worker if everything else None,
        score=score_view(job) if everything else None,
    )


def run_view(run: Run, *, everything: bool) -> RunView:
    """One container start; of the hidden cases a team sees the time, to the second.

    A container chooses what it takes of memory, to the page: it could write a message with it.
    """
    exact = everything or run.stage is Stage.TOY
    return RunView(
        stage=run.stage,
        status=run.status,
        started_at=run.started_at,
        wall_s=run.wall_s if exact or run.wall_s is None else float(math.ceil(run.wall_s)),
        peak_memory_bytes=run.peak_memory_bytes if exact else None,
        exit_code=run.exit_code if exact else None,
    )


def score_view(job: Job) -> ScoreView | None:
    """The official score, where there is one."""
    if job.score is None:
        return None
    return ScoreView(
        value=job.score.value, validation=job.score.validation, evaluator_version=job.score.evaluator_version
    )


def warning_views(warnings: Sequence[Mapping[str, Any]], *, rounded: bool) -> tuple[WarningView, ...]:
    """Warnings with their sentences."""
    views = []
    for warning in warnings:
        code = WarningCode(warning["code"])
        count = round_up(warning["count"]) if rounded else warning["count"]
        text = messages.hidden_warning(code, count) if rounded else messages.warning(code, count)
        views.append(WarningView(code=code, count=count, message=text))
    return tuple(views)


def toy_run(job: Job) -> Run | None:
    """The last ended run on the toy cases."""
    ended = [run for run in job.runs if run.stage is Stage.TOY and run.log_sha256 is not None]
    return ended[-1] if ended else None


def toy_log(submission: Submission, dataset: str) -> str:
    """The sha256 of the toy run's log on a data set, in the store. Raises NotFound."""
    for job in submission.jobs:
        run = toy_run(job)
        if job.dataset.name == dataset and run is not None and run.log_sha256 is not None:
            return run.log_sha256
    raise NotFound(f"there is no log of a toy run of submission {submission.id} on {dataset}")


def looked(s: Session, account: Account, subject: str, now: datetime) -> None:
    """Record that an organizer looked at something hidden; of anybody else there is nothing to record."""
    if account.organizer:
        s.add(View(account_id=account.id, subject=subject, at=now))


def marks(s: Session) -> dict[str, object]:
    """One value a team (by id) that changes when something a watcher may see has changed.

    Submissions on companion sets are nobody's: only who watches everybody is woken by them.
    """
    watched = case((Submission.analyses_id.is_(None), Submission.team_id))
    progress = case(
        (Job.stage == Stage.HIDDEN, Job.cases_done * TENTHS // func.nullif(Job.cases_total, 0)),
        else_=Job.cases_done,
    )
    rows = s.execute(
        select(
            watched,
            func.count(func.distinct(Submission.id)),
            func.max(Submission.changed_at),
            func.max(Job.changed_at),
            func.count(Job.stage),
            func.count(Job.toy_report),
            func.sum(case((Job.stage == Stage.HIDDEN, 1), else_=0)),
            func.sum(progress),
        )
        .outerjoin(Job, Job.submission_id == Submission.id)
        .group_by(watched)
    )
    return {row[0] or "": tuple(row[1:]) for row in rows}


def worker_views(s: Session, now: datetime) -> list[WorkerView]:
    """All workers that ever reported, by host and name."""
    held = {(job.host_id, job.worker): job.id for job in s.scalars(select(Job).where(Job.status.in_(HELD)))}
    views = []
    for host in accounts.hosts(s):
        for name, raw in sorted((host.report or {}).items()):
            report = HostReport.model_validate(raw)
            views.append(
                WorkerView(
                    host=host.name,
                    worker=name,
                    architecture=report.architecture,
                    engine=report.engine,
                    gpus=tuple(report.gpus),
                    datasets=tuple(f"{offer.challenge}/{offer.dataset}" for offer in report.datasets),
                    complaints={check: found for check, found in report.checks.items() if found != "ok"},
                    reported_at=report.at,
                    is_silent=now - report.at > HOST_SILENT_AFTER,
                    job=held.get((host.id, name)),
                )
            )
    return views


def queue_view(s: Session) -> QueueView:
    """Counts over all challenges."""
    on_companion = Submission.analyses_id.is_not(None)
    jobs = {
        (status, queue, bool(companion)): count
        for status, queue, companion, count in s.execute(
            select(Job.status, Submission.queue, on_companion, func.count())
            .join(Submission, Submission.id == Job.submission_id)
            .group_by(Job.status, Submission.queue, on_companion)
        )
    }
    checking = s.scalar(
        select(func.count()).select_from(Submission).where(Submission.status == SubmissionStatus.CHECKING)
    )
    return QueueView(
        checking=checking or 0,
        toy_queued=jobs.get((JobStatus.QUEUED, Queue.TOY, False), 0),
        final_queued=jobs.get((JobStatus.QUEUED, Queue.FINAL, False), 0),
        companion_queued=jobs.get((JobStatus.QUEUED, Queue.FINAL, True), 0),
        running=sum(count for (status, _, _), count in jobs.items() if status in HELD),
        oldest_queued_at=s.scalar(select(func.min(Job.changed_at)).where(Job.status == JobStatus.QUEUED)),
    )


def tenths(done: int, total: int) -> int:
    """How many tenths are done."""
    return min(TENTHS, done * TENTHS // total) if total else 0


def round_up(count: int) -> int:
    """The count to one digit, upwards and at least ten: it tells little of how many hidden cases there are."""
    step: int = max(TENTHS, 10 ** (len(str(count)) - 1))
    steps = -(-count // step)
    return steps * step


def seconds(start: datetime, end: datetime) -> float:
    """Never negative: clocks of hosts differ."""
    return max(0.0, (end - start).total_seconds())
