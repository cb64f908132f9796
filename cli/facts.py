"""Opens the server's database for commands that an operator calls beside the running server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from server.db import Database
from server.settings import Settings


def server_settings(*, home: Path | None, host: str | None = None, port: int | None = None) -> Settings:
    """Give the server's settings; what is given here goes before the environment's."""
    given: dict[str, Any] = {"home": home and home.absolute(), "host": host, "port": port}
    return Settings(**{name: value for name, value in given.items() if value is not None})


@contextmanager
def facts(settings: Settings) -> Iterator[Database]:
    """Yield the database, brought up to date."""
    settings.home.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    try:
        database.migrate()
        yield database
    finally:
        database.dispose()
