"""Opens the server's database for commands that an operator calls beside the running server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cli.console import complain
from server.db import Database
from server.settings import Settings


def server_settings(*, home: Path | None, host: str | None = None, port: int | None = None) -> Settings:
    """Give the server's settings; what is given here goes before the environment's."""
    given: dict[str, Any] = {"home": home and home.absolute(), "host": host, "port": port}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = error.errors()[0]
        name = "_".join(str(part) for part in wrong["loc"])
        complain(f"Setting {name} (MOOD_{name.upper()}) is {wrong['input']!r}: {wrong['msg']}.")


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
