"""Who asks: what routes declare instead of looking into requests themselves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Form, Query, Request
from sqlalchemy.orm import Session

from server import accounts, submissions, views
from server.errors import NotAllowed, NotSignedIn
from server.models import Account, Host, Team
from server.web import security
from server.web.changes import EVERYBODY
from server.web.site import Site

SESSION_COOKIE = "mood_session"
PAGE_LENGTH = 20


def get_site(request: Request) -> Site:
    """Give the server's parts."""
    site: Site = request.app.state.site
    return site


SiteDep = Annotated[Site, Depends(get_site)]


def get_now(site: SiteDep) -> datetime:
    """Give the instant of this request, aware UTC."""
    return site.clock()


Now = Annotated[datetime, Depends(get_now)]


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who is signed in. A value, so that nothing of the database leaves its session."""

    account_id: str
    email: str
    is_organizer: bool
    team_id: str | None
    team: str | None
    session: str | None  # the cookie's secret; None: came with an API token

    @classmethod
    def of(cls, account: Account, session: str | None) -> "Person":
        """Read what is needed while the account can be read."""
        return cls(
            account_id=account.id,
            email=account.email,
            is_organizer=account.organizer,
            team_id=account.team_id,
            team=account.team.name if account.team else None,
            session=session,
        )

    @property
    def watched(self) -> str:
        """Whose changes its pages follow: its team's, or everybody's."""
        return EVERYBODY if self.is_organizer else self.team_id or EVERYBODY

    def account(self, session: Session) -> Account:
        """Give the row, for a core function."""
        return session.get_one(Account, self.account_id)

    def team_row(self, session: Session) -> Team:
        """Give the team's row, for a core function."""
        return session.get_one(Team, self.team_id)


def get_visitor(request: Request, site: SiteDep, now: Now) -> Person | None:
    """Give who asks, by API token or by cookie; None: nobody we know.

    A token that is not valid is refused instead of being nobody: its owner must hear of it. Unsafe
    requests that ride on a cookie must come from a page of ours.
    """
    token = bearer(request)
    if token is not None:
        return token_owner(site, token, now)
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        return None
    with site.db.read() as session:
        account = accounts.account_for_session(session, cookie, now)
        person = Person.of(account, cookie) if account else None
    if person is not None:
        security.refuse_foreign_origin(request, site.settings.public_url)
    return person


def token_owner(site: Site, token: str, now: datetime) -> Person:
    """Give whose API token it is; writes its last use only where that was not just written."""
    with site.db.read() as session:
        account = accounts.account_for_token(session, token, now)
        if account is None:
            raise NotSignedIn("The API token is not valid, or was revoked. Create one on the Tokens page.")
        person = Person.of(account, None)
        use_is_news = bool(session.dirty)
    if use_is_news:
        with site.db.write() as session:
            accounts.account_for_token(session, token, now)
    return person


def bearer(request: Request) -> str | None:
    """The token of an Authorization header; None where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


Visitor = Annotated[Person | None, Depends(get_visitor)]


def get_member(visitor: Visitor) -> Person:
    """Give who is signed in, or refuse."""
    if visitor is None:
        raise NotSignedIn("Sign in first, or send an API token in the Authorization header.")
    return visitor


Member = Annotated[Person, Depends(get_member)]


def get_team_member(member: Member) -> Person:
    """Give somebody who can submit, or refuse."""
    if member.team_id is None:
        raise NotAllowed("This account has no team, and submissions belong to teams.")
    return member


TeamMember = Annotated[Person, Depends(get_team_member)]


def get_organizer(member: Member) -> Person:
    """Give the organizer, or refuse."""
    if not member.is_organizer:
        raise NotAllowed("This is for the organizers of the challenge.")
    return member


Organizer = Annotated[Person, Depends(get_organizer)]


def get_watched(submission_id: str, site: SiteDep, member: Member, now: Now) -> str:
    """Give the id of a submission that the member may see; NotFound before a stream begins.

    That an organizer looks is recorded: once for a stream.
    """
    with site.db.read() as session:
        found = submissions.get_for(session, member.account(session), submission_id).id
    if member.is_organizer:
        with site.db.write() as session:
            views.looked(session, member.account(session), f"submission {found}", now)
    return found


def own_page(request: Request, site: SiteDep) -> None:
    """Refuse forms that another site sends, with a session or without."""
    security.refuse_foreign_origin(request, site.settings.public_url)


def get_form(site: SiteDep, member: Member, form_token: Annotated[str, Form()] = "") -> Person:
    """Give who sent a form that we gave to their own session."""
    security.check_form_token(form_token, site.signing_key, member.session or "")
    return member


FormSender = Annotated[Person, Depends(get_form)]


def get_worker_host(request: Request, site: SiteDep, now: Now) -> str:
    """Give the id of the host whose token came, or refuse."""
    token = bearer(request)
    with site.db.read() as session:
        host = accounts.host_for_token(session, token, now) if token else None
        if host is None:
            raise NotSignedIn("This host's token is not known here: the organizer gives one with `mood host add`.")
        return host.id


WorkerHost = Annotated[str, Depends(get_worker_host)]


def host_row(session: Session, host_id: str) -> Host:
    """Give the host's row, for a core function."""
    return session.get_one(Host, host_id)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Which part of a list."""

    limit: int
    offset: int


def get_slice(
    limit: Annotated[int, Query(ge=1, le=100)] = PAGE_LENGTH, offset: Annotated[int, Query(ge=0)] = 0
) -> Slice:
    """Bound what one answer can hold."""
    return Slice(limit=limit, offset=offset)


SliceDep = Annotated[Slice, Depends(get_slice)]


def client_address(request: Request) -> str:
    """Where a request comes from, for counting attempts."""
    return request.client.host if request.client else "unknown"
