"""`mood rescore` on a server's folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import rescore
from cli.facts import facts
from server import challenges
from server.models import CaseScore, Rescoring, Score
from server.protocol import Task
from server.settings import Settings
from server.storage import Store
from tests.server.test_leaderboard import score
from tests.server.world import NOW, World, make_challenge


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server's folder, which the command here works on."""
    monkeypatch.delenv("MOOD_DATABASE_URL", raising=False)
    return tmp_path / "home"


@pytest.fixture
def wrong(home: Path, tmp_path: Path) -> Iterator[World]:
    """Two teams, the better one put last by an older evaluator."""
    settings = Settings(home=home)
    folder = make_challenge(tmp_path / "challenge")
    with facts(settings) as database:
        store = Store(settings.store_dir)
        challenges.load(database, store, folder, NOW)
        world = World(db=database, store=store, folder=folder)
        score(world, "Perfect", task=Task.PIXEL)
        with database.write() as s:
            for row in s.query(Score):
                row.value, row.evaluator_version = 0.0, "0.0.9"
        score(world, "Constant", task=Task.PIXEL, constant=True)
        yield world


def call(home: Path, *arguments: str) -> tuple[int, str]:
    options = ["--home", str(home), *arguments]
    done = CliRunner().invoke(rescore.app, options, env={"COLUMNS": "160"})
    return done.exit_code, " ".join(done.output.split())


def values(world: World) -> list[float]:
    with world.db.read() as s:
        return sorted(row.value for row in s.query(Score))


def test_it_shows_and_changes_nothing(wrong: World, home: Path) -> None:
    before = values(wrong)
    code, said = call(home)
    assert code == 0
    assert "pixel task, 2 ranks change" in said
    assert "2 → 1" in said
    assert "0.0000 → 1.0000" in said
    assert "4 scores by evaluator 0.1.0 (before: 0.0.9, 0.1.0): 2 change" in said
    assert "Nothing is published. See http://127.0.0.1:8000/organizer/rescoring/" in said
    assert values(wrong) == before


def test_it_publishes_when_asked(wrong: World, home: Path) -> None:
    code, said = call(home, "--publish")
    assert (code, said.endswith("Published: 4 scores are by evaluator 0.1.0; the old ones are kept")) == (0, True)
    assert values(wrong)[-2:] == [1.0, 1.0]


def test_what_stays_is_told_and_left_only_if_that_is_meant(wrong: World, home: Path) -> None:
    with wrong.db.write() as s:
        first = s.query(Score).filter_by(evaluator_version="0.0.9").first()
        assert first is not None
        s.delete(s.query(CaseScore).filter_by(score_id=first.id).first())
    code, said = call(home, "--publish")
    assert code == 1
    assert "0.0000 (stays)" in said
    assert "stays as it is: submission" in said
    assert "publish all the same only if that is meant" in said
    assert call(home, "--publish", "--leave")[0] == 0
    with wrong.db.read() as s:
        assert s.query(Rescoring).filter(Rescoring.published_at.is_not(None)).count() == 1


def test_without_a_challenge_there_is_a_sentence(home: Path) -> None:
    code, said = call(home)
    assert code == 1
    assert "no challenge is loaded" in said
