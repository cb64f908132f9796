"""Re-scoring: a challenge's scores anew from what scoring stored, beside the old ones, and published in one step.

Nothing a leaderboard or an analysis reads changes before `publish`; the rows that it replaces stay in `past_score`.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from evaluator import __version__, ranking
from server import challenges, leaderboard, lifecycle, scores
from server.db import Database
from server.errors import Conflict, NotFound
from server.models import Account, Challenge, Job, PastScore, Rescoring, Score, Submission
from server.protocol import Queue, SubmissionStatus, Task
from server.storage import Store

log = logging.getLogger(__name__)

FIELDS: Final = (  # of Score, that a re-scoring writes anew
    "value",
    "validation",
    "low",
    "high",
    "details",
    "metrics",
    "object_threshold",
    "evaluator_version",
    "deal_sha256",
    "manifest_sha256",
    "image_digest",
)
FEW: Final = 4  # jobs a process: it takes a second to start, a large pixel job some seconds
MOST_PROCESSES: Final = 8  # each holds the sketches of a job, some 100 MB
Progress = Callable[[int, int], None]  # jobs done, jobs in all


@dataclass(frozen=True, kw_only=True)
class Left:
    """A score that stays as it is."""

    submission: str
    dataset: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A value before and after."""

    old: float | None
    new: float | None  # None: it could not be computed again

    @property
    def is_same(self) -> bool:
        """Nothing changed, to the last digit."""
        return self.old == self.new


@dataclass(frozen=True, kw_only=True)
class TeamChange:
    """A team on a leaderboard before and after."""

    team: str
    old_rank: int
    new_rank: int
    values: Mapping[str, Pair]  # data set -> average precision


@dataclass(frozen=True, kw_only=True)
class BoardChange:
    """A task's leaderboard before and after, ordered by the new rank and then name."""

    task: Task
    datasets: tuple[str, ...]
    teams: tuple[TeamChange, ...]

    @property
    def moved(self) -> int:
        """How many teams have another rank."""
        return sum(team.old_rank != team.new_rank for team in self.teams)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a re-scoring changes."""

    id: str
    made_at: datetime
    finished_at: datetime | None
    published_at: datetime | None
    dropped_at: datetime | None
    problem: str | None
    evaluator_version: str
    old_versions: tuple[str, ...]
    scores: int  # jobs in it
    changed: int  # whose official value is another one
    metrics_changed: int  # of which another metric is another one, or is there for the first time
    left: tuple[Left, ...]  # could not be computed again
    boards: tuple[BoardChange, ...]  # of the submissions that count

    @property
    def is_open(self) -> bool:
        """It can be published or dropped."""
        return self.published_at is None and self.dropped_at is None


def begin(s: Session, challenge: Challenge, now: datetime, account: Account | None) -> str:
    """Write down that a re-scoring begins; gives its id. Raises Conflict while another one is being computed."""
    challenges.lock(s, challenge.id)
    running = s.scalar(
        select(Rescoring).where(
            Rescoring.challenge_id == challenge.id, Rescoring.finished_at.is_(None), Rescoring.dropped_at.is_(None)
        )
    )
    if running is not None:
        raise Conflict(
            f"re-scoring {running.id} is being computed since {running.made_at:%Y-%m-%d %H:%M} UTC: wait for it, or "
            "drop it on its page if what computed it was stopped"
        )
    row = Rescoring(
        challenge_id=challenge.id,
        made_at=now,
        made_by=account.id if account else None,
        evaluator_version=__version__,
        scores={},
    )
    s.add(row)
    s.flush()
    return row.id


def compute(
    db: Database,
    store: Store,
    rescoring_id: str,
    clock: Callable[[], datetime],
    progress: Progress | None = None,
    *,
    processes: int | None = None,
) -> None:
    """Score all jobs of a re-scoring anew and keep old and new beside each other; what fails is told in it.

    In as many processes as there are cores and something to do, unless told: the caller's own stays free for pages.
    """
    found: dict[str, Any] = {}
    problem = None
    try:
        with db.read() as s:
            challenge = s.get_one(Challenge, get(s, rescoring_id).challenge_id)
            jobs = [job.id for job in scored_jobs(s, challenge)]
        for number, (job_id, pair) in enumerate(pairs(db, store, jobs, processes), start=1):
            found[job_id] = pair
            if progress is not None:
                progress(number, len(jobs))
    except Exception as fault:  # whatever it is, the page says so; without an end it would hold up the next one
        log.exception("re-scoring failed", extra={"rescoring": rescoring_id})
        found, problem = {}, f"{type(fault).__name__}: {fault}"
    with db.write() as s:
        row = get(s, rescoring_id)
        row.scores = found
        row.problem = problem
        row.finished_at = clock()


def pairs(
    db: Database, store: Store, jobs: Sequence[str], processes: int | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each job with its old and new score."""
    count = processes or min(len(os.sched_getaffinity(0)), len(jobs) // FEW, MOST_PROCESSES)
    if count <= 1:
        yield from ((job_id, compared(db, store, job_id)) for job_id in jobs)
        return
    # Started afresh, not forked: the server has threads.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        yield from zip(jobs, pool.map(partial(compared_aside, db.url, store.folder), jobs), strict=True)


def compared_aside(url: str, folder: Path, job_id: str) -> dict[str, Any]:
    """Do `compared` in a process of its own."""
    db = Database(url)
    try:
        return compared(db, Store(folder), job_id)
    finally:
        db.dispose()


def compared(db: Database, store: Store, job_id: str) -> dict[str, Any]:
    """Give {"old": fields, "new": fields or None, "problem": why there is nothing new, or None} of a scored job."""
    with db.read() as s:
        job = s.get_one(Job, job_id)
        if job.score is None:
            raise RuntimeError(f"job {job.id} has no score")
        old = fields_of(job.score) | {"computed_at": job.score.computed_at.isoformat()}
        try:
            verdict = scores.rejudge(s, job, store)
        except scores.Unusable as error:
            return {"old": old, "new": None, "problem": str(error)}
    low, high = verdict.bounds or (None, None)
    new = {name: getattr(verdict, name) for name in FIELDS if hasattr(verdict, name)}
    return {"old": old, "new": new | {"low": low, "high": high, "evaluator_version": __version__}, "problem": None}


def publish(s: Session, rescoring_id: str, now: datetime, account: Account | None, *, leave: bool = False) -> int:
    """Put all new scores in the old ones' place, which are kept; gives how many. The caller's transaction is the step.

    Raises Conflict where it is not finished, was published or dropped, or where a score changed since it was
    compared, or came since by another evaluator; also, unless `leave`, where one that could not be computed again
    would stay by another evaluator beside the new ones.
    """
    row = get(s, rescoring_id, lock=True)
    refuse_unless_open(row)
    if row.finished_at is None or row.problem is not None:
        raise Conflict(f"re-scoring {row.id} has no scores to publish: {row.problem or 'it is still being computed'}")
    challenge = s.get_one(Challenge, row.challenge_id, with_for_update={"key_share": True})  # one publishes at a time
    jobs = {job.id: job for job in scored_jobs(s, challenge)}
    changed = [job_id for job_id, pair in row.scores.items() if not is_as_compared(jobs.get(job_id), pair["old"])]
    if changed:
        raise Conflict(f"{len(changed)} scores changed since re-scoring {row.id} was computed: compute a new one")
    others = [
        job_id for job_id, job in jobs.items() if job.score and job.score.evaluator_version != row.evaluator_version
    ]
    since = [job_id for job_id in others if job_id not in row.scores]
    if since:
        raise Conflict(
            f"{len(since)} scores by another evaluator than {row.evaluator_version} came since re-scoring {row.id} was "
            "computed: compute a new one"
        )
    mixed = [job_id for job_id in others if row.scores[job_id]["new"] is None]
    if mixed and not leave:
        raise Conflict(
            f"{len(mixed)} scores have no new one and would stay by another evaluator than {row.evaluator_version}: "
            "publish all the same only if that is meant"
        )
    replaced = [replace(s, jobs[job_id], pair["new"], row, now) for job_id, pair in row.scores.items() if pair["new"]]
    row.published_at = now
    lifecycle.note(s, "rescoring", row.id, "computed", "published", now, by(account))
    return len(replaced)


def drop(s: Session, rescoring_id: str, now: datetime, account: Account | None) -> None:
    """Leave the scores as they are. Raises Conflict where it was published or dropped."""
    row = get(s, rescoring_id, lock=True)
    refuse_unless_open(row)
    row.dropped_at = now
    lifecycle.note(s, "rescoring", row.id, "computed", "dropped", now, by(account))


def replace(s: Session, job: Job, new: Mapping[str, Any], row: Rescoring, now: datetime) -> str:
    """Keep a job's score as it was, and write the new one; its cases stay. Gives the job's id."""
    score = job.score
    if score is None or row.finished_at is None:
        raise RuntimeError(f"job {job.id} has no score, or re-scoring {row.id} is not finished")
    content = fields_of(score) | {"id": score.id, "computed_at": score.computed_at.isoformat()}
    s.add(PastScore(job_id=job.id, content=content, replaced_at=now, rescoring_id=row.id))
    for name in FIELDS:
        setattr(score, name, new[name])
    score.computed_at = row.finished_at
    return job.id


def latest(s: Session, challenge: Challenge, limit: int = 20) -> list[Comparison]:
    """Give a challenge's re-scorings, the latest first."""
    query = select(Rescoring).where(Rescoring.challenge_id == challenge.id).order_by(Rescoring.made_at.desc())
    return [comparison(s, row.id) for row in s.scalars(query.limit(limit))]


def comparison(s: Session, rescoring_id: str) -> Comparison:
    """Give what a re-scoring changes. Raises NotFound."""
    row = get(s, rescoring_id)
    challenge = s.get_one(Challenge, row.challenge_id)
    pairs: Mapping[str, Mapping[str, Any]] = row.scores
    new = [pair for pair in pairs.values() if pair["new"] is not None]
    return Comparison(
        id=row.id,
        made_at=row.made_at,
        finished_at=row.finished_at,
        published_at=row.published_at,
        dropped_at=row.dropped_at,
        problem=row.problem,
        evaluator_version=row.evaluator_version,
        old_versions=tuple(sorted({pair["old"]["evaluator_version"] for pair in pairs.values()})),
        scores=len(pairs),
        changed=sum(pair["old"]["value"] != pair["new"]["value"] for pair in new),
        metrics_changed=sum(pair["old"]["metrics"] != pair["new"]["metrics"] for pair in new),
        left=tuple(left(s, pairs)),
        boards=tuple(board_change(s, challenge, task, pairs) for task in Task) if pairs else (),
    )


def left(s: Session, pairs: Mapping[str, Mapping[str, Any]]) -> list[Left]:
    """Name what could not be computed again, and why."""
    failed = {job_id: pair["problem"] for job_id, pair in pairs.items() if pair["new"] is None}
    jobs = s.scalars(select(Job).where(Job.id.in_(failed)).options(selectinload(Job.dataset)).order_by(Job.id))
    return [Left(submission=job.submission_id, dataset=job.dataset.name, reason=failed[job.id]) for job in jobs]


def board_change(s: Session, challenge: Challenge, task: Task, pairs: Mapping[str, Mapping[str, Any]]) -> BoardChange:
    """Rank the submissions that count by the old scores, and by the new ones (the old where there is no new one)."""
    counting = leaderboard.valid_submissions(s, challenge, task)
    names = leaderboard.shown_names(counting)
    datasets = tuple(dataset.name for dataset in challenge.datasets)
    values = {
        (names[one.team_id], job.dataset.name): pair_of(job.score, pairs.get(job.id))
        for one in counting
        for job in one.jobs
        if job.score is not None
    }
    old, new = (ranks(values, datasets, which) for which in ("old", "new"))
    found = (
        TeamChange(
            team=team,
            old_rank=old[team],
            new_rank=new[team],
            values={name: values.get((team, name), Pair(old=None, new=None)) for name in datasets},
        )
        for team in names.values()
    )
    return BoardChange(
        task=task, datasets=datasets, teams=tuple(sorted(found, key=lambda team: (team.new_rank, team.team)))
    )


def pair_of(score: Score, pair: Mapping[str, Any] | None) -> Pair:
    """Give a job's values; a score that came later than the re-scoring stands on both sides."""
    if pair is None:
        return Pair(old=score.value, new=score.value)
    return Pair(old=pair["old"]["value"], new=pair["new"]["value"] if pair["new"] else None)


def ranks(values: Mapping[tuple[str, str], Pair], datasets: Sequence[str], which: str) -> dict[str, int]:
    """Give each team's rank, by the official rule."""
    by_dataset: dict[str, dict[str, float]] = {name: {} for name in datasets}
    for (team, name), pair in values.items():
        value = pair.new if which == "new" and pair.new is not None else pair.old
        by_dataset[name][team] = value if value is not None else 0.0
    return {place.team: place.rank for place in ranking.rank(by_dataset).consensus}


def scored_jobs(s: Session, challenge: Challenge) -> list[Job]:
    """All jobs with a score of a scored submission, on the challenge and its companion sets, by id.

    Where a submission failed on another data set nothing reads the score that it has on this one.
    """
    query = (
        select(Job)
        .join(Submission, Submission.id == Job.submission_id)
        .join(Challenge, Challenge.id == Submission.challenge_id)
        .join(Score, Score.job_id == Job.id)
        .where(
            or_(Challenge.id == challenge.id, Challenge.part_of == challenge.slug),
            Submission.queue == Queue.FINAL,
            Submission.status == SubmissionStatus.SCORED,
        )
        .order_by(Job.id)
        .options(selectinload(Job.score))
    )
    return list(s.scalars(query))


def fields_of(score: Score) -> dict[str, Any]:
    """Give what a re-scoring may change of a score, as JSON keeps it."""
    return {name: getattr(score, name) for name in FIELDS}


def is_as_compared(job: Job | None, old: Mapping[str, Any]) -> bool:
    """Is the job's score still the one that was compared?"""
    return job is not None and job.score is not None and job.score.computed_at.isoformat() == old["computed_at"]


def get(s: Session, rescoring_id: str, *, lock: bool = False) -> Rescoring:
    """Give the row. Raises NotFound."""
    query = select(Rescoring).where(Rescoring.id == rescoring_id)
    row = s.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound(f"there is no re-scoring {rescoring_id}")
    return row


def refuse_unless_open(row: Rescoring) -> None:
    """Raise Conflict where it was published or dropped."""
    if row.published_at is not None:
        raise Conflict(f"re-scoring {row.id} was published already")
    if row.dropped_at is not None:
        raise Conflict(f"re-scoring {row.id} was dropped: compute a new one")


def by(account: Account | None) -> str:
    """Say who did it."""
    return f"by {account.email}" if account else "from the command line"
