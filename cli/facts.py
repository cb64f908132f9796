"""Opens the server's database for commands that an operator calls beside the running server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.db import Database
from server.settings import Settings


def settings_at(home: Path | None) -> Settings:
    """Give the server's settings; `home` goes before MOOD_HOME."""
    return Settings() if home is None else Settings(home=home)


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
