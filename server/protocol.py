"""The words that server and worker both speak: states, transitions, job specification, reports.

Imports no third party but pydantic, so that a GPU host can speak it without a web framework or a
database. What is said here is all that either side knows of the other.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

DOORBELL_TASK = "mood.doorbell"  # a Celery message says only: look for work; its one argument is a job's id

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


def doorbell_queue(dataset: str) -> str:
    """Name of the broker's queue that hosts with this data set listen to."""
    return f"doorbell.{dataset}"


def broker_settings(url: str) -> tuple[str, dict[str, object]]:
    """Celery's broker address and transport options for one of ours.

    `filesystem:///folder` is a queue in a folder that server and worker share on one machine;
    anything else (redis://…) is the broker's own address.
    """
    if not url.startswith("filesystem://"):
        return url, {"socket_connect_timeout": 2.0, "socket_timeout": 10.0}
    folder = url.removeprefix("filesystem://")
    options: dict[str, object] = {
        "data_folder_in": f"{folder}/messages",
        "data_folder_out": f"{folder}/messages",
        "control_folder": f"{folder}/control",
    }
    return "filesystem://", options


class Task(StrEnum):
    """What is asked of a container."""

    SAMPLE = "sample"  # one score for a scan
    PIXEL = "pixel"  # one score for each voxel


class Queue(StrEnum):
    """Where a submission goes."""

    TOY = "toy"  # the published toy cases only; never counts
    FINAL = "final"  # toy cases first, then the hidden test set


class SubmissionStatus(StrEnum):
    """Where a submission can be. Written by server.lifecycle alone."""

    CHECKING = "checking"  # uploaded; the archive is being looked at
    QUEUED = "queued"  # accepted; no worker has taken a job of it yet
    RUNNING = "running"  # at least one of its jobs was taken
    SCORED = "scored"  # every job is scored: valid
    FAILED = "failed"  # a job failed; its code says whose fault that was
    CANCELLED = "cancelled"  # by its team or the organizer
    REFUSED = "refused"  # the archive check said no; the try is given back

    @property
    def is_final(self) -> bool:
        """Nothing follows."""
        return not SUBMISSION_TRANSITIONS[self]


class JobStatus(StrEnum):
    """Where a job can be. Written by server.lifecycle alone."""

    QUEUED = "queued"  # waits for a worker
    PREPARING = "preparing"  # a worker holds its lease: image and cases are being fetched
    PREDICTING = "predicting"  # containers run
    SCORING = "scoring"  # predictions are read into sketches
    SCORED = "scored"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Nothing follows."""
        return not JOB_TRANSITIONS[self]


class RunStatus(StrEnum):
    """Where a run (one container from start to end) can be."""

    STARTED = "started"
    ENDED = "ended"  # the container ended, by itself or by the watchdog
    LOST = "lost"  # its worker fell silent


_J, _S, _R = JobStatus, SubmissionStatus, RunStatus

JOB_TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    _J.QUEUED: frozenset({_J.PREPARING, _J.CANCELLED, _J.FAILED}),
    _J.PREPARING: frozenset({_J.PREDICTING, _J.QUEUED, _J.FAILED, _J.CANCELLED}),
    _J.PREDICTING: frozenset({_J.SCORING, _J.QUEUED, _J.FAILED, _J.CANCELLED}),
    _J.SCORING: frozenset({_J.SCORED, _J.QUEUED, _J.FAILED}),
    _J.SCORED: frozenset(),
    _J.FAILED: frozenset(),
    _J.CANCELLED: frozenset(),
}

SUBMISSION_TRANSITIONS: dict[SubmissionStatus, frozenset[SubmissionStatus]] = {
    _S.CHECKING: frozenset({_S.QUEUED, _S.REFUSED, _S.CANCELLED, _S.FAILED}),
    _S.QUEUED: frozenset({_S.RUNNING, _S.CANCELLED, _S.FAILED}),
    _S.RUNNING: frozenset({_S.SCORED, _S.FAILED, _S.CANCELLED}),
    _S.SCORED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.REFUSED: frozenset(),
}

RUN_TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    _R.STARTED: frozenset({_R.ENDED, _R.LOST}),
    _R.ENDED: frozenset(),
    _R.LOST: frozenset(),
}


HELD = frozenset({JobStatus.PREPARING, JobStatus.PREDICTING, JobStatus.SCORING})  # a worker has the job's lease


class Stage(StrEnum):
    """Which cases a container start sees."""

    TOY = "toy"
    HIDDEN = "hidden"


class FailureCode(StrEnum):
    """How a job or an archive fails. Stable: participants script against these."""

    # Theirs, in a container start.
    EXIT = "E-EXIT"  # the entry script ended with a code other than 0
    BUDGET = "E-BUDGET"  # past its wall-clock budget
    MEMORY = "E-MEMORY"  # its main process was killed for memory
    OUTPUT_FULL = "E-OUTPUT-FULL"  # it filled its output folder
    NO_PREDICTION = "E-NO-PREDICTION"  # not one readable prediction in a container start
    # Theirs, in the archive.
    ARCHIVE_FORMAT = "E-ARCHIVE-FORMAT"  # not a tar, or a damaged one
    ARCHIVE_OCI = "E-ARCHIVE-OCI"  # an OCI layout without manifest.json
    ARCHIVE_IMAGES = "E-ARCHIVE-IMAGES"  # not exactly one image inside
    ARCHIVE_PLATFORM = "E-ARCHIVE-PLATFORM"  # not linux, or another architecture
    ARCHIVE_SIZE = "E-ARCHIVE-SIZE"  # too large, packed or unpacked
    ARCHIVE_DAMAGED = "E-ARCHIVE-DAMAGED"  # a layer is missing, or is not what its config says
    ARCHIVE_SCRIPTS = "E-ARCHIVE-SCRIPTS"  # an entry script of the task is missing
    # Ours: not charged.
    PLATFORM = "E-PLATFORM"  # three faults of the platform

    @property
    def is_ours(self) -> bool:
        """The platform's doing: the team gets its try back."""
        return self is FailureCode.PLATFORM


class WarningCode(StrEnum):
    """What a scored job may carry, each with a count."""

    MISSING = "W-MISSING"  # no prediction: counts 0
    UNREADABLE = "W-UNREADABLE"  # damaged, or text where a volume should be: counts 0
    SHAPE = "W-SHAPE"  # not the input's shape: counts 0
    NOT_REGULAR = "W-NOT-REGULAR"  # a symlink, hard link, folder, pipe or device: counts 0
    TOO_LARGE = "W-TOO-LARGE"  # a file over the cap: counts 0
    NAN = "W-NAN"  # NaN counts 0
    INFINITE = "W-INFINITE"  # +inf counts 1, -inf counts 0
    CLAMPED = "W-CLAMPED"  # outside [0, 1], clamped
    CONSTANT = "W-CONSTANT"  # every score is the same
    SCALED = "W-SCALED"  # the file carries a slope or an intercept
    GZIP_TAIL = "W-GZIP-TAIL"  # a bad checksum, or bytes after the volume
    LOG_CUT = "W-LOG-CUT"  # the log was longer than what is kept
    CHILD_MEMORY = "W-CHILD-MEMORY"  # a process was killed for memory, the container ended with 0


class Message(BaseModel):
    """Base of everything that goes over the wire: unknown fields are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class JobWarning(Message):
    """One kind of warning and how often."""

    code: WarningCode
    count: int = Field(ge=1)


class Limits(Message):
    """What one container may use."""

    memory_bytes: int = 16 * 2**30
    cpus: float = 4.0
    pids: int = 512
    shm_bytes: int = 2**30
    tmp_bytes: int = 4 * 2**30
    gpus: bool = True  # a device of the host, where it has one


class ContainerUser(StrEnum):
    """Whom a container runs as."""

    NOBODY = "nobody"  # uid 65534
    IMAGE = "image"  # what the image says
    ROOT = "root"  # root without capabilities


class DatasetOffer(Message):
    """A data set that a host holds, and by which manifest."""

    challenge: str
    dataset: str
    manifest_sha256: Sha256


class ClaimRequest(Message):
    """What a worker asks for work with."""

    worker: str  # unique on its host
    architecture: str  # as images name it: amd64, arm64
    datasets: list[DatasetOffer]


class JobSpec(Message):
    """One job, as a worker sees it. Nothing of teams or people."""

    job: str
    attempt: int
    token: str  # fencing token: every later write carries it
    lease_s: float  # renew well before this
    challenge: str
    dataset: str
    manifest_sha256: Sha256
    task: Task
    queue: Queue
    image: Digest
    archive_sha256: Sha256
    budget_s: float  # wall clock, for each case of a container start
    limits: Limits
    user: ContainerUser
    show: list[str] = []  # hidden cases of which a slice is kept
    object_min_volume_mm3: float = Field(default=0.0, ge=0)  # smaller detections are dropped


class Renewal(Message):
    """Still here; how far."""

    token: str
    stage: Stage | None = None
    cases_done: int = 0
    cases_total: int = 0


class RenewalReply(Message):
    """What the server says to it."""

    cancelled: bool
    lease_s: float


class Move(Message):
    """To the next state."""

    token: str
    status: JobStatus  # PREDICTING or SCORING


class RunStarted(Message):
    """A container start begins."""

    token: str
    stage: Stage
    cases: int


class RunStartedReply(Message):
    """Its id."""

    run: str


class RunEnded(Message):
    """A container start ended."""

    token: str
    run: str
    exit_code: int | None  # None: killed before it had one
    wall_s: float
    peak_memory_bytes: int | None  # None: too short to sample
    predicted_at_s: dict[str, float]  # case -> seconds after the start when its prediction appeared
    log: str  # the end of it, cut to what is kept
    log_cut: bool


class ToyReported(Message):
    """The toy cases of this job are scored; shown to the team at once."""

    token: str
    report: dict[str, object]  # evaluator.report.toy_report


class CaseResult(Message):
    """What is kept of one hidden case."""

    case: str
    sketch_sha256: Sha256 | None = None  # pixel task; the bytes were put before, as those of the next two
    details_sha256: Sha256 | None = None  # pixel task; None: there was no time or memory for them
    slices_sha256: Sha256 | None = None  # pixel task, cases in JobSpec.show
    score: float | None = None  # sample task, already in [0, 1]
    label: int | None = Field(default=None, ge=0, le=1)  # sample task


class Finished(Message):
    """The job is done. Toy jobs carry no cases."""

    token: str
    cases: list[CaseResult]
    warnings: list[JobWarning]
    evaluator_version: str
    # Pixel task: of the best Dice on the toy cases, by which objects were detected; None: there is none.
    object_threshold: float | None = Field(default=None, gt=0, le=1)


class Failed(Message):
    """Theirs: a result with a code."""

    token: str
    code: FailureCode
    stage: Stage
    detail: str = ""  # shown to the team for the toy stage only
    warnings: list[JobWarning] = []


class Faulted(Message):
    """Ours: the job goes back to the queue."""

    token: str
    reason: str


class Released(Message):
    """A worker that stops gives its job back; not a fault."""

    token: str


class HostReport(Message):
    """What the organizer sees of a host."""

    worker: str
    architecture: str
    engine: str
    gpus: list[str]
    datasets: list[DatasetOffer]
    checks: dict[str, str]  # name -> "ok" or the complaint
    at: datetime
