"""Companion sets, what analyses read, sealed boards, re-scoring, and an expert's judgements."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    """Add columns and tables; what is there stays as it is."""
    add("challenge", sa.Column("part_of", sa.String(length=80), nullable=True))
    add("challenge", sa.Column("set_name", sa.String(length=20), nullable=False, server_default="challenge"))
    op.create_index(op.f("ix_challenge_part_of"), "challenge", ["part_of"])
    add("dataset", sa.Column("facts", DOCUMENT, nullable=False, server_default="{}"))
    add("board", sa.Column("sealed_until", sa.DateTime(timezone=True), nullable=True))
    # Both databases read this; Alembic's way on SQLite copies the table and loses its triggers.
    op.execute(
        "ALTER TABLE submission ADD COLUMN analyses_id VARCHAR(12) "
        "CONSTRAINT fk_submission_analyses_id_submission REFERENCES submission (id)"
    )
    op.create_index(op.f("ix_submission_analyses_id"), "submission", ["analyses_id"])
    add("score", sa.Column("metrics", DOCUMENT, nullable=False, server_default="{}"))
    add("score", sa.Column("object_threshold", sa.Double(), nullable=True))
    add("case_score", sa.Column("details_sha256", sa.String(length=64), nullable=True))
    add("case_score", sa.Column("slices_sha256", sa.String(length=64), nullable=True))
    op.create_table(
        "rescoring",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("challenge_id", sa.String(length=12), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(length=12), nullable=True),
        sa.Column("evaluator_version", sa.String(length=40), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("scores", DOCUMENT, nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dropped_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenge.id"], name=op.f("fk_rescoring_challenge_id_challenge")),
        sa.ForeignKeyConstraint(["made_by"], ["account.id"], name=op.f("fk_rescoring_made_by_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rescoring")),
    )
    op.create_index(op.f("ix_rescoring_challenge_id"), "rescoring", ["challenge_id"])
    op.create_table(
        "past_score",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("job_id", sa.String(length=12), nullable=False),
        sa.Column("content", DOCUMENT, nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rescoring_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_past_score_job_id_job")),
        sa.ForeignKeyConstraint(["rescoring_id"], ["rescoring.id"], name=op.f("fk_past_score_rescoring_id_rescoring")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past_score")),
    )
    op.create_index(op.f("ix_past_score_job_id"), "past_score", ["job_id"])
    op.create_table(
        "analysis",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("challenge_id", sa.String(length=12), nullable=False),
        sa.Column("task", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("content", DOCUMENT, nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenge.id"], name=op.f("fk_analysis_challenge_id_challenge")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analysis")),
        sa.UniqueConstraint("challenge_id", "task", name=op.f("uq_analysis_challenge_id")),
    )
    op.create_table(
        "judgement",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("job_id", sa.String(length=12), nullable=False),
        sa.Column("case", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_judgement_account_id_account")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_judgement_job_id_job")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judgement")),
        sa.UniqueConstraint("job_id", "case", "number", name=op.f("uq_judgement_job_id")),
    )


def downgrade() -> None:
    """Scores that were made with these tables would be lost."""
    raise NotImplementedError("restore a backup instead")


def add(table: str, column: "sa.Column[object]") -> None:
    """Add one column."""
    op.add_column(table, column)
