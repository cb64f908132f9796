"""People and machines: accounts with their teams, sign-ins, API tokens, hosts."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server import analyses, lifecycle
from server.errors import Conflict, Invalid, NotAllowed, NotFound
from server.models import Account, ApiToken, Host, LoginSession, Team
from server.protocol import HostReport
from server.security import (
    PASSWORD_MAX,
    PASSWORD_MIN,
    hash_password,
    is_text,
    new_secret,
    password_is,
    secret_sha256,
)

SESSION_LASTS = timedelta(days=14)
USED_EVERY = timedelta(minutes=5)  # how exactly a token's last use and a host's last word are known
NAME_MAX = 80  # characters


def register(s: Session, *, team_name: str, email: str, password: str, now: datetime) -> Account:
    """Add an account with a new team of one. Raises Invalid or Conflict."""
    return add_user(s, email=email, password=password, organizer=False, team_name=team_name, now=now)


def add_user(
    s: Session, *, email: str, password: str, organizer: bool, team_name: str | None, now: datetime
) -> Account:
    """Add an account. An organizer needs no team; anybody else does. Raises Invalid or Conflict."""
    address = checked_email(email)
    check_password(password)
    if team_name is None and not organizer:
        raise Invalid("an account that is not an organizer's needs a team name")
    if s.scalar(select(Account.id).where(Account.email == address)):
        raise Conflict(f"{address} has an account already: log in")
    team = None if team_name is None else new_team(s, checked_name(team_name, "a team name"), now)
    account = Account(
        email=address, password_hash=hash_password(password), organizer=organizer, team=team, created_at=now
    )
    s.add(account)
    flush_or(s, Conflict(f"{address} or the team name was taken a moment ago: choose another"))
    return account


def authenticate(s: Session, *, email: str, password: str) -> Account | None:
    """Give the account, or None. An unknown address takes as long as a wrong password."""
    known = select(Account).where(Account.email == email.strip().lower())
    account = s.scalar(known) if is_text(email) else None
    return account if password_is(password, account.password_hash if account else None) else None


def log_in(s: Session, account: Account, now: datetime) -> str:
    """Give a new session's secret, for the browser's cookie."""
    s.execute(delete(LoginSession).where(LoginSession.expires_at <= now))
    secret = new_secret()
    s.add(
        LoginSession(
            account_id=account.id,
            secret_sha256=secret_sha256(secret),
            created_at=now,
            expires_at=now + SESSION_LASTS,
        )
    )
    return secret


def log_out(s: Session, token: str) -> None:
    """End the session; one that is not there is ended already."""
    s.execute(delete(LoginSession).where(LoginSession.secret_sha256 == secret_sha256(token)))


def account_for_session(s: Session, token: str, now: datetime) -> Account | None:
    """Whose session is it? None: unknown or expired."""
    return s.scalar(
        select(Account)
        .join(LoginSession, LoginSession.account_id == Account.id)
        .where(LoginSession.secret_sha256 == secret_sha256(token), LoginSession.expires_at > now)
    )


def create_token(s: Session, account: Account, name: str, now: datetime) -> str:
    """Give a new API token's secret ("mood_…"), which is shown once."""
    secret = new_secret("mood_")
    s.add(
        ApiToken(
            account_id=account.id,
            name=checked_name(name, "a token's name"),
            secret_sha256=secret_sha256(secret),
            created_at=now,
        )
    )
    return secret


def account_for_token(s: Session, token: str, now: datetime) -> Account | None:
    """Whose token is it? None: unknown or revoked.

    Its last use is written down where the session can write and it was not just used.
    """
    row = s.execute(
        select(ApiToken, Account)
        .join(Account, ApiToken.account_id == Account.id)
        .where(ApiToken.secret_sha256 == secret_sha256(token), ApiToken.revoked_at.is_(None))
    ).first()
    if row is None:
        return None
    key, account = row
    if key.used_at is None or now - key.used_at > USED_EVERY:
        key.used_at = now
    return account


def tokens(s: Session, account: Account) -> list[ApiToken]:
    """Give the account's tokens that open something, newest first."""
    return list(
        s.scalars(
            select(ApiToken)
            .where(ApiToken.account_id == account.id, ApiToken.revoked_at.is_(None))
            .order_by(ApiToken.created_at.desc())
        )
    )


def revoke_token(s: Session, account: Account, token_id: str, now: datetime) -> None:
    """It opens nothing any more. NotFound for another account's."""
    found = s.execute(
        update(ApiToken)
        .where(ApiToken.id == token_id, ApiToken.account_id == account.id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(ApiToken.id)
    ).first()
    if found is None:
        raise NotFound(f"you have no token {token_id}")


def add_host(s: Session, name: str, now: datetime) -> str:
    """Give a new host's secret ("moodhost_…"), which is shown once. A known name gets a new one."""
    label = checked_name(name, "a host's name")
    secret = new_secret("moodhost_")
    host = s.scalar(select(Host).where(Host.name == label))
    if host is None:
        s.add(Host(name=label, secret_sha256=secret_sha256(secret), created_at=now))
    else:
        host.secret_sha256 = secret_sha256(secret)
        host.revoked_at = None
    flush_or(s, Conflict(f"host {label} was added a moment ago by somebody else: try again"))
    return secret


def host_for_token(s: Session, token: str, now: datetime) -> Host | None:  # noqa: ARG001  the same shape as its siblings
    """Whose token is it? None: unknown or revoked."""
    return s.scalar(select(Host).where(Host.secret_sha256 == secret_sha256(token), Host.revoked_at.is_(None)))


def revoke_host(s: Session, name: str, now: datetime) -> None:
    """Its token opens nothing any more; what it held comes back when its leases end."""
    host = s.scalar(select(Host).where(Host.name == name, Host.revoked_at.is_(None)))
    if host is None:
        raise NotFound(f"there is no host {name}")
    host.revoked_at = now


def host_reported(s: Session, host: Host, report: HostReport, now: datetime) -> None:
    """Keep what a host says of itself, one entry a worker, for the organizer's page."""
    row = s.merge(host, load=True)
    row.report = {**(row.report or {}), report.worker: report.model_dump(mode="json")}
    row.seen_at = now


def hosts(s: Session) -> list[Host]:
    """All hosts that may ask for work, by name."""
    return list(s.scalars(select(Host).where(Host.revoked_at.is_(None)).order_by(Host.name)))


def new_team(s: Session, name: str, now: datetime) -> Team:
    """Add a team. Conflict where the name is taken, however it is written."""
    taken = s.scalars(select(Team.name)).all()
    if name.casefold() in {known.casefold() for known in taken}:
        raise Conflict(f"the team name {name!r} is taken: choose another")
    team = Team(name=name, created_at=now)
    s.add(team)
    return team


def show_name(s: Session, team: Team, *, shown: bool, account: Account, now: datetime) -> None:
    """Rank the team under its name, or without it; who wanted it is kept. Raises NotAllowed.

    Its own members may, and organizers. It stays ranked either way. Analyses that say a name that was taken back are
    forgotten, and made anew.
    """
    if not (account.organizer or account.team_id == team.id):
        raise NotAllowed(f"only its members and organizers decide about the name of team {team.name}")
    if team.anonymous is not shown:
        return
    if not shown:
        analyses.forget(s, team.id)  # before the name changes: it waits for what is being kept with the old one
    team.anonymous = not shown
    old, new = ("anonymous", "named") if shown else ("named", "anonymous")
    lifecycle.note(s, "team", team.id, old, new, now, f"by {account.email}")


def teams(s: Session) -> list[Team]:
    """All teams, by name."""
    return sorted(s.scalars(select(Team)), key=lambda team: team.name.casefold())


def checked_email(email: str) -> str:
    """Give the address in lower case; Invalid where it cannot be one."""
    address = email.strip().lower()
    name, at, domain = address.rpartition("@")
    if not (name and at and domain) or len(address) > 254 or not address.isprintable() or " " in address:  # noqa: PLR2004  RFC 5321's path
        raise Invalid(f"{email!r} is not an e-mail address")
    return address


def checked_name(name: str, what: str) -> str:
    """Give the name without outer spaces; Invalid where it is empty, too long or not printable.

    It begins with a letter or digit: a spreadsheet takes `=…` in the CSV leaderboard for a formula.
    """
    label = " ".join(name.split())
    if not label or len(label) > NAME_MAX or not label.isprintable() or not label[0].isalnum():
        raise Invalid(f"{name!r} cannot be {what}: 1 to {NAME_MAX} printable characters, a letter or digit first")
    return label


def check_password(password: str) -> None:
    """Length is all that is asked."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise Invalid(f"a password needs {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    if not is_text(password):
        raise Invalid("this password holds what is no character: choose another one")


def flush_or(s: Session, conflict: Conflict) -> None:
    """Write now, so that a race for a unique name is answered here."""
    try:
        s.flush()
    except IntegrityError as error:
        raise conflict from error
