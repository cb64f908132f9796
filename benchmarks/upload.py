"""A large archive handed in by the form and by REST: the server's memory, and what lies in the temporary folder.

Starts a real server on its own folder, sends BYTES (5 GB where nothing is said) each way, and prints for
each: seconds, the growth of the server's resident memory at its highest, and what the server left in its
temporary folder. The archive is zeros, which the archive check then refuses: the upload is the point.

    .venv/bin/python benchmarks/upload.py [BYTES] [FOLDER]
"""

import http.client
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from server import accounts, challenges  # noqa: E402  found by the line above
from server.db import Database  # noqa: E402  as above
from server.settings import Settings  # noqa: E402  as above
from server.storage import Store  # noqa: E402  as above
from server.web.deps import SESSION_COOKIE  # noqa: E402  as above
from toy_cases.build import build_challenge  # noqa: E402  as above

GIGABYTES_5 = 5 * 10**9
CHUNK = bytes(2**20)
BOUNDARY = "upload-benchmark"
START_S = 60.0


def main(count: int, folder: Path | None) -> None:
    """Print one line for each way."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="mood-upload-") as name:
        home, tmp = Path(name) / "home", Path(name) / "tmp"
        tmp.mkdir()
        token, session = prepare(home, Path(name) / "challenge")
        port = free_port()
        command = [sys.executable, "-m", "cli", "serve", "--home", str(home), "--port", str(port)]
        with (Path(name) / "log").open("wb") as log:
            environment = os.environ | {"TMPDIR": str(tmp)}
            server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_for(port)
            origin = f"http://127.0.0.1:{port}"
            watch = Watch(server.pid, tmp)
            by_rest = {"authorization": f"Bearer {token}"}
            report("REST", watch, port, "/api/v1/submissions?task=sample&queue=final", by_rest, count, None)
            by_form = {"cookie": f"{SESSION_COOKIE}={session}", "origin": origin}
            report("form", watch, port, "/submit?task=sample&queue=final", by_form, count, BOUNDARY)
        finally:
            server.terminate()
            server.wait()


def prepare(home: Path, data: Path) -> tuple[str, str]:
    """Load a tiny challenge that allows the size, register a team; give its API token and its session."""
    build_challenge(
        data,
        sizes={"brain": 16},
        n_test_normal=2,
        n_test_local=2,
        n_test_global=0,
        seed=1,
        volumes=None,
        progress=lambda _: None,
    )
    with (data / "challenge.yaml").open("a") as file:
        file.write(f"max_archive_bytes: {10**12}\n")
    settings = Settings(home=home)
    database = Database(settings.database_url)
    database.migrate()
    now = datetime.now(UTC)
    challenges.load(database, Store(settings.store_dir), data, now)
    with database.write() as opened:
        password = secrets.token_urlsafe()
        account = accounts.register(opened, team_name="T", email="t@example.org", password=password, now=now)
        token = accounts.create_token(opened, account, "benchmark", now)
        session = accounts.log_in(opened, account, now)
    database.dispose()
    return token, session


class Watch:
    """Looks at a process and at its temporary folder, ten times a second."""

    def __init__(self, pid: int, tmp: Path) -> None:
        self.pid = pid
        self.tmp = tmp
        self.highest_bytes = 0
        self.seen: set[str] = set()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._over.clear()
        self.first_bytes = self.highest_bytes = resident_bytes(self.pid)
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self.highest_bytes = max(self.highest_bytes, resident_bytes(self.pid))
            self.seen |= {path.name for path in self.tmp.iterdir()}


def resident_bytes(pid: int) -> int:
    """Resident memory of a process, as the kernel counts it."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else 0


def report(
    way: str, watch: Watch, port: int, path: str, headers: dict[str, str], count: int, boundary: str | None
) -> None:
    """Upload and print."""
    before, after = frame(boundary)
    length = len(before) + count + len(after)
    kind = f"multipart/form-data; boundary={boundary}" if boundary else "application/octet-stream"
    start = time.monotonic()
    with watch, closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        sent = headers | {"content-type": kind, "content-length": str(length)}
        connection.request("POST", path, body(before, count, after), sent)
        status = connection.getresponse().status
    wall_s = time.monotonic() - start
    growth = (watch.highest_bytes - watch.first_bytes) / 1e6
    print(
        f"{way}: {count / 1e9:.1f} GB in {wall_s:.0f} s ({count / 1e6 / wall_s:.0f} MB/s), answered {status}; "
        f"resident memory {watch.first_bytes / 1e6:.0f} MB, at most {growth:.0f} MB more; "
        f"in the temporary folder: {', '.join(sorted(watch.seen)) or 'nothing'}",
        flush=True,
    )


def frame(boundary: str | None) -> tuple[bytes, bytes]:
    """What stands round the archive's bytes in a form; nothing in a plain body."""
    if boundary is None:
        return b"", b""
    disposition = 'form-data; name="archive"; filename="image.tar"'
    return f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode(), f"\r\n--{boundary}--\r\n".encode()


def body(before: bytes, count: int, after: bytes) -> Iterator[bytes]:
    """The request's body in pieces."""
    if before:
        yield before
    for _ in range(count // len(CHUNK)):
        yield CHUNK
    yield CHUNK[: count % len(CHUNK)] + after


def free_port() -> int:
    """Give a port that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Return when the server listens."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"the server does not listen after {START_S:.0f} s")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else GIGABYTES_5,
        Path(sys.argv[2]) if len(sys.argv) > 2 else None,  # noqa: PLR2004  the second argument
    )
