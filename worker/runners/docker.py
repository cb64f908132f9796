"""The one door to the Docker engine: images in and out, and one container from start to end.

`arguments` decides how a container is shut in, `DockerRunner.run` acts on it. What a run leaves behind and
when it must end is watched by `worker.runners.watch`; whose fault an end is, is decided in `worker.pipeline`.
"""

import re
import secrets
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from threading import Event, Thread
from typing import Any, Self, cast

import docker
import docker.errors
import requests.exceptions
from docker.models.containers import Container
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from server.protocol import ContainerUser
from worker.runners.base import Ended, EngineFault, Outcome, Run, StartRefused
from worker.runners.memory import control_group, held_bytes
from worker.runners.watch import OutputWatch, end_reason

GONE, CONFLICT = 404, 409  # what the engine answers; a conflict: still in use, or not running
NOBODY = 65534  # "nobody" of every distribution; owns nothing on a host
QUICK_S = 60  # an engine that takes longer for an inspect or a kill is broken
SLOW_S = 3600  # loads, builds and saves of many gigabytes may be silent for long
GONE_S = 30.0  # how long a killed container may take to be gone
SAMPLE_S = 0.05  # between two looks at a container's control group
ASK_S = 0.5  # between two questions to the engine, where the control group is not to be seen
LOG_BYTES = 256 * 1024  # the end of a log that is kept
# The engine keeps two such files a container. A line costs some 30 bytes beside its text, so that even a
# flood of two-byte lines leaves more than LOG_BYTES in one file: a cut log can be told from a whole one.
LOG_FILE = "16m"
OPEN_FILES = 4096  # no more than an ordinary process may ask for, so that every host can grant it
OOM_SCORE_ADJ = 500  # a container dies before the host's services do
NOT_STARTED = 125  # the exit code by which `docker run` says so
CONTROL = "mood-control"  # repository of the image that is nothing but empty
WORDS = 2000  # characters of the engine's own that a participant is shown
HOST_PATH = re.compile(r"/\S*/(?:merged|_data)(?=/|\b)")  # where the engine keeps a root or a volume
TARGETS = ("/mnt/data", "/mnt/pred", "/tmp")  # noqa: S108  paths inside a container


@dataclass(frozen=True, kw_only=True)
class Found:
    """A container of ours, or what is left of it."""

    id: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What is asked of an image before it runs."""

    id: str  # sha256:…, the hash of its config
    architecture: str
    user: str  # as its Dockerfile says; empty is root
    volumes: tuple[str, ...]  # paths that its Dockerfile declared with VOLUME
    tags: tuple[str, ...]
    last_tagged_at: str  # as the engine writes it; sorts by time


@contextmanager
def _faults(doing: str) -> Iterator[None]:
    """Every exception of the engine, or on the way to it, is ours."""
    try:
        yield
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        raise EngineFault(f"{doing}: {error}") from error


@contextmanager
def _unless(*statuses: int) -> Iterator[None]:
    """Let the engine's answers of these kinds pass: nothing is left to do, or it cannot be done yet."""
    try:
        yield
    except docker.errors.APIError as error:
        if error.status_code not in statuses:
            raise


@contextmanager
def _refusals() -> Iterator[None]:
    """An engine that answers no is another thing than one that does not answer."""
    try:
        yield
    except EngineFault as fault:
        if isinstance(fault.__cause__, docker.errors.APIError):
            raise StartRefused(str(fault.__cause__.explanation or fault.__cause__)) from fault
        raise


class Engine:
    """A Docker engine, in the words of this project. Raises `EngineFault` alone."""

    def __init__(self) -> None:
        with _faults("reaching the Docker engine (is it running, may this user talk to it?)"):
            self._quick = docker.from_env(timeout=QUICK_S)
            self._slow = docker.from_env(timeout=SLOW_S)

    def close(self) -> None:
        """Give the connections back."""
        self._quick.close()
        self._slow.close()

    def ping(self) -> None:
        """Return when the engine answers."""
        with _faults("asking the engine whether it is there"):
            self._quick.ping()

    def version(self) -> str:
        """Name and version, for people."""
        with _faults("asking the engine for its version"):
            return f"Docker {self._quick.version()['Version']}"

    def architecture(self) -> str:
        """The machine's, as images name it: amd64, arm64."""
        with _faults("asking the engine for its architecture"):
            return str(self._quick.version()["Arch"])

    def cpus(self) -> int:
        """How many processors the engine's machine has."""
        with _faults("asking the engine for its processors"):
            return int(self._quick.info()["NCPU"])

    # Images

    def load(self, archive: Iterable[bytes]) -> None:
        """Load a `docker save` archive. The caller has dropped its tags (`worker.archives.untagged`)."""
        with _faults("loading an image"):
            self._slow.images.load(cast("Any", archive))  # a generator is sent in chunks

    def save(self, image: str, out: Path) -> None:
        """Write an image as `docker save` does; a name keeps its tag in the archive."""
        with _faults(f"saving image {image}"), out.open("wb") as file:
            named = not image.startswith("sha256:")
            for block in self._slow.images.get(image).save(named=image if named else False):
                file.write(block)

    def image_id(self, name: str) -> str | None:
        """Give the ID (sha256:…) of an image by name or ID; None when the engine lacks it."""
        facts = self.image(name)
        return facts.id if facts else None

    def image(self, name: str) -> ImageFacts | None:
        """Give what is known of an image by name or ID; None when the engine lacks it."""
        with _faults(f"looking at image {name}"):
            try:
                attrs: dict[str, Any] = self._quick.images.get(name).attrs
            except docker.errors.ImageNotFound:
                return None
        config = attrs.get("Config") or {}
        return ImageFacts(
            id=attrs["Id"],
            architecture=attrs.get("Architecture", ""),
            user=config.get("User") or "",
            volumes=tuple(config.get("Volumes") or ()),
            tags=tuple(attrs.get("RepoTags") or ()),
            last_tagged_at=str((attrs.get("Metadata") or {}).get("LastTagTime", "")),
        )

    def images(self, repository: str) -> list[ImageFacts]:
        """Give the images that carry a tag of one repository."""
        with _faults(f"listing images of {repository}"):
            found = {image.id for image in self._quick.images.list(name=repository)}
        return [facts for image in sorted(str(one) for one in found) if (facts := self.image(image))]

    def tag(self, image: str, repository: str, tag: str) -> None:
        """Give an image another name; its `last_tagged_at` is now."""
        with _faults(f"tagging image {image}"):
            self._quick.images.get(image).tag(repository, tag)

    def remove_image(self, name: str) -> None:
        """Take a name away, and the image with its last one. Does nothing when it is gone or in use."""
        with _faults(f"removing image {name}"), _unless(GONE, CONFLICT):
            self._slow.images.remove(name)

    def build(
        self,
        context: Path,
        *,
        tag: str,
        buildargs: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """Build a folder with a Dockerfile, without a network; gives the image's ID."""
        try:
            with _faults(f"building {context}"):
                image, _ = self._slow.images.build(
                    path=str(context),
                    tag=tag,
                    buildargs=dict(buildargs or {}),
                    labels=dict(labels or {}),
                    rm=True,
                    forcerm=True,
                    network_mode="none",
                )
        except EngineFault as fault:
            if isinstance(fault.__cause__, docker.errors.BuildError):
                said = "".join(str(line.get("stream", "")) for line in fault.__cause__.build_log)
                raise EngineFault(f"{fault}; the build said, at its end:\n{said[-4000:]}") from fault
            raise
        return str(image.id)

    def remove_dangling(self, label: str) -> int:
        """Remove untagged images that carry a label, such as a build's first stages; gives how many."""
        with _faults(f"removing untagged images labelled {label}"):
            gone = self._slow.images.prune(filters={"dangling": True, "label": label})
        return len(gone.get("ImagesDeleted") or ())

    def import_rootfs(self, rootfs: Path, *, repository: str, tag: str, changes: Sequence[str] = ()) -> str:
        """Make an image of a root file system, a tar file or a folder; gives its ID."""
        with _faults(f"importing {rootfs}"):
            if rootfs.is_file():
                self._slow.api.import_image_from_file(
                    str(rootfs), repository=repository, tag=tag, changes=list(changes)
                )
            else:
                self._slow.api.import_image_from_stream(
                    _tar_blocks(rootfs), repository=repository, tag=tag, changes=list(changes)
                )
            return str(self._quick.images.get(f"{repository}:{tag}").id)

    def pull(self, name: str, *, timeout_s: int) -> str | None:
        """Pull an image by name; its ID, or None where it cannot be had within the time."""
        with (
            suppress(docker.errors.APIError, requests.exceptions.RequestException),
            closing(docker.from_env(timeout=timeout_s)) as client,
        ):
            return str(client.images.pull(name).id)
        return None

    def output_of(self, image: str, command: Sequence[str]) -> str:
        """Give what a command prints in a container of an image, shut in as a run is."""
        with _faults(f"running {' '.join(command)} in {image}"):
            container = self._quick.containers.create(
                image,
                list(command),
                entrypoint=[],
                network_mode="none",
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                user=f"{NOBODY}:{NOBODY}",
                mem_limit=2**29,
                pids_limit=64,
            )
            try:
                container.start()
                container.wait()
                said: bytes = container.logs()
            finally:
                container.remove(force=True, v=True)
        return said.decode("utf-8", "replace")

    # Containers

    def create(self, kwargs: Mapping[str, Any]) -> str:
        """Make a container as `arguments` decided; gives its id. Raises `StartRefused` too."""
        with _refusals(), _faults(f"creating container {kwargs.get('name')}"):
            return str(self._quick.containers.create(**kwargs).id)

    def start(self, container: str) -> None:
        """Start it. Raises `StartRefused` too."""
        with _refusals(), _faults(f"starting container {container}"):
            self._quick.api.start(container)

    def wait(self, container: str, *, timeout_s: int) -> int:
        """Return its exit code when it has ended."""
        with _faults(f"waiting for container {container}"):
            return int(self._slow.api.wait(container, timeout=timeout_s)["StatusCode"])

    def kill(self, container: str) -> None:
        """Kill it; does nothing when it has ended."""
        with _faults(f"killing container {container}"), _unless(GONE, CONFLICT):
            self._quick.api.kill(container)

    def state(self, container: str) -> Mapping[str, Any]:
        """Give the engine's State of a container: Running, ExitCode, OOMKilled, …."""
        with _faults(f"inspecting container {container}"):
            state: Mapping[str, Any] = self._quick.api.inspect_container(container)["State"]
        return state

    def memory_bytes(self, container: str) -> int | None:
        """Give what a running container holds now, droppable page cache left out; None: it has ended."""
        with _faults(f"measuring container {container}"):
            stats = self._quick.api.stats(container, stream=False, one_shot=True)
        memory = stats.get("memory_stats") or {}
        if not memory.get("usage"):
            return None
        detail = memory.get("stats") or {}
        droppable = detail.get("total_inactive_file", detail.get("inactive_file", 0))  # cgroup v1, v2
        return max(0, int(memory["usage"]) - int(droppable))

    def log_end(self, container: str) -> tuple[str, bool]:
        """Give the last LOG_BYTES of its log, and whether there was more.

        No line is shorter than a byte, so LOG_BYTES + 1 lines hold enough; the engine's own two files bound
        what is read.
        """
        with _faults(f"reading the log of container {container}"):
            log: bytes = self._quick.api.logs(container, tail=LOG_BYTES + 1)
        return log[-LOG_BYTES:].decode("utf-8", "replace"), len(log) > LOG_BYTES

    def remove(self, container: str, volumes: Iterable[str] = ()) -> None:
        """Remove a container, running or not, and its volumes."""
        with _faults(f"removing container {container}"):
            with _unless(GONE):
                self._quick.api.remove_container(container, force=True, v=True)
            for volume in volumes:
                with _unless(GONE):
                    self._quick.api.remove_volume(volume)

    def containers(self, label: str) -> list[Found]:
        """Give all containers, running or not, with a label (`key` or `key=value`)."""
        with _faults(f"listing containers labelled {label}"):
            listed: list[Container] = self._quick.containers.list(
                all=True, filters={"label": label}, ignore_removed=True
            )
            return [Found(id=str(one.id), labels=dict(one.labels)) for one in listed]

    def remove_volumes(self, label: str) -> None:
        """Remove the volumes with a label that no container uses."""
        with _faults(f"removing volumes labelled {label}"):
            for volume in self._quick.volumes.list(filters={"label": label}):
                with _unless(GONE, CONFLICT):
                    volume.remove()


def _tar_blocks(folder: Path) -> Iterator[bytes]:
    """Give a folder as the blocks of a tar, made while they are read."""
    blocks: list[bytes] = []

    class Sink:
        def write(self, data: bytes) -> int:
            blocks.append(bytes(data))
            return len(data)

    with tarfile.open(fileobj=Sink(), mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]  # only write is needed
        for path in sorted(folder.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(folder)), recursive=False)
            yield from blocks
            blocks.clear()
    yield from blocks


def arguments(run: Run, *, cpus: float, volumes: Iterable[str] = ()) -> dict[str, Any]:
    """Decide how a container is made: everything that shuts it in, and nothing it can talk its way out of.

    `cpus` are the host's: the engine refuses a limit above them. `volumes` are the paths the image declared
    with VOLUME. Left alone, each would become a writable folder of the host without a cap.
    """
    limits = run.limits
    return {
        "image": run.image,
        "command": run.command,
        "entrypoint": [],  # the published command is run as it is, whatever the image's ENTRYPOINT
        "name": run.name,
        "hostname": "mood",
        "detach": True,
        "user": _user(run.user),
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "privileged": False,
        "init": True,
        "ipc_mode": "private",
        "pids_limit": limits.pids,
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,  # memory and swap together: no swap
        "nano_cpus": round(min(limits.cpus, cpus) * 1e9),
        "shm_size": limits.shm_bytes,
        "oom_score_adj": OOM_SCORE_ADJ,
        "ulimits": _ulimits(run),
        "tmpfs": _tmpfs(run, volumes),
        "mounts": _mounts(run, volumes),
        "environment": _environment(run),
        "device_requests": _devices(run),
        "healthcheck": {"test": ["NONE"]},
        "log_config": LogConfig(type="local", config={"max-size": LOG_FILE, "max-file": "2"}),
        "labels": dict(run.labels),
    }


def _user(user: ContainerUser | int) -> str | None:
    """As the engine takes it; None is what the image says."""
    if user is ContainerUser.IMAGE:
        return None
    uid = {ContainerUser.ROOT: 0, ContainerUser.NOBODY: NOBODY}.get(user) if isinstance(user, str) else user
    return f"{uid}:{uid}"


def _ulimits(run: Run) -> list[Ulimit]:
    # One file may fill the larger of the two places a container can write to; the places cap themselves.
    largest = max(run.output_bytes, run.limits.tmp_bytes)
    return [
        Ulimit(name="fsize", soft=largest, hard=largest),
        Ulimit(name="core", soft=0, hard=0),
        Ulimit(name="nofile", soft=OPEN_FILES, hard=OPEN_FILES),
    ]


def _tmpfs(run: Run, volumes: Iterable[str]) -> dict[str, str]:
    places = {"/tmp": f"rw,exec,nosuid,nodev,size={run.limits.tmp_bytes},mode=1777"}  # noqa: S108  inside
    # A volume above one of our mounts must let the engine make the mount's folder in it.
    return places | {path: "rw,noexec,nosuid,nodev,size=64k,mode=755" for path in volumes if _is_above(path)}


def _is_above(volume: str) -> bool:
    path = PurePosixPath(volume)
    return any(path in PurePosixPath(target).parents for target in TARGETS)


def volume_names(run: Run, volumes: Iterable[str]) -> dict[str, str]:
    """Name the volumes that stand for an image's own, by path."""
    kept = [path for path in volumes if path.rstrip("/") not in TARGETS and not _is_above(path)]
    return {path: f"{run.name}-volume-{number}" for number, path in enumerate(sorted(kept))}


def _mounts(run: Run, volumes: Iterable[str]) -> list[Mount]:
    return [
        Mount("/mnt/data", str(run.input_dir), type="bind", read_only=True, propagation="private"),
        Mount("/mnt/pred", str(run.output_dir), type="bind", read_only=False, propagation="private"),
        # The engine copies what the image has at that path into a volume of ours, which stays read-only.
        *(
            Mount(path, name, type="volume", read_only=True, labels=dict(run.labels))
            for path, name in volume_names(run, volumes).items()
        ),
    ]


def _environment(run: Run) -> dict[str, str]:
    # Where NVIDIA's runtime is the engine's default, an image's own variable would choose the devices.
    return {"HOME": "/tmp", "NVIDIA_VISIBLE_DEVICES": _gpu(run) or "void"}  # noqa: S108  inside


def _devices(run: Run) -> list[DeviceRequest]:
    gpu = _gpu(run)
    return [DeviceRequest(device_ids=[gpu], capabilities=[["gpu"]])] if gpu else []


def _gpu(run: Run) -> str | None:
    return run.gpu if run.limits.gpus else None


class DockerRunner:
    """Runs one container on a Docker engine, from start to end. See `worker.runners.base.Runner`."""

    def __init__(self, engine: Engine, *, poll_s: float = 0.2) -> None:
        self.engine = engine
        self.poll_s = poll_s  # between two looks at the output folder, the clock and the cancelled flag

    def run(self, run: Run, *, progress: Callable[[int], None], cancelled: Event) -> Outcome:
        """Run to the end or to the budget; predictions stay in `run.output_dir`.

        A container that cannot be started, twice, where one of an empty image can, has its image to blame (a
        USER that is not there, a file at /mnt): it ends at once, and the log says why.
        """
        image = self.engine.image(run.image)
        if image is None:
            raise EngineFault(f"run {run.name}: the engine has no image {run.image}")
        try:
            return self._run(run, image, progress, cancelled)
        except StartRefused:
            self._start_empty(run)
        try:
            return self._run(run, image, progress, cancelled)
        except StartRefused as refusal:
            return _not_started(run, refusal)

    def _start_empty(self, run: Run) -> None:
        """Start a container that differs from a run's in its image alone. Raises `StartRefused`: it is ours."""
        name = f"{run.name}-control"
        with tempfile.TemporaryDirectory(prefix="mood-control-") as root:
            empty = self.engine.import_rootfs(Path(root), repository=CONTROL, tag=secrets.token_hex(8))
        try:
            container = self.engine.create(arguments(replace(run, name=name, image=empty), cpus=self.engine.cpus()))
            try:
                self.engine.start(container)
            finally:
                self.engine.remove(container)
        finally:
            self.engine.remove_image(empty)

    def _run(self, run: Run, image: ImageFacts, progress: Callable[[int], None], cancelled: Event) -> Outcome:
        kwargs = arguments(run, cpus=self.engine.cpus(), volumes=image.volumes)
        names = volume_names(run, image.volumes).values()
        container = self.engine.create(kwargs)
        try:
            return self._watched(run, container, progress, cancelled)
        finally:
            self.engine.remove(container, names)

    def _watched(self, run: Run, container: str, progress: Callable[[int], None], cancelled: Event) -> Outcome:
        """Start, watch, read what is left. The log is read when all is over, so it can hold up nothing."""
        watch = OutputWatch(run.output_dir, expected=run.expected, limit_bytes=run.output_bytes)
        started_at_s = time.monotonic()
        self.engine.start(container)
        exited = _exit_of(self.engine, container, timeout_s=int(run.budget_s + 2 * GONE_S))
        with _MemorySampler(self.engine, container) as memory:
            ended = self._until_end(run, watch, exited, started_at_s, progress, cancelled)
            self.engine.kill(container)
            self._verify_gone(container, exited)
        wall_s = time.monotonic() - started_at_s
        watch.look(wall_s)
        progress(watch.done)
        state = self.engine.state(container)
        log, log_cut = self.engine.log_end(container)
        return Outcome(
            ended=ended,
            exit_code=int(state["ExitCode"]) if ended is Ended.EXITED else None,
            killed_for_memory=bool(state["OOMKilled"]),
            wall_s=wall_s,
            peak_memory_bytes=memory.peak_bytes,
            log=log,
            log_cut=log_cut,
            predicted_at_s=dict(watch.seen_at_s),
        )

    def _until_end(
        self,
        run: Run,
        watch: OutputWatch,
        exited: "Future[int]",
        started_at_s: float,
        progress: Callable[[int], None],
        cancelled: Event,
    ) -> Ended:
        """Return when the container has ended or has to. Knows neither the log nor the engine."""
        done = 0
        while True:
            over = exited.done()  # asked first: what is seen below is then all there will be
            elapsed_s = time.monotonic() - started_at_s
            watch.look(elapsed_s)
            if watch.done > done:
                done = watch.done
                progress(done)
            reason = end_reason(
                exited=over,
                full=watch.is_full(),
                late=elapsed_s >= run.budget_s,
                cancelled=cancelled.is_set(),
            )
            if reason is not None:
                return reason
            pause_s = min(self.poll_s, max(0.0, run.budget_s - elapsed_s))
            with suppress(TimeoutError):
                exited.exception(timeout=pause_s)

    def _verify_gone(self, container: str, exited: "Future[int]") -> None:
        try:
            exited.result(timeout=GONE_S)
        except TimeoutError as error:
            raise EngineFault(f"container {container} still runs {GONE_S} s after it was killed") from error
        if self.engine.state(container)["Running"]:
            raise EngineFault(f"container {container} runs although the engine said it ended")


def _not_started(run: Run, refusal: StartRefused) -> Outcome:
    said = str(refusal).replace(str(run.input_dir), "/mnt/data").replace(str(run.output_dir), "/mnt/pred")
    return Outcome(
        ended=Ended.EXITED,
        exit_code=NOT_STARTED,
        killed_for_memory=False,
        wall_s=0.0,
        peak_memory_bytes=None,
        log=f"The container cannot be started: {HOST_PATH.sub('', said)[:WORDS]}\n",
        log_cut=False,
        predicted_at_s={},
    )


def _exit_of(engine: Engine, container: str, *, timeout_s: int) -> "Future[int]":
    """Wait for a container in a thread that holds nobody up, not even when the engine is silent."""
    exited: Future[int] = Future()

    def wait() -> None:
        try:
            exited.set_result(engine.wait(container, timeout_s=timeout_s))
        except EngineFault as fault:
            exited.set_exception(fault)

    Thread(target=wait, name="waits for a container", daemon=True).start()
    return exited


class _MemorySampler:
    """The highest sample of a container's control group, taken in a thread of its own."""

    def __init__(self, engine: Engine, container: str) -> None:
        self.peak_bytes: int | None = None
        self._engine = engine
        self._container = container
        self._over = Event()
        self._thread = Thread(target=self._sample, name="memory sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        # A container that ends while it is measured has no more samples; that is all a failure means.
        with suppress(EngineFault):
            pid = int(self._engine.state(self._container)["Pid"])
            group = control_group(pid, self._container)
            while not self._over.is_set():
                now = held_bytes(group) if group else self._engine.memory_bytes(self._container)
                if now is not None:
                    self.peak_bytes = max(now, self.peak_bytes or 0)
                self._over.wait(SAMPLE_S if group else ASK_S)
