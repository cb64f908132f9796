"""The organizer's page: what waits, who works, and everybody's submissions."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from server import challenges, leaderboard, views
from server.protocol import Task
from server.web.changes import EVERYBODY
from server.web.deps import Now, Organizer, SiteDep, SliceDep, own_page
from server.web.fragments import organizer_overview, rows, whole_list
from server.web.live import Look, follow

router = APIRouter(dependencies=[Depends(own_page)], include_in_schema=False)


@router.get("/organizer")
def organizer(request: Request, site: SiteDep, member: Organizer, at: SliceDep, now: Now) -> HTMLResponse:
    """Show all; that it was looked at is recorded."""
    with site.db.write() as session:
        views.looked(session, member.account(session), "all submissions", now)
        challenge = challenges.current(session)
        boards = [(task, leaderboard.publication(session, challenge, task).published) for task in Task]
        title = challenge.title
    shown, more = whole_list(site, member, at)
    return site.pages.render(
        request,
        "organizer.html",
        person=member,
        title=title,
        boards=boards,
        submissions=shown,
        rows=rows(site, member, shown, with_team=True),
        at=at,
        more=more,
        parts_html=organizer_overview(site, member),
    )


@router.get("/organizer/events", response_class=EventSourceResponse)
async def organizer_events(site: SiteDep, member: Organizer, at: SliceDep) -> AsyncIterator[ServerSentEvent]:
    """Send rows, queue and workers as they change."""
    first: list[str] | None = None

    def look() -> Look:
        nonlocal first
        shown, _ = whole_list(site, member, at)
        ids = [one.id for one in shown]
        first = ids if first is None else first
        parts = rows(site, member, shown, with_team=True) | organizer_overview(site, member)
        return Look(parts=parts, is_stale=ids != first)

    async for event in follow(site.changes, EVERYBODY, look):
        yield event
