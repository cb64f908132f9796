"""`mood demo`: the main job on this machine, from a generated challenge to two leaderboards.

Everything goes the way that organizers and participants go: accounts, the public API, the real engine.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from cli.console import complain, duration, out, size
from cli.demo_checks import complaints
from cli.handing_in import hand_in
from cli.images import base_image, build_reference_images
from cli.leaderboard import board_table
from cli.remote import Remote
from cli.stack import Stack, free_port
from cli.watching import follow_all
from server import accounts
from server.db import Database
from server.settings import Settings
from toy_cases.build import build_challenge
from worker.runners.docker import Engine

app = typer.Typer()

HOME = Path("var/demo")
TASKS = ("sample", "pixel")
TEAMS = {"constant": "Constant score", "intensity_distance": "Intensity distance", "pca": "PCA residual"}
ORGANIZER = "organizer@demo.example"


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a stage took; memory is each process's highest so far, in bytes."""

    name: str
    wall_s: float
    memory: dict[str, int]


@dataclass
class Stages:
    """Prints each stage as it begins, and at the end what each took."""

    pids: dict[str, int] = field(default_factory=lambda: {"demo": os.getpid()})
    taken: list[Taken] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        out.rule(name, align="left")
        start = time.monotonic()
        yield
        memory = {process: peak_bytes(pid) for process, pid in self.pids.items()}
        self.taken.append(Taken(name=name, wall_s=time.monotonic() - start, memory=memory))

    def table(self) -> Table:
        """One row a stage."""
        shown = Table(title="What it took", title_justify="left", caption="memory: highest so far", box=None)
        shown.add_column("stage")
        shown.add_column("time", justify="right")
        for process in self.pids:
            shown.add_column(process, justify="right")
        for taken in self.taken:
            memory = (size(taken.memory[name]) if name in taken.memory else "" for name in self.pids)
            shown.add_row(taken.name, duration(taken.wall_s), *memory)
        return shown


def peak_bytes(pid: int) -> int:
    """Highest resident memory of a process so far, as the kernel counts it."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@app.command()
def demo(
    once: bool = typer.Option(False, "--once", help="end the server afterwards; fail unless all went well"),
    volumes: Path | None = typer.Option(None, help="a folder with brain/ and abdom/ of normal scans"),
    brain_size: int = typer.Option(64, help="voxels along each side"),
    abdom_size: int = typer.Option(64, help="voxels along each side"),
    cases: int = typer.Option(40, min=6, help="hidden cases of each data set"),
    seed: int = typer.Option(2020, help="another seed, another challenge"),
    port: int = typer.Option(8000, help="port to listen on; the next free one is taken"),
) -> None:
    """Run a whole small challenge here: data, server, worker, three images, two leaderboards."""
    stages = Stages()
    home = HOME.absolute()
    shutil.rmtree(home, ignore_errors=True)
    data = home / "challenge"
    sizes = {"brain": brain_size, "abdom": abdom_size}
    with stages.stage("Making a challenge: brain and abdomen, toy cases and a hidden test set"):
        training = make_challenge(data, sizes, cases, seed, volumes)
    with stages.stage("Building three images"):
        engine = Engine()
        base = base_image(engine, cache=HOME.parent.absolute(), say=say)
        images = build_reference_images(
            engine, TEAMS, base=base, training=training, work=home / "images", say=say, prefix="mood-demo"
        )
    with ExitStack() as running:
        with stages.stage("Starting server and worker"):
            settings = Settings(home=home / "home", host="127.0.0.1", port=free_port(port))
            stack = running.enter_context(Stack.start(settings, [data]))
            stages.pids |= {"server": stack.server.pid, "worker": stack.worker.pid}
            password = secrets.token_urlsafe(9)
            organizer, teams = register(stack.url, settings, password)
        boards, views = judge(stages, organizer, teams, images)
        out.print(stages.table())
        wrong = complaints(data, boards, views)
        for line in wrong:
            out.print(line, style="red", soft_wrap=True)
        say(f"Leaderboards: {stack.url}/leaderboard/sample and {stack.url}/leaderboard/pixel")
        if once:
            raise typer.Exit(1 if wrong else 0)
        say(f"The server stays up. Organizer: {ORGANIZER}, password {password}. Ctrl-C ends it.")
        try:
            ended = stack.wait()
        except KeyboardInterrupt:
            say("Stopping.")
            return
    complain(f"The {ended} ended by itself: see its log in {home / 'home' / 'logs'}.")


def say(text: str) -> None:
    """Print a line as it is."""
    out.print(text, markup=False, soft_wrap=True)


def make_challenge(data: Path, sizes: dict[str, int], cases: int, seed: int, volumes: Path | None) -> Path:
    """Write a challenge folder: half of the cases normal, a third local anomalies, the rest global ones."""
    n_local = max(2, cases // 3)
    n_normal = cases // 2
    report = build_challenge(
        data,
        sizes=sizes,
        n_test_normal=n_normal,
        n_test_local=n_local,
        n_test_global=cases - n_normal - n_local,
        seed=seed,
        volumes=volumes,
        progress=say,
    )
    for line in report.lines():
        say(line)
    return report.training


def register(url: str, settings: Settings, password: str) -> tuple[Remote, dict[str, Remote]]:
    """Add the organizer as an operator does, and the teams as they do; give everybody's remote."""
    database = Database(settings.database_url)
    with database.write() as session:
        now = datetime.now(UTC)
        accounts.add_user(session, email=ORGANIZER, password=password, organizer=True, team_name=None, now=now)
    database.dispose()
    teams = {}
    for name, team in TEAMS.items():
        email = f"{name}@demo.example"
        Remote(url, None).post("/accounts", {"team_name": team, "email": email, "password": password})
        teams[name] = signed_in(url, email, password)
    return signed_in(url, ORGANIZER, password), teams


def signed_in(url: str, email: str, password: str) -> Remote:
    """Fetch a token."""
    body = {"email": email, "password": password, "name": "mood demo"}
    return Remote(url, Remote(url, None).post("/tokens", body)["token"])


def judge(
    stages: Stages, organizer: Remote, teams: dict[str, Remote], images: dict[str, str]
) -> tuple[dict[str, Any], list[Any]]:
    """Hand every image in for both tasks, to the toy queue and then the final one; give boards and views."""
    views: list[Any] = []
    for queue in ("toy", "final"):
        with stages.stage(f"Every image, both tasks, {queue} queue"):
            handed = [
                (teams[name], hand_in(teams[name], image, task, queue, lambda *_: None)["id"])
                for name, image in images.items()
                for task in TASKS
            ]
            views += follow_all(handed)
    boards = {}
    for task in TASKS:
        organizer.post(f"/leaderboards/{task}/publish", {"published": True})
        boards[task] = organizer.get(f"/leaderboards/{task}")
        out.print(board_table(boards[task]))
    return boards, views
