"""AP of one anomaly that grows, or brightens, in one scan: the thesis's figure 4.4, a line a submission."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluator.analysis.entries import Entry, Facts
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import AP, BASELINES_SAID, DATASET, TEAM, listed, sentences
from evaluator.metrics import samples, voxels
from evaluator.tasks import SAMPLE


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What is varied, and where cases.csv says how far."""

    table: str
    title: str
    subcategory: str  # of its cases
    parameter: str
    column: Column
    what: str


SIZES = Sweep(
    table="sizes",
    title="AP against size",
    subcategory="radius sweep",
    parameter="radius_voxels",
    column=Column(name="radius_voxels", title="Radius", kind="number", unit="voxels", digits=1),
    what="radius of a sphere, which is always in the same place and of the same intensity",
)
CONTRASTS = Sweep(
    table="contrasts",
    title="AP against intensity",
    subcategory="intensity sweep",
    parameter="intensity",
    column=Column(name="intensity", title="Intensity", kind="number", digits=2),
    what="intensity of a sphere, from 0, black, to 1, white, which is always in the same place and of the same size",
)
_HOW = {
    "pixel": "Each point is the AP of the voxels of that one scan; a constant score has the share of anomalous voxels.",
    "sample": "One scan has no AP of its own in the sample task. Each point is the AP of that scan among the normal "
    "cases, which together weigh as much as it: 1 where all of them score less, 0.5 where none does, as for a constant "
    "score.",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One submission on one sweep."""

    team: str
    points: Mapping[float, float]  # radius or intensity, ascending -> AP, the mean where there are several scans


def line(entry: Entry, sweep: Sweep, normal_scores: Sequence[float] = ()) -> Line:
    """Score a submission on each step.

    `normal_scores`: in the sample task, the same submission's scores of normal cases, the set's own included.
    """
    steps: dict[float, list[float]] = {}
    for case, facts in entry.case_set.facts.items():
        step = _step(facts, sweep)
        if step is not None and entry.case_set.labels.get(case) == 1:
            steps.setdefault(step, []).append(_ap(entry, case, normal_scores))
    defined = {step: [ap for ap in aps if not math.isnan(ap)] for step, aps in sorted(steps.items())}
    return Line(team=entry.team, points={step: math.fsum(aps) / len(aps) for step, aps in defined.items() if aps})


def swept(sweep: Sweep, found: Mapping[str, Sequence[Line]], task: str) -> Table:
    """Make the table of one sweep from the lines of each data set, teams in the order of the ranking."""
    rows = [row for dataset, lines in found.items() for row in _rows(dataset, lines, sweep)]
    caption = sentences(
        f"Average precision against the {sweep.what}, {task} task; a line a submission, in the order of the ranking.",
        _HOW[task],
        BASELINES_SAID,
    )
    return table(sweep.table, sweep.title, caption, (DATASET, TEAM, sweep.column, AP), rows, *_notes(found, sweep))


def normals(entry: Entry) -> list[float]:
    """Give a submission's scores of the normal cases of a set, in the sample task."""
    return [score for case, score in entry.scores.items() if entry.case_set.labels.get(case) == 0]


def _step(facts: Facts, sweep: Sweep) -> float | None:
    value = facts.parameters.get(sweep.parameter)
    return float(value) if facts.subcategory == sweep.subcategory and isinstance(value, int | float) else None


def _ap(entry: Entry, case: str, normal_scores: Sequence[float]) -> float:
    if entry.case_set.task != SAMPLE:
        return voxels.average_precision(entry.sketches[case])
    if not normal_scores:
        return math.nan
    score = samples.clamped(entry.scores[case])
    alarms = sum(samples.clamped(other) >= score for other in normal_scores)
    return 1 / (1 + alarms / len(normal_scores))


def _rows(dataset: str, lines: Sequence[Line], sweep: Sweep) -> Iterator[Row]:
    for one in lines:
        for step, ap in one.points.items():
            yield {"dataset": dataset, "team": one.team, sweep.column.name: step, "ap": ap}


def _notes(found: Mapping[str, Sequence[Line]], sweep: Sweep) -> Iterator[str]:
    if not found:
        yield "There is no set of sweeps (docs/making-a-test-set.md): nothing is shown."
    empty = [dataset for dataset, lines in found.items() if not any(one.points for one in lines)]
    if empty:
        yield f"{listed(empty)}: the set of sweeps has no {sweep.subcategory} that is scored."
