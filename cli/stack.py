"""Server and worker as two processes of this machine: what `mood up` and `mood demo` stand on."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import httpx2

from cli.console import complain
from cli.facts import facts
from cli.remote import write_secret
from server import accounts, challenges
from server.errors import Refused
from server.settings import Settings
from server.storage import Store

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0  # the worker kills its container and gives the job back
LOCAL_HOST = "local"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Two running processes."""

    url: str
    server: subprocess.Popen[bytes]
    worker: subprocess.Popen[bytes]
    server_log: Path
    worker_log: Path

    @classmethod
    @contextmanager
    def start(cls, settings: Settings, folders: Sequence[Path]) -> Iterator[Self]:
        """Load the challenge and its companion sets, start both processes, yield when the server answers, end both.

        SIGTERM, which service managers send, becomes KeyboardInterrupt as Ctrl-C does, so that neither is orphaned.
        """
        for interruption in (signal.SIGINT, signal.SIGTERM):
            signal.signal(interruption, signal.default_int_handler)
        if not is_free(settings.host, settings.port):
            complain(f"Port {settings.port} of {settings.host} is taken: name another one with --port.")
        try:
            prepare(settings, folders)
        except Refused as refused:
            complain(refused.message)
        url = f"http://{settings.host}:{settings.port}"
        logs = settings.home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        server_log, worker_log = logs / "server.log", logs / "worker.log"
        server = start("serve", server_environment(settings), server_log)
        worker = None
        try:
            wait_until_it_answers(url, server, server_log)
            worker = start("worker", worker_environment(settings, folders, url), worker_log)
            yield cls(url=url, server=server, worker=worker, server_log=server_log, worker_log=worker_log)
        finally:
            if worker is not None:
                stop(worker)
            stop(server)

    def wait(self) -> str:
        """Return the name of whichever process ends first."""
        while True:
            for name, process in (("server", self.server), ("worker", self.worker)):
                if process.poll() is not None:
                    return name
            time.sleep(0.5)


def free_port(first: int) -> int:
    """Give the first port from `first` on that nobody listens on."""
    for port in range(first, first + 100):
        if is_free("127.0.0.1", port):
            return port
    complain(f"Ports {first} to {first + 99} are all taken: choose another with --port.")


def is_free(host: str, port: int) -> bool:
    """Nobody listens there."""
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def prepare(settings: Settings, folders: Sequence[Path]) -> None:
    """Bring the database up to date, load the challenge before its companion sets, and let this machine's worker in."""
    now = datetime.now(UTC)
    with facts(settings) as database:
        for folder in sorted(folders, key=lambda one: challenges.read_folder(one).part_of is not None):
            challenges.load(database, Store(settings.store_dir), folder, now)
        if not token_file(settings).exists():
            with database.write() as session:
                token = accounts.add_host(session, LOCAL_HOST, now)
            write_secret(token_file(settings), token)


def token_file(settings: Settings) -> Path:
    """Where this machine's worker finds its token."""
    return settings.home / "worker-token"


def worker_environment(settings: Settings, folders: Sequence[Path], url: str) -> dict[str, str]:
    """Give the environment without the server's settings: no database, no session secret."""
    kept = {name: value for name, value in os.environ.items() if is_the_workers(name)}
    return kept | {
        "MOOD_WORKER_SERVER_URL": url,
        "MOOD_WORKER_HOST_TOKEN": token_file(settings).read_text(encoding="utf-8"),
        "MOOD_WORKER_DATA": os.pathsep.join(map(str, folders)),
        "MOOD_WORKER_SCRATCH": str(settings.home.absolute() / "scratch"),
        "MOOD_WORKER_BROKER_URL": settings.broker_url,
    }


def is_the_workers(variable: str) -> bool:
    """A worker may see every variable but the server's."""
    return variable.startswith("MOOD_WORKER_") or not variable.startswith("MOOD_")


def server_environment(settings: Settings) -> dict[str, str]:
    """Give the environment, with where to live and to listen."""
    return os.environ | {
        "MOOD_HOME": str(settings.home.absolute()),
        "MOOD_HOST": settings.host,
        "MOOD_PORT": str(settings.port),
        "MOOD_DATABASE_URL": settings.database_url,
        "MOOD_BROKER_URL": settings.broker_url,
    }


def start(command: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a `mood` command as a process that Ctrl-C does not reach: its parent ends it in order."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; insist after a while."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_it_answers(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server answers; complain with its log's name where it ends or stays silent."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx2.get(f"{url}/healthz", timeout=2).is_success:
                return
        except httpx2.TransportError:
            time.sleep(0.2)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    complain(f"The server does not answer at {url}. The end of {log}:\n" + "\n".join(said[-8:]))
