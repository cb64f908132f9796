"""The parent: hands files to the child by descriptor, believes little of what comes back, replaces a dead child."""

import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

from evaluator.details import Details
from evaluator.formats import MOST_TEXT_BYTES, LabelError, Shape, read_label
from evaluator.objects import ObjectRule
from evaluator.parser.opening import opened
from evaluator.parser.wire import Answer, EndedError, Request, Rule, WireError, receive
from evaluator.readings import NOTE_OF, PixelReading, SampleReading, Status
from evaluator.sketch import Sketch
from evaluator.slices import plane_of

TIMEOUT_S: Final = 120.0  # for one file; 512³ noise takes some 10 s
COMMAND: Final = (sys.executable, "-I", "-B", "-m", "evaluator.parser")
ENVIRONMENT: Final = {  # all that a child has
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(4 << 20),  # bytes; memory goes back to the kernel now and then only, not with every
    "MALLOC_TRIM_THRESHOLD_": str(12 << 20),  # slab: getting it again took a sixth of the time over a map of zeros
}
_START_TIMEOUT_S: Final = 60.0
_TRIES: Final = 2


class ParserError(Exception):
    """The parser cannot do its part: it does not start, or a label of ours cannot be read. Ours."""


class Parser:
    """A child process that reads hostile files; a context manager, one for each run of a container.

    The child gets descriptors only. It has no environment, and gives up network, files, privileges and
    processes as far as the kernel lets it: see `confinement`. One killed or silent is replaced.
    """

    def __init__(
        self,
        command: Sequence[str] = COMMAND,
        *,
        compiled: bool = False,
        detailed: bool = False,
        rule: ObjectRule | None = None,
    ) -> None:
        """Say what its children load.

        `compiled`: loops that take half a second to load and are then some five times as quick; the digits are
        the same. `detailed`: readings have details. `rule`: details count objects by it.
        """
        words = {"compiled": compiled, "detailed": detailed}
        self._command = (*command, *(word for word, wanted in words.items() if wanted))
        self._is_detailed = detailed
        self._rule = {} if rule is None else asdict(rule)
        self.confinement: dict[str, str] = {}  # thing -> "ok" or the complaint; known once a child has started
        self._lock = Lock()
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        with self._lock:
            self._running()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._drop()

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._child.pid if self._child else None

    def pixel(
        self,
        prediction: Path,
        label: Path,
        *,
        shape: Shape,
        max_bytes: int,
        timeout_s: float = TIMEOUT_S,
        positive_voxels: int | None = None,
        shown: bool = False,
    ) -> PixelReading:
        """Read a volume of `shape`; its file may have `max_bytes`.

        `positive_voxels` is what the label is known to hold: a child that says otherwise is not believed. `shown`
        asks for the plane to look at too. Raises ParserError where the label cannot be read.
        """
        sought = _Sought(
            shape=shape,
            positive_voxels=positive_voxels,
            timeout_s=timeout_s,
            is_detailed=self._is_detailed,
            rule=self._rule,
            shown=shown,
        )
        try:
            with label.open("rb") as truth, opened(prediction, max_bytes=max_bytes) as found:
                return self._pixel(sought, found, truth.fileno())
        except (LabelError, OSError) as error:
            raise ParserError(f"label {label.name}: {error}") from error

    def sample(self, prediction: Path, label: Path, *, timeout_s: float = TIMEOUT_S) -> SampleReading:
        """Read a score; both files are text. Raises ParserError where the label is not 0 or 1."""
        try:
            truth = read_label(label.read_bytes())
        except (LabelError, OSError) as error:
            raise ParserError(f"label {label.name}: {error}") from error
        with opened(prediction, max_bytes=MOST_TEXT_BYTES) as found:
            if isinstance(found, Status):
                answer, seconds = Answer(status=found), 0.0
            else:
                request = Request(what="sample", cpu_s=math.ceil(timeout_s))
                given, seconds = self._ask(request, (found,), timeout_s)
                answer = given or Answer(status=Status.UNREADABLE)
        is_ok = answer.status is Status.OK
        return SampleReading(
            status=answer.status,
            score=answer.score if is_ok else 0.0,
            label=truth,
            notes=answer.notes if is_ok else {NOTE_OF[answer.status]: 1},
            seconds=seconds,
        )

    def _pixel(self, sought: "_Sought", prediction: int | Status, label: int) -> PixelReading:
        """Read both, or the label alone. Raises LabelError."""
        if isinstance(prediction, Status):
            status = prediction
        else:
            reading = self._sketch(sought.request("pixel"), (prediction, label), sought)
            if reading:
                return reading
            status = Status.UNREADABLE
        reading = self._sketch(sought.request("label", status), (label,), sought)
        if reading is None:
            raise LabelError("cannot be counted, or does not hold as many anomalous voxels as its manifest says")
        return reading

    def _sketch(self, request: Request, descriptors: Sequence[int], sought: "_Sought") -> PixelReading | None:
        """Ask for a sketch; None where the child died over it or its answer does not add up."""
        answer, seconds = self._ask(request, descriptors, sought.timeout_s if request.what == "pixel" else TIMEOUT_S)
        if answer is None:
            return None
        if answer.label_fault:
            raise LabelError(answer.label_fault)
        try:
            sketch = Sketch.from_bytes(answer.sketch)
            details = Details.from_bytes(answer.details) if sought.is_detailed else None
            plane = plane_of(answer.plane, sought.shape) if sought.shown else None
        except ValueError:
            self._distrust()
            return None
        if not sought.fits(sketch, details):
            self._distrust()
            return None
        return PixelReading(
            status=answer.status, sketch=sketch, notes=answer.notes, details=details, plane=plane, seconds=seconds
        )

    def _ask(self, request: Request, descriptors: Sequence[int], timeout_s: float) -> tuple[Answer | None, float]:
        """Send a request when it is its turn; the answer, and the seconds it took.

        None, and the child is gone, where it does not answer properly in time.
        """
        with self._lock:
            start = time.monotonic()
            answer = self._answer(request, descriptors, timeout_s)
            return answer, time.monotonic() - start

    def _distrust(self) -> None:
        """Have the next request answered by another child."""
        with self._lock:
            self._drop()

    def _answer(self, request: Request, descriptors: Sequence[int], timeout_s: float) -> Answer | None:
        """A child that ended may have been killed for no fault of the file: the next one tries again, once."""
        for _ in range(_TRIES):
            child = self._running()
            for descriptor in descriptors:
                os.lseek(descriptor, 0, os.SEEK_SET)
            try:
                return child.ask(request, descriptors, timeout_s)
            except EndedError:
                self._drop()
            except WireError:
                self._drop()
                return None
        return None

    def _running(self) -> "_Child":
        if self._child is None or not self._child.is_alive:
            self._drop()
            self._child = _Child(self._command)
            self.confinement = self._child.confinement
        return self._child

    def _drop(self) -> None:
        if self._child:
            self._child.end()
            self._child = None


@dataclass(frozen=True, kw_only=True)
class _Sought:
    """What a sketch must fit, and how long it may take."""

    shape: Shape
    positive_voxels: int | None  # None: not known
    timeout_s: float
    is_detailed: bool
    rule: Rule
    shown: bool

    def request(self, what: str, status: Status = Status.OK) -> Request:
        return Request(
            what=what,
            shape=self.shape,
            status=status,
            cpu_s=math.ceil(self.timeout_s),
            rule=self.rule,
            shown=self.shown,
        )

    def fits(self, sketch: Sketch, details: Details | None) -> bool:
        known = self.positive_voxels is None or sketch.n_positive == self.positive_voxels
        return known and sketch.n_voxels == math.prod(self.shape) and (details is None or self._fit(sketch, details))

    def _fit(self, sketch: Sketch, details: Details) -> bool:
        """Details are of the sketch's voxels, and of objects where they were asked to."""
        asked = (details.objects is not None) == bool(self.rule)
        return asked and details.fit(sketch, self.shape)


class _Child:
    """One child process with its socket."""

    def __init__(self, command: Sequence[str]) -> None:
        self._connection, theirs = socket.socketpair()
        try:
            with tempfile.TemporaryDirectory(prefix="mood-parser-") as folder:
                with theirs:  # closed here at once, or the end of a child would go unheard
                    self._process = _start(command, theirs, folder)
                self.confinement = self._greeting()
        except OSError as error:
            self._connection.close()
            raise ParserError(f"the parser process does not start: {error}") from error

    def _greeting(self) -> dict[str, str]:
        """Hear what the child gave up. From then on it needs no folder: its own is removed under it."""
        try:
            said, _ = receive(self._connection, deadline=time.monotonic() + _START_TIMEOUT_S)
        except WireError as error:
            self.end()
            raise ParserError(f"the parser process does not start: {error}") from error
        return {str(thing): str(verdict) for thing, verdict in said.items()}

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: Request, descriptors: Sequence[int], timeout_s: float) -> Answer:
        """Raises WireError."""
        try:
            socket.send_fds(self._connection, [json.dumps(asdict(request)).encode()], list(descriptors))
        except OSError as error:
            raise EndedError(f"the parser is gone: {error}") from error
        return Answer.believed(*receive(self._connection, deadline=time.monotonic() + timeout_s))

    def end(self) -> None:
        """Kill it, whatever it does, and wait for it."""
        self._process.kill()
        self._process.wait()
        self._connection.close()


def _start(command: Sequence[str], theirs: socket.socket, folder: str) -> subprocess.Popen[bytes]:
    """Start a child with a socket, an empty folder that becomes its root, and nothing else."""
    return subprocess.Popen(
        command,
        stdin=theirs.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=ENVIRONMENT,
        start_new_session=True,
    )
