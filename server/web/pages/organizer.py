"""The organizer's pages: what waits, who works, everybody's submissions, what is published, and teams' names."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from server import accounts, challenges, companions, leaderboard, views
from server.errors import NotFound
from server.models import Team
from server.protocol import Task
from server.web.changes import EVERYBODY
from server.web.deps import FormSender, Now, Organizer, SiteDep, SliceDep, get_organizer, own_page
from server.web.fragments import organizer_overview, rows, whole_list
from server.web.live import Look, follow

router = APIRouter(dependencies=[Depends(own_page)], include_in_schema=False)


@router.get("/organizer")
def organizer(request: Request, site: SiteDep, member: Organizer, at: SliceDep, now: Now) -> HTMLResponse:
    """Show all; that it was looked at is recorded."""
    with site.db.write() as session:
        views.looked(session, member.account(session), "all submissions", now)
        challenge = challenges.current(session)
        boards = [(task, leaderboard.publication(session, challenge, task)) for task in Task]
        sets = companions.progress(session, challenge)
        title = challenge.title
    shown, more = whole_list(site, member, at)
    return site.pages.render(
        request,
        "organizer.html",
        person=member,
        title=title,
        boards=[(task, switch.word(now), switch.sealed_until) for task, switch in boards],
        sets=sets,
        submissions=shown,
        rows=rows(site, member, shown, with_team=True),
        at=at,
        more=more,
        parts_html=organizer_overview(site, member),
    )


@router.post("/organizer/companions", dependencies=[Depends(get_organizer)])
def analyse(site: SiteDep, sender: FormSender, now: Now) -> Response:  # noqa: ARG001  who sends it is checked
    """Let the counting submissions run on the companion sets."""
    with site.db.read() as session:
        challenge = challenges.current(session)
    companions.analyse(site.db, challenge, now)
    return RedirectResponse("/organizer#companions", 303)


@router.get("/organizer/teams")
def teams(request: Request, site: SiteDep, member: Organizer) -> HTMLResponse:
    """Show all teams, and whether they are ranked under their names."""
    with site.db.read() as session:
        found = accounts.teams(session)
    return site.pages.render(request, "teams.html", person=member, teams=found)


@router.post("/organizer/teams/{team_id}/name", dependencies=[Depends(get_organizer)])
def show_name(
    team_id: str, site: SiteDep, sender: FormSender, now: Now, anonymous: Annotated[bool, Form()]
) -> Response:
    """Rank a team without its name, or under it again."""
    with site.db.write() as session:
        team = session.get(Team, team_id)
        if team is None:
            raise NotFound(f"there is no team {team_id}")
        accounts.show_name(session, team, shown=not anonymous, account=sender.account(session), now=now)
    return RedirectResponse(f"/organizer/teams#{team_id}", 303)


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
