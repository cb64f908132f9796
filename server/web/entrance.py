"""Registering and signing in, with a bound on how often: shared by pages and API."""

from datetime import datetime

from server import accounts
from server.errors import NotSignedIn
from server.models import Account
from server.web.site import Site


def registered(site: Site, *, address: str, team_name: str, email: str, password: str, now: datetime) -> None:
    """Make an account with a team of one."""
    site.registrations.attempt(address, now)
    with site.db.write() as session:
        accounts.register(session, team_name=team_name, email=email, password=password, now=now)


def signed_in(site: Site, address: str, email: str, password: str, now: datetime) -> str:
    """Give a new session's secret for the right password."""
    account_id = known(site, address, email, password, now)
    with site.db.write() as session:
        return accounts.log_in(session, session.get_one(Account, account_id), now)


def token_for(site: Site, address: str, email: str, password: str, name: str, now: datetime) -> str:
    """Give a new API token for the right password."""
    account_id = known(site, address, email, password, now)
    with site.db.write() as session:
        return accounts.create_token(session, session.get_one(Account, account_id), name, now)


def known(site: Site, address: str, email: str, password: str, now: datetime) -> str:
    """Give the account's id for the right password; the wrong one says nothing of whether the account exists."""
    site.addresses.attempt(address, now)
    # Counted for account and address together, so that nobody can lock another's account.
    guess = f"{email.strip().lower()} from {address}"
    site.guesses.attempt(guess, now)
    with site.db.read() as session:
        account = accounts.authenticate(session, email=email, password=password)
        if account is None:
            raise NotSignedIn("The e-mail address or the password is not right.")
        account_id = account.id
    site.guesses.forget(guess)
    return account_id
