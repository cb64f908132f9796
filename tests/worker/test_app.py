"""The process that hears doorbells: a real one, on a broker in a folder and on Redis."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from server.queue import Doorbell
from tests.conftest import Backend
from tests.worker.cases import DATASET

PATIENCE_S = 60.0

# A worker that notes each bell, in the process that `mood worker` runs in.
SCRIPT = """
import sys
from pathlib import Path
from worker.app import serve

class Noting:
    name = "noting"

    def work_until_idle(self):
        with Path(sys.argv[2]).open("a") as notes:
            notes.write("looked\\n")

    def stop(self):
        with Path(sys.argv[2]).open("a") as notes:
            notes.write("stopped\\n")

sys.exit(serve(sys.argv[1], Noting(), [sys.argv[3]]))
"""


def until(condition: Callable[[], bool]) -> None:
    """Wait for another process; give up after a while."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_looks_once_at_its_start_and_once_a_bell_and_ends_when_told(backend: Backend, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    command = [sys.executable, "-c", SCRIPT, backend.broker_url, str(notes), DATASET]
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=Path(__file__).parents[2])
    try:
        until(lambda: notes.read_text(encoding="ascii") == "looked\n")
        doorbell = Doorbell(backend.broker_url)
        assert doorbell.ring([("job-1", DATASET), ("job-2", "another")])
        doorbell.close()
        until(lambda: notes.read_text(encoding="ascii") == "looked\nlooked\n")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
        log.close()
    assert notes.read_text(encoding="ascii") == "looked\nlooked\nstopped\n"
