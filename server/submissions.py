"""What a team hands in: quota and deadline, the archive check, cancelling, and what it may see."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

from sqlalchemy import ColumnExpressionArgument, Select, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from server import archives, challenges, lifecycle
from server.db import Database
from server.errors import Closed, NotAllowed, NotFound, OverQuota, TooLarge
from server.models import NON_FINAL, Account, Challenge, Image, Job, Submission, Team
from server.protocol import Queue, SubmissionStatus, Task
from server.storage import Store

log = logging.getLogger(__name__)

CHECK_LEASE = timedelta(minutes=2)  # renewed while the archive is read
TOY_IMAGE_KEPT = timedelta(days=1)  # after the last toy submission that used it ended


class Tries(NamedTuple):
    """Final submissions of a team and task."""

    used: int
    total: int


def may_submit(
    s: Session,
    *,
    team: Team,
    challenge: Challenge,
    task: Task,
    queue: Queue,
    now: datetime,
    content_length: int | None,
) -> None:
    """Look at size, deadline and quota: what is known before an upload's body is read, and again after it.

    Raises Closed, OverQuota or TooLarge.
    """
    limit = challenges.settings(challenge).max_archive_bytes
    if content_length is not None and content_length > limit:
        raise TooLarge(f"the archive has {content_length} bytes, the challenge allows {limit}")
    check_phase(challenge, now)
    if queue is Queue.FINAL:
        check_quota(s, team.id, challenge, task)
    elif toy_on_its_way(s, team.id, challenge, task):
        raise toy_waits(task)


def receive(
    s: Session,
    *,
    account: Account,
    challenge: Challenge,
    task: Task,
    queue: Queue,
    archive_sha256: str,
    archive_bytes: int,
    now: datetime,
) -> Submission:
    """Take in an upload at the instant it is complete: deadline and quota are looked at now, for good.

    Of two uploads of a team that end at once, one passes after the other. Raises Closed, OverQuota,
    TooLarge or NotAllowed; the caller then calls `discard`.
    """
    team = team_of(account)
    s.execute(select(Team.id).where(Team.id == team.id).with_for_update(key_share=True))
    may_submit(s, team=team, challenge=challenge, task=task, queue=queue, now=now, content_length=archive_bytes)
    submission = Submission(
        team_id=team.id,
        account_id=account.id,
        challenge_id=challenge.id,
        task=task,
        queue=queue,
        received_at=now,
        changed_at=now,
        charged=queue is Queue.FINAL,
        archive_sha256=archive_sha256,
        archive_bytes=archive_bytes,
    )
    s.add(submission)
    try:
        s.flush()
    except IntegrityError as error:  # the database's own guard, see models.Submission
        raise toy_waits(task) from error
    lifecycle.received(s, submission, now)
    return submission


def receive_known(
    s: Session, *, account: Account, challenge: Challenge, task: Task, queue: Queue, digest: str, now: datetime
) -> Submission | None:
    """Hand in again an image that this team handed in before: nothing is uploaded.

    None: the team has no such image here, or it lacks this task's entry scripts. Raises as `receive`.
    """
    image = team_image(s, team_of(account).id, digest)
    if image is None or image.deleted_at is not None:
        return None
    needed = challenges.script_names([d.name for d in challenge.datasets], task)
    if not set(needed) <= set(image.scripts):
        return None
    submission = receive(
        s,
        account=account,
        challenge=challenge,
        task=task,
        queue=queue,
        archive_sha256=image.archive_sha256,
        archive_bytes=image.archive_bytes,
        now=now,
    )
    lifecycle.accept(s, submission, image, now)
    return submission


def check(db: Database, store: Store, submission_id: str, now: datetime) -> None:
    """Check an upload's archive in a child process; then it waits for workers, or is refused.

    Does nothing where somebody is at it, or it was cancelled. An exception is ours: the submission stays
    in `checking`, is tried again when the lease ends, and given up by the sweep.
    """
    began = monotonic()
    with db.write() as s:
        task = take_check(s, submission_id, now)
    if task is None:
        return

    def still_here() -> None:
        with db.write() as s:
            extend_check(s, submission_id, now + timedelta(seconds=monotonic() - began))

    verdict = archives.check_in_child(store.path(task.archive_sha256), task.wanted, beat=still_here)
    ended = now + timedelta(seconds=monotonic() - began)
    with db.write() as s:
        if isinstance(verdict, archives.Refusal):
            lifecycle.refuse(s, submission_id, verdict.code, verdict.message, ended)
        else:
            accept(s, submission_id, verdict, ended)
    log.info("archive checked", extra={"submission": submission_id})
    discard(db, store, task.archive_sha256, now)


@dataclass(frozen=True, kw_only=True)
class CheckTask:
    """What an archive check needs to know."""

    archive_sha256: str
    wanted: archives.Wanted


def take_check(s: Session, submission_id: str, now: datetime) -> CheckTask | None:
    """Lease the check of one upload. None: somebody is at it, or it is over."""
    taken = s.execute(
        update(Submission)
        .where(
            Submission.id == submission_id,
            Submission.status == SubmissionStatus.CHECKING,
            or_(Submission.checker_until.is_(None), Submission.checker_until <= now),
        )
        .values(checker_until=now + CHECK_LEASE)
        .returning(Submission.id)
        .execution_options(synchronize_session=False)
    ).first()
    if taken is None:
        return None
    submission = s.get_one(Submission, submission_id)
    settings = challenges.settings(submission.challenge)
    names = [entry.name for entry in settings.datasets]
    needed = challenges.script_names(names, submission.task)
    others = [script for task in Task for script in challenges.script_names(names, task)]
    wanted = archives.Wanted(
        architecture=settings.architecture,
        scripts=tuple(needed),
        others=tuple(script for script in others if script not in needed),
        max_archive_bytes=settings.max_archive_bytes,
        max_unpacked_bytes=settings.max_unpacked_bytes,
    )
    return CheckTask(archive_sha256=submission.archive_sha256, wanted=wanted)


def extend_check(s: Session, submission_id: str, now: datetime) -> None:
    """Still at it."""
    s.execute(
        update(Submission)
        .where(Submission.id == submission_id, Submission.status == SubmissionStatus.CHECKING)
        .values(checker_until=now + CHECK_LEASE)
        .execution_options(synchronize_session=False)
    )


def accept(s: Session, submission_id: str, facts: archives.Facts, now: datetime) -> None:
    """Keep the image, once under its digest, and let the submission wait for workers."""
    submission = lifecycle.lock_submission(s, submission_id)
    image = s.scalar(select(Image).where(Image.digest == facts.digest).with_for_update(key_share=True))
    if image is None:
        image = Image(
            digest=facts.digest,
            archive_sha256=submission.archive_sha256,
            archive_bytes=submission.archive_bytes,
            unpacked_bytes=facts.unpacked_bytes,
            architecture=facts.architecture,
            scripts=list(facts.scripts),
            created_at=now,
        )
        s.add(image)
    elif image.deleted_at is not None:
        image.archive_sha256 = submission.archive_sha256
        image.archive_bytes = submission.archive_bytes
        image.deleted_at = None
    s.flush()
    lifecycle.accept(s, submission, image, now)


def waiting_checks(s: Session, now: datetime) -> list[str]:
    """Uploads whose archive nobody looks at, in turn: each team's first before any team's second.

    Counted are those of as long ago as an upload may wait at most.
    """
    turn = func.row_number().over(partition_by=Submission.team_id, order_by=(Submission.received_at, Submission.id))
    lately = (
        select(Submission.id, turn.label("turn"))
        .where(Submission.received_at >= now - lifecycle.CHECKING_MAX, Submission.analyses_id.is_(None))
        .subquery()
    )
    return list(
        s.scalars(
            select(Submission.id)
            .outerjoin(lately, lately.c.id == Submission.id)
            .where(
                Submission.status == SubmissionStatus.CHECKING,
                or_(Submission.checker_until.is_(None), Submission.checker_until <= now),
            )
            .order_by(func.coalesce(lately.c.turn, 0), Submission.received_at, Submission.id)
        )
    )


def cancel(s: Session, *, account: Account, submission_id: str, now: datetime) -> None:
    """Take it back: its own team, or an organizer. Raises NotFound or Conflict."""
    submission = get_for(s, account, submission_id)
    who = "its team" if submission.team_id == account.team_id else "an organizer"
    lifecycle.cancel(s, submission.id, reason=f"cancelled by {who}", now=now)


def for_team(s: Session, team: Team, limit: int, offset: int) -> list[Submission]:
    """A team's submissions, the latest first; not those that were made of its images on companion sets."""
    own = whole().where(Submission.team_id == team.id, Submission.analyses_id.is_(None))
    return list(s.scalars(page(own, limit, offset)))


def all_submissions(s: Session, challenge: Challenge, limit: int, offset: int) -> list[Submission]:
    """Everybody's, the latest first: for the organizer."""
    return list(s.scalars(page(whole().where(Submission.challenge_id == challenge.id), limit, offset)))


def get_for(s: Session, account: Account, submission_id: str) -> Submission:
    """Give one that the account may see. Another team's raises NotFound, as one that is not there does.

    So does one on a companion set, but for an organizer.
    """
    found = s.scalar(whole().where(Submission.id == submission_id))
    is_own = found is not None and found.team_id == account.team_id and found.analyses_id is None
    if found is None or not (account.organizer or is_own):
        raise NotFound(f"you have no submission {submission_id}")
    return found


def tries(s: Session, team: Team, challenge: Challenge, task: Task) -> Tries:
    """Final submissions used, and how many there are."""
    return Tries(used=charged(s, team.id, challenge, task), total=challenges.settings(challenge).final_submissions)


def discard(db: Database, store: Store, archive_sha256: str, received_at: datetime) -> bool:
    """Delete an uploaded archive that nothing refers to and nobody uploaded again. Tells whether it went."""
    with db.write() as s:  # a writer, so that no submission comes in between on SQLite
        kept = s.scalar(
            select(func.count())
            .select_from(Image)
            .where(Image.archive_sha256 == archive_sha256, Image.deleted_at.is_(None))
        )
        waits = s.scalar(
            select(func.count())
            .select_from(Submission)
            .where(
                Submission.archive_sha256 == archive_sha256,
                Submission.status == SubmissionStatus.CHECKING,
            )
        )
        return not kept and not waits and store.delete(archive_sha256, unless_after=received_at)


def discard_unchecked(db: Database, store: Store) -> None:
    """Delete the archives of submissions that were over before anybody looked at them."""
    with db.read() as s:
        over = s.execute(
            select(Submission.archive_sha256, Submission.changed_at).where(
                Submission.image_id.is_(None), Submission.status.not_in(NON_FINAL)
            )
        ).all()
    for archive_sha256, changed_at in over:
        if store.exists(archive_sha256):
            discard(db, store, archive_sha256, changed_at)


def delete_toy_images(db: Database, store: Store, now: datetime) -> list[str]:
    """Delete the archives of images that only toy submissions used, all of them over for a day."""
    needed = (
        select(Submission.id)
        .where(
            Submission.image_id == Image.id,
            or_(
                Submission.queue == Queue.FINAL,
                Submission.status.in_(NON_FINAL),
                Submission.changed_at >= now - TOY_IMAGE_KEPT,
            ),
        )
        .exists()
    )
    candidates = select(Image).where(Image.deleted_at.is_(None), Image.created_at < now - TOY_IMAGE_KEPT)
    with db.write() as s:
        # Locked first, looked at again then: an image may be handed in again at this very moment.
        locked = s.scalars(candidates.where(~needed).with_for_update(of=Image, skip_locked=True)).all()
        ids = [image.id for image in locked]
        old = s.scalars(candidates.where(~needed, Image.id.in_(ids))).all()
        for image in old:
            image.deleted_at = now
    for image in old:
        discard(db, store, image.archive_sha256, now)
    return [image.digest for image in old]


# --- shared by the above --------------------------------------------------------------------------------


def whole() -> Select[Submission]:
    """A submission with all that pages show of it."""
    jobs = selectinload(Submission.jobs)
    return select(Submission).options(
        selectinload(Submission.team),
        selectinload(Submission.image),
        selectinload(Submission.challenge),
        jobs.selectinload(Job.dataset),
        jobs.selectinload(Job.runs),
        jobs.selectinload(Job.score),
        jobs.selectinload(Job.host),
    )


def page(query: Select[Submission], limit: int, offset: int) -> Select[Submission]:
    """The latest first."""
    return query.order_by(Submission.received_at.desc(), Submission.id).limit(limit).offset(offset)


def team_of(account: Account) -> Team:
    """Who submits. Raises NotAllowed for an organizer without a team."""
    if account.team is None:
        raise NotAllowed("this account has no team: submissions belong to teams")
    return account.team


def team_image(s: Session, team_id: str, digest: str) -> Image | None:
    """An accepted image that the team itself handed in before; nobody deletes it in this transaction."""
    own = select(Submission.image_id).where(Submission.team_id == team_id)
    return s.scalar(
        select(Image).where(Image.digest == digest, Image.id.in_(own)).with_for_update(of=Image, key_share=True)
    )


def check_phase(challenge: Challenge, now: datetime) -> None:
    """Raise Closed outside of the challenge's times."""
    times = challenges.settings(challenge)
    match challenges.phase(challenge, now):
        case "before":
            raise Closed(f"{challenge.title} opens at {times.opens_at:%Y-%m-%d %H:%M} UTC")
        case "closed":
            raise Closed(f"{challenge.title} closed at {times.closes_at:%Y-%m-%d %H:%M} UTC")
        case "open":
            return


def check_quota(s: Session, team_id: str, challenge: Challenge, task: Task) -> None:
    """Raise OverQuota where no try is left."""
    total = challenges.settings(challenge).final_submissions
    if charged(s, team_id, challenge, task) >= total:
        raise OverQuota(f"all {total} final submissions of your team for the {task} task are used")


def charged(s: Session, team_id: str, challenge: Challenge, task: Task) -> int:
    """Tries that are used."""
    return count(s, team_id, challenge, task, Queue.FINAL, Submission.charged)


def toy_on_its_way(s: Session, team_id: str, challenge: Challenge, task: Task) -> bool:
    """Is a toy submission of this team and task not over yet?"""
    return count(s, team_id, challenge, task, Queue.TOY, Submission.status.in_(NON_FINAL)) > 0


def count(
    s: Session, team_id: str, challenge: Challenge, task: Task, queue: Queue, which: ColumnExpressionArgument[bool]
) -> int:
    """How many submissions of this kind a team has for a task and a queue."""
    of_team = (Submission.team_id == team_id, Submission.challenge_id == challenge.id)
    query = select(func.count()).where(*of_team, Submission.task == task, Submission.queue == queue, which)
    return s.scalar(query) or 0


def toy_waits(task: Task) -> OverQuota:
    """One at a time."""
    return OverQuota(f"a toy submission of your team for the {task} task is on its way: wait for it, or cancel it")
