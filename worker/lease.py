"""Keeps a job's lease while it is worked on, and says when it must be dropped.

A thread renews and brings the progress along. A server that is away for a while changes nothing; a lease that
could have run out meanwhile does, since somebody else may hold the job by then.
"""

import logging
import time
from collections.abc import Callable
from enum import Enum
from threading import Event, Lock, Thread
from typing import Self

from server.protocol import JobSpec, Renewal, Stage
from worker.client import Client, ServerFault, StaleToken

log = logging.getLogger(__name__)

RENEWALS_A_LEASE = 4  # at least
RENEW_EVERY_S = 5.0  # at most: a renewal is also how a worker hears that its job was cancelled
NEWS_EVERY_S = 1.0  # progress is told at once, but not more often


class Why(Enum):
    """Why a job is dropped before its end."""

    CANCELLED = "cancelled"  # by its team or the organizer
    LOST = "lost"  # the lease ran out or belongs to a later attempt
    STOPPING = "stopping"  # the worker was told to stop


class Interrupted(Exception):  # noqa: N818  it is an answer
    """The job is dropped."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class Interruption:
    """Set once, from any thread; the first reason stays."""

    def __init__(self) -> None:
        self.event = Event()
        self.why: Why | None = None
        self._lock = Lock()

    def now(self, why: Why) -> None:
        """Drop the job. Also called by signal handlers, so it never waits for the lock."""
        if self._lock.acquire(blocking=False):
            self.why = why
            self.event.set()

    def check(self) -> None:
        """Raise `Interrupted` when it was set."""
        if self.event.is_set() and self.why is not None:
            raise Interrupted(self.why)


class Lease:
    """A job's lease, renewed by a thread as long as the `with` block lasts."""

    def __init__(
        self,
        spec: JobSpec,
        client: Client,
        interruption: Interruption,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spec = spec
        self._client = client
        self._interruption = interruption
        self._clock = clock
        self._news = Event()
        self._over = Event()
        self._progress = Renewal(token=spec.token)
        self._lease_s = spec.lease_s
        self._renewed_at_s = clock()
        self._thread = Thread(target=self._keep, name=f"lease of {spec.job}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._news.set()
        self._thread.join()

    def progress(self, stage: Stage, done: int, total: int) -> None:
        """Tell how far it is, with the next renewal, which comes soon."""
        self._progress = Renewal(token=self._spec.token, stage=stage, cases_done=done, cases_total=total)
        self._news.set()

    def _keep(self) -> None:
        try:
            while not self._over.is_set() and self.renew():
                self._over.wait(NEWS_EVERY_S)
                self._news.wait(max(0.0, min(RENEW_EVERY_S, self._lease_s / RENEWALS_A_LEASE) - NEWS_EVERY_S))
                self._news.clear()
        finally:
            # Whatever ended this thread before the job's end: nobody keeps the lease any more.
            if not self._over.is_set():
                self._interruption.now(Why.LOST)

    def renew(self) -> bool:
        """Renew once; False when there is nothing left to renew."""
        asked_at_s = self._clock()
        try:
            reply = self._client.renew(self._spec.job, self._progress)
        except StaleToken:
            self._interruption.now(Why.LOST)
            return False
        except ServerFault as fault:
            log.warning("lease not renewed: %s", fault, extra={"job": self._spec.job})
            if self._clock() - self._renewed_at_s > self._lease_s:
                self._interruption.now(Why.LOST)
                return False
            return True
        # Counted from before the question: the server's clock started no later than that.
        self._renewed_at_s, self._lease_s = asked_at_s, reply.lease_s
        if reply.cancelled:
            self._interruption.now(Why.CANCELLED)
        return not reply.cancelled
