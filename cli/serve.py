"""`mood serve`: the server."""

from pathlib import Path

import typer
import uvicorn

from cli.facts import server_settings
from server.web.app import create_app

app = typer.Typer()


@app.command()
def serve(
    home: Path | None = typer.Option(None, help="where database, store and broker live [MOOD_HOME]"),
    host: str | None = typer.Option(None, help="address to listen on [MOOD_HOST]"),
    port: int | None = typer.Option(None, help="port to listen on [MOOD_PORT]"),
) -> None:
    """Start the server; Ctrl-C ends it."""
    settings = server_settings(home=home, host=host, port=port)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=3,  # a page that watches live state keeps its connection for ever
    )
