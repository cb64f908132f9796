"""What is done without anybody asking: leases, bells, uploads, old files."""

import logging
import time
from pathlib import Path

import pytest

from server.protocol import SubmissionStatus
from server.queue import Doorbell
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


def wait_for(condition: object, limit_s: float = 30.0) -> None:
    """The threads take their own time; fails when it is far too long."""
    assert callable(condition)
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
