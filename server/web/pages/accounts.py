"""The pages on which people register, sign in and out, and keep their API tokens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from server import accounts
from server.accounts import SESSION_LASTS
from server.errors import NotAllowed, Refused
from server.security import PASSWORD_MIN
from server.web import refusals
from server.web.deps import (
    SESSION_COOKIE,
    FormSender,
    Member,
    Now,
    Person,
    SiteDep,
    Visitor,
    client_address,
    own_page,
)
from server.web.entrance import registered, signed_in
from server.web.site import Site

router = APIRouter(dependencies=[Depends(own_page)], include_in_schema=False)


@router.get("/register")
def register_form(request: Request, site: SiteDep, visitor: Visitor) -> HTMLResponse:
    """Show the form."""
    return register_page(request, site, visitor)


@router.post("/register")
def register(
    request: Request,
    site: SiteDep,
    now: Now,
    team_name: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    """Make a team of one and sign it in, or show the form again with what is wrong."""
    try:
        registered(site, address=client_address(request), team_name=team_name, email=email, password=password, now=now)
        return welcome(site, signed_in(site, client_address(request), email, password, now), "/")
    except Refused as refusal:
        return register_page(request, site, None, team_name=team_name, email=email, refusal=refusal)


@router.get("/login")
def login_form(request: Request, site: SiteDep, visitor: Visitor, next: str = "/") -> HTMLResponse:  # noqa: A002  the word in the address
    """Show the form."""
    return login_page(request, site, visitor, after=next)


@router.post("/login")
def login(
    request: Request,
    site: SiteDep,
    now: Now,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002  the word in the form
) -> Response:
    """Sign in and go where the visitor wanted to, or show the form again with what is wrong."""
    try:
        return welcome(site, signed_in(site, client_address(request), email, password, now), next)
    except Refused as refusal:
        return login_page(request, site, None, email=email, after=next, refusal=refusal)


@router.post("/logout")
def logout(site: SiteDep, sender: FormSender) -> Response:
    """End the session."""
    with site.db.write() as session:
        accounts.log_out(session, sender.session or "")
    response = RedirectResponse("/", 303)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax", secure=site.is_https)
    return response


@router.get("/tokens")
def tokens(request: Request, site: SiteDep, member: Member) -> HTMLResponse:
    """Show the account's API tokens."""
    return tokens_page(request, site, member)


@router.post("/tokens")
def create_token(
    request: Request, site: SiteDep, sender: FormSender, now: Now, name: Annotated[str, Form()] = ""
) -> HTMLResponse:
    """Create one and show its secret, this once."""
    try:
        with site.db.write() as session:
            secret = accounts.create_token(session, sender.account(session), name, now)
    except Refused as refusal:
        return tokens_page(request, site, sender, refusal=refusal)
    return tokens_page(request, site, sender, secret=secret)


@router.post("/tokens/{token_id}/revoke")
def revoke_token(token_id: str, site: SiteDep, sender: FormSender, now: Now) -> Response:
    """Make it open nothing any more."""
    with site.db.write() as session:
        accounts.revoke_token(session, sender.account(session), token_id, now)
    return RedirectResponse("/tokens", 303)


@router.post("/team/name")
def show_name(
    site: SiteDep,
    sender: FormSender,
    now: Now,
    anonymous: Annotated[bool, Form()],
    next: Annotated[str, Form()] = "/",  # noqa: A002  the word in the form
) -> Response:
    """Rank the sender's team without its name, or under it again."""
    if sender.team_id is None:
        raise NotAllowed("This account has no team, and names are teams'.")
    if not sender.is_organizer:
        site.renamings.attempt(sender.team_id, now)
    with site.db.write() as session:
        account = sender.account(session)
        accounts.show_name(session, sender.team_row(session), shown=not anonymous, account=account, now=now)
    return RedirectResponse(inside(next), 303)


def inside(after: str) -> str:
    """Give where to go on, never to another site."""
    return after if after.startswith("/") and not after.startswith(("//", "/\\")) else "/"


def welcome(site: Site, secret: str, after: str) -> Response:
    """Give the browser its session's cookie and send it on."""
    response = RedirectResponse(inside(after), 303)
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=site.is_https,
    )
    return response


def login_page(
    request: Request, site: Site, person: Person | None, *, after: str, email: str = "", refusal: Refused | None = None
) -> HTMLResponse:
    """Show the sign-in form, with what was wrong."""
    values = {"next": after, "email": email, "problem": refusal and refusal.message}
    return site.pages.render(request, "login.html", person=person, status=status_of(refusal), **values)


def register_page(
    request: Request,
    site: Site,
    person: Person | None,
    *,
    team_name: str = "",
    email: str = "",
    refusal: Refused | None = None,
) -> HTMLResponse:
    """Show the registration form, with what was wrong."""
    values = {
        "team_name": team_name,
        "email": email,
        "password_min": PASSWORD_MIN,
        "problem": refusal and refusal.message,
    }
    return site.pages.render(request, "register.html", person=person, status=status_of(refusal), **values)


def tokens_page(
    request: Request, site: Site, person: Person, *, secret: str | None = None, refusal: Refused | None = None
) -> HTMLResponse:
    """Show the tokens, a new one's secret, or what was wrong."""
    with site.db.read() as session:
        found = accounts.tokens(session, person.account(session))
        return site.pages.render(
            request,
            "tokens.html",
            person=person,
            status=status_of(refusal),
            tokens=found,
            secret=secret,
            public_url=site.settings.public_url,
            problem=refusal and refusal.message,
        )


def status_of(refusal: Refused | None) -> int:
    """HTTP status of a form that is shown, or shown again."""
    return refusals.status_of(refusal) if refusal else 200
