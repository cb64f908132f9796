"""Sessions and migrations on SQLite and PostgreSQL: the only code that opens a database."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_S = 30.0  # a writer waits this long for another one
MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x6D6F6F64  # "mood": PostgreSQL's advisory lock that one migrating server holds


class Database:
    """One database, embedded (SQLite) or production (PostgreSQL)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine = sqlite_engine(url) if self.is_sqlite else create_engine(url, pool_pre_ping=True)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that only reads; closing it takes back whatever was changed."""
        with self._sessions() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session that is committed at the end, or rolled back by an exception.

        On SQLite it begins IMMEDIATE: it waits for its turn to write before it reads, so that two
        writers never meet half way ("database is locked").
        """
        with self._sessions() as session:
            if self.is_sqlite:
                session.connection(execution_options={"mood_begin": "IMMEDIATE"})
            yield session
            session.commit()

    def migrate(self) -> None:
        """Bring the tables to this version's. Servers that start at once wait for each other."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.connect() as connection, self._migrating(connection):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _migrating(self, connection: Connection) -> Iterator[None]:
        """One transaction, by one server at a time: SQLite's write lock, or a lock of PostgreSQL's."""
        connection.execution_options(mood_begin="IMMEDIATE")
        with connection.begin():
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            yield


def sqlite_engine(url: str) -> Engine:
    """SQLite with WAL, foreign keys, and transactions that begin when we say so."""
    database = make_url(url).database
    if database and database != ":memory:":
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # sqlite3: no BEGIN behind our back
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
        with one_at_a_time(database):
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # a commit that was answered survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        how = connection.get_execution_options().get("mood_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {how}")

    return engine


@contextmanager
def one_at_a_time(database: str | None) -> Iterator[None]:
    """Hold a lock that all processes with this SQLite file see.

    Two connections that turn a new file to WAL at once are not made to wait by SQLite: one of them fails.
    """
    if not database or database == ":memory:":
        yield
        return
    folder = os.open(Path(database).parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
