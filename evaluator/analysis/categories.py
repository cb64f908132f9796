"""AP by scope, origin, category and subcategory: the thesis's figures 4.5 (sample task) and 4.8 (pixel task)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from evaluator.analysis.bars import GLOBAL, LOCAL, Bars
from evaluator.analysis.groups import Cell
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import AP, BAND, BASELINES_SAID, CASES, DATASET, TEAM, sentences

BOTH = "both"  # scopes, in a group that has cells of either
COLUMNS = (
    DATASET,
    Column(name="level", title="Level"),
    Column(name="group", title="Group"),
    Column(name="scope", title="Scope"),
    TEAM,
    AP,
    *BAND,
    *CASES,
)
HOW = (
    "The same normal cases stand beside the anomalous ones of every group, and together weigh as much, so that groups "
    "of any size can be compared and a constant score has {chance}."
)
CHANCE = {
    "sample": "an AP of 0.5",
    "pixel": "as AP the share of anomalous voxels",
}
BANDS = (
    "Bands are the 2.5th and 97.5th percentile of {resamples} resamples of the cases, drawn within each subcategory "
    "and among the normal cases, the same for all submissions."
)


def categories(found: Mapping[str, Bars], task: str, teams: Sequence[str], *, resamples: int, source: str) -> Table:
    """Make the table; `source` is a sentence that names the cases, `teams` are all that are ranked, in order."""
    rows = [row for bars in found.values() if bars.says_something() for row in _rows(bars)]
    caption = sentences(
        f"Average precision by kind of anomaly, {task} task. {source}",
        "A category, a scope or an origin is the mean over its subcategories; the median over submissions is taken for "
        "each subcategory, before that mean.",
        HOW.format(chance=CHANCE[task]),
        BANDS.format(resamples=resamples),
        BASELINES_SAID,
    )
    notes = chain.from_iterable(bars.notes(teams) for bars in found.values())
    return table("categories", "AP by kind of anomaly", caption, COLUMNS, rows, *notes)


def named(cells: Sequence[Cell]) -> list[str]:
    """Give each cell a name of its own: its subcategory, and what tells it from others of that name.

    >>> common = {"scope": "local", "origin": "natural", "difficulty": None, "cases": ()}
    >>> named([Cell(category=name, subcategory="blur", **common) for name in ("images", "corruptions")])
    ['blur (images)', 'blur (corruptions)']
    """
    return [_name(cell, [other for other in cells if other.subcategory == cell.subcategory]) for cell in cells]


def _name(cell: Cell, alike: Sequence[Cell]) -> str:
    apart = [
        getattr(cell, name)
        for name in ("scope", "category", "origin")
        if len({getattr(other, name) for other in alike}) > 1
    ]
    return f"{cell.subcategory} ({', '.join(apart)})" if apart else cell.subcategory


def places_of(category: str) -> tuple[int, str]:
    """Sort categories as they are published: local ones, then global ones from mild to strong, then others by name."""
    published = (*LOCAL, *GLOBAL)
    return (published.index(category) if category in published else len(published), category)


def _rows(bars: Bars) -> Iterator[Row]:
    for level, group, cells in _groups(bars):
        if not cells:
            continue
        scopes = {bars.parted.cells[cell].scope for cell in cells}
        scope = scopes.pop() if len(scopes) == 1 else BOTH
        for row in bars.of(cells):
            yield {"dataset": bars.case_set.dataset, "level": level, "group": group, "scope": scope, **row}


def _groups(bars: Bars) -> Iterator[tuple[str, str, list[int]]]:
    """Give level, name and cells of each group; subcategories from the easiest to the hardest."""
    cells = bars.parted.cells
    for level, names in (("scope", ("local", "global")), ("origin", ("natural", "artificial"))):
        for name in names:
            yield level, name, [number for number, cell in enumerate(cells) if getattr(cell, level) == name]
    kinds = sorted(
        {(cell.scope, cell.category) for cell in cells}, key=lambda kind: (kind[0] != "local", *places_of(kind[1]))
    )
    categories_of = [category for _, category in kinds]
    for scope, category in kinds:
        its = [number for number, cell in enumerate(cells) if (cell.scope, cell.category) == (scope, category)]
        yield "category", f"{category} ({scope})" if categories_of.count(category) > 1 else category, its
    easiest = sorted(range(len(cells)), key=lambda cell: (-bars.median([cell]), cells[cell].subcategory))
    subcategories = named(cells)
    for number in easiest:
        yield "subcategory", subcategories[number], [number]
