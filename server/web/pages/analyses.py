"""The analyses of a task: a chart, a caption and a table for each, in sections."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from evaluator.analysis.tables import Table
from server import analyses, challenges, companions, leaderboard
from server.companions import Progress
from server.leaderboard import Publication
from server.protocol import Task
from server.web import analysed, charts
from server.web.cells import Line, heading, lines
from server.web.deps import FormSender, Now, SiteDep, Visitor, get_organizer, own_page
from server.web.findings import findings
from server.web.report import FURTHER, PLANS
from server.web.wide import is_printed, readable

router = APIRouter(dependencies=[Depends(own_page)], include_in_schema=False)


@dataclass(frozen=True, kw_only=True)
class Head:
    """A column as it is printed."""

    text: str
    is_number: bool


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One table on the page."""

    name: str
    title: str
    caption: str
    notes: tuple[str, ...]
    rows: int  # in the files
    has_chart: bool
    heads: tuple[Head, ...]  # of the table as it is laid out for reading
    lines: tuple[Line, ...]  # none: the table is in the files alone
    said: str  # what else its cells need to be understood


@dataclass(frozen=True, kw_only=True)
class Section:
    """Tables that belong together."""

    title: str
    about: str
    anchor: str
    shown: tuple[Shown, ...]


@router.get("/analyses")
def first() -> Response:
    """Lead to the first task's."""
    return RedirectResponse(f"/analyses/{Task.SAMPLE}", 303)


@router.get("/analyses/{task}")
def show(request: Request, task: Task, site: SiteDep, visitor: Visitor, now: Now) -> HTMLResponse:
    """Show the analyses: to everybody with the leaderboard, to organizers always."""
    is_organizer = visitor is not None and visitor.is_organizer
    with site.db.read() as session:
        challenge = challenges.current(session)
        publication: Publication = leaderboard.publication(session, challenge, task)
        is_public = publication.is_visible(now)
        may_see = is_public or is_organizer
        document = analyses.latest(session, challenge, task) if may_see else None
        is_current = document is not None and site.freshness.is_current(session, challenge, task, document.made_at, now)
        progress: list[Progress] = companions.progress(session, challenge) if is_organizer else []
    if visitor is not None and is_organizer and not is_public:
        analysed.record(site, visitor, f"unpublished analyses, {task} task", now)
    tables = document.tables if document is not None else {}
    return site.pages.render(
        request,
        "analyses.html",
        person=visitor,
        task=task,
        may_see=may_see,
        is_public=is_public,
        publication=publication,
        document=document,
        is_current=is_current,
        progress=[one for one in progress if one.task is task],
        teams=charts.teams_of(tables),
        findings=findings(tables),
        sections=sections_of(tables),
    )


@router.post("/analyses/{task}/run", dependencies=[Depends(get_organizer)])
def run(task: Task, site: SiteDep, sender: FormSender, now: Now) -> Response:  # noqa: ARG001  the sender's form is checked by being asked for
    """Let the counting submissions of both tasks run on the companion sets."""
    with site.db.read() as session:
        challenge = challenges.current(session)
    companions.analyse(site.db, challenge, now)  # the sweeper rings for what waits
    return RedirectResponse(f"/analyses/{task}", 303)


def sections_of(tables: Mapping[str, Table]) -> tuple[Section, ...]:
    """Put tables into the sections of the report; what none of them names comes at the end."""
    known = [name for plan in PLANS for name in plan.tables]
    plans = [(plan.title, plan.about, plan.tables) for plan in PLANS]
    plans.append((FURTHER.title, FURTHER.about, tuple(name for name in tables if name not in known)))
    found = (
        Section(title=title, about=about, anchor=anchor(title), shown=tuple(shown_of(tables, names)))
        for title, about, names in plans
    )
    return tuple(section for section in found if section.shown)


def anchor(title: str) -> str:
    """A title as part of an address."""
    return "-".join("".join(letter for letter in title.lower() if letter.isalnum() or letter == " ").split())


def shown_of(tables: Mapping[str, Table], names: tuple[str, ...]) -> Iterator[Shown]:
    """Lay out those of these tables that have something to say."""
    for name in names:
        table = tables.get(name)
        if table is None or not (table.rows or table.notes):
            continue
        turned = readable(table)
        yield Shown(
            name=name,
            title=table.title,
            caption=table.caption,
            notes=table.notes,
            rows=len(table.rows),
            has_chart=bool(table.rows) and name in charts.CHARTS,
            heads=tuple(Head(text=heading(one), is_number=one.kind != "text") for one in turned.columns),
            lines=tuple(lines(turned)) if is_printed(table) else (),
            said=turned.caption.removeprefix(table.caption).strip(),
        )
