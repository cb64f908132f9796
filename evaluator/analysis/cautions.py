"""What is too small, left out or missing where kinds of anomalies are told apart: sentences for the tables' notes."""

from collections.abc import Iterator, Sequence
from typing import Final

from evaluator.analysis.bars import Bars
from evaluator.analysis.groups import FEWEST
from evaluator.analysis.words import counted, listed, plural
from evaluator.tasks import SAMPLE

LOCAL: Final = ("images", "pathologies", "local corruptions")  # the published categories
GLOBAL: Final = ("corruptions", "medical conditions", "alterations", "destructions")  # from mild to strong


def places_of(category: str) -> tuple[int, str]:
    """Sort categories as they are published: local ones, then global ones from mild to strong, then others by name."""
    published = (*LOCAL, *GLOBAL)
    return (published.index(category) if category in published else len(published), category)


def cautions(found: Sequence[Bars], teams: Sequence[str]) -> Iterator[str]:
    """Say it of one data set: of the analysis set's bars first, then of what stands beside them.

    `teams` are all that are ranked.
    """
    main, *beside = found
    name, task = main.case_set.dataset, main.case_set.task
    if not main.case_set.facts:
        yield f"{name}: there is no cases.csv that says what each case is, so nothing is shown."
    elif not main.parted.normals:
        yield f"{name}: there is no normal case to compare anomalous ones with, so nothing is shown."
    elif not main.parted.cells:
        yield f"{name}: cases.csv has no anomalous case of the {task} task, so nothing is shown."
    else:
        yield from _of_cases(main)
        yield from _of_teams(main, teams)
    for bars in beside:
        kinds = sorted({cell.subcategory for cell in bars.parted.cells})
        yield (
            f"{name}: {listed(kinds)} {plural(kinds, 'is', 'are')} not in the analysis set, so the challenge's own "
            f"cases are taken, beside its {counted(len(bars.parted.normals), 'normal case')}."
        )
        yield from _of_cases(bars)
    if main.parted.cells and (absent := _absent(found)):
        it = plural(absent, "it", "them")
        yield f"{name}: there is no anomalous case of {listed(absent)}, so nothing is said of {it}."


def _of_cases(bars: Bars) -> Iterator[str]:
    """Say what is too small, and what was left out."""
    name, cells = bars.case_set.dataset, bars.parted.cells
    if len(bars.parted.normals) < FEWEST:
        yield (
            f"{name}: there are fewer than {FEWEST} normal cases ({len(bars.parted.normals)}), too few to say "
            "anything: no band is given."
        )
    small = sorted({cell.subcategory for cell in cells if len(cell.cases) < FEWEST})
    if small:
        yield (
            f"{name}: {listed(small)} {plural(small, 'has', 'have')} fewer than {FEWEST} anomalous cases, too few to "
            "say anything: no band is given, and bands of larger groups that hold them are somewhat too narrow."
        )
    if any(len(cell.cases) == 1 for cell in cells):
        yield (
            f"{name}: a group of one anomalous case has no numbers, as nothing is told of a single hidden case, and is "
            "left out of larger groups, their means, bands and numbers of cases."
        )
    if bars.parted.left_out:
        yield (
            f"{name}: {counted(bars.parted.left_out, 'case')} left out: not in cases.csv, or called normal there and "
            "labelled anomalous, or the other way round."
        )


def _of_teams(bars: Bars, teams: Sequence[str]) -> Iterator[str]:
    """Say who is missing, and who ranks nothing."""
    name, found = bars.case_set.dataset, [one.team for one in bars.submissions]
    if len(found) == 1:
        yield f"{name}: there is one submission ({found[0]}), so the median is its own value."
    if missing := [team for team in teams if team not in found]:
        yield f"{name}: no scores of {listed(missing)} here, so the median is over the others."
    if even := [one.team for one in bars.submissions if one.constant]:
        yield (
            f"{name}: {listed(even)} {plural(even, 'gives', 'give')} everything the same score, which ranks nothing: "
            "the AP is that of a constant."
        )


def _absent(found: Sequence[Bars]) -> list[str]:
    """Categories without a case; the pixel task has the local ones alone."""
    there = {cell.category for bars in found for cell in bars.parted.cells}
    published = (*LOCAL, *GLOBAL) if found[0].case_set.task == SAMPLE else LOCAL
    return [category for category in published if category not in there]
