"""The leaderboard of a task, and the organizer's switch that publishes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from server import challenges, leaderboard, metric_boards, stability, views
from server.errors import Refused
from server.leaderboard import Attempt, BoardView
from server.metric_boards import MetricBoard
from server.protocol import Task
from server.stability import TITLES, Scheme
from server.web import board_table, refusals
from server.web.board_table import RANK, BoardTable, Order, Reader
from server.web.deps import FormSender, Now, Person, SiteDep, Visitor, get_organizer, own_page
from server.web.site import Site

METRIC_LEAD = (
    "Not the official ranking. All hidden cases of a data set give one value; teams are ranked by the mean over the "
    "data sets. {} is better; who lacks a value on a data set stands behind those who have more."
)

router = APIRouter(dependencies=[Depends(own_page)], include_in_schema=False)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which board is asked for, and how it is sorted."""

    scheme: Scheme
    metric: str | None  # None: the official one
    sort: str
    order: Order | None  # None: best first

    def address(self, **changes: str | None) -> str:
        """Write it as the end of an address; what is as usual is left out."""
        usual = {"scheme": Scheme.AGGREGATE_THEN_RANK, "sort": RANK}
        asked = {"scheme": self.scheme, "metric": self.metric, "sort": self.sort, "order": self.order, **changes}
        return "?" + urlencode({key: value for key, value in asked.items() if value and usual.get(key) != value})


def get_wish(
    scheme: Scheme = Scheme.AGGREGATE_THEN_RANK,
    metric: Annotated[str, Query(max_length=40)] = "",
    sort: Annotated[str, Query(max_length=40)] = RANK,
    order: Order | None = None,
) -> Wish:
    """Read it from the address."""
    return Wish(scheme=scheme, metric=metric or None, sort=sort, order=order)


WishDep = Annotated[Wish, Depends(get_wish)]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a page needs beside the table; nothing of it is there for those who may not see the board."""

    board: BoardView
    metric: MetricBoard | None
    heading: str
    lead: str  # sentences above the table
    notes: tuple[str, ...]  # sentences below it
    table: BoardTable
    own: str | None  # the reader's team, as the board names it
    attempts: tuple[Attempt, ...]


@router.get("/leaderboard")
def first() -> Response:
    """Lead to the first task's."""
    return RedirectResponse(f"/leaderboard/{Task.SAMPLE}", 303)


@router.get("/leaderboard/{task}")
def show(request: Request, task: Task, wish: WishDep, site: SiteDep, visitor: Visitor, now: Now) -> HTMLResponse:
    """Show the ranking: to everybody once it is published and its seal is over, to organizers always."""
    return page(request, site, visitor, task, wish, now)


@router.post("/leaderboard/{task}/publish", dependencies=[Depends(get_organizer)])
def publish(
    request: Request,
    task: Task,
    site: SiteDep,
    sender: FormSender,
    now: Now,
    published: Annotated[bool, Form()],
    sealed_until: Annotated[str, Form()] = "",
) -> Response:
    """Show it to everybody, at once or from an instant on, or take it back."""
    try:
        with site.db.write() as session:
            leaderboard.publish(
                session,
                challenges.current(session),
                task,
                published,
                sender.account(session),
                now,
                sealed_until=leaderboard.instant(sealed_until) if sealed_until else None,
            )
    except Refused as refusal:
        return page(request, site, sender, task, get_wish(), now, refusal=refusal)
    return RedirectResponse(f"/leaderboard/{task}", 303)


def page(
    request: Request,
    site: Site,
    visitor: Person | None,
    task: Task,
    wish: Wish,
    now: datetime,
    *,
    refusal: Refused | None = None,
) -> HTMLResponse:
    """Show the board with what was wrong; that an organizer looks at what is not visible yet is recorded."""
    is_organizer = visitor is not None and visitor.is_organizer
    with site.db.read() as session:
        switch = leaderboard.publication(session, challenges.current(session), task)
        may_see = is_organizer or switch.is_visible(now)
        shown = read(session, visitor, task, wish) if may_see else None
        team = visitor.team_row(session) if visitor and visitor.team_id else None
    if visitor is not None and is_organizer and not switch.is_visible(now):
        with site.db.write() as session:
            views.looked(session, visitor.account(session), f"unpublished leaderboard, {task} task", now)
    return site.pages.render(
        request,
        "leaderboard.html",
        person=visitor,
        status=refusals.status_of(refusal) if refusal else 200,
        task=task,
        wish=wish,
        state=switch.word(now),
        sealed_until=switch.sealed_until,
        seal_field=f"{switch.sealed_until:%Y-%m-%dT%H:%M}" if switch.sealed_until else "",
        shown=shown,
        team=team,
        schemes=TITLES,
        metrics=metric_boards.titles(task),
        problem=refusal and refusal.message,
    )


def read(session: Session, visitor: Person | None, task: Task, wish: Wish) -> Shown:
    """Read what somebody who may see the board is shown. Raises NotFound for an unknown metric."""
    challenge = challenges.current(session)
    board = stability.board(session, challenge, task)
    team_id = visitor.team_id if visitor else None
    attempts = leaderboard.attempts(session, challenge, task, team_id) if team_id else ()
    ranked = next((one.submission for one in attempts if one.counts), None)
    reader = Reader(submission=ranked, sees_submissions=visitor is not None and visitor.is_organizer)
    metric = metric_boards.board(session, challenge, task, wish.metric) if wish.metric else None
    heading, lead = TITLES[wish.scheme], stability.said(wish.scheme, task)
    notes = stability.notes(board, wish.scheme)
    if metric:
        heading, lead, notes = metric.title, METRIC_LEAD.format("Lower" if metric.lower_is_better else "Higher"), ()
        headings, lines = board_table.by_metric(metric, reader)
    elif wish.scheme is Scheme.AGGREGATE_THEN_RANK:
        headings, lines = board_table.official(board, reader)
    else:
        headings, lines = board_table.by_scheme(board, wish.scheme, reader)
    return Shown(
        board=board,
        metric=metric,
        heading=heading,
        lead=lead,
        notes=notes,
        table=board_table.table(headings, lines, sort=wish.sort, order=wish.order),
        own=next((row.team for row in board.rows if row.submission == ranked), None),
        attempts=attempts,
    )
