"""The leaderboard of a task, and the organizer's switch that publishes it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from server import challenges, leaderboard, views
from server.protocol import Task
from server.web.deps import FormSender, Now, SiteDep, Visitor, get_organizer, own_page

router = APIRouter(dependencies=[Depends(own_page)], include_in_schema=False)


@router.get("/leaderboard")
def first() -> Response:
    """Lead to the first task's."""
    return RedirectResponse(f"/leaderboard/{Task.SAMPLE}", 303)


@router.get("/leaderboard/{task}")
def show(request: Request, task: Task, site: SiteDep, visitor: Visitor, now: Now) -> HTMLResponse:
    """Show the ranking: to everybody once it is published, to organizers always."""
    with site.db.read() as session:
        challenge = challenges.current(session)
        board = leaderboard.board(session, challenge, task)
        seen = leaderboard.visible(session, challenge, task, now)
    is_organizer = visitor is not None and visitor.is_organizer
    if visitor is not None and is_organizer and not seen:
        with site.db.write() as session:
            views.looked(session, visitor.account(session), f"unpublished leaderboard, {task} task", now)
    return site.pages.render(
        request,
        "leaderboard.html",
        person=visitor,
        task=task,
        board=board if seen or is_organizer else None,
        published=board.published,
    )


@router.post("/leaderboard/{task}/publish", dependencies=[Depends(get_organizer)])
def publish(task: Task, site: SiteDep, sender: FormSender, now: Now, published: Annotated[bool, Form()]) -> Response:
    """Show it to everybody, or take it back."""
    with site.db.write() as session:
        leaderboard.publish(session, challenges.current(session), task, published, sender.account(session), now)
    return RedirectResponse(f"/leaderboard/{task}", 303)
