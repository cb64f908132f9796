"""The application behind a real socket, and raw connections to it."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from server import accounts
from server.web.site import Site
from tests.server.world import World

WAIT_S = 20.0  # a hang fails the test; nothing waits so long


@dataclass
class Line:
    """A raw connection, so that a test decides what is sent and when."""

    connection: socket.socket

    def send(self, content: bytes) -> None:
        self.connection.sendall(content)

    def answer(self) -> tuple[int, bytes]:
        """Status and the whole answer, read until the server closes."""
        found = b""
        while piece := self.connection.recv(65536):
            found += piece
        return int(found.split(b" ", 2)[1]), found

    def read_until(self, wanted: bytes) -> bytes:
        found = b""
        while wanted not in found:
            piece = self.connection.recv(65536)
            assert piece, f"closed before {wanted!r} came, after {found!r}"
            found += piece
        return found


@dataclass
class RealServer:
    """A listening server on the embedded pair."""

    port: int
    world: World
    site: Site

    @contextlib.contextmanager
    def line(self) -> Iterator[Line]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as connection:
            yield Line(connection)

    def token(self, team: str = "Team") -> str:
        self.world.team(team)
        with self.world.db.write() as session:
            return accounts.create_token(session, self.world.account(session, team), "t", self.world.now)

    def headers(self, *, length: int | None, task: str = "sample", queue: str = "final", **more: str) -> bytes:
        lines = [f"POST /api/v1/submissions?task={task}&queue={queue} HTTP/1.1", f"host: 127.0.0.1:{self.port}"]
        if length is not None:
            lines.append(f"content-length: {length}")
        lines += [f"{name}: {value}" for name, value in more.items()]
        return "\r\n".join([*lines, "", ""]).encode()


@contextlib.contextmanager
def running(app: FastAPI, world: World) -> Iterator[RealServer]:
    """Listen on a free port, in a thread; the sweeper does not run."""
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield RealServer(listening.getsockname()[1], world, app.state.site)
        finally:
            server.should_exit = True
            thread.join()
