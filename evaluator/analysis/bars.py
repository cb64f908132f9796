"""Bars with bands: the AP of groups of cells for each submission, their median and the baselines.

A group's AP is the mean over its cells; the median's is the mean over cells of the median over submissions. The band
is that of the same statistic over the resamples, the same for all submissions. A cell of one anomalous case is in no
mean: nothing is told of a single hidden case, and from the means with and without it that case's AP could be had.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.analysis.entries import CaseSet
from evaluator.analysis.groups import FEWEST, Floats, Measured, Partition
from evaluator.analysis.tables import Value
from evaluator.analysis.words import MEDIAN
from evaluator.resampling import PERCENTILES

Cells = Sequence[int]  # places in a partition


@dataclass(frozen=True, kw_only=True)
class Bars:
    """All submissions on one data set's cells; `submissions` in the order of the ranking."""

    case_set: CaseSet
    parted: Partition
    submissions: Sequence[Measured]
    baselines: Sequence[Measured]

    @property
    def says_something(self) -> bool:
        """Is there a cell, a normal case to compare it with, and somebody who scored them?"""
        return bool(self.parted.cells and self.parted.normals and self.submissions)

    def where(self, **equal: str | int) -> list[int]:
        """Find the cells of a group by what they have in common."""
        return [
            number
            for number, cell in enumerate(self.parted.cells)
            if all(getattr(cell, name) == value for name, value in equal.items())
        ]

    def of(self, cells: Cells) -> Iterator[Mapping[str, Value]]:
        """Give a group's rows: each team, the median, each baseline, with numbers of cases.

        Cells of one case are left out, and not counted; a group of these alone has no numbers.
        """
        told = self.told(cells)
        counts = {"n_anomalous": self.many(told or cells), "n_normal": len(self.parted.normals)}
        if not told:
            nothing = dict.fromkeys(("ap", "ap_low", "ap_high"))
            yield from ({"team": team, **nothing, **counts} for team in self._everybody())
            return
        shown, places = self.has_band(told), told
        of_submissions = np.array([one.ap[places] for one in self.submissions])
        resampled = np.array([one.resampled[places] for one in self.submissions])  # [submissions, cells, resamples]
        for number, one in enumerate(self.submissions):
            yield {"team": one.team, **_bar(of_submissions[number], resampled[number], shown=shown), **counts}
        middle, its_resamples = np.median(of_submissions, axis=0), np.median(resampled, axis=0)
        yield {"team": MEDIAN, **_bar(middle, its_resamples, shown=shown), **counts}
        for one in self.baselines:
            yield {"team": one.team, **_bar(one.ap[places], one.resampled[places], shown=shown), **counts}

    def told(self, cells: Cells) -> list[int]:
        """Leave out cells of one anomalous case."""
        return [cell for cell in cells if len(self.parted.cells[cell].cases) > 1]

    def median(self, cell: int) -> float:
        """Give the median over submissions on one cell."""
        return float(np.median([one.ap[cell] for one in self.submissions]))

    def many(self, cells: Cells) -> int:
        """Count the anomalous cases of a group."""
        return sum(len(self.parted.cells[cell].cases) for cell in cells)

    def has_band(self, cells: Cells) -> bool:
        """Are there cases enough to resample, normal ones too?"""
        return min(len(self.parted.normals), self.many(cells)) >= FEWEST

    def _everybody(self) -> list[str]:
        """Give whoever has a row, in order."""
        return [*(one.team for one in self.submissions), MEDIAN, *(one.team for one in self.baselines)]


def first_with(found: Sequence[Bars], **equal: str | int) -> tuple[Bars, Cells] | None:
    """Give the cells of a group in the first bars that have any: the analysis set's, else the challenge's own."""
    return next(((bars, cells) for bars in found if (cells := bars.where(**equal))), None)


def _bar(ap: Floats, resampled: Floats, *, shown: bool) -> dict[str, Value]:
    """Give the mean over cells, and its band where it is shown; `ap` [cells], `resampled` [cells, resamples]."""
    low, high = np.percentile(resampled.mean(axis=0), PERCENTILES).tolist() if shown else (None, None)
    return {"ap": float(ap.mean()), "ap_low": low, "ap_high": high}
