"""The main job through real processes: submit, run, score, rank; and what a killed worker leaves behind."""

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import selectinload

from cli.watching import follow
from server.db import Database
from server.models import Job, Score
from tests.conftest import Backend
from tests.stack import build_busybox_image, running_stack

pytestmark = pytest.mark.docker

WAITS = """#!/bin/sh
[ "$(ls "$1" | wc -l)" = 4 ] || sleep 5
cp "$1"/*.nii.gz "$2"/
"""
PATIENCE_S = 90.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for another process; give up after a while."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.1)


def end_leases(database_url: str) -> None:
    """Two minutes pass for every lease."""
    database = Database(database_url)
    with database.write() as session:
        held = Job.lease_expires_at.is_not(None)
        session.execute(update(Job).where(held).values(lease_expires_at=datetime.now(UTC)))
    database.dispose()


def test_a_stranger_s_container_is_judged_and_ranked(
    backend: Backend, tmp_path: Path, tiny_challenge: Path, brightness_image: str
) -> None:
    with running_stack(backend, tmp_path / "home", tiny_challenge) as stack:
        team, organizer = stack.team("Brightness"), stack.organizer()
        toy = stack.submit(team, brightness_image, "pixel", "toy")
        (view,) = follow(team, [toy])
        assert view["status"] == "scored", stack.worker_log
        report = team.get(f"/submissions/{toy}/report")
        assert set(report) == {"brain", "abdom"}
        assert len(report["brain"]["cases"]) == 4
        assert all(case["slices_sha256"] for case in report["brain"]["cases"])
        final = stack.submit(team, brightness_image, "pixel", "final")
        (view,) = follow(team, [final])
        assert view["status"] == "scored", stack.worker_log
        organizer.post("/leaderboards/pixel/publish", {"published": True})
        (row,) = team.get("/leaderboards/pixel")["rows"]
        assert row["rank"] == 1
        assert set(row["values"]) == {"brain", "abdom"}
        for score in stored_scores(stack.settings.database_url):
            assert score.object_threshold
            assert None not in score.metrics.values()
            assert all(case.details_sha256 for case in score.cases)


def stored_scores(database_url: str) -> list[Score]:
    """Both data sets', with what was kept of each case."""
    database = Database(database_url)
    with database.read() as session:
        found = list(session.scalars(select(Score).options(selectinload(Score.cases))))
    database.dispose()
    assert len(found) == 2
    return found


def test_a_killed_worker_s_job_finishes_after_its_lease_once(
    production_backend: Backend, tmp_path: Path, tiny_challenge: Path
) -> None:
    image = build_busybox_image(tmp_path / "waits", "mood-test/waits", WAITS)
    with running_stack(production_backend, tmp_path / "home", tiny_challenge) as stack:
        team = stack.team("Waiting")
        submission = stack.submit(team, image, "pixel", "final")

        def runs_hidden_cases() -> bool:
            jobs = team.get(f"/submissions/{submission}")["jobs"]
            return any(job["status"] == "predicting" and job["stage"] == "hidden" for job in jobs)

        until(runs_hidden_cases, "hidden cases run")
        stack.workers[0].send_signal(signal.SIGKILL)
        stack.workers[0].wait()
        end_leases(stack.settings.database_url)
        stack.start_worker()
        (view,) = follow(team, [submission])
        assert view["status"] == "scored", stack.worker_log
        attempts = sorted(job["attempt"] for job in view["jobs"])
        assert attempts == [1, 2]
