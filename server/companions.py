"""Companion sets of a challenge (analysis, toyish, sweeps), and running its counting submissions on them.

A companion is a challenge of its own in the database, so that hosts hold it and jobs run on it as on any other;
teams see neither it nor the submissions on it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from server import challenges, leaderboard, lifecycle
from server.db import Database
from server.errors import NotFound
from server.models import Challenge, Image, Job, Submission
from server.protocol import Queue, SubmissionStatus, Task

TRIED = frozenset({SubmissionStatus.FAILED, SubmissionStatus.CANCELLED, SubmissionStatus.REFUSED})  # may be run again


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a companion set is, for one task."""

    set_name: str
    slug: str
    task: Task
    counting: int  # submissions of the challenge that count
    scored: int  # of these, on the companion
    on_their_way: int
    failed: int  # and nothing newer is on its way

    @property
    def missing(self) -> int:
        """Never run."""
        return self.counting - self.scored - self.on_their_way - self.failed


def of(s: Session, challenge: Challenge) -> dict[str, Challenge]:
    """Give a challenge's companion of each set; of two of one set, the one loaded last."""
    query = select(Challenge).where(Challenge.part_of == challenge.slug).order_by(Challenge.loaded_at, Challenge.id)
    return {one.set_name: one for one in s.scalars(query.options(selectinload(Challenge.datasets)))}


def analyse(db: Database, challenge: Challenge, now: datetime) -> int:
    """Let each counting submission of both tasks run on each companion, once; gives how many were added.

    One that failed there is tried again. Raises NotFound where no companion is loaded.
    """
    added = 0
    with db.write() as s:
        # Two organizers at once: the second waits, and then finds everything on its way.
        challenges.lock(s, challenge.id)
        row = s.get_one(Challenge, challenge.id)
        sets = of(s, row)
        if not sets:
            raise NotFound(f"{row.slug} has no companion set: `mood challenge load` the folder of one first")
        for task in Task:
            counting = leaderboard.valid_submissions(s, row, task)
            for companion in sets.values():
                latest = latest_on(s, companion, counting)
                for one in counting:
                    if one.id not in latest or latest[one.id].status in TRIED:
                        added += add(s, one, companion, now)
    return added


def add(s: Session, analysed: Submission, companion: Challenge, now: datetime) -> bool:
    """Add a submission on a companion, accepted already. False: its image is gone."""
    image = s.get(Image, analysed.image_id) if analysed.image_id else None
    if image is None or image.deleted_at is not None:
        return False
    submission = Submission(
        team_id=analysed.team_id,
        account_id=analysed.account_id,
        challenge_id=companion.id,
        task=analysed.task,
        queue=Queue.FINAL,
        received_at=now,
        changed_at=now,
        charged=False,
        archive_sha256=image.archive_sha256,
        archive_bytes=image.archive_bytes,
        analyses_id=analysed.id,
    )
    s.add(submission)
    s.flush()
    lifecycle.received(s, submission, now, f"analyses submission {analysed.id}")
    lifecycle.accept(s, submission, image, now)
    return True


def latest_on(s: Session, companion: Challenge, counting: Sequence[Submission]) -> dict[str, Submission]:
    """Give the companion's submission of each counting one: a scored one if there is, else the last."""
    found: dict[str, Submission] = {}
    for one in on(s, companion, [counted.id for counted in counting]):
        before = found.get(one.analyses_id or "")
        if before is None or before.status is not SubmissionStatus.SCORED or one.status is SubmissionStatus.SCORED:
            found[one.analyses_id or ""] = one
    return found


def on(s: Session, companion: Challenge, analysed: Iterable[str]) -> list[Submission]:
    """Submissions on a companion, the first received first."""
    jobs = selectinload(Submission.jobs)
    query = select(Submission).where(
        Submission.challenge_id == companion.id, Submission.analyses_id.in_(list(analysed))
    )
    loaded = query.options(jobs.selectinload(Job.dataset), jobs.selectinload(Job.score), jobs.selectinload(Job.runs))
    return list(s.scalars(loaded.order_by(Submission.received_at, Submission.id)))


def progress(s: Session, challenge: Challenge) -> list[Progress]:
    """How far each companion is, by set and task: for organizers."""
    found = []
    sets: Mapping[str, Challenge] = of(s, challenge)
    for set_name, companion in sets.items():
        for task in Task:
            counting = leaderboard.valid_submissions(s, challenge, task)
            statuses = [one.status for one in latest_on(s, companion, counting).values()]
            scored = statuses.count(SubmissionStatus.SCORED)
            failed = sum(status in TRIED for status in statuses)
            found.append(
                Progress(
                    set_name=set_name,
                    slug=companion.slug,
                    task=task,
                    counting=len(counting),
                    scored=scored,
                    on_their_way=len(statuses) - scored - failed,
                    failed=failed,
                )
            )
    return found
