"""A server in memory that speaks the host API's words: one job, its states, its token. Has tests of its own."""

import hashlib
from pathlib import Path

from server.protocol import (
    JOB_TRANSITIONS,
    ClaimRequest,
    Failed,
    Faulted,
    Finished,
    HostReport,
    JobSpec,
    JobStatus,
    Message,
    Move,
    Released,
    Renewal,
    RenewalReply,
    RunEnded,
    RunStarted,
    RunStartedReply,
    ToyReported,
)
from worker.client import ServerFault, StaleToken


class MemoryServer:
    """Holds one job, claimed or not. What is said out of turn is an AssertionError: a worker's mistake."""

    def __init__(self, spec: JobSpec, archive: bytes = b"", *, claimed: bool = True) -> None:
        self.spec = spec
        self.archive = archive
        self.status = JobStatus.PREPARING if claimed else JobStatus.QUEUED
        self.claims: list[ClaimRequest] = []
        self.reports: list[HostReport] = []
        self.token = spec.token
        self.history = [self.status]
        self.runs: dict[str, RunStarted] = {}
        self.ended: list[RunEnded] = []
        self.renewals: list[Renewal] = []
        self.sketches: dict[str, bytes] = {}
        self.details: dict[str, bytes] = {}
        self.slices: dict[str, bytes] = {}
        self.toy_report: dict[str, object] | None = None
        self.finished: Finished | None = None
        self.failed: Failed | None = None
        self.faulted: Faulted | None = None
        self.is_away = False
        self.cancelled = False

    def report(self, report: HostReport) -> None:
        self.reports.append(report)

    def claim(self, request: ClaimRequest) -> JobSpec | None:
        if self.is_away:
            raise ServerFault("the server is away")
        self.claims.append(request)
        wanted = (self.spec.challenge, self.spec.dataset, self.spec.manifest_sha256)
        offered = {(offer.challenge, offer.dataset, offer.manifest_sha256) for offer in request.datasets}
        if self.status is not JobStatus.QUEUED or self.faulted or wanted not in offered:
            return None
        self.token = self.spec.token
        self._to(JobStatus.PREPARING)
        return self.spec

    def renew(self, job: str, renewal: Renewal) -> RenewalReply:
        self._guard(job, renewal, even_cancelled=True)
        self.renewals.append(renewal)
        return RenewalReply(cancelled=self.cancelled, lease_s=self.spec.lease_s)

    def move(self, job: str, move: Move) -> None:
        self._guard(job, move)
        self._to(move.status)

    def run_started(self, job: str, started: RunStarted) -> RunStartedReply:
        self._guard(job, started)
        assert self.status is JobStatus.PREDICTING
        run = f"run-{len(self.runs) + 1}"
        self.runs[run] = started
        return RunStartedReply(run=run)

    def run_ended(self, job: str, ended: RunEnded) -> None:
        self._guard(job, ended, even_cancelled=True)
        assert ended.run in self.runs
        self.ended.append(ended)

    def toy_reported(self, job: str, reported: ToyReported) -> None:
        self._guard(job, reported)
        self.toy_report = reported.report

    def put_sketch(self, job: str, token: str, sketch: bytes) -> str:
        return self._put(job, token, self.sketches, sketch)

    def put_details(self, job: str, token: str, details: bytes) -> str:
        return self._put(job, token, self.details, details)

    def put_slices(self, job: str, token: str, slices: bytes) -> str:
        return self._put(job, token, self.slices, slices)

    def _put(self, job: str, token: str, kept: dict[str, bytes], content: bytes) -> str:
        self._guard(job, Released(token=token))
        sha256 = hashlib.sha256(content).hexdigest()
        kept[sha256] = content
        return sha256

    def finish(self, job: str, finished: Finished) -> None:
        self._guard(job, finished)
        for case in finished.cases:
            assert case.sketch_sha256 in {None, *self.sketches}
            assert case.details_sha256 in {None, *self.details}
            assert case.slices_sha256 in {None, *self.slices}
        self._to(JobStatus.SCORED)
        self.finished = finished

    def fail(self, job: str, failed: Failed) -> None:
        self._guard(job, failed)
        self._to(JobStatus.FAILED)
        self.failed = failed

    def fault(self, job: str, faulted: Faulted) -> None:
        self._guard(job, faulted)
        self._to(JobStatus.QUEUED)
        self.token = ""
        self.faulted = faulted

    def release(self, job: str, released: Released) -> None:
        self._guard(job, released)
        self._to(JobStatus.QUEUED)
        self.token = ""

    def fetch_archive(self, job: str, token: str, out: Path) -> str:
        self._guard(job, Released(token=token))
        out.write_bytes(self.archive)
        return hashlib.sha256(self.archive).hexdigest()

    def cancel(self) -> None:
        """By its team."""
        self._to(JobStatus.CANCELLED)
        self.cancelled = True

    def give_to_another(self) -> None:
        """The lease ran out, somebody else claimed the job."""
        self.token = "another's"

    def _guard(self, job: str, message: Message, *, even_cancelled: bool = False) -> None:
        if self.is_away:
            raise ServerFault("the server is away")
        token = getattr(message, "token", None)
        if job != self.spec.job or token != self.token or (self.cancelled and not even_cancelled):
            raise StaleToken(f"job {job} is not yours any more")

    def _to(self, status: JobStatus) -> None:
        assert status in JOB_TRANSITIONS[self.status], f"{self.status} -> {status}"
        self.status = status
        self.history.append(status)
