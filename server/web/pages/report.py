"""The report of a task as a page, a PDF and an archive: for organizers, and for everybody once it is published."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from server import challenges, leaderboard
from server.errors import NotFound
from server.protocol import Task
from server.web import analysed, report
from server.web.deps import Now, Person, SiteDep, Visitor, own_page
from server.web.press import Edition
from server.web.report import Source
from server.web.site import Site

# The page carries its style and its pictures, runs nothing and asks for nothing.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

router = APIRouter(dependencies=[Depends(own_page)], include_in_schema=False)


class Form(StrEnum):
    """What a report can be asked for as."""

    HTML = "html"
    PDF = "pdf"
    ZIP = "zip"


@dataclass(frozen=True, kw_only=True)
class Print:
    """How a form is made and sent."""

    make: Callable[[Edition], bytes]
    media_type: str


PRINTS = {
    Form.HTML: Print(make=lambda edition: edition.html, media_type="text/html; charset=utf-8"),
    Form.PDF: Print(make=lambda edition: edition.pdf, media_type="application/pdf"),
    Form.ZIP: Print(make=lambda edition: edition.zip, media_type="application/zip"),
}


@router.get("/report/{task}.{form}")
def show(task: Task, form: Form, site: SiteDep, visitor: Visitor, now: Now) -> Response:
    """Send it. An organizer's look at what is not published is recorded."""
    source = readable_source(site, visitor, task, now)
    content = site.press.print(source, PRINTS[form].make)
    name = f"{source.document.slug}-{task}-report.{form}"
    how = "attachment" if form is Form.ZIP else "inline"
    headers = {"content-disposition": f'{how}; filename="{name}"'}
    if form is Form.HTML:
        headers["content-security-policy"] = CONTENT_SECURITY_POLICY
    return Response(content, media_type=PRINTS[form].media_type, headers=headers)


def readable_source(site: Site, visitor: Person | None, task: Task, now: datetime) -> Source:
    """Give what this visitor may read. Raises NotFound where that is nothing."""
    with site.db.read() as session:
        challenge = challenges.current(session)
        is_public = leaderboard.visible(session, challenge, task, now)
    if not is_public:
        if visitor is None or not visitor.is_organizer:
            raise NotFound(f"The report of the {task} task is not published yet.", "E-NOT-PUBLISHED")
        analysed.record(site, visitor, f"unpublished report, {task} task", now)
    found = report.source(site.db, site.store, challenge.slug, task, now)
    if found is None:
        raise NotFound(f"The analyses of the {task} task have not been computed yet.", "E-NOT-COMPUTED")
    return found
