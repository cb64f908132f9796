"""Starts the real services that tests talk to, each on a free loopback port, each with its own folder.

Nothing here is shared with services the machine may already run, and all of it ends with the test session.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

START_TIMEOUT_S = 30.0
POSTGRES_HOMES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running server; `admin_url` may create databases."""

    port: int

    def url(self, database: str) -> str:
        """SQLAlchemy's address of a database."""
        return f"postgresql+psycopg://mood@127.0.0.1:{self.port}/{database}"


def free_port() -> int:
    """Give a port that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], name: str) -> None:
    """Return when somebody listens; raise when the process has ended or time is up."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with {process.returncode} before it listened on port {port}")
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{name} does not listen on port {port} after {START_TIMEOUT_S} s")


def wait_for_recovery(server: Postgres) -> None:
    """Return when PostgreSQL lets somebody in: it listens before it does."""
    address = server.url("postgres").replace("+psycopg", "")
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that this module started."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def redis_program() -> str | None:
    """Where redis-server is, if it is."""
    return shutil.which("redis-server")


def postgres_home() -> Path | None:
    """Where PostgreSQL's server programs are, if they are."""
    return next((home for home in POSTGRES_HOMES if (home / "initdb").exists()), None)


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run Redis without persistence; yields its address."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for_port(port, process, "redis-server")
            yield f"redis://127.0.0.1:{port}"
        finally:
            stop(process)


def as_postgres() -> dict[str, str]:
    """PostgreSQL refuses to run as root: Debian's package made a user for it."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}


@contextmanager
def postgres_server(folder: Path) -> Iterator[Postgres]:
    """Run PostgreSQL with durability off (tests only); yields the running server."""
    home = postgres_home()
    if home is None:
        raise RuntimeError("PostgreSQL's server programs are missing: apt-get install postgresql")
    data = folder / "pgdata"
    if os.geteuid() == 0:
        folder.chmod(0o755)
        data.mkdir()
        shutil.chown(data, pwd.getpwnam("postgres").pw_uid)
    who = as_postgres()
    subprocess.run(  # type: ignore[call-overload]  # typeshed wants literal keyword arguments
        [home / "initdb", "-D", data, "-U", "mood", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
        **who,
    )
    port = free_port()
    settings = (
        *("fsync=off", "full_page_writes=off", "synchronous_commit=off"),  # nothing is to survive
        *("autovacuum=off", "jit=off"),  # a database lives for one test
        *("listen_addresses=127.0.0.1", f"port={port}"),
    )
    options = [*(word for setting in settings for word in ("-c", setting)), "-k", str(data)]
    with (folder / "postgres.log").open("wb") as log:
        process = subprocess.Popen(  # type: ignore[call-overload]  # as above
            [home / "postgres", "-D", data, *options], stdout=log, stderr=subprocess.STDOUT, cwd="/", **who
        )
        try:
            wait_for_port(port, process, "postgres")
            server = Postgres(port=port)
            wait_for_recovery(server)
            yield server
        finally:
            stop(process)
