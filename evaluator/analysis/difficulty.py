"""AP against the difficulty that people perceive: the thesis's figure 4.6."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from evaluator.analysis.bars import Bars
from evaluator.analysis.categories import BANDS, CHANCE, HOW, places_of
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import AP, BAND, BASELINES_SAID, CASES, CATEGORY, DATASET, TEAM, counted, sentences

COLUMNS = (
    DATASET,
    CATEGORY,
    Column(name="difficulty", title="Difficulty (1 is hardest)", kind="count"),
    TEAM,
    AP,
    *BAND,
    *CASES,
)


def difficulty(found: Mapping[str, Bars], task: str, teams: Sequence[str], *, resamples: int, source: str) -> Table:
    """Make the table from cells that were cut by difficulty too."""
    rows = [row for bars in found.values() if bars.says_something() for row in _rows(bars)]
    caption = sentences(
        f"Average precision against the difficulty that people perceive, from 1, the hardest, to 5, {task} task. "
        f"{source}",
        "Each value is the mean over the category's subcategories of that difficulty; the median over submissions is "
        "taken for each subcategory, before that mean.",
        HOW.format(chance=CHANCE[task]),
        BANDS.format(resamples=resamples),
        BASELINES_SAID,
    )
    notes = chain.from_iterable((*_unrated(bars), *bars.notes(teams)) for bars in found.values())
    return table("difficulty", "AP by perceived difficulty", caption, COLUMNS, rows, *notes)


def _rows(bars: Bars) -> Iterator[Row]:
    groups: dict[tuple[str, int], list[int]] = {}
    for number, cell in enumerate(bars.parted.cells):
        if cell.difficulty is not None:
            groups.setdefault((cell.category, cell.difficulty), []).append(number)
    for (category, grade), cells in sorted(groups.items(), key=lambda group: (places_of(group[0][0]), group[0][1])):
        for row in bars.of(cells):
            yield {"dataset": bars.case_set.dataset, "category": category, "difficulty": grade, **row}


def _unrated(bars: Bars) -> Iterator[str]:
    unrated = sum(len(cell.cases) for cell in bars.parted.cells if cell.difficulty is None)
    if unrated:
        yield f"{bars.case_set.dataset}: {counted(unrated, 'anomalous case')} left out: no difficulty is known of them."
