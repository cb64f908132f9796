"""`mood worker`: the process on a GPU host that takes jobs."""

import logging
import signal
import sys
from threading import Event

import typer
from pydantic import ValidationError

from cli.console import complain, err, out
from worker.app import serve
from worker.client import HostClient, ServerFault
from worker.holdings import Holdings
from worker.host_check import OK, check_host
from worker.images import Images
from worker.pipeline import Host
from worker.reaper import LABEL
from worker.runners.base import EngineFault
from worker.runners.docker import DockerRunner, Engine
from worker.settings import WorkerSettings
from worker.tasks import Worker
from worker.workspace import Scratch, ScratchTaken

app = typer.Typer()

log = logging.getLogger(__name__)

FIELDS = ("job", "attempt", "image", "container", "folder")


@app.command()
def worker(
    check: bool = typer.Option(False, "--check", help="try what this host must keep, print it, and end"),
) -> None:
    """Take jobs from a server and run them on this host's engine. Settings: MOOD_WORKER_*."""
    # Until Celery takes the signal over: what the host check made is removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = read_settings()
    handler = logging.StreamHandler()
    handler.setFormatter(Fields("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line a request, with tokens in addresses
    try:
        with Scratch(settings.scratch, settings.name) as scratch:
            ended = check_only(settings, scratch) if check else work(settings, scratch)
    except (ScratchTaken, EngineFault) as error:
        complain(str(error))
    raise typer.Exit(ended)


class Fields(logging.Formatter):
    """Writes a log line with the ids that came along as fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Append what `extra` gave."""
        fields = [f" {name}={value}" for name in FIELDS if (value := getattr(record, name, None)) is not None]
        return super().format(record) + "".join(fields)


def read_settings() -> WorkerSettings:
    """Give what the environment says, or complain about what it lacks."""
    try:
        return WorkerSettings()
    except ValidationError as error:
        for wrong in error.errors():
            name = "_".join(str(part) for part in wrong["loc"])
            err.print(f"MOOD_WORKER_{name.upper()}: {wrong['msg']}", style="red", markup=False)
        complain("The worker's settings are incomplete: docs/joining-a-host.md lists them.")


def check_only(settings: WorkerSettings, scratch: Scratch) -> int:
    """Print every check; 1 where one complains."""
    checks = check_host(Engine(), scratch.runs, holdings(settings).look())
    for name, verdict in checks.items():
        style = "green" if verdict == OK else "yellow"
        out.print(f"{name}: {verdict}", style=style, markup=False, soft_wrap=True)
    return int(any(verdict != OK for verdict in checks.values()))


def work(settings: WorkerSettings, scratch: Scratch) -> int:
    """Report this host and take jobs until told to stop."""
    engine, stopping = Engine(), Event()
    held = holdings(settings)
    client = HostClient(settings.server_url, settings.host_token.get_secret_value(), stopping=stopping)
    taker = Worker(
        name=settings.name,
        architecture=engine.architecture(),
        engine=engine,
        client=client,
        host=Host(
            runner=DockerRunner(engine),
            images=Images(engine, keep=settings.images_kept),
            holdings=held,
            scratch=scratch.runs,
            gpu=settings.gpu,
            labels={LABEL: str(scratch.folder)},
        ),
        scratch=scratch,
        stopping=stopping,
    )
    found = held.look()
    offers = [one.offer for one in found if not one.complaints]
    checks = check_host(engine, scratch.runs, found)
    for name, verdict in checks.items():
        if verdict != OK:
            log.warning("host check %s: %s", name, verdict)
    if not offers:
        complain("This host holds no data set whole: `mood worker --check` says why.")
    try:
        taker.report(checks, offers)
    except ServerFault as fault:
        complain(f"The server does not take this worker: {fault}")
    return serve(settings.broker_url, taker, [offer.dataset for offer in offers])


def holdings(settings: WorkerSettings) -> Holdings:
    """Give this host's data sets."""
    return Holdings(settings.data, memory=settings.scratch / settings.name / "verified.json")
