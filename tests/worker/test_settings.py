"""What a worker is told."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from worker.settings import WorkerSettings

GIVEN = {
    "SERVER_URL": "https://server",
    "HOST_TOKEN": "moodhost_secret",
    "DATA": "/data/one:/data/two",
    "BROKER_URL": "redis://broker/0",
    "SCRATCH": "scratch",
    "NAME": "gpu-1",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GIVEN.items():
        monkeypatch.setenv(f"MOOD_WORKER_{name}", value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_challenge_folders_are_separated_by_colons() -> None:
    settings = WorkerSettings()
    assert settings.data == (Path("/data/one"), Path("/data/two"))
    assert settings.scratch == Path.cwd() / "scratch"


@pytest.mark.usefixtures("environment")
def test_the_token_does_not_show() -> None:
    assert "secret" not in repr(WorkerSettings())


@pytest.mark.parametrize("name", ["", "two words", "../up", "a" * 65])
def test_a_name_must_be_fit_for_a_folder(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv("MOOD_WORKER_NAME", name)
    with pytest.raises(ValidationError):
        WorkerSettings()


def test_a_missing_setting_is_told(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("MOOD_WORKER_SERVER_URL")
    with pytest.raises(ValidationError, match="server_url"):
        WorkerSettings()
