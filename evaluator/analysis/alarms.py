"""False alarms at a sensitivity of 95 % by subcategory: the thesis's figure 4.7, of the sample task alone."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from evaluator.analysis.bars import Bars
from evaluator.analysis.categories import ByDataset, named
from evaluator.analysis.cautions import cautions, places_of
from evaluator.analysis.groups import FEWEST
from evaluator.analysis.tables import Column, Row, Table, Value, table
from evaluator.analysis.words import CASES, CATEGORY, DATASET, SUBCATEGORY, listed, sentences
from evaluator.tasks import SAMPLE

COLUMNS: Final = (
    DATASET,
    CATEGORY,
    SUBCATEGORY,
    Column(name="median", title="FPR@95TPR, median of submissions", kind="number"),
    Column(name="best_submission", title="FPR@95TPR, best submission", kind="number"),
    Column(name="best_of_all", title="FPR@95TPR, best for the subcategory", kind="number"),
    Column(name="best_team", title="Best for the subcategory"),
    *CASES,
)
TITLE: Final = "False alarms at 95 % sensitivity"
WHAT: Final = (
    "The share of normal cases that are called anomalous at the first threshold, from high to low, that finds 95 % of "
    "a subcategory's anomalous cases (FPR@95TPR; lower is better)."
)
NOT_OF_VOXELS: Final = (
    "It is of the sample task alone: in the pixel task it would hang on how voxels are made into findings, so the "
    "thesis declines it."
)
_MOST_NAMES: Final = 2
_ONE_MAY_MISS: Final = 20  # anomalous cases, of which 95 % are found though one is missed


def false_alarms(found: ByDataset, task: str, teams: Sequence[str], *, source: str) -> Table:
    """Make the table; `teams` are all that are ranked, the best first."""
    if task != SAMPLE:
        return table("false_alarms", TITLE, WHAT, COLUMNS, (), NOT_OF_VOXELS)
    caption = sentences(
        WHAT,
        source,
        "Shown are the median over submissions, the submission that leads the ranking"
        f"{f' ({teams[0]})' if teams else ''}, and for each subcategory the best of all.",
        "The same normal cases stand beside every subcategory. A constant score has 1, and so, but for luck, has a "
        "coin.",
    )
    rows = [
        row
        for dataset, its in found.items()
        for row in _rows(dataset, [bars for bars in its if bars.says_something], teams[:1])
    ]
    return table("false_alarms", TITLE, caption, COLUMNS, rows, *_notes(found, teams))


def _rows(dataset: str, found: Sequence[Bars], best: Sequence[str]) -> Iterator[Row]:
    """Give one row a subcategory, in the order of the published categories and then from the hardest."""
    names = iter(named([cell for bars in found for cell in bars.parted.cells]))
    rows = [{"dataset": dataset, **row} for bars in found for row in _of_bars(bars, names, best)]
    yield from sorted(rows, key=lambda row: (places_of(str(row["category"])), -float(row["median"] or 0)))


def _of_bars(bars: Bars, names: Iterator[str], best: Sequence[str]) -> Iterator[Row]:
    rates = np.array([one.false_alarms for one in bars.submissions])
    middle, lowest = np.median(rates, axis=0), rates.min(axis=0)
    of_best = next((one.false_alarms for one in bars.submissions if one.team in best), None)
    for number, cell in enumerate(bars.parted.cells):
        best_of_all = [one.team for one in bars.submissions if one.false_alarms[number] == lowest[number]]
        rates_of_cell: dict[str, Value] = {
            "median": float(middle[number]),
            "best_submission": None if of_best is None else float(of_best[number]),
            "best_of_all": float(lowest[number]),
            "best_team": listed(best_of_all, _MOST_NAMES),
        }
        yield {
            "category": cell.category,
            "subcategory": next(names),
            **(dict.fromkeys(rates_of_cell) if len(cell.cases) == 1 else rates_of_cell),
            "n_anomalous": len(cell.cases),
            "n_normal": len(bars.parted.normals),
        }


def _notes(found: ByDataset, teams: Sequence[str]) -> Iterator[str]:
    for name, its in found.items():
        yield from cautions(its, teams)
        most = max((len(cell.cases) for bars in its for cell in bars.parted.cells), default=0)
        if FEWEST <= most < _ONE_MAY_MISS:
            yield (
                f"{name}: no subcategory has {_ONE_MAY_MISS} anomalous cases, so to find 95 % of them is to find all: "
                "the rates hang on the one that is scored lowest."
            )
