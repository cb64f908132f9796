"""`mood up`: server and worker on this machine, until Ctrl-C or until one of them ends."""

from pathlib import Path

import typer

from cli.console import complain, out
from cli.stack import Stack

app = typer.Typer()


@app.command()
def up(
    data: Path = typer.Option(help="the challenge folder, made by `mood challenge init`"),
    home: Path = typer.Option(Path("mood-home"), help="where database, store and broker live"),
    host: str = typer.Option("127.0.0.1", help="address to listen on"),
    port: int = typer.Option(8000, help="port to listen on"),
) -> None:
    """Start server and worker together, with the challenge loaded."""
    with Stack.start(home=home.absolute(), data=data.absolute(), host=host, port=port) as stack:
        out.print(f"Up at {stack.url}; Ctrl-C ends it. Logs: {stack.server_log}, {stack.worker_log}", soft_wrap=True)
        try:
            ended = stack.wait()
        except KeyboardInterrupt:
            out.print("Stopping; a job that runs goes back to the queue.")
            return
    complain(f"The {ended} ended by itself: see its log.")
