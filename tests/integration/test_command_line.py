"""The mood command against a real server: what operators, organizers and participants type."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli.stack import free_port
from tests.conftest import Backend
from tests.stack import PASSWORD, RunningStack, build_busybox_image, running_stack


class Shell:
    """Types commands as one person with an own config folder."""

    def __init__(self, config: Path, **environment: str) -> None:
        self.environment = os.environ | {"XDG_CONFIG_HOME": str(config), "COLUMNS": "200"} | environment

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, input=typed, env=self.environment)

    def says(self, *arguments: str, typed: str = "") -> str:
        done = self.run(*arguments, typed=typed)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def embedded(tmp_path: Path) -> Backend:
    return Backend(
        name="embedded", database_url=f"sqlite:///{tmp_path}/mood.db", broker_url=f"filesystem://{tmp_path}/broker"
    )


@pytest.fixture
def stack(embedded: Backend, tmp_path: Path, tiny_challenge: Path) -> Iterator[RunningStack]:
    with running_stack(embedded, tmp_path / "home", tiny_challenge) as running:
        yield running


@pytest.mark.docker
def test_a_participant_submits_watches_and_reads_the_report(
    stack: RunningStack, tmp_path: Path, brightness_image: str
) -> None:
    operator = Shell(tmp_path / "op", MOOD_HOME=str(stack.home), MOOD_DATABASE_URL=stack.settings.database_url)
    operator.says("user", "add", "ada@example.org", "--team", "Ada", typed=f"{PASSWORD}\n")
    person = Shell(tmp_path / "ada")
    assert "ada@example.org" in person.says("login", stack.url, "--email", "ada@example.org", typed=f"{PASSWORD}\n")
    followed = person.says("submit", brightness_image, "--task", "pixel", "--queue", "toy", "--follow")
    assert "scored" in followed
    listed = person.says("status")
    assert "pixel" in listed
    submission = followed.split()[1]
    report = person.says("status", submission)
    assert "brain: toy cases" in report
    assert "average precision" in report
    # The same image again, by name: the server has it.
    assert person.run("submit", brightness_image, "--task", "pixel", "--queue", "final", "--follow").returncode == 0
    refused = person.run("leaderboard", "pixel")
    assert refused.returncode == 1
    assert "not published" in refused.stderr
    cancelled = person.run("cancel", submission)
    assert cancelled.returncode == 1
    assert "E-CONFLICT" in cancelled.stderr
    operator.says("user", "add", "org@example.org", "--organizer", typed=f"{PASSWORD}\n")
    stack.organizer().post("/leaderboards/pixel/publish", {"published": True})
    board = json.loads(person.says("leaderboard", "pixel", "--json"))
    assert [row["team"] for row in board["rows"]] == ["Ada"]


@pytest.mark.docker
def test_try_gives_the_servers_numbers_to_the_last_digit(
    stack: RunningStack, tmp_path: Path, tiny_challenge: Path, brightness_image: str
) -> None:
    team = stack.team("Tries")
    submission = stack.submit(team, brightness_image, "pixel", "toy")
    shell = Shell(tmp_path / "config", MOOD_SERVER=stack.url, MOOD_TOKEN=team.token or "")
    shell.says("status", submission, "--follow")
    report = team.get(f"/submissions/{submission}/report")
    for dataset in ("brain", "abdom"):
        options = ["--data", str(tiny_challenge), "--dataset", dataset, "--task", "pixel", "--json"]
        tried = json.loads(shell.says("try", brightness_image, *options))
        assert tried["ap"] == report[dataset]["ap"]
        assert without_slices(tried) == without_slices(report[dataset])


def without_slices(report: Any) -> list[dict[str, Any]]:
    """The cases of a report, but for the address of their pictures, which a server alone keeps."""
    return [{key: value for key, value in case.items() if key != "slices_sha256"} for case in report["cases"]]


@pytest.mark.docker
def test_a_failing_submission_ends_follow_with_its_code(stack: RunningStack, tmp_path: Path) -> None:
    image = build_busybox_image(tmp_path / "fails", "mood-test/fails", "#!/bin/sh\necho no GPU here\nexit 3\n")
    team = stack.team("Fails")
    shell = Shell(tmp_path / "config", MOOD_SERVER=stack.url, MOOD_TOKEN=team.token or "")
    done = shell.run("submit", image, "--task", "sample", "--follow")
    assert done.returncode == 1
    assert "E-EXIT" in done.stdout


@pytest.mark.docker
@pytest.mark.parametrize("interruption", [signal.SIGINT, signal.SIGTERM])
def test_up_serves_what_other_commands_set_up_and_ends_both_processes(
    tmp_path: Path, tiny_challenge: Path, interruption: signal.Signals
) -> None:
    operator = Shell(tmp_path / "config", MOOD_HOME=str(tmp_path / "home"))
    operator.says("user", "add", "org@example.org", "--organizer", typed=f"{PASSWORD}\n")
    port = free_port(19000)
    command = [sys.executable, "-m", "cli", "up", "--data", str(tiny_challenge), "--port", str(port)]
    up = subprocess.Popen(command, env=operator.environment, stdout=subprocess.PIPE, text=True)
    assert up.stdout is not None
    said = up.stdout.readline()
    try:
        assert said.startswith(f"Up at http://127.0.0.1:{port}")
        operator.says("login", f"http://127.0.0.1:{port}", "--email", "org@example.org", typed=f"{PASSWORD}\n")
    finally:
        up.send_signal(interruption)
        rest, _ = up.communicate(timeout=60)
    assert up.returncode == 0
    assert "Stopping" in rest
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{port}/healthz")


def test_a_folder_of_volumes_becomes_a_loaded_challenge(tmp_path: Path, tiny_challenge: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(tiny_challenge, folder)
    for name in ("challenge.yaml", "manifest.json", "deal.json"):
        (folder / name).unlink()
    operator = Shell(tmp_path / "config", MOOD_HOME=str(tmp_path / "home"))
    assert "brain" in operator.says("challenge", "init", str(folder), "--seed", "7")
    assert "as its manifest says" in operator.says("challenge", "check", str(folder))
    assert "Loaded mine" in operator.says("challenge", "load", str(folder))
    case = next((folder / "brain" / "test").iterdir())
    case.write_bytes(case.read_bytes() + b"\0")
    checked = operator.run("challenge", "check", str(folder))
    assert checked.returncode == 1
    assert case.name in checked.stderr


def test_a_host_s_token_is_all_that_standard_output_holds(tmp_path: Path) -> None:
    operator = Shell(tmp_path / "config", MOOD_HOME=str(tmp_path / "home"))
    first = operator.says("host", "add", "gpu-1")
    assert first.startswith("moodhost_")
    assert len(first.splitlines()) == 1
    assert operator.says("host", "add", "gpu-1") != first


def test_a_host_is_shut_out_by_name(tmp_path: Path) -> None:
    operator = Shell(tmp_path / "config", MOOD_HOME=str(tmp_path / "home"))
    operator.says("host", "add", "gpu-1")
    operator.says("host", "revoke", "gpu-1")
    again = operator.run("host", "revoke", "gpu-1")
    assert again.returncode == 1
    assert "there is no host gpu-1" in again.stderr


def test_a_participant_without_a_team_is_refused(tmp_path: Path) -> None:
    done = Shell(tmp_path, MOOD_HOME=str(tmp_path / "home")).run("user", "add", "a@example.org", typed=f"{PASSWORD}\n")
    assert done.returncode == 1
    assert "--team" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("up", "--data", "nope"), "challenge.yaml is missing"),
        (("up", "--data", ".", "--port", "99999"), "MOOD_PORT"),
        (("challenge", "init", "nope"), "nope is not a folder"),
        (("login", "challenge.example.org", "--token", "x"), "https://challenge.example.org"),
        (("leaderboard", "voxel"), "'voxel' is not one of"),
        (("submit", "notes.txt", "--task", "pixel"), "neither a tar nor a gzip file"),
        (("submit", "folder", "--task", "pixel"), "folder is a folder"),
        (("try", "image", "--data", "nope", "--dataset", "brain", "--task", "pixel"), "nope is not a folder"),
    ],
)
def test_a_slip_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("not an archive")
    (tmp_path / "folder").mkdir()
    environment = {"MOOD_HOME": str(tmp_path / "home"), "MOOD_SERVER": "http://127.0.0.1:9", "MOOD_TOKEN": "x"}
    done = Shell(tmp_path / "config", **environment).run(*arguments)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path, tiny_challenge: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        shell = Shell(tmp_path / "config", MOOD_HOME=str(tmp_path / "home"))
        done = shell.run("up", "--data", str(tiny_challenge), "--port", port)
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "--port" in done.stderr


def test_a_server_needs_no_hidden_volume(tmp_path: Path, tiny_challenge: Path) -> None:
    folder = tmp_path / "public"
    shutil.copytree(tiny_challenge, folder, ignore=shutil.ignore_patterns("test", "test_label", "training"))
    operator = Shell(tmp_path / "config", MOOD_HOME=str(tmp_path / "home"))
    assert "Loaded" in operator.says("challenge", "load", str(folder))
