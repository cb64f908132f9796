"""Does this host keep what the platform promises? Named checks, each "ok" or a complaint.

What a container cannot do is not read from settings but tried, in a container that is made exactly as every
run is: of this host's own shell and two of its programs.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from evaluator.parser.parent import Parser, ParserError
from server.protocol import ContainerUser, Limits, Task
from worker import page_cache
from worker.holdings import Held
from worker.runners.base import Ended, EngineFault, Run
from worker.runners.docker import DockerRunner, Engine
from worker.workspace import run_folder

OK = "ok"
REPOSITORY = "mood-host-check"
PROGRAMS = ("sh", "cat", "ls", "touch")
FREE_BYTES = 20 * 10**9  # an image and its archive, copies of a test set, predictions
PROBE_S = 60.0
CAP_BYTES = 2**24
LIMITS = Limits(memory_bytes=2**27, cpus=1, pids=32, shm_bytes=2**20, tmp_bytes=2**20, gpus=False)

TROUBLE = (EngineFault, ParserError, OSError, subprocess.SubprocessError)  # what a host can lack

# What the probe says, one word a line: each line must be there for its check to be ok.
SCRIPT = """\
[ "$(ls /sys/class/net)" = lo ] && echo no-network
[ -z "$(cat /proc/net/route | { read -r head; cat; })" ] && echo no-route
touch /probe 2> /dev/null || echo root-read-only
touch "$1/probe" 2> /dev/null || echo input-read-only
touch "$2/probe" && echo output-writable
while read -r key value rest; do
    case "$key $value" in
        "CapEff: 0000000000000000") echo no-capabilities ;;
        "NoNewPrivs: 1") echo no-new-privileges ;;
        "Seccomp: 2") echo seccomp ;;
    esac
done < /proc/self/status
[ -e /var/run/docker.sock ] || echo no-engine-socket
"""
PROMISES = {
    "network": ("no-network", "no-route"),
    "read-only root": ("root-read-only", "input-read-only"),
    "output folder": ("output-writable",),
    "privileges": ("no-capabilities", "no-new-privileges"),
    "seccomp": ("seccomp",),
    "engine socket": ("no-engine-socket",),
}


def check_host(engine: Engine, scratch: Path, holdings: Sequence[Held]) -> dict[str, str]:
    """Run every check; gives name -> "ok" or the complaint."""
    checks = {
        "engine": _said(engine.ping),
        "disk": _disk(scratch),
        "output cap": _output_cap(scratch),
        "page cache": page_cache.forget() or OK,
    }
    checks |= _container(engine, scratch)
    checks |= _parser()
    for held in holdings:
        name = f"data {held.offer.challenge}/{held.offer.dataset}"
        checks[name] = held.complaints[0] if held.complaints else OK
    if not holdings:
        checks["data"] = "no data set is held: name challenge folders with MOOD_WORKER_DATA"
    return checks


def _said(check: Callable[[], object]) -> str:
    """Turn what goes wrong into a complaint: a check has no other answer."""
    try:
        check()
    except TROUBLE as error:
        return f"{type(error).__name__}: {error}"
    return OK


def _disk(scratch: Path) -> str:
    free = shutil.disk_usage(scratch).free
    return OK if free >= FREE_BYTES else f"{free / 1e9:.1f} GB free at {scratch}, {FREE_BYTES / 1e9:.0f} are needed"


def _output_cap(scratch: Path) -> str:
    """An output folder is a file system of its own, so that no container can fill the disk."""
    if os.geteuid() != 0:
        return "the worker is not root: output folders are plain folders, watched by size"
    with run_folder(scratch, cases={}, output_cap_bytes=CAP_BYTES, owner=0) as folder:
        if not os.path.ismount(folder.output_dir):
            return "no loop mount can be made here: output folders are plain folders, watched by size"
    return OK


def _parser() -> dict[str, str]:
    """What the process gave up that opens predictions."""
    given_up: dict[str, str] = {}

    def start() -> None:
        with Parser() as parser:
            given_up.update(parser.confinement)

    complaint = _said(start)
    return {f"parser {thing}": verdict for thing, verdict in given_up.items()} or {"parser": complaint}


def _container(engine: Engine, scratch: Path) -> dict[str, str]:
    """Try in a container what a container must not be able to do."""
    said: set[str] = set()

    def probe() -> None:
        said.update(_probe(engine, scratch))

    complaint = _said(probe)
    if complaint != OK:
        return dict.fromkeys(PROMISES, f"not tried: {complaint}")
    return {
        name: OK if said.issuperset(words) else f"a container could do what it must not: {sorted(set(words) - said)}"
        for name, words in PROMISES.items()
    }


def _probe(engine: Engine, scratch: Path) -> list[str]:
    with _probe_image(engine) as image, run_folder(scratch, cases={}, output_cap_bytes=CAP_BYTES, owner=None) as folder:
        run = Run(
            name=folder.name,
            image=image,
            task=Task.SAMPLE,
            dataset="check",
            input_dir=folder.input_dir,
            output_dir=folder.output_dir,
            expected=frozenset(),
            budget_s=PROBE_S,
            output_bytes=CAP_BYTES,
            limits=LIMITS,
            user=ContainerUser.NOBODY,
        )
        outcome = DockerRunner(engine).run(run, progress=lambda _done: None, cancelled=Event())
    if outcome.ended is not Ended.EXITED:
        raise EngineFault(f"the probe was stopped: {outcome.ended.value}; it said {outcome.log!r}")
    return outcome.log.split()


@contextmanager
def _probe_image(engine: Engine) -> Iterator[str]:
    """Make an image of this host's shell and a few programs, with the libraries they name."""
    with tempfile.TemporaryDirectory(prefix="mood-probe-") as folder:
        root = Path(folder)
        for program in PROGRAMS:
            _take(root, program)
        script = root / "workspace" / f"run_{Task.SAMPLE}_check.sh"
        script.parent.mkdir()
        script.write_text(SCRIPT, encoding="ascii")
        tag = root.name
        image = engine.import_rootfs(root, repository=REPOSITORY, tag=tag, changes=["ENV PATH=/bin"])
    try:
        yield image
    finally:
        engine.remove_image(f"{REPOSITORY}:{tag}")


def _take(root: Path, program: str) -> None:
    """Copy a program of this host into bin/, and its libraries to where it looks for them."""
    found = shutil.which(program)
    if found is None:
        raise FileNotFoundError(f"this host has no program {program}")
    _copy(Path(found), root / "bin" / program)
    linked = subprocess.run(["ldd", found], check=False, capture_output=True, text=True)
    for library in re.findall(r"(/\S+) \(0x", linked.stdout):
        _copy(Path(library), root / library.lstrip("/"))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)
