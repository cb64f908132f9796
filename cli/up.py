"""`mood up`: server and worker on this machine, until Ctrl-C or until one of them ends."""

from pathlib import Path

import typer

from cli.console import complain, out
from cli.facts import server_settings
from cli.stack import Stack

app = typer.Typer()


@app.command()
def up(
    data: list[Path] = typer.Option(
        help="the challenge folder, made by `mood challenge init` or `mood data make`; again for each companion set"
    ),
    home: Path | None = typer.Option(None, help="where database, store and broker live [MOOD_HOME]"),
    host: str | None = typer.Option(None, help="address to listen on [MOOD_HOST]"),
    port: int | None = typer.Option(None, help="port to listen on [MOOD_PORT]"),
) -> None:
    """Start server and worker together, with the challenge loaded."""
    folders = [folder.absolute() for folder in data]
    with Stack.start(server_settings(home=home, host=host, port=port), folders) as stack:
        out.print(f"Up at {stack.url}; Ctrl-C ends it. Logs: {stack.server_log}, {stack.worker_log}", soft_wrap=True)
        try:
            ended = stack.wait()
        except KeyboardInterrupt:
            out.print("Stopping; a job that runs goes back to the queue.")
            return
    complain(f"The {ended} ended by itself: see its log.")
