"""The server in memory says what the real one says."""

from pathlib import Path

import pytest

from server.protocol import Faulted, JobSpec, JobStatus, Move, Released, Renewal, RunStarted, Stage
from tests.worker.memory_server import MemoryServer
from worker.client import ServerFault, StaleToken


def test_another_token_is_stale(spec: JobSpec) -> None:
    with pytest.raises(StaleToken):
        MemoryServer(spec).move(spec.job, Move(token="old", status=JobStatus.PREDICTING))


def test_a_state_that_does_not_follow_is_a_mistake(spec: JobSpec) -> None:
    with pytest.raises(AssertionError, match="preparing -> scoring"):
        MemoryServer(spec).move(spec.job, Move(token=spec.token, status=JobStatus.SCORING))


def test_a_container_starts_only_while_predicting(spec: JobSpec) -> None:
    server = MemoryServer(spec)
    started = RunStarted(token=spec.token, stage=Stage.TOY, cases=4)
    with pytest.raises(AssertionError):
        server.run_started(spec.job, started)
    server.move(spec.job, Move(token=spec.token, status=JobStatus.PREDICTING))
    assert server.run_started(spec.job, started).run == "run-1"


def test_a_cancelled_job_hears_it_with_its_renewal_and_is_stale_for_all_else(spec: JobSpec) -> None:
    server = MemoryServer(spec)
    server.cancel()
    assert server.renew(spec.job, Renewal(token=spec.token)).cancelled
    with pytest.raises(StaleToken):
        server.move(spec.job, Move(token=spec.token, status=JobStatus.PREDICTING))


@pytest.mark.parametrize("how", ["fault", "release"])
def test_a_job_given_back_has_no_holder(spec: JobSpec, how: str) -> None:
    server = MemoryServer(spec)
    if how == "fault":
        server.fault(spec.job, Faulted(token=spec.token, reason="x"))
    else:
        server.release(spec.job, Released(token=spec.token))
    assert server.status is JobStatus.QUEUED
    with pytest.raises(StaleToken):
        server.renew(spec.job, Renewal(token=spec.token))


def test_a_server_that_is_away_answers_nothing(spec: JobSpec, tmp_path: Path) -> None:
    server = MemoryServer(spec)
    server.is_away = True
    with pytest.raises(ServerFault):
        server.fetch_archive(spec.job, spec.token, tmp_path / "a")
