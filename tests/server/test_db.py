"""Sessions, migrations, and what the database itself refuses."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from server.db import Database
from server.models import Base, Event, Job, Submission, Team, Transition
from server.protocol import (
    JOB_TRANSITIONS,
    RUN_TRANSITIONS,
    SUBMISSION_TRANSITIONS,
    JobStatus,
    SubmissionStatus,
)
from tests.conftest import Backend
from tests.server.world import NOW, World


def add_team(database: Database, name: str) -> None:
    with database.write() as s:
        s.add(Team(name=name, created_at=NOW))


def team_names(database: Database) -> list[str]:
    with database.read() as s:
        return sorted(s.scalars(select(Team.name)))


def test_models_and_migrations_agree(db: Database) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_servers_that_start_at_once_migrate_once(backend: Backend) -> None:
    together = threading.Barrier(4)

    def start(_: int) -> None:
        database = Database(backend.database_url)
        together.wait(20)
        database.migrate()
        database.dispose()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    database = Database(backend.database_url)
    with database.read() as s:
        assert s.scalars(text("SELECT version_num FROM alembic_version")).all() == ["0002"]
    database.dispose()


def test_connections_to_a_new_file_open_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def start(folder: Path) -> None:
        database = Database(f"sqlite:///{folder}/mood.db")
        together.wait(20)
        database.engine.connect().close()
        database.dispose()

    with ThreadPoolExecutor(4) as pool:
        for round_ in range(40):  # without a lock, one round in 14 failed
            list(pool.map(start, [tmp_path / str(round_)] * 4))


def test_stored_transitions_are_the_protocols(db: Database) -> None:
    tables: dict[str, dict[Any, frozenset[Any]]] = {
        "job": dict(JOB_TRANSITIONS),
        "submission": dict(SUBMISSION_TRANSITIONS),
        "run": dict(RUN_TRANSITIONS),
    }
    expected = {
        (kind, str(old), str(new)) for kind, table in tables.items() for old, news in table.items() for new in news
    }
    with db.read() as s:
        stored = {(row.kind, row.from_status, row.to_status) for row in s.scalars(select(Transition))}
    assert stored == expected


def test_an_illegal_transition_is_refused_where_it_is_stored(world: World) -> None:
    submission = world.submit()
    job = world.submission(submission).jobs[0].id
    for table, key, wrong in (
        (Submission, submission, SubmissionStatus.SCORED),
        (Job, job, JobStatus.SCORED),
    ):
        with pytest.raises(DBAPIError, match="illegal transition"), world.db.write() as s:
            s.execute(update(table).where(table.id == key).values(status=wrong))
    assert world.submission(submission).status is SubmissionStatus.QUEUED
    assert world.job(job).status is JobStatus.QUEUED


def test_nothing_begins_in_a_later_state(world: World) -> None:
    submission = world.submission(world.upload())
    row = {column.name: getattr(submission, column.name) for column in Submission.__table__.columns}
    with pytest.raises(DBAPIError, match="begins as checking"), world.db.write() as s:
        s.execute(insert(Submission).values(**{**row, "id": "a" * 12, "status": SubmissionStatus.SCORED}))


@pytest.mark.parametrize("statement", [update(Event).values(reason="nothing happened"), delete(Event)])
def test_history_is_never_changed(world: World, statement: Any) -> None:
    submission = world.upload()
    with pytest.raises(DBAPIError, match="never"), world.db.write() as s:
        s.execute(statement)
    assert world.history("submission", submission) == ["checking"]


def test_foreign_keys_hold(db: Database) -> None:
    with pytest.raises(IntegrityError), db.write() as s:
        s.execute(text("INSERT INTO login_session VALUES ('a', 'nobody', 'x', '2026-01-01', '2026-01-02')"))


def test_an_exception_takes_back_what_was_written(db: Database) -> None:
    with pytest.raises(IntegrityError), db.write() as s:
        s.add_all([Team(name="A", created_at=NOW), Team(name="A", created_at=NOW)])
    assert team_names(db) == []


def test_a_reader_keeps_nothing(db: Database) -> None:
    with db.read() as s:
        s.add(Team(name="A", created_at=NOW))
        s.flush()
    assert team_names(db) == []


def test_writers_at_once_wait_for_each_other(db: Database) -> None:
    def count_then_add(number: int) -> None:
        with db.write() as s:
            s.scalars(select(Team)).all()  # reads before it writes: where a deferred transaction would fail
            s.add(Team(name=f"T{number}", created_at=NOW))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_then_add, range(40)))
    assert len(team_names(db)) == 40


def test_times_come_back_aware_and_in_utc(db: Database) -> None:
    local = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    with db.write() as s:
        s.add(Team(name="A", created_at=local))
    with db.read() as s:
        found = s.scalars(select(Team.created_at)).one()
    assert found == NOW
    assert found.utcoffset() == timedelta(0)


def test_a_naive_time_is_refused(db: Database) -> None:
    with pytest.raises(StatementError, match="no time zone"):
        add_naive(db)


def add_naive(database: Database) -> None:
    with database.write() as s:
        s.add(Team(name="A", created_at=NOW.replace(tzinfo=None)))


def test_ids_are_twelve_letters(db: Database) -> None:
    add_team(db, "A")
    with db.read() as s:
        key = s.scalars(select(Team.id)).one()
    assert len(key) == 12
    assert key.isalpha()
    assert key.islower()
