"""What all tests share: the two backends, real services, and who may be absent where."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg
import pytest
import redis

from tests import services

REQUIRED = os.environ.get("MOOD_TESTS_REQUIRE", "")  # "all": a missing service fails instead of skipping
VOLUMES = Path(__file__).resolve().parents[2] / "shared" / "volumes"


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Where facts and hints live in one test."""

    name: str  # embedded or production
    database_url: str
    broker_url: str


@cache
def docker_answers() -> bool:
    """A Docker engine is reachable from here."""
    done = subprocess.run(["docker", "version"], check=False, capture_output=True)
    return done.returncode == 0


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests that need the engine or the browser say so by a marker."""
    if item.get_closest_marker("docker") and not docker_answers():
        absent("a Docker engine")
    if item.get_closest_marker("browser") and shutil.which("chromium") is None:
        absent("chromium")


def absent(what: str) -> None:
    """Skip, or fail where everything is required."""
    if REQUIRED == "all":
        pytest.fail(f"{what} is required here and absent")
    pytest.skip(f"{what} is absent")


@pytest.fixture(scope="session")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis for the session."""
    if services.redis_program() is None:
        absent("redis-server")
    with services.redis_server(tmp_path_factory.mktemp("redis")) as address:
        yield address


@pytest.fixture(scope="session")
def postgres() -> Iterator[services.Postgres]:
    """A real PostgreSQL for the session."""
    if services.postgres_home() is None:
        absent("PostgreSQL")
    # Not below pytest's own folder: that one is closed to other users, and PostgreSQL runs as its own.
    folder = Path("/tmp") / f"mood-postgres-{uuid.uuid4().hex[:12]}"
    folder.mkdir(mode=0o755)
    try:
        with services.postgres_server(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_admin(postgres: services.Postgres) -> Iterator[psycopg.Connection]:
    """Who makes and drops databases."""
    with closing(psycopg.connect(postgres.url("postgres").replace("+psycopg", ""), autocommit=True)) as admin:
        yield admin


@pytest.fixture
def postgres_template() -> str:
    """The database that a test's own is a copy of: an empty one, where no conftest.py says otherwise."""
    return "template1"


@pytest.fixture
def sqlite_template() -> Path | None:
    """The file that a test's own database is a copy of: none, where no conftest.py says otherwise."""
    return None


@pytest.fixture
def postgres_url(
    postgres: services.Postgres, postgres_admin: psycopg.Connection, postgres_template: str
) -> Iterator[str]:
    """A database for one test."""
    name = f"mood_{uuid.uuid4().hex[:12]}"
    postgres_admin.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield postgres.url(name)
    postgres_admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(sqlite_template: Path | None, tmp_path: Path) -> str:
    """A database for one test, in a file."""
    path = tmp_path / "mood.db"
    if sqlite_template is not None:
        shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def redis_url(redis_address: str) -> Iterator[str]:
    """An empty Redis for one test."""
    client = redis.Redis.from_url(redis_address)
    client.flushall()
    yield f"{redis_address}/0"
    client.flushall()
    client.close()


@pytest.fixture(params=["embedded", pytest.param("production", marks=[pytest.mark.redis, pytest.mark.postgres])])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Both pairs: SQLite with a broker in a folder, PostgreSQL with Redis."""
    if request.param == "embedded":
        return Backend(
            name="embedded",
            database_url=request.getfixturevalue("sqlite_url"),
            broker_url=f"filesystem://{tmp_path / 'broker'}",
        )
    return production(request)


@pytest.fixture
def production_backend(request: pytest.FixtureRequest) -> Backend:
    """The production pair alone, for what runs once."""
    return production(request)


def production(request: pytest.FixtureRequest) -> Backend:
    """PostgreSQL and Redis."""
    return Backend(
        name="production",
        database_url=request.getfixturevalue("postgres_url"),
        broker_url=request.getfixturevalue("redis_url"),
    )


@pytest.fixture
def volumes() -> Path:
    """The folder of real scans, where it stands beside the project."""
    if not VOLUMES.is_dir():
        pytest.skip(f"no real scans at {VOLUMES}")
    return VOLUMES
