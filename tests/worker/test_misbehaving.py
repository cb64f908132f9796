"""Every folder of tests/misbehaving is a container that misbehaves, with the end it must come to."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.protocol import JobStatus, Task
from tests.worker.cases import HIDDEN, TOY
from tests.worker.conftest import Build, job_spec
from tests.worker.memory_server import MemoryServer
from worker.lease import Interruption
from worker.pipeline import Host, run_job

pytestmark = pytest.mark.docker

FOLDER = Path(__file__).parents[1] / "misbehaving"
CASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", CASES)
def test_a_container_that_misbehaves_ends_as_stated(name: str, build: Build, challenge: Path, host: Host) -> None:
    expected = json.loads((FOLDER / name / "expected.json").read_text(encoding="utf-8"))
    dockerfile = FOLDER / name / "Dockerfile"
    image = build(
        (FOLDER / name / "entry.sh").read_text(encoding="utf-8"),
        dockerfile=dockerfile.read_text(encoding="utf-8") if dockerfile.exists() else None,
    )
    spec = job_spec(challenge, image, task=Task(expected.get("task", "pixel")), budget_s=expected.get("budget_s", 10))
    server = MemoryServer(spec)

    run_job(spec, client=server, host=host, interruption=Interruption())

    for said in expected.get("log", []):
        assert said in server.ended[0].log
    if expected["ends"] == "failed":
        assert_failed(server, expected)
    else:
        assert_scored(server, expected)


def assert_failed(server: MemoryServer, expected: dict[str, Any]) -> None:
    assert server.failed is not None, server.ended[-1].log
    assert server.failed.code == expected["code"], server.ended[-1].log
    assert server.failed.stage == expected["stage"]
    assert server.failed.detail == expected.get("detail", "")
    assert server.finished is None


def assert_scored(server: MemoryServer, expected: dict[str, Any]) -> None:
    assert server.finished is not None, (server.failed, server.ended[-1].log)
    assert server.status is JobStatus.SCORED
    assert {odd.code: odd.count for odd in server.finished.warnings} == expected["warnings"], server.ended[-1].log
    assert server.toy_report is not None
    shown: Any = server.toy_report["warnings"]
    assert {odd["code"] for odd in shown} == set(expected["warnings"])
    assert len(server.finished.cases) == HIDDEN
    assert [run.cases for run in server.runs.values()] == [TOY, HIDDEN]
