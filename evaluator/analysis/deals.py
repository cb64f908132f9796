"""How much the deal of cases into batches matters: the official deal beside an independent one. Pixel task alone."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev

from evaluator.analysis.entries import Entry
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import BASELINES, DATASET, TEAM
from evaluator.metrics import voxels
from evaluator.report import or_0
from evaluator.sketch import Sketch
from evaluator.tasks import SAMPLE

COLUMNS = (
    DATASET,
    TEAM,
    Column(name="official", title="AP, official deal", kind="number"),
    Column(name="validation", title="AP, validation deal", kind="number"),
    Column(name="difference", title="Difference", kind="number"),
    Column(name="sd_of_batches", title="SD of batches", kind="number"),
    Column(name="batches", title="Batches", kind="count", unit="batches"),
)
CAPTION = (
    "The official score is the mean AP over batches to which all cases are dealt once, the same for all. A second, "
    "independent deal validates it: the difference is validation minus official. The SD is that of the official "
    "batches' APs (n − 1); the mean of n batches is known to about SD / √n. “constant” scores 0 everywhere, “random” "
    "0 or 1 by a seeded coin."
)


@dataclass(frozen=True, kw_only=True)
class Dealt:
    """One submission under both deals."""

    team: str
    official: float
    validation: float | None
    batches: Sequence[float]  # APs; 0 where one has none


def dealt(entry: Entry) -> Dealt:
    """Score each official batch. Asks for each sketch once, a batch at a time."""
    aps = [
        or_0(voxels.average_precision(Sketch.total(entry.sketches[case] for case in batch)))
        for batch in entry.case_set.deal
    ]
    return Dealt(team=entry.team, official=entry.value, validation=entry.validation, batches=aps)


def deals(found: Mapping[str, Sequence[Dealt]], task: str) -> Table:
    """Make the table."""
    rows = [_row(dataset, one) for dataset, of in found.items() for one in of]
    notes = list(_notes(found))
    if task == SAMPLE:
        notes = ["There is no deal in the sample task: its AP is that of all cases together."]
    return table("deals", "Official and validation deal", CAPTION, COLUMNS, rows, *notes)


def _row(dataset: str, one: Dealt) -> Row:
    return {
        "dataset": dataset,
        "team": one.team,
        "official": one.official,
        "validation": one.validation,
        "difference": None if one.validation is None else one.validation - one.official,
        "sd_of_batches": stdev(one.batches) if len(one.batches) > 1 else None,
        "batches": len(one.batches),
    }


def _notes(found: Mapping[str, Sequence[Dealt]]) -> Iterator[str]:
    for dataset, of in found.items():
        submissions = [one for one in of if one.team not in BASELINES]
        differences = [one.validation - one.official for one in submissions if one.validation is not None]
        if differences:
            rms = math.sqrt(math.fsum(one**2 for one in differences) / len(differences))
            yield f"{dataset}: the two deals differ by {rms:.4f} (root mean square; n = {len(differences)})."
        if any(len(one.batches) == 1 for one in of):
            yield f"{dataset}: there is one batch, so both deals are the same and there is no SD."
