"""`mood host add`: a host that may run jobs."""

from datetime import UTC, datetime
from pathlib import Path

import typer

from cli.console import complain, err
from cli.facts import facts, server_settings
from server import accounts
from server.errors import Refused

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def host() -> None:
    """Hosts."""


@app.command()
def add(
    name: str = typer.Argument(help="how the organizer's page names it"),
    home: Path | None = typer.Option(None, help="the server's folder [MOOD_HOME]"),
) -> None:
    """Add a host; its worker's token is printed once and kept nowhere."""
    with facts(server_settings(home=home)) as database, database.write() as session:
        try:
            token = accounts.add_host(session, name, datetime.now(UTC))
        except Refused as refused:
            complain(refused.message)
    err.print(f"Token of host {name}, to be set there as MOOD_WORKER_HOST_TOKEN:")
    typer.echo(token)


@app.command()
def revoke(
    name: str = typer.Argument(help="as it was added"),
    home: Path | None = typer.Option(None, help="the server's folder [MOOD_HOME]"),
) -> None:
    """Shut a host out; what its workers hold goes to others when their leases end."""
    with facts(server_settings(home=home)) as database, database.write() as session:
        try:
            accounts.revoke_host(session, name, datetime.now(UTC))
        except Refused as refused:
            complain(refused.message)
    err.print(f"Host {name} is shut out")
