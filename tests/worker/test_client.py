"""The host API as a worker speaks it: what is sent, and what an answer means."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from threading import Event

import httpx2
import pytest

from server.protocol import ClaimRequest, Move, Released, Renewal, RunStarted, Stage
from server.protocol import JobStatus as Status
from worker.client import HostClient, ServerFault, StaleToken

Answer = Callable[[httpx2.Request], httpx2.Response]
MOVE = Move(token="t", status=Status.PREDICTING)


class Impatient(Event):
    """Waits in no time, and remembers for how long."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_s.append(timeout or 0.0)
        return self.is_set()


def client(answer: Answer, stopping: Event | None = None, *, patience_s: float = 10.0) -> HostClient:
    """A client whose clock is how long it has waited."""
    waits = stopping or Impatient()
    return HostClient(
        "http://server/",
        "moodhost_secret",
        patience_s=patience_s,
        stopping=waits,
        clock=lambda: sum(waits.waited_s) if isinstance(waits, Impatient) else 0.0,
        transport=httpx2.MockTransport(answer),
    )


def refusal(status: int, code: str, message: str = "no") -> httpx2.Response:
    return httpx2.Response(status, json={"code": code, "message": message})


def test_a_message_goes_as_json_with_the_host_s_token() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"run": "run-1"})

    started = RunStarted(token="t", stage=Stage.TOY, cases=4)
    assert client(answer).run_started("job-1", started).run == "run-1"
    assert str(seen[0].url) == "http://server/api/host/jobs/job-1/runs"
    assert seen[0].headers["authorization"] == "Bearer moodhost_secret"
    assert json.loads(seen[0].content) == {"token": "t", "stage": "toy", "cases": 4}


def test_no_content_means_no_work() -> None:
    request = ClaimRequest(worker="w", architecture="amd64", datasets=[])
    assert client(lambda _: httpx2.Response(204)).claim(request) is None


def test_a_stale_token_is_told_apart_from_other_conflicts() -> None:
    with pytest.raises(StaleToken):
        client(lambda _: refusal(409, "E-STALE")).move("job-1", MOVE)
    with pytest.raises(ServerFault, match="409 E-CONFLICT not now"):
        client(lambda _: refusal(409, "E-CONFLICT", "not now")).move("job-1", MOVE)


def test_a_server_that_restarts_costs_nothing() -> None:
    answers: list[httpx2.Response | Exception] = [
        httpx2.ConnectError("refused"),
        httpx2.Response(503),
        httpx2.ReadTimeout("slow"),
        httpx2.Response(204),
    ]

    def answer(_: httpx2.Request) -> httpx2.Response:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    client(answer).move("job-1", MOVE)
    assert answers == []


def test_patience_ends() -> None:
    waits = Impatient()

    def away(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(ServerFault, match="given up after 10 s"):
        client(away, waits).move("job-1", MOVE)
    assert 8 < sum(waits.waited_s) <= 10


def test_a_worker_that_stops_does_not_wait_for_the_server() -> None:
    stopping = Event()
    stopping.set()

    def away(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(ServerFault, match="this worker stops"):
        client(away, stopping).move("job-1", MOVE)


def test_renewals_and_releases_are_tried_once() -> None:
    asked: list[str] = []

    def away(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        raise httpx2.ConnectError("refused")

    with pytest.raises(ServerFault):
        client(away).renew("job-1", Renewal(token="t"))
    with pytest.raises(ServerFault):
        client(away).release("job-1", Released(token="t"))
    assert asked == ["/api/host/jobs/job-1/renew", "/api/host/jobs/job-1/release"]


def test_a_no_is_not_asked_again() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return refusal(422, "E-INVALID")

    with pytest.raises(ServerFault, match="422 E-INVALID"):
        client(answer).move("job-1", MOVE)
    assert len(asked) == 1


@pytest.mark.parametrize("kind", ["sketches", "details", "slices"])
def test_what_is_kept_of_a_case_goes_under_its_hash(kind: str) -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(204)

    asking = client(answer)
    put = {"sketches": asking.put_sketch, "details": asking.put_details, "slices": asking.put_slices}[kind]
    sha256 = put("job-1", "the token", b"content")
    assert sha256 == hashlib.sha256(b"content").hexdigest()
    assert seen[0].url.path == f"/api/host/jobs/job-1/{kind}/{sha256}"
    assert seen[0].url.params["token"] == "the token"
    assert seen[0].content == b"content"


def test_an_archive_is_written_and_hashed(tmp_path: Path) -> None:
    archive = bytes(3 * 2**20) + b"end"
    found = client(lambda _: httpx2.Response(200, content=archive)).fetch_archive("job-1", "t", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == archive
    assert found == hashlib.sha256(archive).hexdigest()


def test_an_archive_that_broke_off_is_fetched_again(tmp_path: Path) -> None:
    answers: list[httpx2.Response | Exception] = [httpx2.ReadError("broke off"), httpx2.Response(200, content=b"whole")]

    def answer(_: httpx2.Request) -> httpx2.Response:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    client(answer).fetch_archive("job-1", "t", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_a_complaint_never_shows_a_token(tmp_path: Path) -> None:
    with pytest.raises(ServerFault) as caught:
        client(lambda _: refusal(403, "E-NOT-ALLOWED")).fetch_archive("job-1", "secret-token", tmp_path / "a")
    assert "secret" not in str(caught.value)


def test_an_answer_that_is_no_json_is_told() -> None:
    with pytest.raises(ServerFault, match="500  <html>broken"):
        client(lambda _: httpx2.Response(500, text="<html>broken")).move("job-1", MOVE)
