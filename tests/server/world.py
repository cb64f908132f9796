"""A server core with a tiny challenge, teams and a host: tests say only what they are about."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from evaluator.dataset import build_manifest
from evaluator.details import Details
from evaluator.gathering import Gathering
from evaluator.kernels import PLAIN, half_patterns
from evaluator.objects import ObjectRule
from evaluator.runs import Runs
from evaluator.sketch import Sketch
from evaluator.truth import Truth
from server import accounts, challenges, lifecycle, submissions
from server.db import Database
from server.models import Account, Challenge, Host, Job, Submission
from server.protocol import (
    CaseResult,
    ClaimRequest,
    DatasetOffer,
    Finished,
    JobSpec,
    JobStatus,
    Move,
    Queue,
    RunEnded,
    RunStarted,
    Stage,
    Task,
    ToyReported,
)
from server.storage import Store
from tests.server.archive_maker import Image

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"
SHAPE = (4, 4, 4)
DATASETS = ("brain", "abdom")
THRESHOLD = 0.5  # of detected objects
LAST_TEST = 3  # cases a split: the odd ones are anomalous; case 3 is a global anomaly, in the sample task only


def make_challenge(folder: Path, *, slug: str = "tiny", **options: Any) -> Path:
    """Write a challenge: in each split two anomalous cases of both tasks, a normal one and a global anomaly."""
    lines = {
        "slug": slug,
        "title": "Tiny",
        "datasets": [{"name": name, "title": name.capitalize()} for name in DATASETS],
        "batch_size": 2,
        **options,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "challenge.yaml").write_text("\n".join(f"{key}: {value}" for key, value in lines.items()) + "\n")
    for name in DATASETS:
        for split in ("toy", "test"):
            for number in range(LAST_TEST + 1):
                write_case(folder / name, split, number)
    build_manifest(folder, list(DATASETS), seed=1, batch_size=2).write(folder)
    return folder


def write_case(folder: Path, split: str, number: int) -> None:
    name = f"{split}{number}.nii.gz"
    for place in (split, f"{split}_label/sample", f"{split}_label/pixel"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng((number, len(split), len(folder.name)))
    nib.save(nib.Nifti1Image(rng.random(SHAPE, dtype=np.float32), np.eye(4)), folder / split / name)
    (folder / f"{split}_label/sample/{name}.txt").write_text(f"{int(number != 0)}\n")
    if number != LAST_TEST:
        mask = np.zeros(SHAPE, dtype=np.uint8)
        mask[: int(number != 0), 0, 0] = 1
        nib.save(nib.Nifti1Image(mask, np.eye(4)), folder / f"{split}_label/pixel" / name)


def details_of(scores: NDArray[np.floating], mask: NDArray[np.bool_], shape: tuple[int, ...]) -> Details:
    """What a pass keeps beside the sketch; `scores` and `mask` are flat, axis 0 fastest."""
    truth = Truth(shape=shape, runs=Runs.of_plane(mask, row=shape[0], offset=0), voxel_mm3=1.0)
    gathering = Gathering(truth, PLAIN, ObjectRule(threshold=THRESHOLD))
    gathering.see(0, half_patterns(scores))
    return gathering.details()


@dataclass
class World:
    """Short words for what a test does before it comes to its point."""

    db: Database
    store: Store
    folder: Path
    now: datetime = NOW
    hosts: dict[str, str] = field(default_factory=dict)  # name -> id
    teams: dict[str, str] = field(default_factory=dict)  # name -> account id

    def __post_init__(self) -> None:
        self.store.clock = lambda: self.now

    def later(self, **units: float) -> datetime:
        self.now += timedelta(**units)
        return self.now

    def team(self, name: str = "Team") -> str:
        """The id of a team's account."""
        if name not in self.teams:
            with self.db.write() as s:
                email = f"{name.lower().replace(' ', '.')}@example.org"
                account = accounts.register(s, team_name=name, email=email, password=PASSWORD, now=self.now)
                self.teams[name] = account.id
        return self.teams[name]

    def organizer(self) -> str:
        with self.db.write() as s:
            return accounts.add_user(
                s, email="organizer@example.org", password=PASSWORD, organizer=True, team_name=None, now=self.now
            ).id

    def account(self, s: Session, name: str = "Team") -> Account:
        return s.get_one(Account, self.team(name))

    def host(self, name: str = "gpu1") -> Host:
        if name not in self.hosts:
            with self.db.write() as s:
                secret = accounts.add_host(s, name, self.now)
                found = accounts.host_for_token(s, secret, self.now)
                assert found is not None
                self.hosts[name] = found.id
        with self.db.read() as s:
            found = s.get_one(Host, self.hosts[name])
            s.expunge(found)
            return found

    def challenge(self, s: Session) -> Challenge:
        return challenges.current(s)

    def upload(
        self,
        team: str = "Team",
        *,
        task: Task = Task.SAMPLE,
        queue: Queue = Queue.FINAL,
        archive: bytes | None = None,
    ) -> str:
        """An upload that is complete; gives the submission's id, in `checking`."""
        self.team(team)
        content = Image().save() if archive is None else archive
        sha256 = self.store.put(content)
        with self.db.write() as s:
            return submissions.receive(
                s,
                account=self.account(s, team),
                challenge=self.challenge(s),
                task=task,
                queue=queue,
                archive_sha256=sha256,
                archive_bytes=len(content),
                now=self.now,
            ).id

    def submit(self, team: str = "Team", **options: Any) -> str:
        """An upload that was checked and waits for workers."""
        submission = self.upload(team, **options)
        submissions.check(self.db, self.store, submission, self.now)
        return submission

    def again(self, team: str = "Team", *, task: Task = Task.SAMPLE, queue: Queue = Queue.FINAL) -> str:
        """The same image once more: checked already, nothing is uploaded."""
        with self.db.write() as s:
            found = submissions.receive_known(
                s,
                account=self.account(s, team),
                challenge=self.challenge(s),
                task=task,
                queue=queue,
                digest=Image().digest,
                now=self.now,
            )
            assert found is not None
            return found.id

    def offers(self, datasets: tuple[str, ...] = DATASETS) -> list[DatasetOffer]:
        with self.db.read() as s:
            challenge = self.challenge(s)
            return [
                DatasetOffer(challenge=challenge.slug, dataset=name, manifest_sha256=challenge.manifest_sha256)
                for name in datasets
            ]

    def claim(
        self, host: str = "gpu1", *, datasets: tuple[str, ...] = DATASETS, architecture: str = "amd64"
    ) -> JobSpec:
        """A job, which there must be."""
        spec = self.try_claim(host, datasets=datasets, architecture=architecture)
        assert spec is not None
        return spec

    def try_claim(
        self, host: str = "gpu1", *, datasets: tuple[str, ...] = DATASETS, architecture: str = "amd64"
    ) -> JobSpec | None:
        request = ClaimRequest(worker=f"{host}-0", architecture=architecture, datasets=self.offers(datasets))
        row = self.host(host)
        with self.db.write() as s:
            job = lifecycle.claim(s, row, request, self.now)
            return lifecycle.spec(job) if job else None

    def move(self, spec: JobSpec, *statuses: JobStatus) -> None:
        for status in statuses:
            with self.db.write() as s:
                lifecycle.move(s, spec.job, Move(token=spec.token, status=status), self.now)

    def to_scoring(self, spec: JobSpec) -> None:
        """Through toy cases and hidden ones, to the point where results are sent."""
        self.move(spec, JobStatus.PREDICTING)
        with self.db.write() as s:
            lifecycle.toy_reported(s, spec.job, ToyReported(token=spec.token, report={"ap": 1.0}), self.now)
        self.move(spec, JobStatus.SCORING)

    def run(self, spec: JobSpec, stage: Stage = Stage.TOY, *, cases: int = 4) -> str:
        with self.db.write() as s:
            return lifecycle.run_started(s, spec.job, RunStarted(token=spec.token, stage=stage, cases=cases), self.now)

    def run_ended(self, spec: JobSpec, run: str, *, log: str = "log") -> None:
        ended = RunEnded(
            token=spec.token,
            run=run,
            exit_code=0,
            wall_s=2.5,
            peak_memory_bytes=None,
            predicted_at_s={"a": 1.0},
            log=log,
            log_cut=False,
        )
        with self.db.write() as s:
            lifecycle.run_ended(s, self.store, spec.job, ended, self.now)

    def results(self, spec: JobSpec, *, constant: bool = False) -> list[CaseResult]:
        """What a perfect container (or a constant one) makes of the hidden cases; objects are detected at THRESHOLD."""
        with self.db.read() as s:
            job = s.get_one(Job, spec.job)
            cases = challenges.cases(job.dataset, Stage.HIDDEN, spec.task)
        if spec.queue is Queue.TOY:
            return []
        if spec.task is Task.SAMPLE:
            return [
                CaseResult(case=case.name, score=0.5 if constant else float(case.label or 0), label=case.label)
                for case in cases
            ]
        found = []
        for case in cases:
            mask = np.arange(np.prod(case.shape)) < (case.positive_voxels or 0)
            scores = np.zeros(mask.shape) if constant else mask.astype(np.float32)
            found.append(
                CaseResult(
                    case=case.name,
                    sketch_sha256=self.store.put(Sketch.of(scores, mask).to_bytes()),
                    details_sha256=self.store.put(details_of(scores, mask, case.shape).to_bytes()),
                )
            )
        return found

    def finish(self, spec: JobSpec, *, constant: bool = False) -> None:
        """From a claim to a score."""
        self.to_scoring(spec)
        finished = Finished(
            token=spec.token,
            cases=self.results(spec, constant=constant),
            warnings=[],
            evaluator_version="0.1.0",
            object_threshold=THRESHOLD if spec.task is Task.PIXEL and spec.queue is Queue.FINAL else None,
        )
        lifecycle.finish(self.db, self.store, self.host(), spec.job, finished, self.now)

    def job(self, job_id: str) -> Job:
        with self.db.read() as s:
            found = s.get_one(Job, job_id)
            s.refresh(found, ["score", "runs", "host"])
            return found

    def submission(self, submission_id: str) -> Submission:
        with self.db.read() as s:
            found = s.get_one(Submission, submission_id)
            s.refresh(found, ["jobs", "image", "team"])
            return found

    def tries(self, team: str = "Team", task: Task = Task.SAMPLE) -> int:
        with self.db.read() as s:
            account = self.account(s, team)
            assert account.team is not None
            return submissions.tries(s, account.team, self.challenge(s), task).used

    def history(self, kind: str, subject: str) -> list[str]:
        with self.db.read() as s:
            return [event.to_status for event in lifecycle.history(s, kind, subject)]
