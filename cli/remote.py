"""The REST client that the participant's commands share, and what it remembers: server and token."""

import json
import os
import weakref
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx2
from platformdirs import user_config_path

from cli.console import complain

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Login:
    """Which server, and as whom."""

    server: str  # https://challenge.example.org
    token: str


def login_file() -> Path:
    """Where the login is remembered, in the user's own config folder."""
    return user_config_path("mood") / "login.json"


def remember(login: Login) -> Path:
    """Write the login so that only its owner can read it."""
    path = login_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_secret(path, json.dumps(asdict(login)))
    return path


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    path.chmod(0o600)  # it may have been there


def remembered() -> Login:
    """Give the login; MOOD_SERVER and MOOD_TOKEN go before what `mood login` wrote."""
    server, token = os.environ.get("MOOD_SERVER"), os.environ.get("MOOD_TOKEN")
    if server and token:
        return Login(server=server, token=token)
    try:
        return Login(**json.loads(login_file().read_text(encoding="utf-8")))
    except FileNotFoundError:
        complain("You are not logged in here: call `mood login URL` first.")
    except (ValueError, TypeError) as error:
        complain(f"{login_file()} is damaged ({error}): call `mood login URL` again.")


class Remote:
    """A server's public API. Complains and ends where the server says no."""

    def __init__(self, server: str, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.server = server.rstrip("/")
        self.token = token
        self._client = httpx2.Client(base_url=f"{self.server}/api/v1", headers=headers, timeout=TIMEOUT_S)
        weakref.finalize(self, self._client.close)  # a command just ends; nobody else would close it

    def get(self, path: str, **query: Any) -> Any:
        """Read something."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Change something."""
        return self._call("POST", path, json=body or {})

    def find(self, path: str, body: dict[str, Any]) -> Any | None:
        """Post something that the server may not know: None for 404."""
        response = self._send("POST", path, json=body)
        return None if response.status_code == httpx2.codes.NOT_FOUND else self._answer(response)

    def upload(self, path: str, archive: BinaryIO, count: int, progress: Any, **query: str) -> Any:
        """Stream `count` bytes; `progress` is called with the bytes sent so far."""
        headers = {"Content-Length": str(count), "Content-Type": "application/octet-stream"}
        body = chunks(archive, progress)
        return self._call("POST", path, params=query, headers=headers, content=body, timeout=None)

    def text(self, path: str, **query: Any) -> str:
        """Read something that is not JSON."""
        response = self._send("GET", path, params=query)
        if response.is_error:
            self._answer(response)
        return response.text

    def _call(self, method: str, path: str, **options: Any) -> Any:
        return self._answer(self._send(method, path, **options))

    def _send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        try:
            return self._client.request(method, path, **options)
        except httpx2.TransportError as error:
            complain(f"{self.server} does not answer ({error}). Is the address right, and are you online?")

    def _answer(self, response: httpx2.Response) -> Any:
        try:
            body = response.json() if response.content else None
        except ValueError:
            complain(f"{self.server} answered {response.status_code} without JSON: is this a MOOD server?")
        if response.is_error:
            said = body if isinstance(body, dict) else {}
            complain(f"{said.get('code', response.status_code)}: {said.get('message', response.reason_phrase)}")
        return body


def chunks(archive: BinaryIO, progress: Any) -> Iterator[bytes]:
    """Read an archive piece by piece, reporting how far it is."""
    sent = 0
    while piece := archive.read(CHUNK_BYTES):
        yield piece
        sent += len(piece)
        progress(sent)


def remote() -> Remote:
    """Give the server that this user is logged in to."""
    login = remembered()
    return Remote(login.server, login.token)
