"""The pages of a team: handing in, its submissions with live state, one with its toy report and log."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from server import challenges, submissions, views
from server.errors import Closed, OverQuota
from server.protocol import Queue, Task
from server.web import refusals, uploads
from server.web.changes import EVERYBODY
from server.web.deps import FormSender, Member, Now, SiteDep, SliceDep, TeamMember, get_watched, own_page
from server.web.fragments import one_submission, rows, slices_picture, team_list, whole_log
from server.web.handing_in import Wish, hand_in
from server.web.live import Look, follow
from server.web.showing import combinations, tries_left

PICTURES_KEPT = "private, max-age=86400, immutable"  # s; the address changes with the content

router = APIRouter(dependencies=[Depends(own_page)], include_in_schema=False)


@router.get("/submit")
def submit_form(
    request: Request, site: SiteDep, member: TeamMember, task: Task = Task.SAMPLE, queue: Queue = Queue.TOY
) -> HTMLResponse:
    """Show the form for a task and a queue, or why nothing can be handed in now."""
    with site.db.read() as session:
        challenge = challenges.current(session)
        team = member.team_row(session)
        try:
            submissions.may_submit(
                session, team=team, challenge=challenge, task=task, queue=queue, now=site.clock(), content_length=None
            )
            refusal = None
        except (Closed, OverQuota) as refused:
            refusal = refused.message
        settings = challenges.settings(challenge)
        tries = {one.task: one for one in tries_left(session, team, challenge)}
    return site.pages.render(
        request,
        "submit.html",
        person=member,
        task=task,
        queue=queue,
        choices=combinations(),
        tries=tries,
        refusal=refusal,
        max_archive_bytes=settings.max_archive_bytes,
        architecture=settings.architecture,
    )


@router.post("/submit")
async def submit(request: Request, site: SiteDep, member: TeamMember, task: Task, queue: Queue) -> Response:
    """Take the form's archive; the headers alone decide whether its body is read."""
    wish = Wish(person=member, task=task, queue=queue)
    frame_bytes = uploads.FORM_OVERHEAD_BYTES
    address = f"/submissions/{await hand_in(request, site, wish, uploads.receive_form, overhead_bytes=frame_bytes)}"
    if refusals.wants_json(request):
        return JSONResponse({}, 201, {"location": address})
    return RedirectResponse(address, 303)


@router.get("/submissions")
def team_submissions(request: Request, site: SiteDep, member: TeamMember, at: SliceDep) -> HTMLResponse:
    """Show the team's submissions."""
    shown, more = team_list(site, member, at)
    with site.db.read() as session:
        tries = tries_left(session, member.team_row(session), challenges.current(session))
    return site.pages.render(
        request,
        "submissions.html",
        person=member,
        submissions=shown,
        rows=rows(site, member, shown),
        at=at,
        more=more,
        tries=tries,
        active=any(not one.is_final for one in shown),
    )


@router.get("/submissions/events", response_class=EventSourceResponse)
async def team_events(site: SiteDep, member: TeamMember, at: SliceDep) -> AsyncIterator[ServerSentEvent]:
    """Send the rows of the team's list as they change."""
    first: list[str] | None = None

    def look() -> Look:
        nonlocal first
        shown, _ = team_list(site, member, at)
        ids = [one.id for one in shown]
        first = ids if first is None else first
        return Look(parts=rows(site, member, shown), is_stale=ids != first)

    async for event in follow(site.changes, member.team_id or EVERYBODY, look):
        yield event


@router.get("/submissions/{submission_id}")
def submission(request: Request, submission_id: str, site: SiteDep, member: Member, now: Now) -> HTMLResponse:
    """Show one, with reports and history."""
    parts, shown = one_submission(site, member, submission_id)
    if member.is_organizer:
        with site.db.write() as session:
            views.looked(session, member.account(session), f"submission {submission_id}", now)
    return site.pages.render(request, "submission.html", person=member, submission=shown, parts_html=parts)


@router.get("/submissions/{submission_id}/events", response_class=EventSourceResponse)
async def submission_events(
    site: SiteDep, member: Member, watched: Annotated[str, Depends(get_watched)]
) -> AsyncIterator[ServerSentEvent]:
    """Send the parts of one submission's page as they change."""

    def look() -> Look:
        parts, shown = one_submission(site, member, watched)
        return Look(parts=parts, is_over=shown.is_final)

    async for event in follow(site.changes, member.watched, look):
        yield event


@router.post("/submissions/{submission_id}/cancel")
def cancel(submission_id: str, site: SiteDep, sender: FormSender, now: Now) -> Response:
    """Take a submission back."""
    with site.db.write() as session:
        submissions.cancel(session, account=sender.account(session), submission_id=submission_id, now=now)
    return RedirectResponse(f"/submissions/{submission_id}", 303)


@router.get("/submissions/{submission_id}/log/{dataset}")
def log(submission_id: str, dataset: str, site: SiteDep, member: Member) -> PlainTextResponse:
    """Send the log of the toy run on a data set."""
    return PlainTextResponse(whole_log(site, member, submission_id, dataset))


@router.get("/submissions/{submission_id}/slices/{dataset}/{place}.png")
def slices(
    submission_id: str, dataset: str, place: Annotated[int, Path(ge=0)], site: SiteDep, member: Member
) -> Response:
    """Send a toy case's slices, the truth beside the scores."""
    content = slices_picture(site, member, submission_id, dataset, place)
    return Response(content, media_type="image/png", headers={"cache-control": PICTURES_KEPT})
