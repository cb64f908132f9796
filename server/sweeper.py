"""Repairs what a lost message or a silent worker left undone, and keeps analyses up to date: threads of the server.

Two servers that sweep at once do no harm: every step is guarded in the database.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy import ColumnElement, select

from server import analyses, lifecycle, submissions
from server.db import Database
from server.models import Dataset, Job
from server.protocol import JobStatus, Task
from server.queue import Doorbell
from server.storage import Store

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

REMIND_EVERY = timedelta(seconds=20)  # a job that still waits is rung for again
CLEAN_EVERY = timedelta(minutes=10)
DISCARD_EVERY = timedelta(seconds=10)  # who uploads and cancels again and again must not fill the disk
INCOMING_KEPT = timedelta(days=1)  # an upload of 10 GB over a slow line takes hours
STOP_WAITS_S = 10.0
CHECKERS = 2  # archives read at a time: a slow one does not hold up everybody
ANALYSES_REST = 3.0  # times as long as one took is waited before the next: scores come one after the other
ALARM_EVERY = timedelta(minutes=10)  # one log line so often about jobs that wait for a host


class Sweeper:
    """Sweeps leases and ages, rings again, checks uploads, deletes what is old."""

    def __init__(self, db: Database, store: Store, doorbell: Doorbell, clock: Clock, *, every_s: float = 2.0) -> None:
        self._db = db
        self._store = store
        self._doorbell = doorbell
        self._clock = clock
        self._every_s = every_s
        self._stopping = threading.Event()
        self._wake_checks = threading.Event()
        self._threads: list[threading.Thread] = []
        self._done_at: dict[str, datetime] = {}
        self._analyses_rest_until_s: dict[tuple[str, Task], float] = {}

    def tick(self, now: datetime) -> lifecycle.SweepReport:
        """Everything once."""
        report = self.tidy(now)
        self.check_uploads(now)
        return report

    def tidy(self, now: datetime) -> lifecycle.SweepReport:
        """Leases, ages, bells, old files: what is quick."""
        with self._db.write() as s:
            report = lifecycle.sweep(s, now)
        if report.waiting and self._is_time("alarm", now, ALARM_EVERY):
            log.error("jobs wait for a host", extra={"jobs": report.waiting})
        if report.expired or report.overdue or self._is_time("remind", now, REMIND_EVERY):
            self._doorbell.remind(self._queued())
        if self._is_time("discard", now, DISCARD_EVERY):
            submissions.discard_unchecked(self._db, self._store)
        if self._is_time("clean", now, CLEAN_EVERY):
            self._store.sweep_incoming(now - INCOMING_KEPT)
            submissions.delete_toy_images(self._db, self._store, now)
        return report

    def check_uploads(self, now: datetime) -> int:
        """Check every upload that waits for it, in turn; gives their number.

        After each one it is asked again whose turn it is: a check takes minutes, and others come meanwhile.
        """
        began = monotonic()
        checked = 0
        while not self._stopping.is_set() and self._check_next(now + timedelta(seconds=monotonic() - began)):
            checked += 1
        return checked

    def _check_next(self, now: datetime) -> bool:
        """Check one upload; False where none waits."""
        with self._db.read() as s:
            waiting = submissions.waiting_checks(s, now)
        for submission_id in waiting[:1]:
            submissions.check(self._db, self._store, submission_id, now)
            self._doorbell.ring(self._queued(Job.submission_id == submission_id))
        return bool(waiting)

    def analyse(self, now: datetime) -> int:
        """Make every analysis document anew that is no longer of what is there; gives their number.

        One that cannot be made is logged, and holds up no other.
        """
        with self._db.read() as s:
            waiting = analyses.due(s, now)
        made = 0
        for slug, task in waiting:
            began_s = monotonic()
            if self._stopping.is_set() or began_s < self._analyses_rest_until_s.get((slug, task), 0.0):
                continue
            try:
                analyses.compute(self._db, self._store, slug, task, now)
                made += 1
            except Exception:  # whatever it is, the others are not to wait for it
                log.exception("analyses failed", extra={"challenge": slug, "task": task})
            finally:
                ended_s = monotonic()
                self._analyses_rest_until_s[slug, task] = ended_s + ANALYSES_REST * (ended_s - began_s)
        return made

    def start(self) -> None:
        """Run the threads until `stop`."""
        steps = [
            ("sweeper", self._tidy_now),
            *[("archive checks", self._check_now)] * CHECKERS,
            ("analyses", self._analyse_now),
        ]
        for name, step in steps:
            thread = threading.Thread(target=self._loop, args=(step,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the threads; waits a little for the step that runs.

        An archive check or an analysis of minutes is left behind: the next server does it again.
        """
        self._stopping.set()
        self._wake_checks.set()
        for thread in self._threads:
            thread.join(STOP_WAITS_S)
        self._threads.clear()
        self._doorbell.close()

    def wake(self) -> None:
        """An upload has just come: look at it now."""
        self._wake_checks.set()

    def _queued(self, *which: ColumnElement[bool]) -> list[tuple[str, str]]:
        """Jobs that wait for a worker, and their data sets."""
        with self._db.read() as s:
            rows = s.execute(
                select(Job.id, Dataset.name)
                .join(Dataset, Dataset.id == Job.dataset_id)
                .where(Job.status == JobStatus.QUEUED, *which)
                .order_by(Job.queued_at, Job.id)
            )
            return [(row[0], row[1]) for row in rows]

    def _is_time(self, what: str, now: datetime, every: timedelta) -> bool:
        """True the first time, and then at most so often."""
        last = self._done_at.get(what)
        if last is not None and now - last < every:
            return False
        self._done_at[what] = now
        return True

    def _tidy_now(self) -> None:
        self.tidy(self._clock())
        self._stopping.wait(self._every_s)

    def _check_now(self) -> None:
        self.check_uploads(self._clock())
        self._wake_checks.wait(self._every_s)
        self._wake_checks.clear()

    def _analyse_now(self) -> None:
        self.analyse(self._clock())
        self._stopping.wait(self._every_s)

    def _loop(self, step: Callable[[], None]) -> None:
        """Go on whatever happens: a database that is away comes back."""
        while not self._stopping.is_set():
            try:
                step()
            except Exception:  # whatever it is, the others are not to wait for it
                log.exception("sweep failed")
                self._stopping.wait(self._every_s)
