"""What the server core's tests start from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import challenges
from server.db import Database
from server.storage import Store
from tests.conftest import Backend
from tests.server.world import NOW, World, make_challenge


@pytest.fixture
def db(backend: Backend) -> Iterator[Database]:
    """A migrated database on either backend."""
    database = Database(backend.database_url)
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def embedded_db(tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite: for what does not differ between databases."""
    database = Database(f"sqlite:///{tmp_path / 'mood.db'}")
    database.migrate()
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
