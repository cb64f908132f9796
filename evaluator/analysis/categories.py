"""AP by scope, origin, category and subcategory: the thesis's figures 4.5 (sample task) and 4.8 (pixel task)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from evaluator.analysis.bars import Bars, Cells, first_with
from evaluator.analysis.cautions import cautions, places_of
from evaluator.analysis.groups import Cell
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import AP, BAND, BASELINES_SAID, CASES, DATASET, TEAM, sentences

BOTH: Final = "both"  # scopes, in a group that has cells of either
COLUMNS: Final = (
    DATASET,
    Column(name="level", title="Level"),
    Column(name="group", title="Group"),
    Column(name="scope", title="Scope"),
    TEAM,
    AP,
    *BAND,
    *CASES,
)
HOW: Final = (
    "The same normal cases stand beside the anomalous ones of every group, and together weigh as much, so that groups "
    "of any size can be compared and a constant score has {chance}."
)
CHANCE: Final = {"sample": "an AP of 0.5", "pixel": "as AP the share of anomalous voxels"}
BANDS: Final = (
    "Bands are the 2.5th and 97.5th percentile of {resamples} resamples of the cases, drawn within each subcategory "
    "and among the normal cases, the same for all submissions. The AP of few cases is higher in resamples than in the "
    "cases themselves, so a value can stand near its band's lower end."
)

ByDataset = Mapping[str, Sequence[Bars]]  # the analysis set's, then those that stand beside it
_Group = tuple[str, str, Bars, Cells]  # level, name


def categories(found: ByDataset, task: str, teams: Sequence[str], *, resamples: int, source: str) -> Table:
    """Make the table; `source` is a sentence that names the cases, `teams` are all that are ranked, in order."""
    caption = sentences(
        f"Average precision by kind of anomaly, {task} task. {source}",
        "A category, a scope or an origin is the mean over its subcategories; the median over submissions is taken for "
        "each subcategory, before that mean.",
        HOW.format(chance=CHANCE[task]),
        BANDS.format(resamples=resamples),
        BASELINES_SAID,
    )
    rows = [
        row for dataset, its in found.items() for row in _rows(dataset, [bars for bars in its if bars.says_something])
    ]
    notes = chain.from_iterable(cautions(its, teams) for its in found.values())
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


def _rows(dataset: str, found: Sequence[Bars]) -> Iterator[Row]:
    for level, group, bars, cells in (*_coarse(found), *_categories(found), *_subcategories(found)):
        scopes = {bars.parted.cells[cell].scope for cell in cells}
        scope = scopes.pop() if len(scopes) == 1 else BOTH
        for row in bars.of(cells):
            yield {"dataset": dataset, "level": level, "group": group, "scope": scope, **row}


def _coarse(found: Sequence[Bars]) -> Iterator[_Group]:
    """Scopes and origins."""
    for level, names in (("scope", ("local", "global")), ("origin", ("natural", "artificial"))):
        for name in names:
            if there := first_with(found, **{level: name}):
                yield level, name, *there


def _categories(found: Sequence[Bars]) -> Iterator[_Group]:
    """In their published order; one that stands in both scopes is two."""
    kinds = {(cell.scope, cell.category) for bars in found for cell in bars.parted.cells}
    names = [category for _, category in kinds]
    for scope, category in sorted(kinds, key=lambda kind: (kind[0] != "local", *places_of(kind[1]))):
        name = f"{category} ({scope})" if names.count(category) > 1 else category
        if there := first_with(found, scope=scope, category=category):
            yield "category", name, *there


def _subcategories(found: Sequence[Bars]) -> Iterator[_Group]:
    """From the easiest for the median submission to the hardest; those that have no numbers come last, by name."""
    cells = [(bars, number) for bars in found for number in range(len(bars.parted.cells))]
    names = named([bars.parted.cells[number] for bars, number in cells])

    def ease(one: tuple[str, tuple[Bars, int]]) -> tuple[bool, float, str]:
        name, (bars, number) = one
        is_told = bool(bars.told([number]))
        return not is_told, -bars.median(number) if is_told else 0.0, name

    for name, (bars, number) in sorted(zip(names, cells, strict=True), key=ease):
        yield "subcategory", name, bars, [number]
