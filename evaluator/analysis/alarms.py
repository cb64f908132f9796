"""False alarms at a sensitivity of 95 % by subcategory: the thesis's figure 4.7, of the sample task alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from evaluator.analysis.bars import Bars
from evaluator.analysis.categories import named, places_of
from evaluator.analysis.groups import FEWEST
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import CASES, CATEGORY, DATASET, SUBCATEGORY, listed, sentences
from evaluator.tasks import SAMPLE

COLUMNS = (
    DATASET,
    CATEGORY,
    SUBCATEGORY,
    Column(name="median", title="FPR@95TPR, median of submissions", kind="number"),
    Column(name="best_submission", title="FPR@95TPR, best submission", kind="number"),
    Column(name="best_of_all", title="FPR@95TPR, best for the subcategory", kind="number"),
    Column(name="best_team", title="Best for the subcategory"),
    *CASES,
)
TITLE = "False alarms at 95 % sensitivity"
_MOST_NAMES = 2


def false_alarms(found: Mapping[str, Bars], task: str, teams: Sequence[str], *, source: str) -> Table:
    """Make the table; `teams` are all that are ranked, the best first."""
    if task != SAMPLE:
        return table(
            "false_alarms", TITLE, "The false-positive rate where 95 % of the anomalous cases are found.", COLUMNS, (),
            "It is shown for the sample task alone: in the pixel task it would depend on how voxels become findings.",
        )  # fmt: skip
    rows = [row for bars in found.values() if bars.says_something() for row in _rows(bars, teams[:1])]
    caption = sentences(
        "The share of normal cases that are called anomalous at the first threshold, from high to low, that finds 95 % "
        f"of a subcategory's anomalous cases (FPR@95TPR; lower is better). {source}",
        "Shown are the median over submissions, the submission that leads the ranking"
        f"{f' ({teams[0]})' if teams else ''}, and for each subcategory the best of all.",
        "The same normal cases stand beside every subcategory. A constant score has 1, and so has a coin, but for "
        "luck.",
    )
    return table("false_alarms", TITLE, caption, COLUMNS, rows, *_notes(found, teams))


def _rows(bars: Bars, best: Sequence[str]) -> Iterator[Row]:
    """Give one row a subcategory, in the order of the published categories and then from the hardest."""
    cells, names = bars.parted.cells, named(bars.parted.cells)
    rates = np.array([one.false_alarms for one in bars.submissions])
    middle, lowest = np.median(rates, axis=0), rates.min(axis=0)
    of_best = next((one.false_alarms for one in bars.submissions if one.team in best), None)
    for cell in sorted(range(len(cells)), key=lambda cell: (places_of(cells[cell].category), -middle[cell])):
        yield {
            "dataset": bars.case_set.dataset,
            "category": cells[cell].category,
            "subcategory": names[cell],
            "median": float(middle[cell]),
            "best_submission": None if of_best is None else float(of_best[cell]),
            "best_of_all": float(lowest[cell]),
            "best_team": listed(
                (one.team for one in bars.submissions if one.false_alarms[cell] == lowest[cell]), _MOST_NAMES
            ),
            "n_anomalous": len(cells[cell].cases),
            "n_normal": len(bars.parted.normals),
        }


def _notes(found: Mapping[str, Bars], teams: Sequence[str]) -> Iterator[str]:
    for name, bars in found.items():
        yield from bars.notes(teams)
        most = max((len(cell.cases) for cell in bars.parted.cells), default=0)
        if FEWEST <= most < _NEEDED:
            yield (
                f"{name}: no subcategory has {_NEEDED} anomalous cases, so to find 95 % of them is to find all: the "
                "rates hang on the one that is scored lowest."
            )


_NEEDED = 20  # anomalous cases, of which one may be missed at a sensitivity of 95 %
