"""The web application on a loaded challenge, with a clock that tests hold."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from evaluator.readings import SampleReading, Status
from evaluator.report import ToyCase, toy_report
from server import accounts, lifecycle
from server.models import Account
from server.protocol import JobSpec, JobStatus, Queue, Stage, Task, ToyReported
from server.settings import Settings
from server.web.app import create_app
from server.web.deps import SESSION_COOKIE
from server.web.site import Site
from tests.conftest import Backend
from tests.server.web.browsing import Windows, windows
from tests.server.web.real_server import RealServer, running
from tests.server.world import World

URL = "http://mood.test"


@pytest.fixture
def app(backend: Backend, world: World, tmp_path: Path) -> FastAPI:
    """The application; its threads do not run: tests call what they would."""
    settings = Settings(
        home=tmp_path, database_url=backend.database_url, broker_url=backend.broker_url, public_url=URL, secret="s"
    )
    return create_app(settings, clock=lambda: world.now)


@pytest.fixture
def site(app: FastAPI) -> Iterator[Site]:
    found: Site = app.state.site
    yield found
    found.db.dispose()


class Browser(TestClient):
    """A browser: keeps cookies, says where its forms come from, does not follow redirects by itself."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(app, base_url=URL, follow_redirects=False, headers={"origin": URL})

    def form_token(self, path: str = "/tokens") -> str:
        found = re.search(r'name="form_token" value="(\w+)"', self.get(path).text)
        assert found
        return found[1]

    def fill(self, path: str, **fields: str) -> httpx2.Response:
        """Send a form as the page that holds it would."""
        return self.post(path, data={"form_token": self.form_token(), **fields})


@dataclass
class People:
    """Signed-in browsers and API clients."""

    app: FastAPI
    world: World

    def visitor(self) -> Browser:
        return Browser(self.app)

    def browser(self, name: str = "Team") -> Browser:
        return self._signed_in(self.world.team(name))

    def organizer(self) -> Browser:
        return self._signed_in(self.world.organizer())

    def _signed_in(self, account: str) -> Browser:
        with self.world.db.write() as session:
            secret = accounts.log_in(session, session.get_one(Account, account), self.world.now)
        browser = self.visitor()
        browser.cookies.set(SESSION_COOKIE, secret)
        return browser

    def client(self, name: str = "Team") -> TestClient:
        """A program with the team's token: no cookie, no origin."""
        self.world.team(name)
        with self.world.db.write() as session:
            token = accounts.create_token(session, self.world.account(session, name), "test", self.world.now)
        return TestClient(self.app, base_url=URL, headers={"authorization": f"Bearer {token}"})

    def worker(self, name: str = "gpu1") -> TestClient:
        """A worker with its host's token."""
        with self.world.db.write() as session:
            token = accounts.add_host(session, name, self.world.now)
            host = accounts.host_for_token(session, token, self.world.now)
            assert host is not None
            self.world.hosts[name] = host.id
        return TestClient(self.app, base_url=URL, headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def people(app: FastAPI, site: Site, world: World) -> People:  # noqa: ARG001  site: its database is let go of
    return People(app=app, world=world)


def report(**changes: Any) -> dict[str, Any]:
    """What the evaluator says of two toy cases."""
    anomalous = SampleReading(score=0.875, label=1, status=Status.OK, notes={})
    normal = SampleReading(score=0.0, label=0, status=Status.MISSING, notes={"W-MISSING": 1})
    cases = [ToyCase(case="toy1.nii.gz", reading=anomalous), ToyCase(case="toy0.nii.gz", reading=normal)]
    return toy_report("sample", cases, wall_s=12.0, peak_memory_bytes=3_000_000) | changes


@dataclass
class Play:
    """Brings submissions to where a test looks at them."""

    world: World

    def toy(self, spec: JobSpec, *, log: str = "log", **changes: Any) -> None:
        """Run the toy cases of a claimed job and report them."""
        self.world.move(spec, JobStatus.PREDICTING)
        self.world.run_ended(spec, self.world.run(spec), log=log)
        reported = ToyReported(token=spec.token, report=report(**changes))
        with self.world.db.write() as session:
            lifecycle.toy_reported(session, spec.job, reported, self.world.now)

    def scored(self, team: str = "Team", *, task: Task = Task.SAMPLE, queue: Queue = Queue.FINAL) -> str:
        """A submission that is scored on all data sets."""
        submission = self.world.submit(team, task=task, queue=queue)
        for _ in range(2):
            self.world.finish(self.world.claim())
        return submission

    def hidden(self, spec: JobSpec, cases: int) -> None:
        """Start the run on the hidden cases."""
        self.world.run(spec, Stage.HIDDEN, cases=cases)


@pytest.fixture
def play(world: World) -> Play:
    return Play(world)


@pytest.fixture
def server(people: People) -> Iterator[RealServer]:
    """The application behind a real socket."""
    with running(people.app, people.world) as found:
        yield found


@pytest.fixture
def open_page(server: RealServer) -> Iterator[Windows]:
    """Open pages in a real Chromium."""
    with windows(server) as found:
        yield found
