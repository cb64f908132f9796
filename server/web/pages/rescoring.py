"""The organizer's pages on which scores are computed again, compared and published."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.background import BackgroundTask

from server import challenges, rescoring, views
from server.errors import Refused
from server.web import refusals
from server.web.deps import FormSender, Now, Organizer, SiteDep, get_organizer, own_page

router = APIRouter(prefix="/organizer/rescoring", dependencies=[Depends(own_page)], include_in_schema=False)


@router.get("")
def list_all(request: Request, site: SiteDep, member: Organizer) -> HTMLResponse:
    """Show what was computed so far."""
    with site.db.read() as session:
        found = rescoring.latest(session, challenges.current(session))
    return site.pages.render(request, "rescoring_list.html", person=member, rescorings=found)


@router.post("", dependencies=[Depends(get_organizer)])
def begin(site: SiteDep, sender: FormSender, now: Now) -> Response:
    """Begin one; it is computed after the answer is sent."""
    with site.db.write() as session:
        made = rescoring.begin(session, challenges.current(session), now, sender.account(session))
    work = BackgroundTask(rescoring.compute, site.db, site.store, made, site.clock)
    return RedirectResponse(f"/organizer/rescoring/{made}", 303, background=work)


@router.get("/{rescoring_id}")
def show(request: Request, rescoring_id: str, site: SiteDep, member: Organizer, now: Now) -> HTMLResponse:
    """Show old and new beside each other; that it was looked at is recorded."""
    return page(request, rescoring_id, site, member, now)


@router.post("/{rescoring_id}/publish", dependencies=[Depends(get_organizer)])
def publish(
    request: Request,
    rescoring_id: str,
    site: SiteDep,
    sender: FormSender,
    now: Now,
    leave: Annotated[bool, Form()] = False,  # noqa: FBT002  a form's field
) -> Response:
    """Put the new scores in the old ones' place."""
    try:
        with site.db.write() as session:
            rescoring.publish(session, rescoring_id, now, sender.account(session), leave=leave)
    except Refused as refusal:
        return page(request, rescoring_id, site, sender, now, refusal=refusal)
    return RedirectResponse(f"/organizer/rescoring/{rescoring_id}", 303)


@router.post("/{rescoring_id}/drop", dependencies=[Depends(get_organizer)])
def drop(rescoring_id: str, site: SiteDep, sender: FormSender, now: Now) -> Response:
    """Leave the scores as they are."""
    with site.db.write() as session:
        rescoring.drop(session, rescoring_id, now, sender.account(session))
    return RedirectResponse("/organizer/rescoring", 303)


def page(
    request: Request,
    rescoring_id: str,
    site: SiteDep,
    member: Organizer,
    now: Now,
    *,
    refusal: Refused | None = None,
) -> HTMLResponse:
    """Show one, with why it was not published. Raises NotFound."""
    with site.db.write() as session:
        found = rescoring.comparison(session, rescoring_id)
        views.looked(session, member.account(session), f"re-scoring {rescoring_id}", now)
    return site.pages.render(
        request,
        "rescoring.html",
        person=member,
        status=refusals.status_of(refusal) if refusal else 200,
        found=found,
        problem=refusal and refusal.message,
    )
