"""The report on the toy cases: one path for the server, the worker and `mood try`.

Values in, values out. A report is plain data that JSON can carry; undefined is None there, n/a in text.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator import __version__, notes
from evaluator.metrics import samples, voxels
from evaluator.outlines import Counted, histogram, precision_recall
from evaluator.readings import PixelReading, SampleReading, Status
from evaluator.resolution import Bounds
from evaluator.sketch import Sketch
from evaluator.tasks import TASKS
from evaluator.wording import Report

Reading = PixelReading | SampleReading


@dataclass(frozen=True, kw_only=True)
class ToyCase:
    """One toy case under its published name, and what was read for it."""

    case: str
    reading: Reading


def toy_report(
    task: str,
    cases: Sequence[ToyCase],
    *,
    wall_s: float | None,
    peak_memory_bytes: int | None,
    job_warnings: Mapping[str, int] | None = None,
    slices: Mapping[str, str] | None = None,
) -> Report:
    """Score the toy cases of one data set.

    pixel: `ap` pools the voxels of all cases, as one batch, and would lie in `ap_bounds` had no score been
    rounded to half precision; a case without an anomalous voxel has none of its own. sample: one average
    precision over the cases. `wall_s` None: nothing was run, predictions were there; `peak_memory_bytes` None:
    too short to sample. `job_warnings` (code -> count) are those of the run itself; they stand after those of
    the predictions. `slices` (case -> sha256) are those of `evaluator.slices`, of the cases that have some.

    `curve` is of precision against recall, None without a positive; `histogram` counts voxels or cases by score.
    """
    if task not in TASKS:
        raise ValueError(f"task is {task!r}, not {' or '.join(TASKS)}")
    readings = [case.reading for case in cases]
    counted = _counted(readings)
    counts = warnings(readings) | dict(job_warnings or {})
    return {
        "task": task,
        "ap": or_none(_average_precision(readings)),
        "ap_bounds": _bounds(readings),
        "distinct": len(_scores(readings)),
        "curve": _curve(counted),
        "histogram": _histogram(counted),
        "cases": [_case(case, (slices or {}).get(case.case)) for case in cases],
        "wall_s": wall_s,
        "peak_memory_bytes": peak_memory_bytes,
        "warnings": [{"code": code, "count": count} for code, count in counts.items()],
        "evaluator_version": __version__,
    }


def warnings(readings: Sequence[Reading]) -> dict[str, int]:
    """Count the cases with each note, and all of them where every score is the same."""
    counts = notes.totals(reading.notes for reading in readings)
    read = any(reading.status is Status.OK for reading in readings)
    if read and all(sketch.distinct == 1 for sketch in _sketches(readings)) and len(_scores(readings)) == 1:
        counts[notes.CONSTANT] = len(readings)
    return counts


def _case(case: ToyCase, slices_sha256: str | None) -> Report:
    """Give one case: its score in the sample task, its own average precision in the pixel task."""
    reading = case.reading
    found: Report = {"case": case.case, "label": reading.label}
    if isinstance(reading, SampleReading):
        found["score"] = reading.score
    else:
        found["ap"] = or_none(voxels.average_precision(reading.sketch))
    if slices_sha256:
        found["slices_sha256"] = slices_sha256
    return {**found, "status": str(reading.status), "notes": dict(reading.notes)}


def _average_precision(readings: Iterable[Reading]) -> float:
    """Score all cases together; those of one data set are of one task."""
    readings = list(readings)
    if any(isinstance(reading, PixelReading) for reading in readings):
        return voxels.average_precision(Sketch.total(_sketches(readings)))
    of_samples = [reading for reading in readings if isinstance(reading, SampleReading)]
    return samples.average_precision(
        [reading.score for reading in of_samples], [reading.label for reading in of_samples]
    )


def _bounds(readings: Iterable[Reading]) -> list[float] | None:
    """Bound the average precision before rounding; None in the sample task, or where there is none."""
    bounds = Bounds.of(Sketch.total(_sketches(readings)))
    return [bounds.low, bounds.high] if math.isfinite(bounds.low) else None


def _counted(readings: Iterable[Reading]) -> Counted:
    """Count the units of all cases, voxels or cases, by score."""
    readings = list(readings)
    if any(isinstance(reading, PixelReading) for reading in readings):
        whole = Sketch.total(_sketches(readings))
        values = whole.bins.view(np.float16).astype(np.float64)
        return Counted(values=values, positive=whole.positive.astype(float), negative=whole.negative.astype(float))
    scores = [reading.score for reading in readings if isinstance(reading, SampleReading)]
    values, place = np.unique(np.array(scores, dtype=np.float64), return_inverse=True)
    positive, every = (
        np.bincount(place, weights=weights, minlength=values.size).astype(np.float64)
        for weights in ([reading.label for reading in readings], [1] * len(readings))
    )
    return Counted(values=values, positive=positive, negative=every - positive)


def _curve(counted: Counted) -> Report | None:
    found = precision_recall(counted)
    return None if found is None else {"recall": _rounded(found[0]), "precision": _rounded(found[1])}


def _histogram(counted: Counted) -> Report:
    edges, normal, anomalous = histogram(counted)
    return {"edges": edges.tolist(), "normal": normal.tolist(), "anomalous": anomalous.tolist()}


def _rounded(values: NDArray[np.float64]) -> list[float]:
    """Keep what a picture shows."""
    return [float(f"{value:.6g}") for value in values.tolist()]


def _scores(readings: Iterable[Reading]) -> set[float]:
    """Give the different scores over all cases; of voxels, their half patterns."""
    found: set[float] = set()
    for reading in readings:
        found |= {reading.score} if isinstance(reading, SampleReading) else set(reading.sketch.bins.tolist())
    return found


def _sketches(readings: Iterable[Reading]) -> list[Sketch]:
    return [reading.sketch for reading in readings if isinstance(reading, PixelReading)]


def or_none(value: float) -> float | None:
    """Give None for what is undefined: JSON has no NaN."""
    return value if math.isfinite(value) else None


def or_0(value: float) -> float:
    """Give 0 for what is undefined: an official score is always a number."""
    return value if math.isfinite(value) else 0.0
