"""Public API: accounts, tokens, and who a token belongs to."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from server.security import PASSWORD_MIN
from server.web.api.errors import ERRORS
from server.web.deps import Member, Now, SiteDep, client_address
from server.web.entrance import registered, token_for

router = APIRouter(prefix="/api/v1", tags=["accounts"], responses=ERRORS)


class Registration(BaseModel):
    """A new account with a team of one."""

    team_name: str
    email: str
    password: str = Field(description=f"at least {PASSWORD_MIN} characters")


class TokenRequest(BaseModel):
    """Who wants a token, and for what."""

    email: str
    password: str
    name: str = Field(description="where it will be used; shown on the tokens page")


class Token(BaseModel):
    """A new token's secret. It is given this once."""

    token: str


class Me(BaseModel):
    """Whom a token belongs to."""

    email: str
    team: str | None
    organizer: bool


@router.post("/accounts", status_code=201)
def register(body: Registration, request: Request, site: SiteDep, now: Now) -> Me:
    """Register a team of one."""
    registered(
        site,
        address=client_address(request),
        team_name=body.team_name,
        email=body.email,
        password=body.password,
        now=now,
    )
    return Me(email=body.email.strip().lower(), team=body.team_name.strip(), organizer=False)


@router.post("/tokens", status_code=201)
def create_token(body: TokenRequest, request: Request, site: SiteDep, now: Now) -> Token:
    """Give a token for the right password."""
    return Token(token=token_for(site, client_address(request), body.email, body.password, body.name, now))


@router.get("/me")
def me(member: Member) -> Me:
    """Tell whom the token belongs to."""
    return Me(email=member.email, team=member.team, organizer=member.is_organizer)
