"""`mood try`: the server's own path, on a participant's machine."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from server.protocol import FailureCode, Limits, Queue, Task
from tests.worker.conftest import LIMITS, Build, job_spec
from tests.worker.memory_server import MemoryServer
from worker.lease import Interruption
from worker.pipeline import Host, run_job
from worker.runners.docker import Engine
from worker.trial import CannotTry, Trial, toy_cases, try_image

COPY = 'cp "$1"/*.nii.gz "$2"/; ln -s /etc/passwd "$2/stray"'


def trial(
    engine: Engine,
    image: str,
    data: Path,
    *,
    task: Task = Task.PIXEL,
    keep: Path | None = None,
    limits: Limits = LIMITS,
) -> Trial:
    return try_image(image, data, "brain", task, engine=engine, limits=limits, budget_s=30, keep=keep)


@pytest.mark.docker
def test_the_report_is_the_server_s_to_the_last_digit(
    engine: Engine, build: Build, challenge: Path, host: Host
) -> None:
    image = build(COPY)
    spec = job_spec(challenge, image, queue=Queue.TOY)
    server = MemoryServer(spec)
    run_job(spec, client=server, host=host, interruption=Interruption())
    found = trial(engine, image, challenge)
    assert found.failure is None
    assert found.report is not None
    assert server.toy_report is not None
    for field in ("task", "ap", "curve", "histogram", "warnings", "distinct", "evaluator_version"):
        assert found.report[field] == server.toy_report[field]
    theirs: Any = server.toy_report["cases"]
    kept = {case["case"]: case.pop("slices_sha256") for case in theirs}
    assert found.report["cases"] == theirs
    assert {case: sha256(slices.to_bytes()).hexdigest() for case, slices in found.slices.items()} == kept


@pytest.mark.docker
def test_a_failure_has_the_server_s_code(engine: Engine, build: Build, challenge: Path) -> None:
    found = trial(engine, build("echo why; exit 3"), challenge)
    assert found.failure is FailureCode.EXIT
    assert found.report is None
    assert found.outcome.log == "why\n"


@pytest.mark.docker
def test_nothing_readable_fails_and_still_says_what_was_found(engine: Engine, build: Build, challenge: Path) -> None:
    found = trial(engine, build("true"), challenge)
    assert found.failure is FailureCode.NO_PREDICTION
    assert found.report is not None
    assert found.report["warnings"] == [{"code": "W-MISSING", "count": 4}]


@pytest.mark.docker
def test_an_archive_is_tried_and_removed(engine: Engine, build: Build, challenge: Path, tmp_path: Path) -> None:
    image = build(COPY)
    facts = engine.image(image)
    assert facts is not None
    engine.save(facts.tags[0], tmp_path / "image.tar")
    engine.remove_image(facts.tags[0])
    assert trial(engine, str(tmp_path / "image.tar"), challenge).failure is None
    assert engine.image(image) is None


@pytest.mark.docker
def test_predictions_are_kept_under_the_cases_names(
    engine: Engine, build: Build, challenge: Path, tmp_path: Path
) -> None:
    script = 'cp "$1"/*.nii.gz "$2"/; set -- "$1" "$2" $(ls "$1"); ln -sf /etc/passwd "$2/$3"'
    trial(engine, build(script), challenge, keep=tmp_path / "kept")
    kept = list((tmp_path / "kept").iterdir())
    assert len(kept) == 3
    assert all(path.name.startswith("toy_") and path.is_file() and not path.is_symlink() for path in kept)


@pytest.mark.docker
def test_a_name_that_nobody_knows_is_told(engine: Engine, challenge: Path) -> None:
    with pytest.raises(CannotTry, match="neither a file nor an image"):
        trial(engine, "mood-test-no-such-image", challenge)


@pytest.mark.docker
def test_a_file_that_is_no_archive_is_told(engine: Engine, challenge: Path, tmp_path: Path) -> None:
    (tmp_path / "image.zip").write_bytes(b"PK")
    with pytest.raises(CannotTry, match="Make one with docker save"):
        trial(engine, str(tmp_path / "image.zip"), challenge)


def test_toy_cases_are_found_in_a_data_set_s_folder_and_above_it(challenge: Path) -> None:
    inside = toy_cases(challenge / "brain", "brain", Task.SAMPLE)
    above = toy_cases(challenge, "brain", Task.SAMPLE)
    assert inside == above
    assert [case.name for case in inside] == [f"toy_{number}.nii.gz" for number in range(4)]
    assert inside[0].shape == (8, 8, 8)


def test_a_case_without_a_label_of_the_task_is_not_of_the_task(challenge: Path, tmp_path: Path) -> None:
    brain = tmp_path / "brain"
    (brain / "toy").mkdir(parents=True)
    for number in range(2):
        (brain / "toy" / f"toy_{number}.nii.gz").write_bytes(
            (challenge / "brain" / "toy" / f"toy_{number}.nii.gz").read_bytes()
        )
    (brain / "toy_label" / "sample").mkdir(parents=True)
    (brain / "toy_label" / "sample" / "toy_1.nii.gz.txt").write_text("0\n", encoding="ascii")
    assert [case.name for case in toy_cases(tmp_path, "brain", Task.SAMPLE)] == ["toy_1.nii.gz"]
    with pytest.raises(CannotTry, match="no toy case with a label of the pixel task"):
        toy_cases(tmp_path, "brain", Task.PIXEL)


def test_a_folder_without_toy_cases_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotTry, match="holds neither toy/ nor brain/toy/"):
        toy_cases(tmp_path, "brain", Task.PIXEL)


@pytest.mark.docker
@pytest.mark.parametrize(
    ("script", "code", "said"), [(COPY, 0, "average precision  1.000000"), ("exit 3", 1, "E-EXIT")]
)
def test_the_command_ends_with_the_verdict(build: Build, challenge: Path, script: str, code: int, said: str) -> None:
    image = build(script)
    command = [sys.executable, "-m", "cli", "try", image, "--data", str(challenge), "--dataset", "brain"]
    done = subprocess.run([*command, "--task", "pixel", "--memory", "0.1"], check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
