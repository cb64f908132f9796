"""Public API: handing in, following and cancelling submissions, their reports and logs."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import PlainTextResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from server import challenges, submissions, views
from server.errors import NotFound
from server.protocol import Digest, Queue, Task
from server.views import SubmissionView
from server.web import uploads
from server.web.api.errors import ERRORS, Error
from server.web.deps import Member, Now, Person, SiteDep, SliceDep, TeamMember, get_watched
from server.web.fragments import team_list, whole_log
from server.web.handing_in import Wish, hand_in
from server.web.live import Look, follow
from server.web.site import Site

router = APIRouter(prefix="/api/v1", tags=["submissions"], responses=ERRORS)

REFUSED_EARLY: dict[int | str, dict[str, Any]] = {
    411: {"model": Error, "description": "no Content-Length"},
    413: {"model": Error, "description": "larger than the challenge allows"},
}
TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}}
ARCHIVE = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}


class Page(BaseModel):
    """A slice of a list, the latest first."""

    items: list[SubmissionView]
    limit: int
    offset: int
    more: bool  # there are older ones


class KnownImage(BaseModel):
    """An image that the team handed in before."""

    task: Task
    queue: Queue
    digest: Digest


@router.post("/submissions", status_code=201, responses=REFUSED_EARLY, openapi_extra=ARCHIVE)
async def submit(request: Request, site: SiteDep, member: TeamMember, task: Task, queue: Queue) -> SubmissionView:
    """Hand in an archive that docker save wrote, plain or gzip, as the request's body.

    Token, quota, deadline and Content-Length decide before the body is read; it is then streamed to disk.
    """
    wish = Wish(person=member, task=task, queue=queue)
    submission_id = await hand_in(request, site, wish, uploads.receive_body)
    return await run_in_threadpool(one, site, member, submission_id)


@router.post("/submissions/known", status_code=201)
def submit_known(body: KnownImage, site: SiteDep, member: TeamMember, now: Now) -> SubmissionView:
    """Hand in again an image that the team handed in before, by its digest. 404: upload it."""
    with site.db.write() as session:
        received = submissions.receive_known(
            session,
            account=member.account(session),
            challenge=challenges.current(session),
            task=body.task,
            queue=body.queue,
            digest=body.digest,
            now=now,
        )
        if received is None:
            raise NotFound("Your team has not handed in this image: upload its archive.")
        submission_id = received.id
        jobs = [(job.id, job.dataset.name) for job in received.jobs]
    site.doorbell.ring(jobs)
    return one(site, member, submission_id)


@router.get("/submissions")
def team_submissions(site: SiteDep, member: TeamMember, at: SliceDep) -> Page:
    """List the team's submissions, the latest first."""
    items, more = team_list(site, member, at)
    return Page(items=items, limit=at.limit, offset=at.offset, more=more)


@router.get("/submissions/{submission_id}")
def submission(watched: Annotated[str, Depends(get_watched)], site: SiteDep, member: Member) -> SubmissionView:
    """Give one submission with its jobs, progress and toy reports."""
    return one(site, member, watched)


@router.get("/submissions/{submission_id}/report")
def report(submission_id: str, site: SiteDep, member: Member) -> dict[str, dict[str, Any]]:
    """Give the toy reports that there are, by data set."""
    shown = one(site, member, submission_id)
    return {job.dataset: job.toy_report for job in shown.jobs if job.toy_report is not None}


@router.get("/submissions/{submission_id}/log/{dataset}", response_model=None, responses=TEXT)
def log(submission_id: str, dataset: str, site: SiteDep, member: Member) -> PlainTextResponse:
    """Give the log of the toy run on a data set."""
    return PlainTextResponse(whole_log(site, member, submission_id, dataset))


@router.post("/submissions/{submission_id}/cancel")
def cancel(submission_id: str, site: SiteDep, member: Member, now: Now) -> SubmissionView:
    """Take a submission back. Its try is given back while nothing of it has run."""
    with site.db.write() as session:
        account = member.account(session)
        submissions.cancel(session, account=account, submission_id=submission_id, now=now)
        views.looked(session, account, f"submission {submission_id}", now)
    return one(site, member, submission_id)


@router.get("/submissions/{submission_id}/events", response_class=EventSourceResponse)
async def events(
    site: SiteDep, member: Member, watched: Annotated[str, Depends(get_watched)]
) -> AsyncIterator[ServerSentEvent]:
    """Follow a submission: an event `parts` with {"submission": …} after each change, `end` when it is final."""

    def look() -> Look:
        shown = one(site, member, watched)
        return Look(parts={"submission": jsonable_encoder(shown)}, is_over=shown.is_final)

    async for event in follow(site.changes, member.watched, look):
        yield event


def one(site: Site, person: Person, submission_id: str) -> SubmissionView:
    """Give one that this person may see. NotFound for another team's."""
    with site.db.read() as session:
        account = person.account(session)
        found = submissions.get_for(session, account, submission_id)
        return views.submission_view(found, account=account, now=site.clock())
