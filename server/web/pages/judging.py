"""Where an expert judges detections that nobody annotated. Hidden cases: organizers only, and each look is recorded."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from server import challenges, judgements
from server.judgements import Unmatched, Verdict
from server.web import analysed
from server.web.deps import FormSender, Now, Organizer, SiteDep, SliceDep, get_organizer, own_page
from server.web.examples import drawn, kept_slices
from server.web.pictures import Window
from server.web.site import Site

router = APIRouter(prefix="/judging", dependencies=[Depends(own_page)], include_in_schema=False)


@dataclass(frozen=True, kw_only=True)
class Card:
    """A detection as the page shows it."""

    detection: Unmatched
    picture: str | None  # address that carries itself; None: no slice was kept, or not the detection's
    z: int | None  # of the picture's slice


@router.get("")
def overview(request: Request, site: SiteDep, member: Organizer) -> HTMLResponse:
    """Show how far it is; nothing of a single case."""
    with site.db.read() as session:
        tallies = judgements.tallies(session, challenges.current(session))
    return site.pages.render(request, "judging.html", person=member, tallies=tallies, titles=judgements.TITLES)


@router.get(".csv")
def as_csv(site: SiteDep, member: Organizer, now: Now) -> PlainTextResponse:
    """Give all judgements."""
    analysed.record(site, member, "judgements of all submissions", now)
    with site.db.read() as session:
        content = judgements.csv(session, site.store, challenges.current(session))
    return PlainTextResponse(content, media_type="text/csv")


@router.get("/{job}")
def show(
    request: Request, job: str, site: SiteDep, member: Organizer, at: SliceDep, now: Now, *, everything: bool = False
) -> HTMLResponse:
    """Show unmatched detections, the largest first: those that wait, or all of them."""
    with site.db.read() as session:
        tally = judgements.tally(session, challenges.current(session), job)
        found = judgements.unmatched(session, site.store, job)
    analysed.record(site, member, f"unmatched detections of job {job}", now)
    listed = [one for one in found if everything or one.verdict is None]
    return site.pages.render(
        request,
        "judging_job.html",
        person=member,
        tally=tally,
        titles=judgements.TITLES,
        total=len(found),
        waiting=sum(one.verdict is None for one in found),
        cards=[card(site, one) for one in listed[at.offset : at.offset + at.limit]],
        everything=everything,
        at=at,
        more=len(listed) > at.offset + at.limit,
    )


@router.post("/{job}", dependencies=[Depends(get_organizer)])
def judge(
    job: str,
    site: SiteDep,
    sender: FormSender,
    now: Now,
    case: Annotated[str, Form(max_length=255)],
    number: Annotated[int, Form()],
    verdict: Annotated[Verdict, Form()],
    *,
    everything: Annotated[bool, Form()] = False,
    offset: Annotated[int, Form(ge=0)] = 0,
) -> Response:
    """Keep a verdict and go on."""
    with site.db.write() as session:
        judgements.tally(session, challenges.current(session), job)
        judgements.judge(session, site.store, job, case, number, verdict, sender.account(session), now)
    return RedirectResponse(f"/judging/{job}?everything={str(everything).lower()}&offset={offset}", 303)


def card(site: Site, detection: Unmatched) -> Card:
    """Draw the slice that was kept of the case, if there is one."""
    kept = kept_slices(site.store, detection.slices_sha256) if detection.slices_sha256 else None
    if kept is None:
        return Card(detection=detection, picture=None, z=None)
    return Card(detection=detection, picture=drawn(kept, Window.of([kept.prediction])), z=kept.z)
