"""First tables, with the legal transitions and the triggers that hold them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")

# server.protocol's tables as they were at this version: kind -> from -> to.
TRANSITIONS = {
    "job": {
        "queued": ["preparing", "cancelled", "failed"],
        "preparing": ["predicting", "queued", "failed", "cancelled"],
        "predicting": ["scoring", "queued", "failed", "cancelled"],
        "scoring": ["scored", "queued", "failed"],
    },
    "submission": {
        "checking": ["queued", "refused", "cancelled", "failed"],
        "queued": ["running", "cancelled", "failed"],
        "running": ["scored", "failed", "cancelled"],
    },
    "run": {"started": ["ended", "lost"]},
}
INITIAL = {"job": "queued", "submission": "checking", "run": "started"}

SQLITE_TRIGGERS = """
CREATE TRIGGER {kind}_begins BEFORE INSERT ON {kind}
WHEN NEW.status <> '{initial}'
BEGIN SELECT RAISE(ABORT, 'a {kind} begins as {initial}'); END;

CREATE TRIGGER {kind}_moves BEFORE UPDATE OF status ON {kind}
WHEN OLD.status <> NEW.status AND NOT EXISTS (
    SELECT 1 FROM transition
    WHERE kind = '{kind}' AND from_status = OLD.status AND to_status = NEW.status
)
BEGIN SELECT RAISE(ABORT, 'illegal transition of a {kind}'); END
"""
SQLITE_EVENT_TRIGGERS = """
CREATE TRIGGER event_stays_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;

CREATE TRIGGER event_stays_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END
"""

POSTGRESQL_FUNCTIONS = """
CREATE FUNCTION mood_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> TG_ARGV[0] THEN
        RAISE EXCEPTION 'a % begins as %, not as %', TG_TABLE_NAME, TG_ARGV[0], NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION mood_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> NEW.status AND NOT EXISTS (
        SELECT 1 FROM transition
        WHERE kind = TG_TABLE_NAME AND from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'illegal transition of a % from % to %', TG_TABLE_NAME, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION mood_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'check_violation';
END $$
"""
POSTGRESQL_TRIGGERS = """
CREATE TRIGGER {kind}_begins BEFORE INSERT ON {kind}
FOR EACH ROW EXECUTE FUNCTION mood_begins('{initial}');

CREATE TRIGGER {kind}_moves BEFORE UPDATE OF status ON {kind}
FOR EACH ROW EXECUTE FUNCTION mood_moves()
"""
POSTGRESQL_EVENT_TRIGGERS = """
CREATE TRIGGER event_stays BEFORE UPDATE OR DELETE ON event
FOR EACH ROW EXECUTE FUNCTION mood_stays();

CREATE TRIGGER event_stays_whole BEFORE TRUNCATE ON event
FOR EACH STATEMENT EXECUTE FUNCTION mood_stays()
"""


def upgrade() -> None:
    """To this version."""
    create_tables()
    fill_transitions()
    if op.get_bind().dialect.name == "sqlite":
        add_triggers(SQLITE_TRIGGERS, SQLITE_EVENT_TRIGGERS)
    else:
        run_all(POSTGRESQL_FUNCTIONS, between=";\n\n")
        add_triggers(POSTGRESQL_TRIGGERS, POSTGRESQL_EVENT_TRIGGERS)


def run_all(statements: str, *, between: str) -> None:
    """Each statement by itself: SQLite's driver takes one at a time."""
    for statement in statements.strip().split(between):
        op.execute(statement)


def add_triggers(for_kinds: str, for_events: str) -> None:
    """Hold legal transitions and an untouched history."""
    for kind, initial in INITIAL.items():
        run_all(for_kinds.format(kind=kind, initial=initial), between=";\n\n")
    run_all(for_events, between=";\n\n")


def fill_transitions() -> None:
    """What may follow what."""
    table = sa.table("transition", sa.column("kind"), sa.column("from_status"), sa.column("to_status"))
    rows = [
        {"kind": kind, "from_status": old, "to_status": new}
        for kind, follows in TRANSITIONS.items()
        for old, news in follows.items()
        for new in news
    ]
    op.bulk_insert(table, rows)


def create_tables() -> None:
    """All tables, parents first."""
    op.create_table(
        "challenge",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
        sa.Column("deal_sha256", sa.String(length=64), nullable=False),
        sa.Column("toy_sha256", sa.String(length=64), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_challenge")),
        sa.UniqueConstraint("slug", name=op.f("uq_challenge_slug")),
    )
    op.create_table(
        "event",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=12), nullable=False),
        sa.Column("from_status", sa.String(length=32), nullable=True),
        sa.Column("to_status", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("host", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_event")),
    )
    op.create_index("ix_event_kind_subject", "event", ["kind", "subject"], unique=False)

    op.create_table(
        "host",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report", DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host")),
        sa.UniqueConstraint("name", name=op.f("uq_host_name")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_host_secret_sha256")),
    )
    op.create_table(
        "image",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("archive_sha256", sa.String(length=64), nullable=False),
        sa.Column("archive_bytes", sa.BigInteger(), nullable=False),
        sa.Column("unpacked_bytes", sa.BigInteger(), nullable=False),
        sa.Column("architecture", sa.String(length=40), nullable=False),
        sa.Column("scripts", DOCUMENT, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image")),
        sa.UniqueConstraint("digest", name=op.f("uq_image_digest")),
    )
    op.create_index(op.f("ix_image_archive_sha256"), "image", ["archive_sha256"], unique=False)

    op.create_table(
        "team",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sa.UniqueConstraint("name", name=op.f("uq_team_name")),
    )
    op.create_table(
        "transition",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("from_status", sa.String(length=32), nullable=False),
        sa.Column("to_status", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("kind", "from_status", "to_status", name=op.f("pk_transition")),
    )
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("team_id", sa.String(length=12), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("organizer", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_account_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("email", name=op.f("uq_account_email")),
    )
    op.create_index(op.f("ix_account_team_id"), "account", ["team_id"], unique=False)

    op.create_table(
        "dataset",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("challenge_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("cases", DOCUMENT, nullable=False),
        sa.Column("deal", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenge.id"], name=op.f("fk_dataset_challenge_id_challenge")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
        sa.UniqueConstraint("challenge_id", "name", name=op.f("uq_dataset_challenge_id")),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_api_token_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_api_token_secret_sha256")),
    )
    op.create_index(op.f("ix_api_token_account_id"), "api_token", ["account_id"], unique=False)

    op.create_table(
        "board",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("challenge_id", sa.String(length=12), nullable=False),
        sa.Column("task", sa.Enum("sample", "pixel", name="task", native_enum=False, length=32), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=12), nullable=True),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenge.id"], name=op.f("fk_board_challenge_id_challenge")),
        sa.ForeignKeyConstraint(["changed_by"], ["account.id"], name=op.f("fk_board_changed_by_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board")),
        sa.UniqueConstraint("challenge_id", "task", name=op.f("uq_board_challenge_id")),
    )
    op.create_table(
        "login_session",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_login_session_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_session")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_login_session_secret_sha256")),
    )
    op.create_index(op.f("ix_login_session_account_id"), "login_session", ["account_id"], unique=False)

    op.create_table(
        "submission",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("team_id", sa.String(length=12), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("challenge_id", sa.String(length=12), nullable=False),
        sa.Column("task", sa.Enum("sample", "pixel", name="task", native_enum=False, length=32), nullable=False),
        sa.Column("queue", sa.Enum("toy", "final", name="queue", native_enum=False, length=32), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "checking",
                "queued",
                "running",
                "scored",
                "failed",
                "cancelled",
                "refused",
                name="submissionstatus",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("charged", sa.Boolean(), nullable=False),
        sa.Column("archive_sha256", sa.String(length=64), nullable=False),
        sa.Column("archive_bytes", sa.BigInteger(), nullable=False),
        sa.Column("image_id", sa.String(length=12), nullable=True),
        sa.Column("checker_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "failure_code",
            sa.Enum(
                "E-EXIT",
                "E-BUDGET",
                "E-MEMORY",
                "E-OUTPUT-FULL",
                "E-NO-PREDICTION",
                "E-ARCHIVE-FORMAT",
                "E-ARCHIVE-OCI",
                "E-ARCHIVE-IMAGES",
                "E-ARCHIVE-PLATFORM",
                "E-ARCHIVE-SIZE",
                "E-ARCHIVE-DAMAGED",
                "E-ARCHIVE-SCRIPTS",
                "E-PLATFORM",
                name="failurecode",
                native_enum=False,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("failure_detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_submission_account_id_account")),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenge.id"], name=op.f("fk_submission_challenge_id_challenge")),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name=op.f("fk_submission_image_id_image")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_submission_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
    )
    op.create_index(op.f("ix_submission_archive_sha256"), "submission", ["archive_sha256"], unique=False)
    op.create_index("ix_submission_challenge_received", "submission", ["challenge_id", "received_at"], unique=False)
    op.create_index(op.f("ix_submission_image_id"), "submission", ["image_id"], unique=False)
    op.create_index("ix_submission_team_received", "submission", ["team_id", "received_at"], unique=False)
    op.create_index(
        "uq_submission_toy_on_its_way",
        "submission",
        ["team_id", "challenge_id", "task"],
        unique=True,
        sqlite_where=sa.text("queue = 'toy' AND status IN ('checking', 'queued', 'running')"),
        postgresql_where=sa.text("queue = 'toy' AND status IN ('checking', 'queued', 'running')"),
    )

    op.create_table(
        "view",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_view_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_view")),
    )
    op.create_index(op.f("ix_view_account_id"), "view", ["account_id"], unique=False)

    op.create_table(
        "job",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("submission_id", sa.String(length=12), nullable=False),
        sa.Column("dataset_id", sa.String(length=12), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "queued",
                "preparing",
                "predicting",
                "scoring",
                "scored",
                "failed",
                "cancelled",
                name="jobstatus",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("host_id", sa.String(length=12), nullable=True),
        sa.Column("worker", sa.String(length=120), nullable=True),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=True),
        sa.Column("stage", sa.Enum("toy", "hidden", name="stage", native_enum=False, length=32), nullable=True),
        sa.Column("cases_done", sa.Integer(), nullable=False),
        sa.Column("cases_total", sa.Integer(), nullable=False),
        sa.Column("toy_report", DOCUMENT, nullable=True),
        sa.Column("warnings", DOCUMENT, nullable=False),
        sa.Column(
            "failure_code",
            sa.Enum(
                "E-EXIT",
                "E-BUDGET",
                "E-MEMORY",
                "E-OUTPUT-FULL",
                "E-NO-PREDICTION",
                "E-ARCHIVE-FORMAT",
                "E-ARCHIVE-OCI",
                "E-ARCHIVE-IMAGES",
                "E-ARCHIVE-PLATFORM",
                "E-ARCHIVE-SIZE",
                "E-ARCHIVE-DAMAGED",
                "E-ARCHIVE-SCRIPTS",
                "E-PLATFORM",
                name="failurecode",
                native_enum=False,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("failure_stage", sa.Enum("toy", "hidden", name="stage", native_enum=False, length=32), nullable=True),
        sa.Column("failure_detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_job_dataset_id_dataset")),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_job_host_id_host")),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_job_submission_id_submission")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("submission_id", "dataset_id", name=op.f("uq_job_submission_id")),
    )
    op.create_index(op.f("ix_job_dataset_id"), "job", ["dataset_id"], unique=False)
    op.create_index("ix_job_status_lease", "job", ["status", "lease_expires_at"], unique=False)

    op.create_table(
        "run",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("job_id", sa.String(length=12), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Enum("toy", "hidden", name="stage", native_enum=False, length=32), nullable=False),
        sa.Column(
            "status",
            sa.Enum("started", "ended", "lost", name="runstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("wall_s", sa.Double(), nullable=True),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("predicted_at_s", DOCUMENT, nullable=True),
        sa.Column("log_sha256", sa.String(length=64), nullable=True),
        sa.Column("log_cut", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_run_job_id_job")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_index(op.f("ix_run_job_id"), "run", ["job_id"], unique=False)
    op.create_index(op.f("ix_run_status"), "run", ["status"], unique=False)

    op.create_table(
        "score",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("job_id", sa.String(length=12), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("validation", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("evaluator_version", sa.String(length=40), nullable=False),
        sa.Column("deal_sha256", sa.String(length=64), nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
        sa.Column("image_digest", sa.String(length=71), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_score_job_id_job")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score")),
        sa.UniqueConstraint("job_id", name=op.f("uq_score_job_id")),
    )
    op.create_table(
        "case_score",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("score_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("sketch_sha256", sa.String(length=64), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("label", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["score_id"], ["score.id"], name=op.f("fk_case_score_score_id_score")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_score")),
        sa.UniqueConstraint("score_id", "name", name=op.f("uq_case_score_score_id")),
    )


def downgrade() -> None:
    """There is nothing before the first tables."""
    raise NotImplementedError("restore a backup instead")
