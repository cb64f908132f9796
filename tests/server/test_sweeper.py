"""What is done without anybody asking: leases, bells, uploads, old files."""

import logging
import time
from datetime import datetime
from pathlib import Path

import pytest

from server import analyses, submissions
from server.db import Database
from server.protocol import SubmissionStatus, Task
from server.queue import Doorbell
from server.storage import Store
from server.sweeper import Sweeper
from tests.conftest import Backend
from tests.server.archive_maker import Image, sha256
from tests.server.test_submissions import finish_toy
from tests.server.world import World


@pytest.fixture
def doorbell(backend: Backend) -> Doorbell:
    return Doorbell(backend.broker_url)


@pytest.fixture
def sweeper(world: World, doorbell: Doorbell) -> Sweeper:
    return Sweeper(world.db, world.store, doorbell, lambda: world.now, every_s=0.01)


def test_an_upload_is_checked_and_its_bells_are_rung(world: World, doorbell: Doorbell, sweeper: Sweeper) -> None:
    submission = world.upload()
    sweeper.tick(world.now)
    assert world.submission(submission).status is SubmissionStatus.QUEUED
    assert (doorbell.waiting("brain"), doorbell.waiting("abdom")) == (1, 1)


def test_a_lost_message_is_sent_again_and_not_piled_up(world: World, doorbell: Doorbell, sweeper: Sweeper) -> None:
    world.submit()
    assert doorbell.waiting("brain") == 0
    for _ in range(5):
        sweeper.tick(world.later(seconds=30))
    assert doorbell.waiting("brain") == 1


def test_a_silent_workers_job_is_rung_for_at_once(world: World, doorbell: Doorbell, sweeper: Sweeper) -> None:
    world.submit()
    world.claim(datasets=("brain",))
    world.claim(datasets=("abdom",))
    sweeper.tick(world.now)
    assert doorbell.waiting("brain") == 0
    assert len(sweeper.tick(world.later(minutes=2)).expired) == 2
    assert doorbell.waiting("brain") == 1


def test_a_broker_that_is_away_stops_nothing(world: World, tmp_path: Path) -> None:
    broken = Doorbell(f"filesystem://{tmp_path}/other")
    (tmp_path / "other" / "messages").rmdir()
    (tmp_path / "other" / "messages").write_text("a file")
    submission = world.upload()
    Sweeper(world.db, world.store, broken, lambda: world.now).tick(world.now)
    assert world.submission(submission).status is SubmissionStatus.QUEUED


def test_old_toy_images_and_half_uploads_go(world: World, sweeper: Sweeper) -> None:
    finish_toy(world)
    half = world.store.receive()
    half.write(b"half")
    sweeper.tick(world.now)
    assert world.store.exists(sha256(Image().save()))
    # An incoming file's age is by the real clock, which is past the test's.
    sweeper.tick(world.later(days=365 * 30))
    assert not world.store.exists(sha256(Image().save()))
    assert list(world.store.incoming.iterdir()) == []
    half.abort()


def test_an_archive_whose_submission_was_cancelled_before_its_check_goes(world: World, sweeper: Sweeper) -> None:
    submission = world.upload()
    world.later(minutes=1)
    with world.db.write() as s:
        submissions.cancel(s, account=world.account(s), submission_id=submission, now=world.now)
    sweeper.tick(world.now)
    assert world.submission(submission).status is SubmissionStatus.CANCELLED
    assert not world.store.exists(sha256(Image().save()))


def test_an_archive_that_was_handed_in_again_stays(world: World, sweeper: Sweeper) -> None:
    first = world.upload()
    world.later(minutes=1)
    with world.db.write() as s:
        submissions.cancel(s, account=world.account(s), submission_id=first, now=world.now)
    world.later(minutes=1)
    world.upload()
    sweeper.tidy(world.now)
    assert world.store.exists(sha256(Image().save()))


def test_a_team_with_many_uploads_does_not_hold_up_the_others(
    world: World, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    check = submissions.check

    def noted(db: Database, store: Store, submission_id: str, now: datetime) -> None:
        checked.append(submission_id)
        if len(checked) == 1:  # while the first one is looked at
            late.append(world.upload("Late"))
        check(db, store, submission_id, now)

    monkeypatch.setattr(submissions, "check", noted)
    late: list[str] = []
    many = []
    for _ in range(3):
        many.append(world.upload("Many"))
        world.later(seconds=1)
    other = world.upload("Other")
    world.later(seconds=1)
    assert sweeper.check_uploads(world.now) == len(many) + 2
    assert checked == [many[0], other, *late, *many[1:]]


def test_jobs_that_wait_for_a_host_are_an_alarm_now_and_then(
    world: World, sweeper: Sweeper, caplog: pytest.LogCaptureFixture
) -> None:
    world.submit()
    with caplog.at_level(logging.ERROR):
        for _ in range(10):
            sweeper.tick(world.later(minutes=1))
        assert not caplog.records
        world.later(hours=7)
        for _ in range(10):
            sweeper.tick(world.later(seconds=30))
    assert [record.message for record in caplog.records] == ["jobs wait for a host"]


def test_the_threads_do_it_until_they_are_stopped(world: World, sweeper: Sweeper) -> None:
    submission = world.upload()
    sweeper.start()
    try:
        sweeper.wake()
        wait_for(lambda: world.submission(submission).status is SubmissionStatus.QUEUED)
    finally:
        sweeper.stop()
    second = world.upload("Other")
    assert world.submission(second).status is SubmissionStatus.CHECKING


def test_a_step_that_fails_is_tried_again(
    world: World, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def fails_first(_now: object) -> int:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("the database is away")
        return 0

    monkeypatch.setattr(sweeper, "check_uploads", fails_first)
    sweeper.start()
    try:
        wait_for(lambda: len(calls) > 1)
    finally:
        sweeper.stop()
    assert "sweep failed" in caplog.text
    assert world.store.incoming.is_dir()


def test_a_challenge_whose_analyses_fail_does_not_hold_up_the_others(
    world: World, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def fails_first(_db: Database, _store: Store, slug: str, _task: Task, _now: datetime) -> None:
        asked.append(slug)
        if slug == "broken":
            raise OSError("the store is away")

    monkeypatch.setattr(analyses, "due", lambda _s, _now: [("broken", Task.SAMPLE), ("whole", Task.SAMPLE)])
    monkeypatch.setattr(analyses, "compute", fails_first)
    seconds = iter([100.0, 110.0, 110.0, 110.0, 139.9, 139.9, 139.9])  # one that fails after 10 s rests for 30, too
    monkeypatch.setattr("server.sweeper.monotonic", lambda: next(seconds))
    assert sweeper.analyse(world.now) == 1
    assert "analyses failed" in caplog.text
    assert sweeper.analyse(world.now) == 1
    assert asked == ["broken", "whole", "whole"]


def wait_for(condition: object, limit_s: float = 30.0) -> None:
    """The threads take their own time; fails when it is far too long."""
    assert callable(condition)
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
