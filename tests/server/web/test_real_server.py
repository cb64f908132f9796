"""Uploads and events over real sockets: what no test client shows."""

import json
import shutil
import threading
from contextlib import ExitStack
from datetime import timedelta

import pytest

from server import accounts, challenges
from server.models import Account
from server.protocol import Queue, Task
from server.web.deps import SESSION_COOKIE
from server.web.under_way import A_TEAM, SPARE_BYTES
from tests.server.archive_maker import Image
from tests.server.web.real_server import WAIT_S, RealServer
from tests.server.world import World, make_challenge

GIGABYTES_5 = 5 * 10**9


def incoming(world: World) -> int:
    return len(list(world.store.incoming.iterdir()))


def refused(server: RealServer, request: bytes) -> tuple[int, str]:
    """Send headers alone; the whole answer must come while the body is still awaited."""
    with server.line() as line:
        line.send(request)
        status, answer = line.answer()
        assert b"connection: close" in answer.lower()
        return status, json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"]


def test_nobody_is_refused_before_the_body(server: RealServer) -> None:
    assert refused(server, server.headers(length=GIGABYTES_5)) == (401, "E-SIGN-IN")


def test_team_without_a_try_is_refused_before_the_body(server: RealServer, world: World) -> None:
    token = server.token()
    world.submit()
    for _ in range(9):
        world.again()
    bearer = {"authorization": f"Bearer {token}"}
    assert refused(server, server.headers(length=GIGABYTES_5, **bearer)) == (429, "E-QUOTA")


def test_archive_over_the_limit_is_refused_before_the_body(server: RealServer) -> None:
    bearer = {"authorization": f"Bearer {server.token()}"}
    assert refused(server, server.headers(length=10**12, **bearer)) == (413, "E-TOO-LARGE")


def test_archive_after_the_deadline_is_refused_before_the_body(
    server: RealServer, world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bearer = {"authorization": f"Bearer {server.token()}"}
    passed = (world.now - timedelta(seconds=1)).isoformat()
    folder = make_challenge(tmp_path_factory.mktemp("closed"), slug="closed", closes_at=passed)
    challenges.load(world.db, world.store, folder, world.now + timedelta(seconds=1))
    assert refused(server, server.headers(length=GIGABYTES_5, **bearer)) == (403, "E-CLOSED")


def test_upload_of_unknown_length_is_refused_before_the_body(server: RealServer) -> None:
    more = {"authorization": f"Bearer {server.token()}", "transfer-encoding": "chunked"}
    assert refused(server, server.headers(length=None, **more)) == (411, "E-LENGTH")


def test_toy_submission_while_one_is_on_its_way_is_refused_before_the_body(server: RealServer, world: World) -> None:
    world.upload(task=Task.PIXEL, queue=Queue.TOY)
    request = server.headers(length=GIGABYTES_5, task="pixel", queue="toy", authorization=f"Bearer {server.token()}")
    assert refused(server, request) == (429, "E-QUOTA")


def test_form_of_another_site_is_refused_before_the_body(server: RealServer, world: World) -> None:
    account = world.team()
    with world.db.write() as session:
        secret = accounts.log_in(session, session.get_one(Account, account), world.now)
    request = server.headers(length=GIGABYTES_5, cookie=f"{SESSION_COOKIE}={secret}", origin="https://evil.example")
    assert refused(server, request) == (403, "E-ORIGIN")


def test_client_that_asks_first_is_not_told_to_go_on(server: RealServer) -> None:
    with server.line() as line:
        line.send(server.headers(length=GIGABYTES_5, expect="100-continue"))
        status, answer = line.answer()
    assert status == 401
    assert b"100 Continue" not in answer


def test_upload_that_is_aborted_leaves_nothing_behind(server: RealServer, world: World) -> None:
    gone = threading.Event()
    original = world.store.receive

    def receive() -> object:
        found = original()
        abort = found.abort

        def noticed() -> None:
            abort()
            gone.set()

        found.abort = noticed  # type: ignore[method-assign]  # the test only listens
        return found

    server.site.store.receive = receive  # type: ignore[assignment,method-assign]  # likewise
    with server.line() as line:
        line.send(server.headers(length=GIGABYTES_5, authorization=f"Bearer {server.token()}", expect="100-continue"))
        line.read_until(b"100 Continue")
        line.send(b"x" * 3_000_000)
        assert incoming(world) == 1
    assert gone.wait(WAIT_S)
    assert incoming(world) == 0
    assert world.tries() == 0


def test_upload_streams_into_the_store(server: RealServer, world: World) -> None:
    body = Image().save()
    with server.line() as line:
        line.send(server.headers(length=len(body), authorization=f"Bearer {server.token()}", connection="close"))
        line.send(body[:100])
        line.send(body[100:])
        status, answer = line.answer()
    assert status == 201
    submission = json.loads(answer.split(b"\r\n\r\n", 1)[1])["id"]
    assert world.store.get(world.submission(submission).archive_sha256) == body


def test_watcher_is_sent_a_change(server: RealServer, world: World) -> None:
    submission = world.submit()
    bearer = f"authorization: Bearer {server.token()}"
    path = f"/api/v1/submissions/{submission}/events"
    with server.line() as line:
        line.send(f"GET {path} HTTP/1.1\r\nhost: mood.test\r\n{bearer}\r\n\r\n".encode())
        line.read_until(b'"status": "queued"')
        world.claim()
        line.read_until(b'"status": "running"')


def test_a_team_cannot_fill_the_disk_with_uploads_at_once(server: RealServer) -> None:
    bearer = {"authorization": f"Bearer {server.token()}"}
    with ExitStack() as lines:
        for _ in range(A_TEAM):
            line = lines.enter_context(server.line())
            line.send(server.headers(length=100, expect="100-continue", **bearer))
            line.read_until(b"100 Continue")
        assert refused(server, server.headers(length=100, **bearer)) == (429, "E-QUOTA")


def test_an_upload_for_which_the_disk_has_no_room_is_refused_before_its_body(
    server: RealServer, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(world.store.folder)._replace(free=SPARE_BYTES)
    monkeypatch.setattr("server.storage.shutil.disk_usage", lambda _: usage)
    assert refused(server, server.headers(length=100, authorization=f"Bearer {server.token()}")) == (507, "E-NO-ROOM")
    assert incoming(world) == 0
