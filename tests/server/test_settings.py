"""Defaults that work on one machine, the environment, and the secret that is made once."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.settings import Settings


def test_everything_lives_in_the_home_folder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/mood.db"
    assert settings.broker_url == f"filesystem://{tmp_path}/broker"
    assert settings.store_dir == tmp_path / "store"
    assert settings.public_url == "http://127.0.0.1:8000"


def test_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOD_HOME", "/srv/mood")
    monkeypatch.setenv("MOOD_DATABASE_URL", "postgresql+psycopg://db/mood")
    monkeypatch.setenv("MOOD_BROKER_URL", "redis://broker/0")
    monkeypatch.setenv("MOOD_PUBLIC_URL", "https://mood.example.org")
    monkeypatch.setenv("MOOD_SECRET", "")  # empty is not set
    settings = Settings()
    assert settings.home == Path("/srv/mood")
    assert settings.database_url == "postgresql+psycopg://db/mood"
    assert settings.broker_url == "redis://broker/0"
    assert settings.public_url == "https://mood.example.org"
    assert settings.secret is None


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: Settings(home=home).signing_key(), range(8)))
    assert len(keys) == 1
    assert len(keys.pop()) >= 32
    assert stat.S_IMODE((home / "secret").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["secret"]


def test_a_secret_that_is_set_is_taken_and_not_shown(tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path, "secret": "swordfish"})
    assert settings.signing_key() == "swordfish"
    assert "swordfish" not in repr(settings)
    assert not (tmp_path / "secret").exists()
