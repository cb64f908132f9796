"""`mood user add`: an account, made by the operator."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import typer

from cli.console import complain, out
from cli.facts import facts, server_settings
from server import accounts
from server.errors import Refused

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def user() -> None:
    """Accounts."""


@app.command()
def add(
    email: str = typer.Argument(help="what they log in with"),
    organizer: bool = typer.Option(False, "--organizer", help="may see and do everything of the challenge"),
    team: str | None = typer.Option(None, help="their team's name; needed unless they organize"),
    home: Path | None = typer.Option(None, help="the server's folder [MOOD_HOME]"),
) -> None:
    """Add an account; the password is asked for, or read from standard input where that is no terminal."""
    if not organizer and team is None:
        complain("A participant belongs to a team: add --team NAME, or --organizer.")
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else piped()
    with facts(server_settings(home=home)) as database, database.write() as session:
        try:
            accounts.add_user(
                session,
                email=email,
                password=password,
                organizer=organizer,
                team_name=team,
                now=datetime.now(UTC),
            )
        except Refused as refused:
            complain(refused.message)
    out.print(f"Added {email}{' as organizer' if organizer else f' of team {team}'}")


def piped() -> str:
    """Read a password from the first line of standard input."""
    return sys.stdin.readline().rstrip("\n")
