"""A host that keeps its promises says so; one that does not says what it does not."""

from pathlib import Path

import pytest

from tests.worker.cases import DATASET, SLUG
from worker.holdings import Holdings
from worker.host_check import OK, PROMISES, check_host
from worker.runners.docker import Engine

pytestmark = pytest.mark.docker


def test_what_a_container_must_not_do_is_tried(engine: Engine, challenge: Path, tmp_path: Path) -> None:
    before = engine.images("mood-host-check")  # of workers that were killed meanwhile
    checks = check_host(engine, tmp_path, Holdings((challenge,), memory=tmp_path / "verified.json").look())
    assert {name: checks[name] for name in PROMISES} == dict.fromkeys(PROMISES, OK)
    assert checks["engine"] == OK
    assert checks[f"data {SLUG}/{DATASET}"] == OK
    assert any(name.startswith("parser") for name in checks)
    assert engine.images("mood-host-check") == before


def test_a_promise_that_is_not_kept_is_named(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.host_check.SCRIPT", "echo no-network; echo seccomp\n")
    checks = check_host(engine, tmp_path, [])
    assert checks["seccomp"] == OK
    assert "no-route" in checks["network"]
    assert "could do what it must not" in checks["privileges"]
    assert "MOOD_WORKER_DATA" in checks["data"]


def test_a_probe_that_cannot_run_is_a_complaint_of_every_promise(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.host_check.PROGRAMS", ("no-such-program",))
    checks = check_host(engine, tmp_path, [])
    assert all(checks[name].startswith("not tried: ") for name in PROMISES)
