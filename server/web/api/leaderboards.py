"""Public API: leaderboards, as JSON and as challengeR's CSV."""

from dataclasses import replace
from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import AwareDatetime, BaseModel
from sqlalchemy.orm import Session

from server import challenges, leaderboard, metric_boards, stability, views
from server.errors import NotFound
from server.leaderboard import BoardView
from server.metric_boards import MetricBoard
from server.models import Challenge
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
    sealed_until: AwareDatetime | None = None  # and from when on; None: at once


@router.get("/leaderboards/{task}.csv", response_model=None, responses={200: {"content": {"text/csv": {}}}})
def as_csv(task: Task, site: SiteDep, visitor: Visitor, now: Now) -> Csv:
    """Give the ranked values in the columns task (the data set), alg_name, value, case (the task)."""
    admit(site, visitor, task, now)
    with site.db.read() as session:
        return Csv(leaderboard.csv(leaderboard.board(session, challenges.current(session), task)))


@router.get("/leaderboards/{task}")
def as_json(task: Task, site: SiteDep, visitor: Visitor, now: Now) -> BoardView:
    """Give the ranking of a task: AP on each data set, rank, mean rank; intervals and ranks by other schemes.

    Organizers see it before it is published. `resampling` is null while intervals and schemes are computed, and
    `submission` where the reader may not open it.
    """
    admit(site, visitor, task, now)
    with site.db.read() as session:
        challenge = challenges.current(session)
        view = stability.board(session, challenge, task)
        own = own_submission(session, challenge, task, visitor)
    return replace(view, rows=tuple(replace(row, submission=shown(row.submission, own, visitor)) for row in view.rows))


@router.get(
    "/leaderboards/{task}/metrics/{metric}.csv", response_model=None, responses={200: {"content": {"text/csv": {}}}}
)
def metric_as_csv(task: Task, metric: str, site: SiteDep, visitor: Visitor, now: Now) -> Csv:
    """Give another metric's values in the columns task (the data set), alg_name, value, case (the metric)."""
    return Csv(metric_boards.csv(metric_as_json(task, metric, site, visitor, now)))


@router.get("/leaderboards/{task}/metrics/{metric}")
def metric_as_json(task: Task, metric: str, site: SiteDep, visitor: Visitor, now: Now) -> MetricBoard:
    """Give the same submissions' board by another metric: its values, their mean and SD over the data sets, ranks."""
    admit(site, visitor, task, now)
    with site.db.read() as session:
        challenge = challenges.current(session)
        view = metric_boards.board(session, challenge, task, metric)
        own = own_submission(session, challenge, task, visitor)
    return replace(view, rows=tuple(replace(row, submission=shown(row.submission, own, visitor)) for row in view.rows))


@router.post("/leaderboards/{task}/publish")
def publish(task: Task, body: Switch, site: SiteDep, organizer: Organizer, now: Now) -> Switch:
    """Show a leaderboard to everybody, at once or from an instant on, or take it back. For organizers."""
    with site.db.write() as session:
        leaderboard.publish(
            session,
            challenges.current(session),
            task,
            body.published,
            organizer.account(session),
            now,
            sealed_until=body.sealed_until,
        )
    return body


def own_submission(session: Session, challenge: Challenge, task: Task, visitor: Person | None) -> str | None:
    """Give the reader's team's that is ranked."""
    if visitor is None or visitor.team_id is None:
        return None
    attempts = leaderboard.attempts(session, challenge, task, visitor.team_id)
    return next((one.submission for one in attempts if one.counts), None)


def shown(submission: str | None, own: str | None, visitor: Person | None) -> str | None:
    """Give a submission's id to those who may open it."""
    return submission if submission == own or (visitor is not None and visitor.is_organizer) else None


def admit(site: Site, visitor: Person | None, task: Task, now: datetime) -> None:
    """Raise NotFound for who may not see the board yet; that an organizer looks at it is recorded."""
    with site.db.read() as session:
        switch = leaderboard.publication(session, challenges.current(session), task)
    if switch.is_visible(now):
        return
    if visitor is not None and visitor.is_organizer:
        with site.db.write() as session:
            views.looked(session, visitor.account(session), f"unpublished leaderboard, {task} task", now)
    elif switch.published and switch.sealed_until is not None:
        opens = f"{switch.sealed_until:%Y-%m-%d %H:%M} UTC"
        raise NotFound(f"The results of the {task} task are sealed until {opens}.", "E-SEALED")
    else:
        raise NotFound(f"The leaderboard of the {task} task is not published yet.", "E-NOT-PUBLISHED")
