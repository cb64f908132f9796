"""What a confined process can still do: a process of its own tries, and tells."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ATTEMPTS = """
import json, os, resource, socket, sys
from evaluator.parser.confine import confine

def connect():
    socket.socket().connect((b"127.0.0.1", int(sys.argv[1])))

def become_root():
    os.setresuid(0, 0, 0)

def chroot_out():
    os.chroot("/")

def allocate():
    bytearray(4 << 30)

report = confine()
attempts = {
    "connect": connect,
    "read a file": lambda: open("/etc/passwd").read(),
    "write a file": lambda: open("/tmp/mood-confine-test", "w").write("x" * 10),
    "fork": os.fork,
    "become root": become_root,
    "chroot": chroot_out,
    "allocate": allocate,
    "kill the parent": lambda: os.kill(int(sys.argv[2]), 0),
    "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
}
done = {}
for name, attempt in attempts.items():
    try:
        attempt()
    except (OSError, MemoryError, ValueError):
        done[name] = "refused"
    else:
        done[name] = "worked"
print(json.dumps({"report": report, "done": done}), flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Run the attempts once, in an empty folder, with a server on this machine's loopback to connect to."""
    folder = tmp_path_factory.mktemp("empty")
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", ATTEMPTS, str(server.getsockname()[1]), str(os.getpid())]
        done = subprocess.run(command, check=True, capture_output=True, cwd=folder, text=True)
    return dict(json.loads(done.stdout))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary process cannot give this up")


def test_what_was_given_up_is_told(told: dict[str, dict[str, str]]) -> None:
    assert set(told["report"]) == {"network", "files", "privileges"}
    assert told["report"]["privileges"] == "ok"


def test_network_is_out_of_reach_where_the_report_says_so(told: dict[str, dict[str, str]]) -> None:
    reachable = told["report"]["network"] != "ok"
    assert told["done"]["connect"] == ("worked" if reachable else "refused")


@pytest.mark.parametrize("attempt", ["write a file", "become root", "chroot", "allocate", "raise a limit"])
def test_is_refused_to_any_confined_process(told: dict[str, dict[str, str]], attempt: str) -> None:
    assert told["done"][attempt] == "refused"


@needs_root
@pytest.mark.parametrize("attempt", ["connect", "read a file", "fork", "kill the parent"])
def test_is_refused_where_the_parent_is_root(told: dict[str, dict[str, str]], attempt: str) -> None:
    assert told["done"][attempt] == "refused"
    assert told["report"] == {"network": "ok", "files": "ok", "privileges": "ok"}


def test_nothing_was_written(told: dict[str, dict[str, str]]) -> None:
    assert told
    assert not Path("/tmp/mood-confine-test").exists() or not Path("/tmp/mood-confine-test").read_text()
