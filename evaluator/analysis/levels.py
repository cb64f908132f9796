"""Voxels pooled over the data set, or scan by scan: the thesis's section 4.2 and figure 4.9. Pixel task alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from evaluator import aggregate
from evaluator.aggregate import Levels
from evaluator.analysis.entries import Entry
from evaluator.analysis.groups import FEWEST
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import DATASET, TEAM
from evaluator.metrics import voxels
from evaluator.report import or_none
from evaluator.sketch import Sketch
from evaluator.tasks import SAMPLE

METRICS: Final[Mapping[str, Callable[[Sketch], float]]] = {
    "ap": voxels.average_precision,
    "auroc": voxels.auroc,
    "max_dice": voxels.max_dice,
}
METRIC = Column(name="metric", title="Metric")
COLUMNS = (
    DATASET,
    TEAM,
    METRIC,
    Column(name="dataset_level", title="All voxels pooled", kind="number"),
    Column(name="scan_mean", title="Mean over scans", kind="number"),
    Column(name="scan_median", title="Median over scans", kind="number"),
    Column(name="n_scans", title="Scans", kind="count", unit="scans"),
    Column(name="left_out", title="Scans left out", kind="count", unit="scans"),
)
HISTOGRAM = (
    DATASET,
    TEAM,
    METRIC,
    Column(name="low", title="From", kind="number", digits=2),
    Column(name="high", title="To", kind="number", digits=2),
    Column(name="scans", title="Scans", kind="count", unit="scans"),
)
CAPTION = (
    "AP, AUROC and the best Dice of all voxels pooled (data-set level), and of each scan by itself, then the mean and "
    "the median over scans (scan level). A scan that holds one class only has none of the three: it is left out and "
    "counted, never 0, though its voxels are in the pool. Where the pooled value is well above the scans', large and "
    "plain anomalies make it. “constant” scores 0 everywhere, “random” 0 or 1 by a seeded coin."
)
OF_HISTOGRAM = (
    "How many scans have which value: AP, AUROC and best Dice of each scan that holds both classes, in 20 bins from 0 "
    "to 1. The last bin holds 1."
)
_NOT_OF_SAMPLES = "It is of the pixel task alone: in the sample task a scan has one score, and no AP of its own."


@dataclass(frozen=True, kw_only=True)
class LevelsOf:
    """One submission at both levels."""

    team: str
    found: Mapping[str, Levels]  # metric -> both


def both_levels(entry: Entry) -> LevelsOf:
    """Measure a submission. Asks for each sketch once; holds them all."""
    scans = [entry.sketches[case] for case in sorted(entry.case_set.labels)]
    return LevelsOf(team=entry.team, found={name: aggregate.compare(metric, scans) for name, metric in METRICS.items()})


def levels(found: Mapping[str, Sequence[LevelsOf]], task: str) -> tuple[Table, Table]:
    """Make the table and its histograms from each data set's submissions and baselines."""
    notes = [_NOT_OF_SAMPLES] if task == SAMPLE else list(_notes(found))
    every = [
        (dataset, one.team, name, its) for dataset, of in found.items() for one in of for name, its in one.found.items()
    ]
    rows = [_row(*one) for one in every]
    bins = [row for one in every if one[-1].scans.n > 1 for row in _bins(*one)]
    return (
        table("levels", "Pooled voxels and single scans", CAPTION, COLUMNS, rows, *notes),
        table("level_histograms", "Values of single scans", OF_HISTOGRAM, HISTOGRAM, bins, *notes),
    )


def _row(dataset: str, team: str, metric: str, its: Levels) -> Row:
    return {
        "dataset": dataset,
        "team": team,
        "metric": metric,
        "dataset_level": or_none(its.dataset),
        "scan_mean": or_none(its.scans.mean) if its.scans.n > 1 else None,
        "scan_median": or_none(its.scans.median) if its.scans.n > 1 else None,
        "n_scans": its.scans.n,
        "left_out": its.scans.left_out,
    }


def _bins(dataset: str, team: str, metric: str, its: Levels) -> Iterator[Row]:
    for (low, high), scans in zip(pairwise(its.scans.edges), its.scans.counts, strict=True):
        yield {
            "dataset": dataset,
            "team": team,
            "metric": metric,
            "low": round(low, 2),
            "high": round(high, 2),
            "scans": scans,
        }


def _notes(found: Mapping[str, Sequence[LevelsOf]]) -> Iterator[str]:
    for dataset, of in found.items():
        scans = next((its.scans.n for one in of for its in one.found.values()), None)
        if scans == 0:
            yield f"{dataset}: no scan holds both classes, so there is no value of a scan."
        elif scans == 1:
            yield f"{dataset}: one scan holds both classes; nothing is told of a single hidden case."
        elif scans is not None and scans < FEWEST:
            yield f"{dataset}: {scans} scans hold both classes, too few to say anything."
