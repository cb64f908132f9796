"""A doorbell means: take jobs until there are none. Whatever goes wrong on the way is ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from server.protocol import JobSpec, JobStatus
from tests.worker.cases import DATASET
from tests.worker.conftest import Build, job_spec
from tests.worker.memory_server import MemoryServer
from worker.pipeline import Host
from worker.reaper import LABEL
from worker.runners.docker import Engine
from worker.tasks import Worker
from worker.workspace import Scratch

pytestmark = pytest.mark.docker

COPY = 'cp "$1"/*.nii.gz "$2"/'


@contextmanager
def working(host: Host, engine: Engine, server: MemoryServer, root: Path) -> Iterator[Worker]:
    """A worker of one host, with a scratch folder of its own."""
    with Scratch(root / "workers", "one") as scratch:
        own = replace(host, scratch=scratch.runs, labels={LABEL: str(scratch.folder)})
        yield Worker(
            name="one",
            architecture="amd64",
            engine=engine,
            client=server,
            host=own,
            scratch=scratch,
            stopping=Event(),
        )
        assert engine.containers(f"{LABEL}={scratch.folder}") == []


def queued(spec: JobSpec) -> MemoryServer:
    return MemoryServer(spec, claimed=False)


def test_a_bell_is_followed_until_there_is_no_work(
    host: Host, engine: Engine, build: Build, challenge: Path, tmp_path: Path
) -> None:
    server = queued(job_spec(challenge, build(COPY)))
    with working(host, engine, server, tmp_path) as worker:
        assert worker.work_until_idle() == 1
        assert worker.work_until_idle() == 0
    assert server.status is JobStatus.SCORED
    assert [offer.dataset for offer in server.claims[0].datasets] == [DATASET]
    assert server.claims[0].architecture == "amd64"


def test_what_breaks_is_a_fault_and_never_the_team_s(
    host: Host, engine: Engine, challenge: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = queued(job_spec(challenge, "sha256:" + "1" * 64))
    server.archive = b"not what was promised"
    with working(host, engine, server, tmp_path) as worker:
        assert worker.work_until_idle() == 1
    assert server.faulted is not None
    assert server.faulted.reason.startswith("ImageFault: ")
    assert server.failed is None
    assert "Traceback" in caplog.text


def test_a_silent_server_is_no_reason_to_end(
    host: Host, engine: Engine, spec: JobSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = queued(spec)
    server.is_away = True
    with working(host, engine, server, tmp_path) as worker:
        assert worker.work_until_idle() == 0
    assert "no job could be claimed" in caplog.text


def test_a_worker_that_stops_claims_nothing(host: Host, engine: Engine, spec: JobSpec, tmp_path: Path) -> None:
    server = queued(spec)
    with working(host, engine, server, tmp_path) as worker:
        worker.stop()
        assert worker.work_until_idle() == 0
    assert server.claims == []


def test_leftovers_of_a_killed_worker_go_before_a_claim(
    host: Host, engine: Engine, build: Build, spec: JobSpec, tmp_path: Path
) -> None:
    with Scratch(tmp_path / "workers", "dead") as dead:
        container = engine.create(
            {"image": build("true"), "command": ["sleep", "600"], "labels": {LABEL: str(dead.folder)}}
        )
        engine.start(container)
    with working(host, engine, MemoryServer(spec), tmp_path) as worker:
        worker.work_until_idle()
    assert engine.containers(f"{LABEL}={dead.folder}") == []


def test_a_host_tells_what_it_is(host: Host, engine: Engine, spec: JobSpec, tmp_path: Path) -> None:
    server = queued(spec)
    with working(replace(host, gpu="GPU-7"), engine, server, tmp_path) as worker:
        worker.report({"disk": "ok"}, host.holdings.offers())
    (report,) = server.reports
    assert report.gpus == ["GPU-7"]
    assert report.checks == {"disk": "ok"}
    assert report.engine.startswith("Docker ")
    assert [offer.dataset for offer in report.datasets] == [DATASET]
