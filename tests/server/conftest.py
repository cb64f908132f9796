"""What the server core's tests start from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from server import challenges, security
from server import db as databases
from server.db import Database
from server.storage import Store
from tests import services
from tests.conftest import Backend
from tests.server.world import NOW, World, make_challenge


@pytest.fixture(scope="session", autouse=True)
def recommended() -> Iterator[PasswordHash]:
    """Hash passwords at the least cost and let commits not wait for the disk; gives what the server hashes with."""
    with pytest.MonkeyPatch.context() as patch:
        hasher = security._HASHER
        cheap = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)])
        patch.setattr(security, "_HASHER", cheap)
        patch.setattr(security, "_NOBODY", cheap.hash("nobody's"))
        durable = databases.sqlite_engine
        patch.setattr(databases, "sqlite_engine", lambda url: hasty(durable(url)))
        yield hasher


def hasty(engine: Engine) -> Engine:
    """A power cut may lose what is committed: none of it outlives the test."""

    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.close()

    return engine


def migrate(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.dispose()


@pytest.fixture(scope="session")
def migrated_postgres(postgres: services.Postgres, postgres_admin: psycopg.Connection) -> str:
    """The name of a migrated database that nobody is connected to."""
    name = "migrated"
    postgres_admin.execute(f"CREATE DATABASE {name}")
    migrate(postgres.url(name))
    return name


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database that nobody is connected to: all of it is in one file."""
    path = tmp_path_factory.mktemp("migrated") / "mood.db"
    migrate(f"sqlite:///{path}")
    return path


def wants_tables(request: pytest.FixtureRequest) -> bool:
    """The test asks for a migrated database; others get an empty one, as a new server does."""
    return "db" in request.fixturenames


@pytest.fixture
def postgres_template(postgres_template: str, request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("migrated_postgres") if wants_tables(request) else postgres_template
    return found


@pytest.fixture
def sqlite_template(sqlite_template: Path | None, request: pytest.FixtureRequest) -> Path | None:
    found: Path | None = request.getfixturevalue("migrated_sqlite") if wants_tables(request) else sqlite_template
    return found


@pytest.fixture
def db(backend: Backend) -> Iterator[Database]:
    """A migrated database on either backend."""
    database = Database(backend.database_url)
    yield database
    database.dispose()


@pytest.fixture
def embedded_db(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite: for what does not differ between databases."""
    path = shutil.copyfile(migrated_sqlite, tmp_path / "mood.db")
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty object store."""
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def challenge_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny challenge on disk; nobody changes it."""
    return make_challenge(tmp_path_factory.mktemp("challenge"))


@pytest.fixture
def own_challenge_folder(challenge_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(challenge_folder, tmp_path / "challenge")


@pytest.fixture
def world(db: Database, store: Store, challenge_folder: Path) -> World:
    """A loaded challenge on either backend."""
    challenges.load(db, store, challenge_folder, NOW)
    return World(db=db, store=store, folder=challenge_folder)


@pytest.fixture
def embedded_world(embedded_db: Database, store: Store, challenge_folder: Path) -> World:
    """A loaded challenge on SQLite."""
    challenges.load(embedded_db, store, challenge_folder, NOW)
    return World(db=embedded_db, store=store, folder=challenge_folder)
