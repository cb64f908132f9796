"""From what a container left to counts and scores: every file is opened by the parser process alone.

Gives values; what is said of them, and to whom, is decided in `worker.pipeline` and `worker.trial`.
"""

import time
from collections.abc import Callable, Sequence

from evaluator import report
from evaluator.kernels import COMPILED_FROM_VOXELS
from evaluator.parser.parent import Parser
from evaluator.readings import Status
from evaluator.report import Reading, ToyCase
from evaluator.wording import Report
from server.protocol import JobWarning, Task, WarningCode
from worker.runners.base import Outcome
from worker.starts import Case, Ran, warnings_of
from worker.workspace import BYTES_A_VOXEL

SPARE_FILE_BYTES = 2**20  # beside the voxels: a header, and what gzip adds to noise
PARSE_S = 60.0  # for one file, and
PARSE_S_A_VOXEL = 2e-6  # some ten times what reading a dense map takes
# All files of a container start together have less, or files that are slow on purpose would keep the host for
# days: some three times what dense maps take. Behind that, each file has a moment.
ALL_S = 600.0
ALL_S_A_VOXEL = 2.5e-7
MOMENT_S = 1.0


def read_predictions(
    ran: Ran, *, check: Callable[[], None], clock: Callable[[], float] = time.monotonic
) -> list[ToyCase]:
    """Read the predictions of a container start, in its cases' order. `check` is called between two.

    A case without a prediction has a reading too: it says why, and counts 0.
    """
    read = []
    voxels = sum(case.voxels for case in ran.start.cases)
    end_at_s = clock() + ALL_S + ALL_S_A_VOXEL * voxels
    has_many = ran.start.task is Task.PIXEL and voxels >= COMPILED_FROM_VOXELS
    with Parser(compiled=has_many) as parser:
        for case in ran.start.cases:
            check()
            own_s = PARSE_S + case.voxels * PARSE_S_A_VOXEL
            timeout_s = min(own_s, max(MOMENT_S, end_at_s - clock()))
            read.append(ToyCase(case=case.name, reading=_reading(parser, ran, case, timeout_s)))
    return read


def _reading(parser: Parser, ran: Ran, case: Case, timeout_s: float) -> Reading:
    prediction = ran.predictions[case.name]
    if ran.start.task is Task.SAMPLE:
        return parser.sample(prediction, case.label, timeout_s=timeout_s)
    most = case.voxels * BYTES_A_VOXEL + SPARE_FILE_BYTES
    return parser.pixel(
        prediction,
        case.label,
        shape=case.shape,
        max_bytes=most,
        timeout_s=timeout_s,
        positive_voxels=case.positive_voxels,
    )


def is_empty(read: Sequence[ToyCase]) -> bool:
    """There is no readable prediction at all."""
    return not any(case.reading.status is Status.OK for case in read)


def job_warnings(read: Sequence[ToyCase], outcome: Outcome) -> list[JobWarning]:
    """Count the cases that carry each warning, and what was odd about the container itself."""
    counts = {WarningCode(code): n for code, n in report.warnings([case.reading for case in read]).items()}
    return [JobWarning(code=code, count=count) for code, count in (counts | warnings_of(outcome)).items()]


def report_of(read: Sequence[ToyCase], ran: Ran) -> Report:
    """Write the report on a toy start, as a team sees it."""
    return report.toy_report(
        ran.start.task,
        read,
        wall_s=round(ran.outcome.wall_s, 3),
        peak_memory_bytes=ran.outcome.peak_memory_bytes,
        job_warnings={code.value: count for code, count in warnings_of(ran.outcome).items()},
    )
