"""What a worker does when its doorbell rings: take jobs until there are none.

The one place of this package where any exception is caught: it is logged with its traceback, and it is ours.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from threading import Event

from server.protocol import ClaimRequest, DatasetOffer, Faulted, HostReport, JobSpec
from worker.client import Client, ServerFault, StaleToken
from worker.lease import Interruption, Why
from worker.pipeline import Host, run_job
from worker.reaper import reap
from worker.runners.docker import Engine
from worker.workspace import Scratch

log = logging.getLogger(__name__)

REASON_CHARACTERS = 2000  # of an exception's text


class Worker:
    """Takes one job after the other. `stop` may be called from a signal handler."""

    def __init__(
        self,
        *,
        name: str,
        architecture: str,
        engine: Engine,
        client: Client,
        host: Host,
        scratch: Scratch,
        stopping: Event,
    ) -> None:
        self.name = name
        self.architecture = architecture
        self.client = client
        self._engine = engine
        self._host = host
        self._scratch = scratch
        self._stopping = stopping
        self._interruption = Interruption()

    def work_until_idle(self) -> int:
        """Claim and work until there is nothing for this host, or the worker stops; gives how many jobs."""
        done = 0
        while not self._stopping.is_set() and (spec := self._claim()) is not None:
            self._work(spec)
            done += 1
        return done

    def stop(self) -> None:
        """Kill the container that runs, give its job back, take no other."""
        self._stopping.set()
        self._interruption.now(Why.STOPPING)

    def report(self, checks: dict[str, str], offers: list[DatasetOffer]) -> None:
        """Tell the organizer what this host is and how its checks went."""
        self.client.report(
            HostReport(
                worker=self.name,
                architecture=self.architecture,
                engine=self._engine.version(),
                gpus=[self._host.gpu] if self._host.gpu else [],
                datasets=offers,
                checks=checks,
                at=datetime.now(UTC),
            )
        )

    def _claim(self) -> JobSpec | None:
        """Clean up after the dead, then ask for a job. A silent server rings again when it is back."""
        self._interruption = Interruption()
        if self._stopping.is_set():
            return None
        with _ours("no job could be claimed"):
            if reap(self._scratch, self._engine):
                self._host.forget()  # what a dead worker's container read
            offers = self._host.holdings.offers()
            request = ClaimRequest(worker=self.name, architecture=self.architecture, datasets=offers)
            return self.client.claim(request)
        return None

    def _work(self, spec: JobSpec) -> None:
        where = {"job": spec.job, "attempt": spec.attempt}
        log.info("job claimed", extra=where)
        if self._stopping.is_set():
            self._interruption.now(Why.STOPPING)
        with _ours("job could not be done", tell=partial(self._tell_fault, spec), **where):
            end = run_job(spec, client=self.client, host=self._host, interruption=self._interruption)
            log.info("job %s", end.value, extra=where)

    def _tell_fault(self, spec: JobSpec, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS]
        try:
            self.client.fault(spec.job, Faulted(token=spec.token, reason=reason))
        except (ServerFault, StaleToken) as silence:
            log.warning("fault not told, the lease will run out: %s", silence, extra={"job": spec.job})


@contextmanager
def _ours(complaint: str, *, tell: Callable[[Exception], None] | None = None, **where: object) -> Iterator[None]:
    """Log whatever goes wrong, tell it on, and go on with the next job."""
    try:
        yield
    except Exception as error:
        log.exception(complaint, extra=where)
        if tell is not None:
            tell(error)
