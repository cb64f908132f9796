"""Bars with bands: the AP of groups of cells for each submission, their median and the baselines.

A group's AP is the mean over its cells; the median's is the mean over cells of the median over submissions. The band
is that of the same statistic over the resamples, the same for all submissions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.analysis.entries import CaseSet
from evaluator.analysis.groups import FEWEST, Floats, Measured, Partition
from evaluator.analysis.tables import Value
from evaluator.analysis.words import MEDIAN, counted, listed
from evaluator.tasks import SAMPLE

BAND = (2.5, 97.5)  # percentiles
LOCAL = ("images", "pathologies", "local corruptions")  # the published categories
GLOBAL = ("corruptions", "medical conditions", "alterations", "destructions")  # from mild to strong


@dataclass(frozen=True, kw_only=True)
class Bars:
    """All submissions on one data set's cells; `submissions` in the order of the ranking."""

    case_set: CaseSet
    parted: Partition
    submissions: Sequence[Measured]
    baselines: Sequence[Measured]

    def of(self, cells: Sequence[int]) -> Iterator[Mapping[str, Value]]:
        """Give a group's rows: each team, the median, each baseline, with numbers of cases."""
        shown = self.has_band(cells)
        counts = {
            "n_anomalous": sum(len(self.parted.cells[cell].cases) for cell in cells),
            "n_normal": len(self.parted.normals),
        }
        for one in self.submissions:
            yield {"team": one.team, **_bar(one.ap, one.resampled, cells, shown=shown), **counts}
        if self.submissions:
            middle = np.median([one.ap for one in self.submissions], axis=0)
            resampled = np.median([one.resampled[list(cells)] for one in self.submissions], axis=0)
            bar = _bar(middle[list(cells)], resampled, range(len(cells)), shown=shown)
            yield {"team": MEDIAN, **bar, **counts}
        for one in self.baselines:
            yield {"team": one.team, **_bar(one.ap, one.resampled, cells, shown=shown), **counts}

    def median(self, cells: Sequence[int]) -> float:
        """Mean over cells of the median over submissions."""
        return float(np.mean(np.median([one.ap for one in self.submissions], axis=0)[list(cells)]))

    def has_band(self, cells: Sequence[int]) -> bool:
        """Are there cases enough to resample, in each cell and of normal ones?"""
        numbers = [len(self.parted.normals), *(len(self.parted.cells[cell].cases) for cell in cells)]
        return min(numbers) >= FEWEST

    def says_something(self) -> bool:
        """Is there a cell, a normal case to compare it with, and somebody who scored them?"""
        return bool(self.parted.cells and self.parted.normals and self.submissions)

    def notes(self, teams: Sequence[str]) -> Iterator[str]:
        """Say what is too small, left out or missing; `teams` are all that are ranked."""
        name, cells = self.case_set.dataset, self.parted.cells
        if not self.parted.normals:
            yield f"{name}: there is no normal case to compare anomalous ones with, so nothing is shown."
            return
        if not cells:
            yield f"{name}: cases.csv describes no anomalous case of the {self.case_set.task} task: nothing is shown."
            return
        if len(self.parted.normals) < FEWEST:
            yield (
                f"{name}: there are fewer than {FEWEST} normal cases ({len(self.parted.normals)}), too few to say "
                "anything: no band is given."
            )
        small = sorted({cell.subcategory for cell in cells if len(cell.cases) < FEWEST})
        if small:
            yield (
                f"{name}: {listed(small)} {'have' if len(small) > 1 else 'has'} fewer than {FEWEST} anomalous cases, "
                "too few to say anything: there is no band, nor for a group that holds one."
            )
        if absent := self._absent():
            yield f"{name}: there is no anomalous case of {listed(absent)}, so nothing is said of it."
        if self.parted.left_out:
            yield (
                f"{name}: {counted(self.parted.left_out, 'case')} left out: cases.csv does not describe them, or calls "
                "normal what is labelled anomalous or the other way round."
            )
        yield from self._of_teams(teams)

    def _absent(self) -> list[str]:
        """Categories without a case; the pixel task has the local ones alone."""
        there = {cell.category for cell in self.parted.cells}
        published = (*LOCAL, *GLOBAL) if self.case_set.task == SAMPLE else LOCAL
        return [category for category in published if category not in there]

    def _of_teams(self, teams: Sequence[str]) -> Iterator[str]:
        name, found = self.case_set.dataset, [one.team for one in self.submissions]
        if not found:
            yield f"{name}: no submission is scored on these cases yet."
        elif len(found) == 1:
            yield f"{name}: there is one submission ({found[0]}), so the median is its own value."
        if found and (missing := [team for team in teams if team not in found]):
            yield f"{name}: no scores of {listed(missing)} here, so the median is over the others."
        even = [one.team for one in self.submissions if one.constant]
        if even:
            yield (
                f"{name}: {listed(even)} {'give' if len(even) > 1 else 'gives'} everything the same score, which ranks "
                "nothing: the AP is that of a constant."
            )


def _bar(ap: Floats, resampled: Floats, cells: Sequence[int], *, shown: bool) -> dict[str, Value]:
    """Give the mean over cells, and its band where it is shown."""
    low, high = np.percentile(resampled[list(cells)].mean(axis=0), BAND).tolist() if shown else (None, None)
    return {"ap": float(ap[list(cells)].mean()), "ap_low": low, "ap_high": high}
