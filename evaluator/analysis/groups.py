"""Groups of anomalous cases, each scored against the same normal ones: AP, its resamples and the false alarms.

In a group's AP the normal cases together weigh as much as its anomalous ones, so each group is half normal and a
constant score has an AP of 0.5 in the sample task, however many normal cases there are: they are the same for all
groups, and none is left out. Weights are whole numbers, as `sample_weight` of scikit-learn's average_precision_score.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator import resampling
from evaluator.analysis.entries import CaseSet, Entry
from evaluator.metrics import curves, samples
from evaluator.sketch import Sketch
from evaluator.tasks import SAMPLE

FEWEST: Final = 5  # anomalous cases, or normal ones, of which anything can be said
_AT_ONCE: Final = 1 << 19  # numbers of an intermediate array: 4 MB

Floats = NDArray[np.float64]
Kind = tuple[str, str, str, str]  # scope, category, subcategory, origin


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Anomalous cases of one kind: the smallest group. An origin or a difficulty of its own makes it another kind."""

    scope: str
    category: str
    subcategory: str
    origin: str
    difficulty: int | None  # None: not looked at, or not known
    cases: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """What tells it from other kinds, its difficulty aside."""
        return self.scope, self.category, self.subcategory, self.origin


@dataclass(frozen=True, kw_only=True)
class Partition:
    """The cases of a set as far as cases.csv knows them, and how often a resample has each."""

    normals: tuple[str, ...]
    cells: tuple[Cell, ...]
    left_out: int  # cases that cases.csv does not know, or whose label contradicts it
    of_normals: resampling.Draws  # [resamples, normals]
    of_cells: tuple[resampling.Draws, ...]  # [resamples, cases of the cell]


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """One submission on the cells of a partition."""

    team: str
    ap: Floats  # [cells]
    resampled: Floats  # [cells, resamples]
    false_alarms: Floats  # [cells]: FPR@95TPR; nan in the pixel task
    constant: bool  # everything has the same score


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """Units (voxels; in the sample task, cases) with at least each score that an anomalous unit has, case by case.

    float64[cases, k], scores ascending: anomalous units of anomalous cases, all units of these, units of normal cases.
    """

    positive: Floats
    every: Floats
    normal: Floats
    constant: bool  # all units have one score


def partition(
    case_set: CaseSet, *, by_difficulty: bool, resamples: int, seed: int, without: Collection[Kind] = ()
) -> Partition:
    """Sort the cases of a set into cells, in the order of their names, and draw them again and again.

    Each cell, and the normal cases, are drawn among themselves, so that every resample has as many of each. Cases of
    the kinds `without` are passed over.
    """
    normals: list[str] = []
    cells: dict[tuple[Kind, int | None], list[str]] = {}
    passed_over = 0
    known = {case: facts for case, facts in sorted(case_set.facts.items()) if case in case_set.labels}
    for case, facts in known.items():
        if case_set.labels[case] == 1 and facts.scope != "normal":
            kind = (facts.scope, facts.category, facts.subcategory or facts.category, facts.origin)
            if kind in without:
                passed_over += 1
            else:
                cells.setdefault((kind, facts.difficulty if by_difficulty else None), []).append(case)
        elif case_set.labels[case] == 0 and facts.scope == "normal":
            normals.append(case)
    kinds = sorted(cells, key=lambda one: (one[0], one[1] or 0))
    drawn = resampling.draws(
        [normals, *(cells[kind] for kind in kinds)], case_set.labels, resamples=resamples, seed=seed
    )
    return Partition(
        normals=tuple(normals),
        cells=tuple(
            Cell(
                scope=scope,
                category=category,
                subcategory=subcategory,
                origin=origin,
                difficulty=difficulty,
                cases=tuple(cells[(scope, category, subcategory, origin), difficulty]),
            )
            for (scope, category, subcategory, origin), difficulty in kinds
        ),
        left_out=len(case_set.labels) - len(normals) - sum(map(len, cells.values())) - passed_over,
        of_normals=drawn[0],
        of_cells=drawn[1:],
    )


def measure(entry: Entry, parted: Partition) -> Measured:
    """Score a submission on each cell. Asks for each sketch once; a partition without a normal case has no cell."""
    cells = [cell.cases for cell in parted.cells] if parted.normals else []
    anomalous = sorted({case for cases in cells for case in cases})
    row = {case: number for number, case in enumerate(anomalous)}
    places = [np.array([row[case] for case in cases], dtype=np.intp) for cases in cells]
    stack = _stack(entry, anomalous, parted.normals)
    return Measured(
        team=entry.team,
        ap=np.array([_ap(stack, place) for place in places]),
        resampled=_resampled(stack, places, parted),
        false_alarms=np.array([_false_alarms(entry, cases, parted.normals) for cases in cells]),
        constant=stack.constant,
    )


def _stack(entry: Entry, anomalous: Sequence[str], normals: Sequence[str]) -> Stack:
    if entry.case_set.task == SAMPLE:
        return _of_scores(entry.scores, anomalous, normals)
    return _of_sketches(entry.sketches, anomalous, normals)


def _of_scores(scores: Mapping[str, float], anomalous: Sequence[str], normals: Sequence[str]) -> Stack:
    of_anomalous, of_normals = (
        np.array([samples.clamped(scores[case]) for case in cases], dtype=np.float64) for cases in (anomalous, normals)
    )
    values = np.unique(of_anomalous)
    positive = (of_anomalous[:, np.newaxis] >= values).astype(np.float64)
    normal = (of_normals[:, np.newaxis] >= values).astype(np.float64)
    constant = np.unique(np.concatenate([of_anomalous, of_normals])).size == 1
    return Stack(positive=positive, every=positive, normal=normal, constant=constant)


def _of_sketches(sketches: Mapping[str, Sketch], anomalous: Sequence[str], normals: Sequence[str]) -> Stack:
    held = [sketches[case] for case in anomalous]
    bins = np.unique(np.concatenate([np.empty(0, np.uint16), *(one.bins[one.positive > 0] for one in held)]))
    positive, every, normal = (np.zeros((len(cases), bins.size)) for cases in (anomalous, anomalous, normals))
    scores: set[int] = set()
    for row, one in enumerate(held):
        scores.update(one.bins[:2].tolist())
        positive[row] = _from_the_top(one, one.positive, bins)
        every[row] = _from_the_top(one, one.positive + one.negative, bins)
    for row, case in enumerate(normals):
        one = sketches[case]
        scores.update(one.bins[:2].tolist())
        normal[row] = _from_the_top(one, one.positive + one.negative, bins)
    return Stack(positive=positive, every=every, normal=normal, constant=len(scores) == 1)


def _from_the_top(sketch: Sketch, counts: NDArray[np.uint64], bins: NDArray[np.uint16]) -> Floats:
    """Count a sketch's units from each of the bins upwards."""
    sums = np.zeros(counts.size + 1)
    np.cumsum(counts[::-1], out=sums[-2::-1], dtype=np.float64)
    found: Floats = sums[np.searchsorted(sketch.bins, bins)]
    return found


def _ap(stack: Stack, place: NDArray[np.intp]) -> float:
    """Score one cell."""
    n_normal = len(stack.normal)
    true = n_normal * stack.positive[place].sum(axis=0)
    every = n_normal * stack.every[place].sum(axis=0) + place.size * stack.normal.sum(axis=0)
    found, alarms = _apart(true), _apart(every - true)
    there = found + alarms > 0  # other scores are those of other cells
    return curves.average_precision(found[there], alarms[there])


def _apart(sums: Floats) -> Floats:
    """Give counts of which these are the sums from the top."""
    return np.asarray(sums - np.append(sums[1:], 0.0), dtype=np.float64)


def _resampled(stack: Stack, places: Sequence[NDArray[np.intp]], parted: Partition) -> Floats:
    """Score all cells of each resample, float64[cells, resamples]; its normal cases are added up once for all cells."""
    n_normal, resamples = len(stack.normal), len(parted.of_normals)
    bins = [np.flatnonzero(_apart(stack.positive[place].sum(axis=0))) for place in places]
    positive, every = (
        [cases[np.ix_(place, its)] for place, its in zip(places, bins, strict=True)]
        for cases in (stack.positive, stack.every)
    )
    found = np.zeros((len(places), resamples))
    step = max(1, _AT_ONCE // max(1, stack.normal.shape[1]))
    for start in range(0, resamples if places else 0, step):
        rows = slice(start, start + step)
        beside = parted.of_normals[rows].astype(np.float64) @ stack.normal
        for cell, place in enumerate(places):
            weights = parted.of_cells[cell][rows].astype(np.float64)
            true = n_normal * (weights @ positive[cell])
            among = n_normal * (weights @ every[cell]) + place.size * beside[:, bins[cell]]
            found[cell, rows] = _average_precisions(true, among)
    return found


def _average_precisions(true: Floats, among: Floats) -> Floats:
    """Σ (R_n − R_{n−1}) P_n in each row; columns are sums from the top, scores ascending."""
    precision = true / np.maximum(among, 1)  # nothing drawn has such a score: no true positives either
    gained = true.copy()
    gained[:, :-1] -= true[:, 1:]
    return np.asarray(np.einsum("ij,ij->i", gained, precision) / true[:, 0], dtype=np.float64)


def _false_alarms(entry: Entry, cases: Sequence[str], normals: Sequence[str]) -> float:
    if entry.case_set.task != SAMPLE:
        return math.nan
    both = [*cases, *normals]
    return samples.fpr_at_95tpr([entry.scores[case] for case in both], [entry.case_set.labels[case] for case in both])
