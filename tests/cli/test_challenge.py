"""Companion sets at the command line, and how `mood up` hands folders on."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import challenge, stack
from cli.facts import facts
from server import challenges
from server.settings import Settings
from server.storage import Store
from tests.server.companion_maker import make_companion
from tests.server.test_leaderboard import score
from tests.server.world import World, make_challenge


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty server's folder, which every command here works on."""
    for name in ("MOOD_DATABASE_URL", "MOOD_STORE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MOOD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def call(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(challenge.app, [str(argument) for argument in arguments])
    return done.exit_code, " ".join(done.output.split())


def world_at(home: Path, folder: Path) -> World:
    """What the commands see."""
    settings = Settings(home=home)
    with facts(settings) as database:
        return World(db=database, store=Store(settings.store_dir), folder=folder)


def test_submissions_run_on_companion_sets_when_asked(home: Path, tmp_path: Path) -> None:
    folder = make_challenge(tmp_path / "main")
    assert call("load", folder) == (0, "Loaded tiny")
    assert call("analyse", "tiny") == (1, "tiny has no companion set: `mood challenge load` the folder of one first")
    assert call("load", make_companion(tmp_path / "a")) == (0, "Loaded tiny-analysis, the analysis set of tiny")
    score(world_at(home, folder), "A")
    code, said = call("analyse", "tiny")
    assert code == 0
    assert said.startswith("Added 1 submissions on companion sets")
    assert "analysis (tiny-analysis), sample task: 0 of 1 scored, 1 on their way, 0 failed" in said
    assert call("analyse", "other") == (1, "there is no challenge other: there are tiny")


def test_folders_are_loaded_in_whatever_order_they_are_named(home: Path, tmp_path: Path) -> None:
    folders = [make_companion(tmp_path / "a"), make_challenge(tmp_path / "main")]
    settings = Settings(home=home)
    stack.prepare(settings, folders)
    with facts(settings) as database, database.read() as s:
        assert challenges.current(s).slug == "tiny"
    environment = stack.worker_environment(settings, folders, "http://127.0.0.1:1")
    assert environment["MOOD_WORKER_DATA"] == f"{folders[0]}:{folders[1]}"
