"""Public API: leaderboards, as JSON and as challengeR's CSV."""

from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from server import challenges, leaderboard, views
from server.errors import NotFound
from server.leaderboard import BoardView
from server.protocol import Task
from server.web.api.errors import ERRORS
from server.web.deps import Now, Organizer, Person, SiteDep, Visitor
from server.web.site import Site

router = APIRouter(prefix="/api/v1", tags=["leaderboards"], responses=ERRORS)


class Csv(PlainTextResponse):
    """A table."""

    media_type = "text/csv"


class Switch(BaseModel):
    """Whether everybody may see a leaderboard."""

    published: bool


@router.get("/leaderboards/{task}.csv", response_model=None, responses={200: {"content": {"text/csv": {}}}})
def as_csv(task: Task, site: SiteDep, visitor: Visitor, now: Now) -> Csv:
    """Give the ranked values in the columns task (the data set), alg_name, value, case (the task)."""
    return Csv(leaderboard.csv(visible_board(site, visitor, task, now)))


@router.get("/leaderboards/{task}")
def as_json(task: Task, site: SiteDep, visitor: Visitor, now: Now) -> BoardView:
    """Give the ranking of a task: AP on each data set, rank, mean rank. Organizers see it before it is published."""
    return visible_board(site, visitor, task, now)


@router.post("/leaderboards/{task}/publish")
def publish(task: Task, body: Switch, site: SiteDep, organizer: Organizer, now: Now) -> Switch:
    """Show a leaderboard to everybody, or take it back. For organizers."""
    with site.db.write() as session:
        challenge = challenges.current(session)
        leaderboard.publish(session, challenge, task, body.published, organizer.account(session), now)
    return body


def visible_board(site: Site, visitor: Person | None, task: Task, now: datetime) -> BoardView:
    """Give what this visitor may see. NotFound where it is not published."""
    with site.db.read() as session:
        challenge = challenges.current(session)
        board = leaderboard.board(session, challenge, task)
        seen = leaderboard.visible(session, challenge, task, now)
    if seen:
        return board
    if visitor is None or not visitor.is_organizer:
        raise NotFound(f"The leaderboard of the {task} task is not published yet.", "E-NOT-PUBLISHED")
    with site.db.write() as session:
        views.looked(session, visitor.account(session), f"unpublished leaderboard, {task} task", now)
    return board
