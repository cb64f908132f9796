"""The pages that everybody can read: the challenge, its toy cases, the API, and whether the server lives."""

from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse
from sqlalchemy import text

from server import challenges
from server.errors import NotFound
from server.web.api.reference import groups
from server.web.deps import Now, Person, SiteDep, Visitor
from server.web.showing import challenge_view
from server.web.site import Site

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(request: Request, site: SiteDep, visitor: Visitor, now: Now) -> HTMLResponse:
    """Show the challenge."""
    try:
        return challenge_page(request, site, visitor, now)
    except NotFound:
        return site.pages.render(request, "no_challenge.html", person=visitor)


def challenge_page(request: Request, site: Site, visitor: Person | None, now: datetime) -> HTMLResponse:
    """Show what is asked, by which rules, until when. NotFound where none is loaded."""
    with site.db.read() as session:
        challenge = challenges.current(session)
        shown = challenge_view(session, challenge, now)
        toy_sha256 = challenge.toy_sha256
    return site.pages.render(
        request,
        "home.html",
        person=visitor,
        challenge=shown,
        toy_bytes=site.store.size(toy_sha256),
        public_url=site.settings.public_url,
    )


@router.get("/toy-cases.zip")
def toy_cases(site: SiteDep) -> FileResponse:
    """Send the toy cases of all data sets with their labels."""
    with site.db.read() as session:
        challenge = challenges.current(session)
        sha256, name = challenge.toy_sha256, f"{challenge.slug}-toy-cases.zip"
    return FileResponse(site.store.path(sha256), media_type="application/zip", filename=name)


@router.get("/api")
def api(request: Request, site: SiteDep, visitor: Visitor) -> HTMLResponse:
    """Show what programs can do."""
    return site.pages.render(
        request,
        "api.html",
        person=visitor,
        groups=groups(request.app.openapi()),
        public_url=site.settings.public_url,
    )


@router.get("/healthz")
def health(site: SiteDep) -> PlainTextResponse:
    """Answer where the database answers."""
    with site.db.read() as session:
        session.execute(text("SELECT 1"))
    return PlainTextResponse("ok\n")
