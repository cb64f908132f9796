"""A job from claim to score, with a real engine and a server in memory."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from evaluator.details import Details
from evaluator.metrics import voxels
from evaluator.objects import Detection, Detections
from evaluator.sketch import Sketch
from evaluator.slices import Slices
from server.protocol import FailureCode, JobSpec, JobStatus, Queue, RunStarted, RunStartedReply, Stage, Task
from tests.worker.cases import HIDDEN, TOY
from tests.worker.conftest import Build, job_spec
from tests.worker.memory_server import MemoryServer
from worker.client import ServerFault
from worker.holdings import NotHeld
from worker.lease import Interruption, Why
from worker.pipeline import Host, JobEnd, run_job
from worker.runners.base import EngineFault, Outcome, Run

pytestmark = pytest.mark.docker

COPY = 'cp "$1"/*.nii.gz "$2"/; echo "$(ls "$1" | wc -l) cases"'
SCORES = 'for f in "$1"/*.nii.gz; do echo 0.5 > "$2/${f##*/}.txt"; done'


def judge(spec: JobSpec, host: Host, server: MemoryServer | None = None) -> tuple[JobEnd, MemoryServer]:
    server = server or MemoryServer(spec)
    return run_job(spec, client=server, host=host, interruption=Interruption()), server


def test_a_final_pixel_job_is_scored_from_sketches(build: Build, challenge: Path, host: Host) -> None:
    end, server = judge(job_spec(challenge, build(COPY)), host)
    assert end is JobEnd.SCORED
    assert server.history == [JobStatus.PREPARING, JobStatus.PREDICTING, JobStatus.SCORING, JobStatus.SCORED]
    assert server.finished is not None
    assert server.finished.warnings == []
    assert [case.case for case in server.finished.cases] == [f"test_{number}.nii.gz" for number in range(HIDDEN)]
    # The prediction is the input, and its cubes of 8 voxels are brighter than everything else: a perfect score.
    sketches = [Sketch.from_bytes(server.sketches[str(case.sketch_sha256)]) for case in server.finished.cases]
    assert [sketch.n_positive for sketch in sketches] == [8, 0, 8, 0, 8, 0]
    assert voxels.average_precision(Sketch.total(sketches)) == 1.0


def test_objects_are_detected_at_the_threshold_of_the_toy_cases(build: Build, challenge: Path, host: Host) -> None:
    _, server = judge(job_spec(challenge, build(COPY)), host)
    assert server.finished is not None
    assert server.finished.object_threshold == pytest.approx(0.9, abs=1e-3)  # of the cubes, in half precision
    found = [Details.from_bytes(server.details[str(case.details_sha256)]) for case in server.finished.cases]
    cube = Detection(volume_mm3=8.0, centre=(3, 3, 3), matched=True)  # 2 to 3, and of two voxels the further one
    one = Detections(objects=1, detections=1, true_positives=1, largest=(cube,))
    none = Detections(objects=0, detections=0, true_positives=0)
    assert [details.objects for details in found] == [one, none] * 3
    assert [details.slices.n_positive for details in found] == [2, 0] * 3


def test_small_objects_are_dropped_as_the_challenge_says(build: Build, challenge: Path, host: Host) -> None:
    _, server = judge(job_spec(challenge, build(COPY), object_min_volume_mm3=8.5), host)
    found = [Details.from_bytes(content).objects for content in server.details.values()]
    assert {one.detections for one in found if one} == {0}


def test_slices_are_kept_of_toy_cases_and_of_those_for_show(build: Build, challenge: Path, host: Host) -> None:
    shown = ("test_2.nii.gz",)
    _, server = judge(job_spec(challenge, build(COPY), show=shown), host)
    assert server.finished is not None
    report: Any = server.toy_report
    toys = [Slices.from_bytes(server.slices[case["slices_sha256"]]) for case in report["cases"]]
    assert [(one.z, int(one.label.sum())) for one in toys] == [(2, 4), (4, 0)] * 2
    assert all(np.abs(one.prediction - one.image / 255).max() < 0.01 for one in toys)  # the prediction is the input
    kept = {case.case: case.slices_sha256 for case in server.finished.cases if case.slices_sha256}
    assert tuple(kept) == shown
    assert Slices.from_bytes(server.slices[kept[shown[0]]]).z == 2


def test_a_sample_job_keeps_nothing_beside_its_numbers(build: Build, challenge: Path, host: Host) -> None:
    _, server = judge(job_spec(challenge, build(SCORES), task=Task.SAMPLE, show=("test_2.nii.gz",)), host)
    assert server.finished is not None
    assert (server.details, server.slices, server.finished.object_threshold) == ({}, {}, None)


def test_the_toy_report_comes_before_the_hidden_start(build: Build, challenge: Path, host: Host) -> None:
    class Watching(MemoryServer):
        """Notes whether the report was there when a container started."""

        def run_started(self, job: str, started: RunStarted) -> RunStartedReply:
            reported.append((started.stage, self.toy_report is not None))
            return super().run_started(job, started)

    reported: list[tuple[Stage, bool]] = []
    spec = job_spec(challenge, build(COPY))
    _, server = judge(spec, host, Watching(spec))
    assert reported == [(Stage.TOY, False), (Stage.HIDDEN, True)]
    report: Any = server.toy_report
    assert report["ap"] == 1.0
    assert [case["ap"] for case in report["cases"]] == [1.0, None, 1.0, None]
    assert [case["case"] for case in report["cases"]] == [f"toy_{number}.nii.gz" for number in range(TOY)]
    json.dumps(report, allow_nan=False)


def test_a_sample_job_is_scored_from_numbers(build: Build, challenge: Path, host: Host) -> None:
    end, server = judge(job_spec(challenge, build(SCORES), task=Task.SAMPLE), host)
    assert end is JobEnd.SCORED
    assert server.finished is not None
    assert [case.score for case in server.finished.cases] == [0.5] * HIDDEN
    assert [case.label for case in server.finished.cases] == [1, 0, 1, 0, 1, 0]
    report: Any = server.toy_report
    assert report["ap"] == 0.5  # of a constant: the prevalence


def test_a_toy_job_ends_with_its_report(build: Build, challenge: Path, host: Host) -> None:
    end, server = judge(job_spec(challenge, build(COPY), queue=Queue.TOY), host)
    assert end is JobEnd.SCORED
    assert server.history == [JobStatus.PREPARING, JobStatus.PREDICTING, JobStatus.SCORING, JobStatus.SCORED]
    assert server.finished is not None
    assert server.finished.cases == []
    assert [run.stage for run in server.runs.values()] == [Stage.TOY]


def test_a_run_s_end_is_told_by_the_cases_own_names(build: Build, challenge: Path, host: Host) -> None:
    _, server = judge(job_spec(challenge, build(COPY)), host)
    toy, hidden = server.ended
    assert set(toy.predicted_at_s) == {f"toy_{number}.nii.gz" for number in range(TOY)}
    assert len(hidden.predicted_at_s) == HIDDEN
    assert toy.exit_code == 0
    assert toy.log == "4 cases\n"
    assert 0 < toy.wall_s < 60


def test_progress_is_told_while_it_runs(build: Build, challenge: Path, host: Host) -> None:
    _, server = judge(job_spec(challenge, build(f"{COPY}; sleep 2.5")), host)
    seen = {(renewal.stage, renewal.cases_done, renewal.cases_total) for renewal in server.renewals}
    assert (Stage.TOY, TOY, TOY) in seen
    assert (Stage.HIDDEN, HIDDEN, HIDDEN) in seen


FAILS_ON_HIDDEN = f'[ "$(ls "$1" | wc -l)" = {TOY} ] || exit 3; {COPY}'


@pytest.mark.parametrize(
    ("script", "queue", "times"),
    [(COPY, Queue.TOY, 0), (COPY, Queue.FINAL, 1), (FAILS_ON_HIDDEN, Queue.FINAL, 1)],
)
def test_what_a_hidden_start_read_is_forgotten_before_anything_else_starts(
    build: Build, challenge: Path, host: Host, script: str, queue: Queue, times: int
) -> None:
    forgotten: list[str] = []

    def forget() -> str:
        forgotten.append("all")
        return ""

    judge(job_spec(challenge, build(script), queue=queue), replace(host, forget=forget))
    assert len(forgotten) == times


class Recorded:
    """A runner that notes what it was asked and ends well, with nothing done."""

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def run(self, run: Run, *, progress: Callable[[int], None], cancelled: Event) -> Outcome:
        del progress, cancelled
        self.runs.append(run)
        raise EngineFault("the engine is gone")


def test_the_budget_is_of_the_start_and_the_room_follows_from_the_cases(
    build: Build, challenge: Path, host: Host
) -> None:
    runner = Recorded()
    recorded = Host(runner=runner, images=host.images, holdings=host.holdings, scratch=host.scratch)
    with pytest.raises(EngineFault):
        judge(job_spec(challenge, build(COPY), budget_s=600), recorded)
    (run,) = runner.runs
    assert run.budget_s == 600 * TOY
    assert run.output_bytes == 8 * 512 * TOY + 64 * 2**20
    assert len(run.expected) == TOY
    assert not any("toy" in name for name in run.expected)


def interrupted(
    build: Build, challenge: Path, host: Host, act: Callable[[MemoryServer, Interruption], None]
) -> tuple[JobEnd, MemoryServer]:
    """Start a job that would last for ever; act as soon as its container runs."""

    class Telling(MemoryServer):
        """Tells when a container starts."""

        def run_started(self, job: str, started: RunStarted) -> RunStartedReply:
            begun.set()
            return super().run_started(job, started)

    def later() -> None:
        assert begun.wait(60)
        act(server, interruption)

    begun = Event()
    spec = job_spec(challenge, build("sleep 600")).model_copy(update={"lease_s": 5.0})
    server, interruption = Telling(spec), Interruption()
    thread = Thread(target=later)
    thread.start()
    end = run_job(spec, client=server, host=host, interruption=interruption)
    thread.join()
    return end, server


def test_a_cancelled_job_s_container_is_killed(build: Build, challenge: Path, host: Host) -> None:
    end, server = interrupted(build, challenge, host, lambda server, _: server.cancel())
    assert end is JobEnd.DROPPED
    assert server.status is JobStatus.CANCELLED
    assert [ended.exit_code for ended in server.ended] == [None]


def test_a_job_that_another_holds_is_left_to_it(build: Build, challenge: Path, host: Host) -> None:
    end, server = interrupted(build, challenge, host, lambda server, _: server.give_to_another())
    assert end is JobEnd.DROPPED
    assert server.status is JobStatus.PREDICTING
    assert server.ended == []


def test_a_worker_that_stops_gives_its_job_back(build: Build, challenge: Path, host: Host) -> None:
    end, server = interrupted(build, challenge, host, lambda _, interruption: interruption.now(Why.STOPPING))
    assert end is JobEnd.DROPPED
    assert server.status is JobStatus.QUEUED
    assert server.failed is None


def test_a_server_that_is_away_for_good_ends_the_job_without_a_verdict(
    build: Build, challenge: Path, host: Host
) -> None:
    def leave(server: MemoryServer, _: Interruption) -> None:
        server.is_away = True

    end, server = interrupted(build, challenge, host, leave)
    assert end is JobEnd.DROPPED
    assert (server.failed, server.finished) == (None, None)


def test_a_data_set_of_another_manifest_is_not_run(build: Build, challenge: Path, host: Host) -> None:
    spec = job_spec(challenge, build(COPY)).model_copy(update={"manifest_sha256": "f" * 64})
    with pytest.raises(NotHeld, match="by manifest ffffffffffff"):
        judge(spec, host)


def test_an_image_that_cannot_be_had_is_our_fault(challenge: Path, host: Host) -> None:
    class Empty(MemoryServer):
        """Has no archive."""

        def fetch_archive(self, job: str, token: str, out: Path) -> str:
            raise ServerFault(f"no archive of {job} for {token} to {out}")

    spec = job_spec(challenge, "sha256:" + "1" * 64)
    with pytest.raises(ServerFault):
        judge(spec, host, Empty(spec))


def test_a_failure_on_toy_cases_ends_the_job(build: Build, challenge: Path, host: Host) -> None:
    end, server = judge(job_spec(challenge, build("echo sorry; exit 3")), host)
    assert end is JobEnd.FAILED
    assert server.failed is not None
    assert server.failed.code is FailureCode.EXIT
    assert len(server.runs) == 1
    assert server.ended[0].log == "sorry\n"
