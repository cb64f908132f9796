"""From an upload to a submission: the same steps for the form and for the API."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server import challenges, submissions
from server.errors import Refused
from server.protocol import Queue, Task
from server.storage import Incoming
from server.web import uploads
from server.web.deps import Person
from server.web.site import Site

Reader = Callable[..., Awaitable[Incoming]]  # uploads.receive_body or uploads.receive_form


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Who wants to hand in, for what."""

    person: Person
    task: Task
    queue: Queue


async def hand_in(request: Request, site: Site, wish: Wish, read: Reader, *, overhead_bytes: int = 0) -> str:
    """Decide on the headers, stream the body, hand it in; gives the submission's id.

    `overhead_bytes` of the announced length are not the archive's (the frame of a form).
    """
    length = max(0, uploads.content_length(request) - overhead_bytes)
    limit_bytes = await run_in_threadpool(decide, site, wish, length)
    with site.under_way.upload(wish.person.team_id or "", length):
        incoming = await read(request, site.store, limit_bytes=limit_bytes)
    return await run_in_threadpool(keep, site, wish, incoming)


def decide(site: Site, wish: Wish, content_length: int) -> int:
    """Refuse what can be refused before the body is read; gives the most bytes that an archive may have."""
    with site.db.read() as session:
        challenge = challenges.current(session)
        submissions.may_submit(
            session,
            team=wish.person.team_row(session),
            challenge=challenge,
            task=wish.task,
            queue=wish.queue,
            now=site.clock(),
            content_length=content_length,
        )
        return challenges.settings(challenge).max_archive_bytes


def keep(site: Site, wish: Wish, incoming: Incoming) -> str:
    """Store the archive and make it a submission; gives its id. A refusal leaves nothing behind."""
    complete_at = site.clock()  # deadline and quota look at this instant
    with incoming:
        sha256 = incoming.commit()
    stored_at = datetime.now(UTC)  # by the clock of the file's own time, which `discard` compares it with
    try:
        with site.db.write() as session:
            submission = submissions.receive(
                session,
                account=wish.person.account(session),
                challenge=challenges.current(session),
                task=wish.task,
                queue=wish.queue,
                archive_sha256=sha256,
                archive_bytes=incoming.bytes,
                now=complete_at,
            )
            submission_id = submission.id
    except Refused:
        submissions.discard(site.db, site.store, sha256, stored_at)
        raise
    site.sweeper.wake()
    return submission_id
