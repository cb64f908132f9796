"""AP against the difficulty that people perceive: the thesis's figure 4.6."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from evaluator.analysis.bars import Bars, first_with
from evaluator.analysis.categories import BANDS, CHANCE, HOW, ByDataset
from evaluator.analysis.cautions import cautions, places_of
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import AP, BAND, BASELINES_SAID, CASES, CATEGORY, DATASET, TEAM, counted, sentences

COLUMNS: Final = (
    DATASET,
    CATEGORY,
    Column(name="difficulty", title="Difficulty (1 is hardest)", kind="count"),
    TEAM,
    AP,
    *BAND,
    *CASES,
)


def difficulty(found: ByDataset, task: str, teams: Sequence[str], *, resamples: int, source: str) -> Table:
    """Make the table from cells that were cut by difficulty too."""
    caption = sentences(
        f"Average precision against the difficulty that people perceive, from 1, the hardest, to 5, {task} task. "
        f"{source}",
        "Each value is the mean over the category's subcategories of that difficulty; the median over submissions is "
        "taken for each subcategory, before that mean.",
        HOW.format(chance=CHANCE[task]),
        BANDS.format(resamples=resamples),
        BASELINES_SAID,
    )
    rows = [
        row for dataset, its in found.items() for row in _rows(dataset, [bars for bars in its if bars.says_something])
    ]
    notes = chain.from_iterable((*_unrated(its), *cautions(its, teams)) for its in found.values())
    return table("difficulty", "AP by perceived difficulty", caption, COLUMNS, rows, *notes)


def _rows(dataset: str, found: Sequence[Bars]) -> Iterator[Row]:
    grades = {
        (*places_of(cell.category), cell.difficulty)
        for bars in found
        for cell in bars.parted.cells
        if cell.difficulty is not None
    }
    for _, category, grade in sorted(grades):
        if there := first_with(found, category=category, difficulty=grade):
            bars, cells = there
            for row in bars.of(cells):
                yield {"dataset": dataset, "category": category, "difficulty": grade, **row}


def _unrated(found: Sequence[Bars]) -> Iterator[str]:
    unrated = sum(len(cell.cases) for bars in found for cell in bars.parted.cells if cell.difficulty is None)
    if unrated:
        name = found[0].case_set.dataset
        yield f"{name}: {counted(unrated, 'anomalous case')} left out, of which no difficulty is known."
