"""The only writer of any status: how submissions, jobs and runs come from one state to the next.

What may follow what stands in `server.protocol`, is stored in the table `transition` and is held there by
triggers. Every change is appended to `event`. docs/lifecycle.md draws it.

Locks are taken in one order everywhere, so that two transactions never wait for each other: jobs by id,
then submissions by id. On SQLite a writer is alone anyway.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, case, or_, select, update
from sqlalchemy.orm import Session

from server import challenges, scores
from server.db import Database
from server.errors import Conflict, Invalid, NotFound, StaleToken
from server.models import CaseScore, Challenge, Dataset, Event, Host, Image, Job, Run, Score, Submission
from server.protocol import (
    HELD,
    ClaimRequest,
    Failed,
    FailureCode,
    Faulted,
    Finished,
    JobSpec,
    JobStatus,
    JobWarning,
    Move,
    Queue,
    Released,
    Renewal,
    RenewalReply,
    RunEnded,
    RunStarted,
    RunStatus,
    Stage,
    SubmissionStatus,
    ToyReported,
)
from server.storage import Store

LEASE = timedelta(minutes=2)  # a worker renews it every 5 s, so it outlasts a restart of the server
FAULTS = 3  # the platform tries a job so often
CHECKING_MAX = timedelta(hours=2)
PREPARING_MAX = timedelta(hours=1)  # fetch and load an image of some gigabytes
PREDICTING_SLACK = timedelta(minutes=30)  # beyond the budgets of the container starts
SCORING_MAX = timedelta(hours=6)
QUEUED_ALARM = timedelta(hours=6)  # waits for a host: nobody's work fails, but somebody should look
DETAIL_MAX = 4000  # characters

Row = TypeVar("Row", Job, Run, Submission)


@dataclass(frozen=True, kw_only=True)
class SweepReport:
    """What a sweep found, by ids."""

    expired: tuple[str, ...] = ()  # jobs whose worker fell silent
    overdue: tuple[str, ...] = ()  # jobs past the greatest age of their state
    lost_runs: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()  # submissions whose archive check never ended
    waiting: tuple[str, ...] = ()  # jobs that wait for a host for too long: an alarm, nothing was done


# --- submissions ----------------------------------------------------------------------------------------


def received(s: Session, submission: Submission, now: datetime, reason: str = "upload complete") -> None:
    """Write down that a submission came into being."""
    note(s, "submission", submission.id, None, submission.status, now, reason)


def accept(s: Session, submission: Submission, image: Image, now: datetime) -> list[Job] | None:
    """Let it wait for workers, with one job a data set. None: it is no longer being checked."""
    change: dict[str, Any] = {"image_id": image.id, "checker_until": None}
    if not leave_checking(s, submission.id, SubmissionStatus.QUEUED, now, "archive accepted", change):
        return None
    jobs = [
        Job(submission_id=submission.id, dataset_id=row.id, position=row.position, changed_at=now, queued_at=now)
        for row in submission.challenge.datasets
    ]
    s.add_all(jobs)
    s.flush()
    for job in jobs:
        note(s, "job", job.id, None, job.status, now, "archive accepted")
    return jobs


def refuse(s: Session, submission_id: str, code: FailureCode, detail: str, now: datetime) -> bool:
    """The archive check said no; the try is given back. False: it is no longer being checked."""
    change = {"failure_code": code, "failure_detail": detail[:DETAIL_MAX], "charged": False}
    return leave_checking(s, submission_id, SubmissionStatus.REFUSED, now, code, {**change, "checker_until": None})


def cancel(s: Session, submission_id: str, *, reason: str, now: datetime) -> None:
    """Take a submission back. Its try is given back while nothing of it has run.

    Raises Conflict once it is final or being scored.
    """
    back: dict[str, Any] = {"charged": False, "checker_until": None}
    if leave_checking(s, submission_id, SubmissionStatus.CANCELLED, now, reason, back):
        return
    jobs = lock_jobs(s, Job.submission_id == submission_id)
    submission = lock_submission(s, submission_id)
    if submission.status.is_final:
        raise Conflict(f"submission {submission_id} is {submission.status} already: nothing is left to cancel")
    if any(job.status is JobStatus.SCORING for job in jobs):
        raise Conflict(f"submission {submission_id} is being scored: that cannot be cancelled any more")
    if submission.status is SubmissionStatus.QUEUED:
        submission.charged = False
    for job in jobs:
        if not job.status.is_final:
            write(s, job, {"finished_at": now}, to=JobStatus.CANCELLED, now=now, reason=reason)
    settle(s, submission_id, now)


def leave_checking(
    s: Session, submission_id: str, to: SubmissionStatus, now: datetime, reason: str, change: dict[str, Any]
) -> bool:
    """One guarded UPDATE. False: it was not in `checking` any more."""
    old = SubmissionStatus.CHECKING
    done = s.execute(
        update(Submission)
        .where(Submission.id == submission_id, Submission.status == old)
        .values(status=to, changed_at=now, **change)
        .returning(Submission.id)
        .execution_options(synchronize_session=False)
    ).first()
    if done is None:
        return False
    refreshed(s, Submission, submission_id)
    note(s, "submission", submission_id, old, to, now, reason)
    return True


def settle(s: Session, submission_id: str, now: datetime) -> None:
    """Derive the submission's state from its jobs', once all of them are final."""
    submission = lock_submission(s, submission_id)
    jobs = list(s.scalars(fresh(Job, Job.submission_id == submission_id)))
    if submission.status.is_final or not all(job.status.is_final for job in jobs):
        return
    failed = sorted((j for j in jobs if j.status is JobStatus.FAILED), key=lambda j: (j.finished_at or now, j.id))
    # The first failure names it, but the container's before ours: with one of those the try was used.
    first = next((job for job in failed if job.failure_code and not job.failure_code.is_ours), None)
    first = first or (failed[0] if failed else None)
    if first is not None:
        submission.failure_code = first.failure_code
        to = SubmissionStatus.FAILED
        if first.failure_code is not None and first.failure_code.is_ours:
            submission.charged = False
    elif all(job.status is JobStatus.SCORED for job in jobs):
        to = SubmissionStatus.SCORED
    else:
        to = SubmissionStatus.CANCELLED
    move_submission(s, submission, to, now, first.failure_code if first and first.failure_code else "jobs are final")


def move_submission(s: Session, submission: Submission, to: SubmissionStatus, now: datetime, reason: str) -> None:
    """Write the new state of a locked submission."""
    note(s, "submission", submission.id, submission.status, to, now, reason)
    submission.status = to
    submission.changed_at = now
    s.flush()


# --- jobs, as workers see them --------------------------------------------------------------------------


def claim(s: Session, host: Host, request: ClaimRequest, now: datetime) -> Job | None:
    """Give the host its next job, with a lease and a fencing token, or None.

    Toy jobs come before final ones, these before those of companion sets, then the submission received first.
    A job is given for a data set that the host offers by the challenge's own manifest, with an image of the
    worker's architecture.
    """
    if not request.datasets:
        return None
    found = s.execute(
        update(Job)
        .where(Job.id == next_job(request), Job.status == JobStatus.QUEUED)
        .values(
            status=JobStatus.PREPARING,
            changed_at=now,
            started_at=now,
            attempt=Job.attempt + 1,
            token=secrets.token_hex(32),
            lease_expires_at=now + LEASE,
            host_id=host.id,
            worker=request.worker,
            manifest_sha256=select(Challenge.manifest_sha256)
            .join(Dataset, Dataset.challenge_id == Challenge.id)
            .where(Dataset.id == Job.dataset_id)
            .scalar_subquery(),
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if found is None:
        return None
    job = refreshed(s, Job, found)
    note(s, "job", job.id, JobStatus.QUEUED, job.status, now, f"claimed by {request.worker}", host.name)
    submission = lock_submission(s, job.submission_id)
    if submission.status is SubmissionStatus.QUEUED:
        move_submission(s, submission, SubmissionStatus.RUNNING, now, "a worker took a job")
    return job


def next_job(request: ClaimRequest) -> Any:
    """The subquery that names the job whose turn it is; on PostgreSQL it passes by what others hold."""
    offered = or_(
        *(
            and_(
                Challenge.slug == offer.challenge,
                Challenge.manifest_sha256 == offer.manifest_sha256,
                Dataset.name == offer.dataset,
            )
            for offer in request.datasets
        )
    )
    turn = case((Submission.queue == Queue.TOY, 0), (Submission.analyses_id.is_(None), 1), else_=2)
    return (
        select(Job.id)
        .join(Submission, Submission.id == Job.submission_id)
        .join(Image, Image.id == Submission.image_id)
        .join(Dataset, Dataset.id == Job.dataset_id)
        .join(Challenge, Challenge.id == Dataset.challenge_id)
        .where(Job.status == JobStatus.QUEUED, Image.architecture == request.architecture, offered)
        .order_by(turn, Submission.received_at, Submission.id, Job.position)
        .limit(1)
        .with_for_update(of=Job, key_share=True, skip_locked=True)
        .scalar_subquery()
    )


def spec(job: Job) -> JobSpec:
    """What the holder needs to know of a loaded job that was just claimed."""
    submission, dataset = job.submission, job.dataset
    settings = challenges.settings(submission.challenge)
    image = submission.image
    if image is None or job.token is None or job.manifest_sha256 is None:
        raise RuntimeError(f"job {job.id} has no image or no holder")
    return JobSpec(
        job=job.id,
        attempt=job.attempt,
        token=job.token,
        lease_s=LEASE.total_seconds(),
        challenge=submission.challenge.slug,
        dataset=dataset.name,
        manifest_sha256=job.manifest_sha256,
        task=submission.task,
        queue=submission.queue,
        image=image.digest,
        archive_sha256=image.archive_sha256,
        budget_s=settings.budget_s,
        limits=settings.limits,
        user=settings.container_user,
        show=settings.show.get(dataset.name, []),
        object_min_volume_mm3=settings.object_min_volume_mm3,
    )


def holder(s: Session, host: Host, job_id: str, token: str) -> Job:
    """Give the job that this host holds by this token. Raises NotFound or StaleToken."""
    job = s.get(Job, job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id}")
    if held(job, token).host_id != host.id:
        raise stale(job_id)
    return job


def renew(s: Session, job_id: str, renewal: Renewal, now: datetime) -> RenewalReply:
    """Prolong the lease and keep the progress. Tells whether the job was cancelled."""
    job = lock_job(s, job_id)
    if job.token == renewal.token and job.status is JobStatus.CANCELLED:
        return RenewalReply(cancelled=True, lease_s=LEASE.total_seconds())
    change: dict[str, Any] = {"lease_expires_at": now + LEASE}
    if renewal.stage is not None:
        change |= renewal.model_dump(include={"stage", "cases_done", "cases_total"})
    write(s, held(job, renewal.token), change, token=renewal.token)
    return RenewalReply(cancelled=False, lease_s=LEASE.total_seconds())


def move(s: Session, job_id: str, moved: Move, now: datetime) -> None:
    """Go on to `predicting` or `scoring`. Said twice, it counts once."""
    if moved.status not in {JobStatus.PREDICTING, JobStatus.SCORING}:
        raise Invalid(f"a worker moves a job to predicting or scoring, not to {moved.status}")
    job = held(lock_job(s, job_id), moved.token)
    if job.status is moved.status:
        return
    if (job.status, moved.status) not in {
        (JobStatus.PREPARING, JobStatus.PREDICTING),
        (JobStatus.PREDICTING, JobStatus.SCORING),
    }:
        raise Conflict(f"job {job_id} is {job.status}: {moved.status} does not follow")
    write(s, job, {}, token=moved.token, to=moved.status, now=now, reason="worker")


def run_started(s: Session, job_id: str, started: RunStarted, now: datetime) -> str:
    """A container start begins; gives the run's id."""
    job = held(lock_job(s, job_id), started.token)
    change = {"stage": started.stage, "cases_done": 0, "cases_total": started.cases}
    write(s, job, change, token=started.token)
    run = Run(job_id=job_id, attempt=job.attempt, stage=started.stage, cases=started.cases, started_at=now)
    s.add(run)
    s.flush()
    note(s, "run", run.id, None, run.status, now, started.stage, host_name(job))
    return run.id


def run_ended(s: Session, store: Store, job_id: str, ended: RunEnded, now: datetime) -> None:
    """A container start ended; also said of a job that was cancelled meanwhile. Twice counts once."""
    job = lock_job(s, job_id)
    if job.token != ended.token or job.status not in HELD | {JobStatus.CANCELLED}:
        raise stale(job_id)
    run = s.scalar(fresh(Run, Run.id == ended.run, Run.job_id == job_id))
    if run is None:
        raise NotFound(f"job {job_id} has no run {ended.run}")
    if run.status is not RunStatus.STARTED:
        return
    run.ended_at = now
    run.exit_code = ended.exit_code
    run.wall_s = ended.wall_s
    run.peak_memory_bytes = ended.peak_memory_bytes
    run.predicted_at_s = dict(ended.predicted_at_s)
    run.log_sha256 = store.put(ended.log.encode())
    run.log_cut = ended.log_cut
    move_run(s, run, RunStatus.ENDED, now, "worker", host_name(job))


def toy_reported(s: Session, job_id: str, reported: ToyReported, now: datetime) -> None:  # noqa: ARG001  the same shape as its siblings
    """Keep the report on the toy cases; the team sees it at once."""
    job = held(lock_job(s, job_id), reported.token)
    write(s, job, {"toy_report": reported.report}, token=reported.token)


def finish(db: Database, store: Store, host: Host, job_id: str, finished: Finished, now: datetime) -> None:
    """The job is done: compute its scores from what was sent, then write them and the state at once.

    Said twice, it counts once. A list that does not hold exactly the data set's cases of the task is the
    platform's fault: the job goes back, and Invalid is raised.
    """
    with db.read() as s:
        job = s.get(Job, job_id)
        if job is not None and job.status is JobStatus.SCORED and job.token == finished.token:
            return
        work = scores.work(holder(s, host, job_id, finished.token))
    try:
        verdict = scores.judge(work, finished, store)
    except scores.Unusable as error:
        with db.write() as s:
            fault(s, job_id, Faulted(token=finished.token, reason=str(error)), now)
        raise Invalid(f"job {job_id}: {error}") from error
    with db.write() as s:
        write_finish(s, job_id, finished, verdict, now)


def write_finish(s: Session, job_id: str, finished: Finished, verdict: scores.Verdict | None, now: datetime) -> None:
    """Scores and state in one transaction."""
    job = lock_job(s, job_id)
    if job.status is JobStatus.SCORED and job.token == finished.token:
        return
    held(job, finished.token)
    change = {"warnings": dumped(finished.warnings), "finished_at": now}
    write(s, job, change, token=finished.token, to=JobStatus.SCORED, now=now, reason="worker")
    lose_runs(s, job, now)
    if verdict is not None:
        cases = [
            CaseScore(
                name=c.case,
                sketch_sha256=c.sketch_sha256,
                details_sha256=c.details_sha256 if c.case in verdict.detailed else None,
                slices_sha256=c.slices_sha256,
                score=c.score,
                label=c.label,
            )
            for c in finished.cases
        ]
        s.add(
            Score(
                job_id=job_id,
                value=verdict.value,
                validation=verdict.validation,
                low=verdict.bounds[0] if verdict.bounds else None,
                high=verdict.bounds[1] if verdict.bounds else None,
                details=verdict.details,
                metrics=verdict.metrics,
                object_threshold=verdict.object_threshold,
                evaluator_version=finished.evaluator_version,
                deal_sha256=verdict.deal_sha256,
                manifest_sha256=verdict.manifest_sha256,
                image_digest=verdict.image_digest,
                computed_at=now,
                cases=cases,
            )
        )
        s.flush()
    settle(s, job.submission_id, now)


def fail(s: Session, job_id: str, failed: Failed, now: datetime) -> None:
    """The container failed: a result with a code. Said twice, it counts once."""
    if failed.code.is_ours:
        fault(s, job_id, Faulted(token=failed.token, reason=failed.detail or failed.code), now)
        return
    job = lock_job(s, job_id)
    if job.status is JobStatus.FAILED and job.token == failed.token:
        return
    held(job, failed.token)
    change = {
        "failure_code": failed.code,
        "failure_stage": failed.stage,
        "failure_detail": failed.detail[:DETAIL_MAX],
        "warnings": dumped(failed.warnings),
        "finished_at": now,
    }
    write(s, job, change, token=failed.token, to=JobStatus.FAILED, now=now, reason=failed.code)
    lose_runs(s, job, now)
    settle(s, job.submission_id, now)


def fault(s: Session, job_id: str, faulted: Faulted, now: datetime) -> None:
    """The platform failed: back to the queue, or after the third time failed at no cost to the team."""
    job = held(lock_job(s, job_id), faulted.token)
    take_back(s, job, f"fault: {faulted.reason}", now)
    settle(s, job.submission_id, now)


def release(s: Session, job_id: str, released: Released, now: datetime) -> None:
    """A worker that stops gives its job back. Not a fault."""
    job = held(lock_job(s, job_id), released.token)
    requeue(s, job, "released by its worker", now)


# --- what nobody says: silence and age ------------------------------------------------------------------


def sweep(s: Session, now: datetime) -> SweepReport:
    """Repair what no worker will: ended leases, states that last too long, runs without a worker.

    Two sweeps at once do no harm: each passes by the jobs that the other holds.
    """
    doubtful = or_(Job.lease_expires_at <= now, Job.changed_at < now - min(PREPARING_MAX, PREDICTING_SLACK))
    jobs = lock_jobs(s, Job.status.in_(HELD), doubtful, skip_locked=True)
    expired = [job for job in jobs if job.lease_expires_at is not None and job.lease_expires_at <= now]
    silent = {job.id for job in expired}
    overdue = [job for job in jobs if job.id not in silent and now - job.changed_at > greatest_age(job)]
    for job in expired:
        take_back(s, job, "fault: its worker fell silent", now)
    for job in overdue:
        take_back(s, job, f"fault: {job.status} for longer than {greatest_age(job)}", now)
    for submission_id in sorted({job.submission_id for job in (*expired, *overdue)}):
        settle(s, submission_id, now)
    return SweepReport(
        expired=tuple(job.id for job in expired),
        overdue=tuple(job.id for job in overdue),
        lost_runs=tuple(lose_orphans(s, now)),
        given_up=tuple(give_up_checks(s, now)),
        waiting=tuple(
            s.scalars(
                select(Job.id)
                .where(Job.status == JobStatus.QUEUED, Job.changed_at < now - QUEUED_ALARM)
                .order_by(Job.changed_at, Job.id)
            )
        ),
    )


def greatest_age(job: Job) -> timedelta:
    """How long a job may stay in a state that a worker holds."""
    if job.status is JobStatus.PREPARING:
        return PREPARING_MAX
    if job.status is JobStatus.SCORING:
        return SCORING_MAX
    submission = job.submission
    budget = timedelta(seconds=challenges.settings(submission.challenge).budget_s)
    cases = len(challenges.cases(job.dataset, Stage.TOY, submission.task))
    if submission.queue is Queue.FINAL:
        cases += len(challenges.cases(job.dataset, Stage.HIDDEN, submission.task))
    return budget * cases + PREDICTING_SLACK


def give_up_checks(s: Session, now: datetime) -> Iterable[str]:
    """Archive checks that never ended: ours, so the try is given back."""
    old = s.scalars(
        select(Submission.id)
        .where(Submission.status == SubmissionStatus.CHECKING, Submission.changed_at < now - CHECKING_MAX)
        .order_by(Submission.id)
    ).all()
    change = {"failure_code": FailureCode.PLATFORM, "charged": False, "checker_until": None}
    reason = f"the archive check did not end within {CHECKING_MAX}"
    return [one for one in old if leave_checking(s, one, SubmissionStatus.FAILED, now, reason, change)]


def lose_orphans(s: Session, now: datetime) -> Iterable[str]:
    """Runs that still count as started though nobody holds their job (any more)."""
    orphans = s.scalars(
        select(Run)
        .join(Job, Job.id == Run.job_id)
        .where(
            Run.status == RunStatus.STARTED,
            or_(
                Run.attempt != Job.attempt,
                Job.status == JobStatus.QUEUED,
                and_(Job.status.not_in(HELD), Job.lease_expires_at <= now),
            ),
        )
        .order_by(Run.id)
        .with_for_update(of=Run, key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for run in orphans:
        move_run(s, run, RunStatus.LOST, now, "its worker fell silent")
    return [run.id for run in orphans]


# --- shared by the above --------------------------------------------------------------------------------


def history(s: Session, kind: str, subject: str) -> list[Event]:
    """All changes of one submission, job or run, first to last."""
    return list(s.scalars(select(Event).where(Event.kind == kind, Event.subject == subject).order_by(Event.number)))


def take_back(s: Session, job: Job, reason: str, now: datetime) -> None:
    """Count a fault: to the queue, or after the last to failed. The caller settles the submission."""
    if job.faults + 1 < FAULTS:
        requeue(s, job, reason, now, faults=job.faults + 1)
        return
    change = {"faults": job.faults + 1, "failure_code": FailureCode.PLATFORM, "finished_at": now}
    write(s, job, change, token=job.token, to=JobStatus.FAILED, now=now, reason=reason)
    lose_runs(s, job, now)


def requeue(s: Session, job: Job, reason: str, now: datetime, *, faults: int | None = None) -> None:
    """Back to the queue, without a holder: what the last one still sends is stale."""
    name = host_name(job)
    change = {
        "faults": job.faults if faults is None else faults,
        "token": None,
        "lease_expires_at": None,
        "host_id": None,
        "worker": None,
        "started_at": None,
        "stage": None,
        "cases_done": 0,
        "cases_total": 0,
    }
    write(s, job, change, token=job.token, to=JobStatus.QUEUED, now=now, reason=reason, host=name)
    lose_runs(s, job, now)


def lose_runs(s: Session, job: Job, now: datetime) -> None:
    """Whatever run of the job has not ended by now is not heard of again."""
    for run in s.scalars(fresh(Run, Run.job_id == job.id, Run.status == RunStatus.STARTED)):
        move_run(s, run, RunStatus.LOST, now, f"its job is {job.status}")


def move_run(s: Session, run: Run, to: RunStatus, now: datetime, reason: str, host: str | None = None) -> None:
    """Write the new state of a run; its job is locked, or it is itself."""
    note(s, "run", run.id, run.status, to, now, reason, host)
    run.status = to
    run.ended_at = run.ended_at or now
    s.flush()


def write(
    s: Session,
    job: Job,
    change: dict[str, Any],
    *,
    token: str | None = None,
    to: JobStatus | None = None,
    now: datetime | None = None,
    reason: str = "",
    host: str | None = None,
) -> None:
    """One UPDATE of a locked job, guarded by its id, its state and, from a worker, its token."""
    old = job.status
    guards: list[ColumnElement[bool]] = [Job.id == job.id, Job.status == old]
    if token is not None:
        guards.append(Job.token == token)
    if to is not None and now is not None:
        change = {**change, "status": to, "changed_at": now}
        note(s, "job", job.id, old, to, now, reason, host or host_name(job))
    done = s.execute(
        update(Job).where(*guards).values(**change).returning(Job.id).execution_options(synchronize_session=False)
    ).first()
    if done is None:
        raise stale(job.id)
    s.refresh(job)


def held(job: Job, token: str) -> Job:
    """Give the job if the token is its holder's."""
    if job.token != token or job.status not in HELD:
        raise stale(job.id)
    return job


def stale(job_id: str) -> StaleToken:
    """The answer to a worker that holds the job no longer."""
    return StaleToken(f"job {job_id} is not yours any more: leave it")


def lock_job(s: Session, job_id: str) -> Job:
    """Give the job as it is now, for this transaction alone."""
    jobs = lock_jobs(s, Job.id == job_id)
    if not jobs:
        raise NotFound(f"there is no job {job_id}")
    return jobs[0]


def lock_jobs(s: Session, *which: ColumnElement[bool], skip_locked: bool = False) -> list[Job]:
    """Give jobs as they are now, by id."""
    query = fresh(Job, *which).order_by(Job.id).with_for_update(of=Job, key_share=True, skip_locked=skip_locked)
    return list(s.scalars(query))


def lock_submission(s: Session, submission_id: str) -> Submission:
    """Give the submission as it is now, for this transaction alone."""
    query = fresh(Submission, Submission.id == submission_id)
    found = s.scalar(query.with_for_update(of=Submission, key_share=True))
    if found is None:
        raise NotFound(f"there is no submission {submission_id}")
    return found


def fresh(table: type[Row], *which: ColumnElement[bool]) -> Select[Row]:
    """Select rows as the database has them now, not as the session remembers them."""
    return select(table).where(*which).execution_options(populate_existing=True)


def refreshed(s: Session, table: type[Row], key: str) -> Row:
    """Give one row as the database has it now."""
    return s.get_one(table, key, populate_existing=True)


def host_name(job: Job) -> str | None:
    """Who holds the job."""
    return None if job.host is None else job.host.name


def dumped(warnings: list[JobWarning]) -> list[dict[str, Any]]:
    """Warnings as the database keeps them."""
    return [warning.model_dump(mode="json") for warning in warnings]


def note(
    s: Session,
    kind: str,
    subject: str,
    old: str | None,
    new: str,
    now: datetime,
    reason: str,
    host: str | None = None,
) -> None:
    """Append to the history."""
    s.add(Event(kind=kind, subject=subject, from_status=old, to_status=new, at=now, reason=reason, host=host))
