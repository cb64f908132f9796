"""The tables: every fact the server knows. Statuses are written by server.lifecycle alone."""

import secrets
import string
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from server.protocol import (
    FailureCode,
    JobStatus,
    Queue,
    RunStatus,
    Stage,
    SubmissionStatus,
    Task,
)

ID_LETTERS = 12  # 26^12: no two rows meet, and nobody guesses a neighbour's
NON_FINAL = tuple(status for status in SubmissionStatus if not status.is_final)


def random_word() -> str:
    """Give a new id: twelve letters that say nothing."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(ID_LETTERS))


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, aware and in UTC on both sides of the database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  the base's signature
        """Refuse a naive time: nobody would know what it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: give an aware datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  the base's signature
        """SQLite forgets the zone it was given; PostgreSQL answers in the session's."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Document = JSON().with_variant(JSONB(), "postgresql")


def words(enum: type[Task | Queue | SubmissionStatus | JobStatus | RunStatus | Stage | FailureCode]) -> Enum:
    """Store an enum's value as text, so that the database reads like the pages."""
    return Enum(
        enum,
        native_enum=False,
        create_constraint=False,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """What all tables share: constraint names that migrations can speak of."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own way of configuring a base
        datetime: UtcDateTime,
        dict[str, Any]: Document,
        list[Any]: Document,
        list[str]: Document,
    }


class Named(Base):
    """A row with a random word for its id."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(String(ID_LETTERS), primary_key=True, default=random_word, sort_order=-1)


class Team(Named):
    """Who submits and who is ranked."""

    __tablename__ = "team"

    name: Mapped[str] = mapped_column(String(80), unique=True)
    anonymous: Mapped[bool] = mapped_column(default=False)  # ranked, but without its name
    created_at: Mapped[datetime]


class Account(Named):
    """A person. Organizers need no team."""

    __tablename__ = "account"

    team_id: Mapped[str | None] = mapped_column(ForeignKey("team.id"), index=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)  # lower case
    password_hash: Mapped[str] = mapped_column(String(255))
    organizer: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    team: Mapped[Team | None] = relationship(lazy="joined")


class ApiToken(Named):
    """A client's key. Its secret is shown once; the hash stays."""

    __tablename__ = "api_token"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class LoginSession(Named):
    """A browser that is signed in."""

    __tablename__ = "login_session"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Host(Named):
    """A machine that runs containers."""

    __tablename__ = "host"

    name: Mapped[str] = mapped_column(String(80), unique=True)
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]  # last time it said anything
    report: Mapped[dict[str, Any] | None]  # protocol.HostReport, as last sent


class Challenge(Named):
    """What is asked, by which rules, on which data."""

    __tablename__ = "challenge"

    slug: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    settings: Mapped[dict[str, Any]]  # server.challenges.ChallengeFile
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    deal_sha256: Mapped[str] = mapped_column(String(64))
    toy_sha256: Mapped[str] = mapped_column(String(64))  # zip of toy cases and labels, in the store
    loaded_at: Mapped[datetime]
    # A companion set (analysis, toyish, sweeps) stands beside a challenge and is not one that teams see.
    part_of: Mapped[str | None] = mapped_column(String(80), index=True)  # slug of the challenge it analyses
    set_name: Mapped[str] = mapped_column(String(20), default="challenge", server_default="challenge")
    datasets: Mapped[list["Dataset"]] = relationship(
        back_populates="challenge", order_by="Dataset.position", cascade="all, delete-orphan"
    )


class Dataset(Named):
    """A data set of a challenge: the names of its cases, never its volumes."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("challenge_id", "name"),)

    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"))
    name: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(200))
    position: Mapped[int]
    cases: Mapped[dict[str, Any]]  # {"toy"|"test": [{"name", "shape", "tasks"}]}
    deal: Mapped[dict[str, Any]]  # {"official"|"validation": [[case, …], …]}
    facts: Mapped[dict[str, Any]] = mapped_column(
        default=dict, server_default="{}"
    )  # hidden: case -> its row of cases.csv
    challenge: Mapped[Challenge] = relationship(back_populates="datasets")


class Board(Named):
    """Whether the leaderboard of a task is published."""

    __tablename__ = "board"
    __table_args__ = (UniqueConstraint("challenge_id", "task"),)

    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"))
    task: Mapped[Task] = mapped_column(words(Task))
    published: Mapped[bool] = mapped_column(default=False)
    sealed_until: Mapped[datetime | None]  # published, but nobody but organizers sees it before
    changed_at: Mapped[datetime]
    changed_by: Mapped[str | None] = mapped_column(ForeignKey("account.id"))


class Image(Named):
    """An image that passed the archive check."""

    __tablename__ = "image"

    digest: Mapped[str] = mapped_column(String(71), unique=True)  # sha256:… of its config blob
    archive_sha256: Mapped[str] = mapped_column(String(64), index=True)  # the archive that is kept
    archive_bytes: Mapped[int] = mapped_column(BigInteger)
    unpacked_bytes: Mapped[int] = mapped_column(BigInteger)
    architecture: Mapped[str] = mapped_column(String(40))
    scripts: Mapped[list[str]]  # entry scripts found in it
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]  # its archive is no longer in the store


class Submission(Named):
    """An image handed in by a team for a task and a queue."""

    __tablename__ = "submission"
    __table_args__ = (
        # One toy submission on its way for a team and task: the database refuses the second.
        Index(
            "uq_submission_toy_on_its_way",
            "team_id",
            "challenge_id",
            "task",
            unique=True,
            sqlite_where=text("queue = 'toy' AND status IN ('checking', 'queued', 'running')"),
            postgresql_where=text("queue = 'toy' AND status IN ('checking', 'queued', 'running')"),
        ),
        Index("ix_submission_team_received", "team_id", "received_at"),
        Index("ix_submission_challenge_received", "challenge_id", "received_at"),
    )

    team_id: Mapped[str] = mapped_column(ForeignKey("team.id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"))
    task: Mapped[Task] = mapped_column(words(Task))
    queue: Mapped[Queue] = mapped_column(words(Queue))
    status: Mapped[SubmissionStatus] = mapped_column(words(SubmissionStatus), default=SubmissionStatus.CHECKING)
    changed_at: Mapped[datetime]  # when it came into this status
    received_at: Mapped[datetime]  # the instant its upload was complete
    charged: Mapped[bool]  # uses one of the team's tries
    archive_sha256: Mapped[str] = mapped_column(String(64), index=True)  # as uploaded
    archive_bytes: Mapped[int] = mapped_column(BigInteger)
    image_id: Mapped[str | None] = mapped_column(ForeignKey("image.id"), index=True)  # None until it is checked
    checker_until: Mapped[datetime | None]  # somebody is at the archive check until then
    failure_code: Mapped[FailureCode | None] = mapped_column(words(FailureCode))
    failure_detail: Mapped[str | None] = mapped_column(Text)
    # Of a companion set: the team's submission whose image it runs. Nobody but organizers sees such a one.
    analyses_id: Mapped[str | None] = mapped_column(ForeignKey("submission.id"), index=True)
    team: Mapped[Team] = relationship()
    challenge: Mapped[Challenge] = relationship()
    image: Mapped[Image | None] = relationship()
    jobs: Mapped[list["Job"]] = relationship(back_populates="submission", order_by="Job.position")


class Job(Named):
    """The running and scoring of a submission on one data set."""

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("submission_id", "dataset_id"),
        Index("ix_job_status_lease", "status", "lease_expires_at"),
    )

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), index=True)
    position: Mapped[int]  # the data set's
    status: Mapped[JobStatus] = mapped_column(words(JobStatus), default=JobStatus.QUEUED)
    changed_at: Mapped[datetime]  # when it came into this status
    queued_at: Mapped[datetime]  # first time
    started_at: Mapped[datetime | None]  # this attempt's claim
    finished_at: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)  # claims so far
    faults: Mapped[int] = mapped_column(default=0)  # attempts that ended by our doing
    token: Mapped[str | None] = mapped_column(String(64))  # fencing token of the holder, or of the last one
    lease_expires_at: Mapped[datetime | None]
    host_id: Mapped[str | None] = mapped_column(ForeignKey("host.id"))
    worker: Mapped[str | None] = mapped_column(String(120))
    manifest_sha256: Mapped[str | None] = mapped_column(String(64))  # of the data it was claimed for
    stage: Mapped[Stage | None] = mapped_column(words(Stage))
    cases_done: Mapped[int] = mapped_column(default=0)
    cases_total: Mapped[int] = mapped_column(default=0)
    toy_report: Mapped[dict[str, Any] | None]  # evaluator.report.toy_report
    warnings: Mapped[list[Any]] = mapped_column(default=list)  # [{"code", "count"}]
    failure_code: Mapped[FailureCode | None] = mapped_column(words(FailureCode))
    failure_stage: Mapped[Stage | None] = mapped_column(words(Stage))
    failure_detail: Mapped[str | None] = mapped_column(Text)
    submission: Mapped[Submission] = relationship(back_populates="jobs")
    dataset: Mapped[Dataset] = relationship()
    host: Mapped[Host | None] = relationship()
    runs: Mapped[list["Run"]] = relationship(back_populates="job", order_by="Run.started_at")
    score: Mapped["Score | None"] = relationship(back_populates="job")


class Run(Named):
    """One container from start to end."""

    __tablename__ = "run"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), index=True)
    attempt: Mapped[int]
    stage: Mapped[Stage] = mapped_column(words(Stage))
    status: Mapped[RunStatus] = mapped_column(words(RunStatus), default=RunStatus.STARTED, index=True)
    cases: Mapped[int]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    exit_code: Mapped[int | None]
    wall_s: Mapped[float | None]
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    predicted_at_s: Mapped[dict[str, Any] | None]  # case -> seconds after the start
    log_sha256: Mapped[str | None] = mapped_column(String(64))  # in the store
    log_cut: Mapped[bool] = mapped_column(default=False)
    job: Mapped[Job] = relationship(back_populates="runs")


class Score(Named):
    """What a job is worth, and what it was computed with."""

    __tablename__ = "score"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), unique=True)
    value: Mapped[float]  # the one that ranks: sample AP, or mean of the official batches' APs
    validation: Mapped[float | None]  # the same by the second deal; None in the sample task
    low: Mapped[float | None]  # `value` without rounding to half precision lies in [low, high]
    high: Mapped[float | None]  # both None in the sample task, where nothing is rounded
    details: Mapped[dict[str, Any]]  # {"official"|"validation": [batch AP or None, …]}
    metrics: Mapped[dict[str, Any]] = mapped_column(
        default=dict, server_default="{}"
    )  # the other metrics, by name; None where undefined
    object_threshold: Mapped[float | None]  # of its detections, from the toy cases
    evaluator_version: Mapped[str] = mapped_column(String(40))
    deal_sha256: Mapped[str] = mapped_column(String(64))
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    image_digest: Mapped[str] = mapped_column(String(71))
    computed_at: Mapped[datetime]
    job: Mapped[Job] = relationship(back_populates="score")
    cases: Mapped[list["CaseScore"]] = relationship(order_by="CaseScore.name")


class CaseScore(Named):
    """What is kept of one hidden case. Never leaves the organizer."""

    __tablename__ = "case_score"
    __table_args__ = (UniqueConstraint("score_id", "name"),)

    score_id: Mapped[str] = mapped_column(ForeignKey("score.id"))
    name: Mapped[str] = mapped_column(String(255))
    sketch_sha256: Mapped[str | None] = mapped_column(String(64))  # pixel task, in the store
    details_sha256: Mapped[str | None] = mapped_column(String(64))  # pixel task, in the store: evaluator.details
    slices_sha256: Mapped[str | None] = mapped_column(String(64))  # cases marked for show, in the store
    score: Mapped[float | None]  # sample task
    label: Mapped[int | None]  # sample task


class PastScore(Named):
    """A score that a re-scoring replaced."""

    __tablename__ = "past_score"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), index=True)
    content: Mapped[dict[str, Any]]  # the row of `score` as it was
    replaced_at: Mapped[datetime]
    rescoring_id: Mapped[str] = mapped_column(ForeignKey("rescoring.id"))


class Rescoring(Named):
    """New scores of all submissions of a challenge, from what scoring stored; published in one step."""

    __tablename__ = "rescoring"

    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"), index=True)
    made_at: Mapped[datetime]
    made_by: Mapped[str | None] = mapped_column(ForeignKey("account.id"))  # None: from the command line
    evaluator_version: Mapped[str] = mapped_column(String(40))
    finished_at: Mapped[datetime | None]  # None: it is being computed, or its server stopped
    problem: Mapped[str | None] = mapped_column(Text)  # why it ended without scores
    scores: Mapped[dict[str, Any]]  # job -> {"old": …, "new": … or None, "problem": … or None}
    published_at: Mapped[datetime | None]
    dropped_at: Mapped[datetime | None]


class Analysis(Named):
    """What was computed of a challenge's scores for one task: the tables behind boards, analyses and report."""

    __tablename__ = "analysis"
    __table_args__ = (UniqueConstraint("challenge_id", "task"),)

    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenge.id"))
    task: Mapped[Task] = mapped_column(words(Task))
    fingerprint: Mapped[str] = mapped_column(String(64))  # of all that it was computed from
    content: Mapped[dict[str, Any]]  # server.analyses.AnalysisDocument
    computed_at: Mapped[datetime]


class Judgement(Named):
    """What an expert says of a detection that nobody annotated."""

    __tablename__ = "judgement"
    __table_args__ = (UniqueConstraint("job_id", "case", "number"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    case: Mapped[str] = mapped_column(String(255))
    number: Mapped[int]  # of the detection, within the case
    verdict: Mapped[str] = mapped_column(String(32))  # one of the study's five classes
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]


class Event(Base):
    """One change of state. Rows are added and never touched again: the database sees to it."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_kind_subject", "kind", "subject"),)

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    kind: Mapped[str] = mapped_column(String(16))  # submission, job, run; team, board, rescoring
    subject: Mapped[str] = mapped_column(String(ID_LETTERS))  # its id
    from_status: Mapped[str | None] = mapped_column(String(32))  # None: it came into being
    to_status: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    host: Mapped[str | None] = mapped_column(String(80))


class Transition(Base):
    """What may follow what. The migration fills it from the protocol's tables; triggers read it."""

    __tablename__ = "transition"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    from_status: Mapped[str] = mapped_column(String(32), primary_key=True)
    to_status: Mapped[str] = mapped_column(String(32), primary_key=True)


class View(Named):
    """An organizer looked at something hidden."""

    __tablename__ = "view"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    subject: Mapped[str] = mapped_column(String(120))  # what was looked at, such as "scores of submission …"
    at: Mapped[datetime]
