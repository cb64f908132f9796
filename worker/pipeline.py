"""A job from claim to score; `run_job` reads like a list.

Decides what is said to the server. Theirs is a `Failed` with a code; whatever is ours is an exception that
`worker.tasks` turns into a fault.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import evaluator
from evaluator.objects import ObjectRule
from evaluator.readings import PixelReading, SampleReading
from evaluator.report import ToyCase
from server.protocol import (
    CaseResult,
    Failed,
    FailureCode,
    Finished,
    JobSpec,
    JobStatus,
    JobWarning,
    Move,
    Queue,
    Released,
    RunEnded,
    RunStarted,
    Stage,
    ToyReported,
)
from worker.client import Client, StaleToken
from worker.holdings import Held, Holdings
from worker.images import Images
from worker.lease import Interrupted, Interruption, Lease, Why
from worker.page_cache import forget
from worker.runners.base import Runner
from worker.runners.docker import ImageFacts
from worker.scoring import Wanted, is_empty, job_warnings, object_threshold, read_predictions, report_of, slices_of
from worker.starts import Case, Ran, Start, failure_of, own_user, started

log = logging.getLogger(__name__)


class JobEnd(Enum):
    """How a job ended, as far as this worker is concerned."""

    SCORED = "scored"
    FAILED = "failed"  # theirs
    DROPPED = "dropped"  # cancelled, lost, or given back


@dataclass(frozen=True, kw_only=True)
class Host:
    """What a job is worked on with."""

    runner: Runner
    images: Images
    holdings: Holdings
    scratch: Path  # folder for runs
    gpu: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)  # on every container, for the reaper
    forget: Callable[[], str] = forget  # what the kernel knows of the files that a container read


def run_job(spec: JobSpec, *, client: Client, host: Host, interruption: Interruption) -> JobEnd:
    """Work on a job to its end. Raises whatever is ours."""
    try:
        with Lease(spec, client, interruption) as lease:
            attempt = Attempt(spec=spec, client=client, host=host, interruption=interruption, lease=lease)
            verdict = attempt.judge()
            if isinstance(verdict, Failed):
                client.fail(spec.job, verdict)
                return JobEnd.FAILED
            client.finish(spec.job, verdict)
            return JobEnd.SCORED
    except Interrupted as dropped:
        log.info("job dropped: %s", dropped, extra={"job": spec.job})
        if dropped.why is Why.STOPPING:
            client.release(spec.job, Released(token=spec.token))
        return JobEnd.DROPPED
    except StaleToken as stale:
        log.info("job belongs to somebody else: %s", stale, extra={"job": spec.job})
        return JobEnd.DROPPED


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at a job, while its lease is kept."""

    spec: JobSpec
    client: Client
    host: Host
    interruption: Interruption
    lease: Lease

    def judge(self) -> Finished | Failed:
        """Prepare, toy start, toy report, hidden start, scores."""
        held = self.host.holdings.find(self.spec)
        image = self.host.images.ready(self.spec, self.client, self.host.scratch)
        self.interruption.check()
        self._move(JobStatus.PREDICTING)
        toy = self._toy(held, image)
        if isinstance(toy, Failed):
            return toy
        if self.spec.queue is Queue.TOY:
            return self._finished([], toy.warnings)
        return self._hidden(held, image, toy.object_threshold)

    def _toy(self, held: Held, image: ImageFacts) -> "ToyEnd | Failed":
        """Run on the toy cases and send the report at once."""
        wanted = Wanted(shown=frozenset(case.name for case in held.cases(Stage.TOY, self.spec.task)))
        kept = Kept()
        with self._container(Stage.TOY, held, image) as ran:
            if (code := failure_of(ran.outcome)) is not None:
                return self._failed(code, Stage.TOY, ran)
            if self.spec.queue is Queue.TOY:
                self._move(JobStatus.SCORING)
            read = self._read(ran, wanted, kept)
        odd = job_warnings(read, ran.outcome)
        if is_empty(read):
            return self._failed(FailureCode.NO_PREDICTION, Stage.TOY, ran, odd)
        report = report_of(read, ran, kept.slices)
        self.client.toy_reported(self.spec.job, ToyReported(token=self.spec.token, report=report))
        return ToyEnd(warnings=odd, object_threshold=object_threshold(read))

    def _hidden(self, held: Held, image: ImageFacts, threshold: float | None) -> Finished | Failed:
        """Run on the hidden cases; of these nothing is told but what scoring keeps, to the server."""
        wanted = Wanted(details=True, rule=self._rule(threshold), shown=frozenset(self.spec.show))
        kept = Kept()
        with ExitStack() as afterwards:
            afterwards.callback(self._forget)  # or the next container of the image could hear what this one read
            ran = afterwards.enter_context(self._container(Stage.HIDDEN, held, image))
            if (code := failure_of(ran.outcome)) is not None:
                return self._failed(code, Stage.HIDDEN, ran)
            self._move(JobStatus.SCORING)
            read = self._read(ran, wanted, kept)
        odd = job_warnings(read, ran.outcome)
        if is_empty(read):
            return self._failed(FailureCode.NO_PREDICTION, Stage.HIDDEN, ran, odd)
        return self._finished([self._result(case, kept) for case in read], odd, threshold)

    def _rule(self, threshold: float | None) -> ObjectRule | None:
        if threshold is None:
            return None
        return ObjectRule(threshold=threshold, min_volume_mm3=self.spec.object_min_volume_mm3)

    def _read(self, ran: Ran, wanted: Wanted, kept: "Kept") -> list[ToyCase]:
        """Read predictions; what is kept of them beside sketches goes to the server as it comes."""

        def keep(case: Case, reading: PixelReading) -> None:
            if reading.details is not None:
                content = reading.details.to_bytes()
                kept.details[case.name] = self.client.put_details(self.spec.job, self.spec.token, content)
            if case.name in wanted.shown and (slices := slices_of(case, reading)) is not None:
                content = slices.to_bytes()
                kept.slices[case.name] = self.client.put_slices(self.spec.job, self.spec.token, content)

        return read_predictions(ran, check=self.interruption.check, wanted=wanted, keep=keep)

    @contextmanager
    def _container(self, stage: Stage, held: Held, image: ImageFacts) -> Iterator[Ran]:
        """One container start, its begin and end told to the server."""
        cases = held.cases(stage, self.spec.task)
        if not cases:
            raise ValueError(f"job {self.spec.job}: {self.spec.dataset} has no {stage} cases for {self.spec.task}")
        begun = RunStarted(token=self.spec.token, stage=stage, cases=len(cases))
        run = self.client.run_started(self.spec.job, begun).run
        self.lease.progress(stage, 0, len(cases))
        start = Start(
            image=image,
            task=self.spec.task,
            dataset=self.spec.dataset,
            cases=cases,
            limits=self.spec.limits,
            budget_s=self.spec.budget_s,
            user=own_user(self.spec.user),
            gpu=self.host.gpu,
            labels=dict(self.host.labels) | {"mood.job": self.spec.job, "mood.attempt": str(self.spec.attempt)},
        )
        with started(
            start,
            runner=self.host.runner,
            parent=self.host.scratch,
            progress=lambda done: self.lease.progress(stage, done, len(cases)),
            cancelled=self.interruption.event,
        ) as ran:
            if self.interruption.why in {None, Why.CANCELLED}:  # else the server does not listen, or must not wait
                self.client.run_ended(self.spec.job, self._run_ended(run, ran))
            self.interruption.check()
            yield ran

    def _forget(self) -> None:
        if complaint := self.host.forget():
            log.warning("the page cache %s", complaint, extra={"job": self.spec.job})

    def _run_ended(self, run: str, ran: Ran) -> RunEnded:
        return RunEnded(
            token=self.spec.token,
            run=run,
            exit_code=ran.outcome.exit_code,
            wall_s=ran.outcome.wall_s,
            peak_memory_bytes=ran.outcome.peak_memory_bytes,
            predicted_at_s=ran.predicted_at_s,
            log=ran.outcome.log,
            log_cut=ran.outcome.log_cut,
        )

    def _move(self, status: JobStatus) -> None:
        self.client.move(self.spec.job, Move(token=self.spec.token, status=status))

    def _failed(self, code: FailureCode, stage: Stage, ran: Ran, odd: list[JobWarning] | None = None) -> Failed:
        # Of a hidden start not even the exit code is told: a container could speak through it.
        detail = f"exit code {ran.outcome.exit_code}" if stage is Stage.TOY and code is FailureCode.EXIT else ""
        return Failed(token=self.spec.token, code=code, stage=stage, detail=detail, warnings=odd or [])

    def _finished(self, cases: list[CaseResult], odd: list[JobWarning], threshold: float | None = None) -> Finished:
        return Finished(
            token=self.spec.token,
            cases=cases,
            warnings=odd,
            evaluator_version=evaluator.__version__,
            object_threshold=threshold,
        )

    def _result(self, case: ToyCase, kept: "Kept") -> CaseResult:
        """Put a sketch to the server, or name a score."""
        self.interruption.check()
        if isinstance(case.reading, SampleReading):
            return CaseResult(case=case.case, score=case.reading.score, label=case.reading.label)
        sha256 = self.client.put_sketch(self.spec.job, self.spec.token, case.reading.sketch.to_bytes())
        return CaseResult(
            case=case.case,
            sketch_sha256=sha256,
            details_sha256=kept.details.get(case.case),
            slices_sha256=kept.slices.get(case.case),
        )


@dataclass(frozen=True, kw_only=True)
class ToyEnd:
    """What of a toy start is needed afterwards."""

    warnings: list[JobWarning]
    object_threshold: float | None  # pixel task: by which the hidden cases' objects are detected


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What was put to the server of cases beside their sketches: case -> sha256."""

    details: dict[str, str] = field(default_factory=dict)
    slices: dict[str, str] = field(default_factory=dict)
