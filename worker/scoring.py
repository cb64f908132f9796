"""From what a container left to counts and scores: every file is opened by the parser process alone.

Gives values; what is said of them, and to whom, is decided in `worker.pipeline` and `worker.trial`.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from evaluator import report
from evaluator.formats import UnreadableError
from evaluator.kernels import COMPILED_FROM_VOXELS
from evaluator.metrics import voxels
from evaluator.objects import ObjectRule
from evaluator.parser.parent import Parser, ParserError
from evaluator.readings import PixelReading, Status
from evaluator.report import Reading, ToyCase
from evaluator.sketch import Sketch
from evaluator.slices import Slices, cut
from evaluator.wording import Report
from server.protocol import JobWarning, Task, WarningCode
from worker.runners.base import Outcome
from worker.starts import Case, Ran, warnings_of
from worker.workspace import BYTES_A_VOXEL

log = logging.getLogger(__name__)

SPARE_FILE_BYTES = 2**20  # beside the voxels: a header, and what gzip adds to noise
PARSE_S = 60.0  # for one file, and
PARSE_S_A_VOXEL = 2e-6  # some ten times what reading a dense map takes, details included
# All files of a container start together have less, or files that are slow on purpose would keep the host for
# days: some ten times what dense maps take, and two to three times what noise takes with details. Behind that, each
# file has a moment. Details are kept in the first part of it; the rest is enough for all sketches, thrice.
ALL_S = 600.0
ALL_S_A_VOXEL = 2.5e-7
MOMENT_S = 1.0
DETAILS_SHARE = 0.75


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is kept of pixel predictions beside their sketches."""

    details: bool = False
    rule: ObjectRule | None = None  # by which details count objects
    shown: frozenset[str] = frozenset()  # cases of which a slice is kept


SKETCHES = Wanted()
Keep = Callable[[Case, PixelReading], None]


def forget(_case: Case, _reading: PixelReading) -> None:
    """Keep nothing."""


def read_predictions(
    ran: Ran,
    *,
    check: Callable[[], None],
    wanted: Wanted = SKETCHES,
    keep: Keep = forget,
    clock: Callable[[], float] = time.monotonic,
) -> list[ToyCase]:
    """Read the predictions of a container start, in its cases' order. `check` is called between two.

    A case without a prediction has a reading too: it says why, and counts 0. What is `wanted` beside the sketches
    is handed to `keep`, case by case, and then forgotten: of all cases it is too much. A case's details may be
    missing, where reading them took too long or too much memory.
    """
    read = []
    with ExitStack() as running:
        reader = _Reader(ran, wanted, clock)
        for parser in (reader.plain, reader.detailed):  # their children start when they are first asked
            running.push(parser)
        for case in ran.start.cases:
            check()
            reading = reader.read(case)
            if isinstance(reading, PixelReading):
                keep(case, reading)
                reading = replace(reading, details=None, plane=None)
            read.append(ToyCase(case=case.name, reading=reading))
    return read


class _Reader:
    """Reads one case after the other, and keeps the time."""

    def __init__(self, ran: Ran, wanted: Wanted, clock: Callable[[], float]) -> None:
        n_voxels = sum(case.voxels for case in ran.start.cases)
        has_many = ran.start.task is Task.PIXEL and n_voxels >= COMPILED_FROM_VOXELS
        self.plain = Parser(compiled=has_many)
        self.detailed = Parser(compiled=has_many, detailed=True, rule=wanted.rule)
        self._ran = ran
        self._wanted = wanted
        self._clock = clock
        all_s = ALL_S + ALL_S_A_VOXEL * n_voxels
        self._end_at_s = clock() + all_s
        self._details_until_s = clock() + DETAILS_SHARE * all_s

    def read(self, case: Case) -> Reading:
        """Read a case; one that cannot be read with details gets another chance without."""
        prediction = self._ran.predictions[case.name]
        if self._ran.start.task is Task.SAMPLE:
            return self.plain.sample(prediction, case.label, timeout_s=self._timeout_s(case))
        detailed = self._with_details(case)
        if detailed and detailed.status is not Status.UNREADABLE:
            return detailed
        plain = self._pixel(self.plain, case)
        return plain if plain.status is Status.OK or detailed is None else detailed

    def _with_details(self, case: Case) -> PixelReading | None:
        """Read a case with details; None where they are not wanted, came too late or cannot be had of its label."""
        if not self._wanted.details or self._clock() > self._details_until_s:
            return None
        try:
            return self._pixel(self.detailed, case)
        except ParserError as error:
            log.warning("no details: %s", error)
            return None

    def _pixel(self, parser: Parser, case: Case) -> PixelReading:
        return parser.pixel(
            self._ran.predictions[case.name],
            case.label,
            shape=case.shape,
            max_bytes=case.voxels * BYTES_A_VOXEL + SPARE_FILE_BYTES,
            timeout_s=self._timeout_s(case),
            positive_voxels=case.positive_voxels,
            shown=case.name in self._wanted.shown,
        )

    def _timeout_s(self, case: Case) -> float:
        own_s = PARSE_S + case.voxels * PARSE_S_A_VOXEL
        return min(own_s, max(MOMENT_S, self._end_at_s - self._clock()))


def slices_of(case: Case, reading: PixelReading) -> Slices | None:
    """Put image and label beside the prediction's slice; None, and a line in the log, where that cannot be done."""
    try:
        with case.volume.open("rb") as image, case.label.open("rb") as label:
            return cut(image, label, case.shape, reading.plane)
    except (UnreadableError, OSError) as error:
        log.warning("no slice of case %s: %s", case.name, error)
        return None


def object_threshold(read: Sequence[ToyCase]) -> float | None:
    """Give the score at which the toy cases' voxels, pooled, have their best Dice: thesis, section 4.2.

    None where there is no such score, or it is 0, which every voxel reaches.
    """
    readings = [case.reading for case in read]
    whole = Sketch.total(reading.sketch for reading in readings if isinstance(reading, PixelReading))
    threshold = voxels.best_threshold(whole)
    return threshold if threshold > 0 else None


def is_empty(read: Sequence[ToyCase]) -> bool:
    """There is no readable prediction at all."""
    return not any(case.reading.status is Status.OK for case in read)


def job_warnings(read: Sequence[ToyCase], outcome: Outcome) -> list[JobWarning]:
    """Count the cases that carry each warning, and what was odd about the container itself."""
    counts = {WarningCode(code): n for code, n in report.warnings([case.reading for case in read]).items()}
    return [JobWarning(code=code, count=count) for code, count in (counts | warnings_of(outcome)).items()]


def report_of(read: Sequence[ToyCase], ran: Ran, slices: Mapping[str, str] | None = None) -> Report:
    """Write the report on a toy start, as a team sees it; `slices` are the sha256 of each case that has some."""
    return report.toy_report(
        ran.start.task,
        read,
        wall_s=round(ran.outcome.wall_s, 3),
        peak_memory_bytes=ran.outcome.peak_memory_bytes,
        job_warnings={code.value: count for code, count in warnings_of(ran.outcome).items()},
        slices=slices,
    )
