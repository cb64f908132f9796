"""Talks to the server's host API. Knows its addresses and when to try again; decides nothing.

An answer that cannot be had (no connection, a proxy's 502) is asked for again for a while: a server that is
restarted must not cost anybody a running container. An answer that says no is an exception at once.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Protocol, TypeVar

import httpx2

from server.protocol import (
    ClaimRequest,
    Failed,
    Faulted,
    Finished,
    HostReport,
    JobSpec,
    Message,
    Move,
    Released,
    Renewal,
    RenewalReply,
    RunEnded,
    RunStarted,
    RunStartedReply,
    ToyReported,
)

T = TypeVar("T")
TIMEOUT_S = 30.0
PATIENCE_S = 300.0  # how long a report is offered to a server that does not answer
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # between two tries; the last one repeats
BLOCK_BYTES = 2**20
BUSY = frozenset({429, 502, 503, 504})  # says a proxy or a server that starts: not an answer


class ServerFault(Exception):  # noqa: N818  fault is the word for ours
    """The server cannot be reached, or says no for a reason that is not the job's."""


class StaleToken(Exception):  # noqa: N818  it is an answer
    """The job belongs to a later attempt, or to nobody: drop it, say nothing more about it."""


class Client(Protocol):
    """What a worker says to the server. All but `claim` and `report` raise `StaleToken` and `ServerFault`."""

    def report(self, report: HostReport) -> None:
        """Tell what this host is."""

    def claim(self, request: ClaimRequest) -> JobSpec | None:
        """Ask for work; None where there is none."""

    def renew(self, job: str, renewal: Renewal) -> RenewalReply:
        """Keep the lease. Raises `StaleToken`; tries once, since the next renewal comes soon."""

    def move(self, job: str, move: Move) -> None:
        """Go to the next state."""

    def run_started(self, job: str, started: RunStarted) -> RunStartedReply:
        """Record a container start."""

    def run_ended(self, job: str, ended: RunEnded) -> None:
        """Record its end."""

    def toy_reported(self, job: str, reported: ToyReported) -> None:
        """Hand in the report on the toy cases."""

    def put_sketch(self, job: str, token: str, sketch: bytes) -> str:
        """Hand in a sketch; gives its sha256."""

    def put_details(self, job: str, token: str, details: bytes) -> str:
        """Hand in what was kept beside it; gives its sha256."""

    def put_slices(self, job: str, token: str, slices: bytes) -> str:
        """Hand in a slice of a case for show; gives its sha256."""

    def finish(self, job: str, finished: Finished) -> None:
        """Say that the job is done."""

    def fail(self, job: str, failed: Failed) -> None:
        """Say that it failed: theirs."""

    def fault(self, job: str, faulted: Faulted) -> None:
        """Say that it could not be done: ours."""

    def release(self, job: str, released: Released) -> None:
        """Give it back."""

    def fetch_archive(self, job: str, token: str, out: Path) -> str:
        """Write the image's archive to a file; gives the sha256 of what was written."""


class HostClient:
    """The server's host API over HTTP. See `Client`."""

    def __init__(
        self,
        server_url: str,
        host_token: str,
        *,
        patience_s: float = PATIENCE_S,
        stopping: Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.server_url = server_url.rstrip("/")
        self._patience_s = patience_s
        self._stopping = stopping or Event()  # set: give up
        self._clock = clock
        self._http = httpx2.Client(
            base_url=f"{self.server_url}/api/host",
            headers={"Authorization": f"Bearer {host_token}"},
            timeout=TIMEOUT_S,
            transport=transport,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def report(self, report: HostReport) -> None:
        """Tell what this host is and how its checks went."""
        self._post("/report", report)

    def claim(self, request: ClaimRequest) -> JobSpec | None:
        """Ask for work; None where there is none.

        Tried once: an answer that got lost has claimed a job all the same, whose lease must then run out.
        """
        response = self._once("POST", "/claim", content=_json(request), headers=_JSON)
        return (
            None if response.status_code == httpx2.codes.NO_CONTENT else JobSpec.model_validate_json(response.content)
        )

    def renew(self, job: str, renewal: Renewal) -> RenewalReply:
        """Keep the lease; tried once."""
        response = self._once("POST", f"/jobs/{job}/renew", content=_json(renewal), headers=_JSON)
        return RenewalReply.model_validate_json(response.content)

    def move(self, job: str, move: Move) -> None:
        """Go to the next state."""
        self._post(f"/jobs/{job}/move", move)

    def run_started(self, job: str, started: RunStarted) -> RunStartedReply:
        """Record a container start."""
        return RunStartedReply.model_validate_json(self._post(f"/jobs/{job}/runs", started).content)

    def run_ended(self, job: str, ended: RunEnded) -> None:
        """Record its end."""
        self._post(f"/jobs/{job}/runs/ended", ended)

    def toy_reported(self, job: str, reported: ToyReported) -> None:
        """Hand in the report on the toy cases."""
        self._post(f"/jobs/{job}/toy-report", reported)

    def put_sketch(self, job: str, token: str, sketch: bytes) -> str:
        """Hand in a sketch; gives its sha256."""
        return self._put(job, token, "sketches", sketch)

    def put_details(self, job: str, token: str, details: bytes) -> str:
        """Hand in what was kept beside it; gives its sha256."""
        return self._put(job, token, "details", details)

    def put_slices(self, job: str, token: str, slices: bytes) -> str:
        """Hand in a slice of a case for show; gives its sha256."""
        return self._put(job, token, "slices", slices)

    def finish(self, job: str, finished: Finished) -> None:
        """Say that the job is done."""
        self._post(f"/jobs/{job}/finish", finished)

    def fail(self, job: str, failed: Failed) -> None:
        """Say that it failed: theirs."""
        self._post(f"/jobs/{job}/fail", failed)

    def fault(self, job: str, faulted: Faulted) -> None:
        """Say that it could not be done: ours."""
        self._post(f"/jobs/{job}/fault", faulted)

    def release(self, job: str, released: Released) -> None:
        """Give it back; tried once, since the worker is on its way out."""
        self._once("POST", f"/jobs/{job}/release", content=_json(released), headers=_JSON)

    def fetch_archive(self, job: str, token: str, out: Path) -> str:
        """Write the image's archive to a file; gives the sha256 of what was written."""

        def fetch() -> str:
            sha256 = hashlib.sha256()
            with (
                _no_connection("GET", f"{self.server_url}/api/host/jobs/{job}/archive"),
                self._http.stream("GET", f"/jobs/{job}/archive", params={"token": token}) as response,
                out.open("wb") as file,
            ):
                if response.is_error:
                    response.read()
                    _refuse(response)
                for block in response.iter_bytes(BLOCK_BYTES):
                    sha256.update(block)
                    file.write(block)
            return sha256.hexdigest()

        return self._until_answered(fetch)

    def _put(self, job: str, token: str, kind: str, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        headers = {"Content-Type": "application/octet-stream"}
        self._patiently("PUT", f"/jobs/{job}/{kind}/{sha256}", content=content, headers=headers, token=token)
        return sha256

    def _post(self, path: str, message: Message) -> httpx2.Response:
        return self._patiently("POST", path, content=_json(message), headers=_JSON)

    def _patiently(
        self, method: str, path: str, *, content: bytes, headers: dict[str, str], token: str | None = None
    ) -> httpx2.Response:
        return self._until_answered(lambda: self._once(method, path, content=content, headers=headers, token=token))

    def _once(
        self, method: str, path: str, *, content: bytes, headers: dict[str, str], token: str | None = None
    ) -> httpx2.Response:
        with _no_connection(method, f"{self.server_url}/api/host{path}"):
            response = self._http.request(
                method, path, content=content, headers=headers, params={"token": token} if token else None
            )
        if response.is_error:
            _refuse(response)
        return response

    def _until_answered(self, ask: Callable[[], T]) -> T:
        """Ask again while nobody answers, until patience is over."""
        give_up_at = self._clock() + self._patience_s
        for pause_s in _pauses():
            try:
                return ask()
            except Unanswered as silence:
                if self._clock() + pause_s > give_up_at:
                    raise ServerFault(f"{silence}; given up after {self._patience_s:.0f} s") from silence
            if self._stopping.wait(pause_s):
                raise ServerFault(f"{self.server_url} does not answer, and this worker stops")
        raise AssertionError("pauses never end")


class Unanswered(ServerFault):
    """Nobody said yes or no."""


_JSON = {"Content-Type": "application/json"}


def _json(message: Message) -> bytes:
    return message.model_dump_json().encode()


def _pauses() -> Iterator[float]:
    yield from PAUSES_S
    while True:
        yield PAUSES_S[-1]


@contextmanager
def _no_connection(method: str, url: str) -> Iterator[None]:
    """Name what was asked where nobody answered. A token in the query never gets into the message."""
    try:
        yield
    except httpx2.TransportError as error:
        raise Unanswered(f"{method} {url}: no answer ({type(error).__name__}: {error})") from error


def _refuse(response: httpx2.Response) -> None:
    """Raise what an error answer means."""
    asked = f"{response.request.method} {response.request.url.copy_with(query=None)}"
    try:
        said = response.json()
        code, message = str(said["code"]), str(said["message"])
    except (ValueError, TypeError, KeyError):
        code, message = "", response.text[:500]
    if code == "E-STALE":
        raise StaleToken(f"{asked}: {message}")
    if response.status_code in BUSY:
        raise Unanswered(f"{asked}: {response.status_code} {message}")
    raise ServerFault(f"{asked}: {response.status_code} {code} {message}")
