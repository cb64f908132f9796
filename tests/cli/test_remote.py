"""What the participant's commands remember, send and complain about, against a real HTTP server."""

import io
import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer

from cli.remote import Login, Remote, login_file, remember, remembered


class Handler(BaseHTTPRequestHandler):
    """Answers as a challenge server would, in three ways."""

    def do_GET(self) -> None:
        if self.path == "/api/v1/me":
            self.answer(200, {"authorization": self.headers["Authorization"]})
        elif self.path == "/api/v1/no":
            self.answer(409, {"code": "E-CONFLICT", "message": "It is already scored."})
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, {"path": self.path, "bytes": len(body)})

    def answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[str]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("MOOD_SERVER", raising=False)
    monkeypatch.delenv("MOOD_TOKEN", raising=False)


def test_a_login_is_remembered_for_its_owner_alone() -> None:
    login = Login(server="https://challenge.example.org", token="mood_secret")
    path = remember(login)
    assert path == login_file()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert remembered() == login


def test_without_a_login_the_command_to_call_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        remembered()
    assert "mood login" in capsys.readouterr().err


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(Login(server="https://a.example.org", token="a"))
    monkeypatch.setenv("MOOD_SERVER", "https://b.example.org")
    monkeypatch.setenv("MOOD_TOKEN", "b")
    assert remembered().server == "https://b.example.org"


def test_the_token_travels_as_a_bearer(server: str) -> None:
    assert Remote(server, "mood_secret").get("/me") == {"authorization": "Bearer mood_secret"}


def test_a_refusal_ends_with_its_code_and_sentence(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        Remote(server, None).get("/no")
    assert "E-CONFLICT: It is already scored." in capsys.readouterr().err


def test_an_address_that_is_no_challenge_server_is_said(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        Remote(server, None).get("/page")
    assert "is this a MOOD server?" in capsys.readouterr().err


def test_a_server_that_is_away_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        Remote("http://127.0.0.1:9", None).get("/me")
    assert "does not answer" in capsys.readouterr().err


def test_an_upload_tells_how_far_it_is(server: str) -> None:
    archive = io.BytesIO(bytes(3 << 20))
    seen: list[int] = []
    answer = Remote(server, None).upload("/submissions", archive, 3 << 20, seen.append, task="pixel", queue="toy")
    assert answer == {"path": "/api/v1/submissions?task=pixel&queue=toy", "bytes": 3 << 20}
    assert seen == [1 << 20, 2 << 20, 3 << 20]
