"""A whole running system for tests: real processes, a tiny challenge, and images made of busybox."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cli import stack as processes
from cli.handing_in import hand_in
from cli.remote import Remote
from server import accounts
from server.db import Database
from server.settings import Settings
from tests.conftest import Backend

PASSWORD = "correct horse battery"


@dataclass(kw_only=True)
class RunningStack:
    """Server and worker as processes; a test may end and start the worker."""

    url: str
    home: Path
    data: Path
    settings: Settings
    server: subprocess.Popen[bytes]
    worker_environment: dict[str, str]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def server_log(self) -> str:
        return (self.home / "server.log").read_text(encoding="utf-8", errors="replace")

    @property
    def worker_log(self) -> str:
        return (self.home / "worker.log").read_text(encoding="utf-8", errors="replace")

    def start_worker(self) -> subprocess.Popen[bytes]:
        worker = processes.start("worker", self.worker_environment, self.home / "worker.log")
        self.workers.append(worker)
        return worker

    def organizer(self) -> Remote:
        return self._member("organizer", organizer=True)

    def team(self, name: str) -> Remote:
        return self._member(name, organizer=False)

    def _member(self, name: str, *, organizer: bool) -> Remote:
        email = f"{name.lower().replace(' ', '.')}-{secrets.token_hex(4)}@example.org"
        database = Database(self.settings.database_url)
        with database.write() as session:
            team = None if organizer else name
            accounts.add_user(
                session, email=email, password=PASSWORD, organizer=organizer, team_name=team, now=datetime.now(UTC)
            )
        database.dispose()
        body = {"email": email, "password": PASSWORD, "name": "test"}
        return Remote(self.url, Remote(self.url, None).post("/tokens", body)["token"])

    def submit(self, remote: Remote, image: str, task: str, queue: str) -> str:
        return str(hand_in(remote, image, task, queue, lambda *_: None)["id"])


@contextmanager
def running_stack(backend: Backend, home: Path, data: Path, *, worker: bool = True) -> Iterator[RunningStack]:
    """Yield when the server answers; ends every process it started."""
    home.mkdir(parents=True, exist_ok=True)
    port = processes.free_port(18000)
    known = Settings(
        home=home, host="127.0.0.1", port=port, database_url=backend.database_url, broker_url=backend.broker_url
    )
    processes.prepare(known, [data])
    url = f"http://127.0.0.1:{port}"
    environment = processes.server_environment(known) | {"MOOD_SWEEP_EVERY_S": "0.5"}
    server = processes.start("serve", environment, home / "server.log")
    stack = RunningStack(
        url=url,
        home=home,
        data=data,
        settings=known,
        server=server,
        worker_environment=processes.worker_environment(known, [data], url),
    )
    try:
        processes.wait_until_it_answers(url, server, home / "server.log")
        if worker:
            stack.start_worker()
        yield stack
    finally:
        for process in [*stack.workers, server]:
            processes.stop(process)


def build_busybox_image(folder: Path, tag: str, script: str) -> str:
    """Build an image of busybox and one script that serves all four entry points; give its ID."""
    folder.mkdir(parents=True)
    busybox = Path("/bin/busybox")
    (folder / "busybox").write_bytes(busybox.read_bytes())
    (folder / "busybox").chmod(0o755)
    (folder / "entry.sh").write_text(script, encoding="utf-8")
    (folder / "Dockerfile").write_text(
        "FROM scratch\n"
        "COPY busybox /bin/busybox\n"
        'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
        + "".join(
            f"COPY entry.sh /workspace/run_{task}_{dataset}.sh\n"
            for task in ("sample", "pixel")
            for dataset in ("brain", "abdom")
        ),
        encoding="utf-8",
    )
    environment = os.environ | {"DOCKER_BUILDKIT": "0"}
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", tag, str(folder)], check=True, capture_output=True, env=environment
    )
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Id}}", tag], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


# The input is the prediction: brightness as the score, in both tasks.
BRIGHTNESS = """#!/bin/sh
case "$0" in
*sample*) for f in "$1"/*.nii.gz; do echo "0.$(cksum < "$f" | cut -c1-6)" > "$2/${f##*/}.txt"; done ;;
*) cp "$1"/*.nii.gz "$2"/ ;;
esac
echo "scored $(ls "$1" | wc -l) cases"
"""
