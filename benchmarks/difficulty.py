"""How hard the anomalies are: AP of two simple detectors for each category and difficulty, on phantoms.

    .venv/bin/python benchmarks/difficulty.py [--size 48] [--cases 20] [--seed N] [--kinds]

A class is a category and a difficulty (1 hardest … 5 plain), or with --kinds one kind. Each has `--cases` abnormal
cases, its kinds in turn, on as many phantoms, the same for all classes; the normal cases are as many other phantoms,
so a constant score has 0.5 in the sample task. What a case shows follows from its kind and number, not from its
grade. The detectors have seen `--training` further normal phantoms:

    intensity   |x − m| of a voxel, m the mean of the training scans; a scan has the mean of its highest 0.1 %
    PCA         reference_submissions/pca on a grid of 24³: what is left over by the principal components

Pixel AP is of all voxels of a class's cases and the normal ones together, its scores in 2,048 steps; a constant has
the share of anomalous voxels, a few thousandths. In brackets the 2.5th and 97.5th percentile of 1,000 resamples of
cases, normal and abnormal ones apart; tau-b is Kendall's between difficulty and AP over the classes, its interval
from the same resamples. "unchanged" is chance: the phantoms of the abnormal cases before anything is drawn.

A global kind's difficulty is the mean of its sample APs (--kinds; both detectors, both data sets where it fits both):
below about 0.65 it is 1, then 2, 3 and 4 in steps of 0.1, from 0.95 on 5. No grade can suit both detectors: PCA works
on a coarse grid and normalises intensities, so it is blind to noise, stretched contrast and lost single slices, which
are plain to the other; that one is blind to blur and to bending, which are plain to PCA.
"""

import argparse
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the working tree's own

import numpy as np  # noqa: E402  found by the line above
import numpy.typing as npt  # noqa: E402  as above

from reference_submissions.kit.detector import Preset  # noqa: E402  as above
from reference_submissions.pca.detector import Pca  # noqa: E402  as above
from toy_cases.anomalies import PLAIN, Array, Category, Drawn, Kind, Mask, NoPlaceError, Scope, body_of  # noqa: E402  as above
from toy_cases.phantoms import PHANTOMS  # noqa: E402  as above

MODALITY = {"brain": "mr", "abdom": "ct"}
COLUMNS = ("intensity", "PCA", "intensity, pixel", "PCA, pixel")
HIGHEST = 0.001  # of the voxels
STEPS = 2048  # of a voxel's score
HALFWAY = 4.0  # PCA's raw score that stands at one half of them
RESAMPLES = 1000
SEED = 20261122  # the one that global kinds were graded with
TRIES = 20  # phantoms, until one has room for an anomaly
Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What both detectors make of a case."""

    scores: tuple[float, float]
    histograms: Counts  # (detectors, normal and anomalous, STEPS) voxels by score; empty: has no mask


@dataclass(frozen=True, kw_only=True)
class Detectors:
    """Both, having seen normal scans."""

    mean: Array  # scan
    pca: Pca

    @classmethod
    def trained(cls, scans: Sequence[Array]) -> "Detectors":
        """Learn from normal scans."""
        pca = Pca.fit(scans, preset=Preset.SMALL, seed=SEED, say=str)
        mean = np.asarray(np.mean(scans, axis=0), dtype=np.float32)
        return cls(mean=mean, pca=pca)

    def look_at(self, scan: Array, mask: Mask | None) -> Scored:
        """Score a scan and, where it has a mask, its voxels; more is more abnormal."""
        change = np.abs(scan - self.mean)
        count = max(1, round(HIGHEST * change.size))
        highest = np.partition(change, -count, axis=None)[-count:]
        seen = self.pca.score(scan)
        scores = float(highest.mean()), seen.sample
        if mask is None:
            return Scored(scores=scores, histograms=np.zeros((2, 2, 0), dtype=np.int64))
        maps = change, seen.voxels / (seen.voxels + HALFWAY)
        return Scored(scores=scores, histograms=np.stack([_histograms(each, mask) for each in maps]))


@dataclass(frozen=True, kw_only=True)
class Class:
    """Abnormal cases that are scored together."""

    category: Category
    name: str  # of its kind or kinds
    difficulty: int
    cases: Sequence[Scored]


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a data set came to: AP, nan where there is none."""

    classes: Sequence[Class]
    points: Numbers  # (classes, columns)
    resampled: Numbers  # (classes, columns, resamples)
    unchanged: Numbers  # (columns, 1 + resamples) of the abnormal cases' phantoms before anything was drawn


def _histograms(scores: Array, mask: Mask) -> Counts:
    steps = np.clip(scores * STEPS, 0, STEPS - 1).astype(np.int64)
    return np.stack([np.bincount(steps[where], minlength=STEPS) for where in (~mask, mask)])


def average_precisions(scores: Numbers, labels: npt.NDArray[np.bool_], counts: Counts) -> Numbers:
    """AP of resampled cases: Σ (R_n − R_{n−1}) P_n over distinct scores, as evaluator/metrics.

    scores and labels: (cases,); counts: (resamples, cases), how often each case was drawn.
    """
    order = np.argsort(-scores, kind="stable")
    drawn, positive = counts[:, order], counts[:, order] * labels[order]
    # Cases of one score enter together: each has the precision at the last of them.
    last = np.searchsorted(-scores[order], -scores[order], side="right") - 1
    entered = np.maximum(drawn.cumsum(axis=1)[:, last], 1)
    precision = positive.cumsum(axis=1)[:, last] / entered
    return np.asarray((positive * precision).sum(axis=1) / positive.sum(axis=1))


def pixel_average_precisions(histograms: Counts, counts: Counts) -> Numbers:
    """AP of resampled cases' voxels together; nan where none is anomalous.

    histograms: (cases, normal and anomalous, steps); counts: (resamples, cases).
    """
    negative, positive = (
        (counts.astype(np.float64) @ histograms[:, label, ::-1].astype(np.float64)) for label in range(2)
    )
    found = positive.cumsum(axis=1)
    precision = found / np.maximum(found + negative.cumsum(axis=1), 1)
    with np.errstate(invalid="ignore"):
        return np.asarray((positive * precision).sum(axis=1) / positive.sum(axis=1))


def tau_b(grades: Numbers, values: Numbers) -> Numbers:
    """Kendall's tau-b of grades (classes,) with each row of values (rows, classes); nan where all are tied."""
    one = np.sign(grades[:, None] - grades)
    other = np.sign(values[:, :, None] - values[:, None, :])
    with np.errstate(invalid="ignore"):
        return np.asarray((one * other).sum(axis=(1, 2)) / np.sqrt((one**2).sum() * (other**2).sum(axis=(1, 2))))


def people(dataset: str, size: int, count: int, *, seed: int, purpose: int) -> list[Array]:
    """Draw phantoms; each purpose has its own."""
    key = [seed, zlib.crc32(dataset.encode()), purpose]
    return [PHANTOMS[dataset](size, np.random.default_rng([*key, number])) for number in range(count)]


def abnormal(dataset: str, scans: Sequence[Array], kind: Kind, number: int, *, seed: int) -> Drawn:
    """Put an anomaly into a scan, or into the next one where it finds no place."""
    for attempt in range(TRIES):
        scan = scans[(number + attempt) % len(scans)]
        rng = np.random.default_rng([seed, zlib.crc32(f"{dataset}/{kind.name}".encode()), number, attempt])
        try:
            return kind.draw(scan, body_of(scan), rng)
        except NoPlaceError:
            continue
    raise NoPlaceError(f"{kind.name}: {TRIES} phantoms in a row had no room for it")


def measure(
    dataset: str, *, seed: int, size: int, cases: int, training: int, by_kind: bool, categories: Sequence[Category]
) -> Table:
    """Make and score all classes of a data set."""
    detectors = Detectors.trained(people(dataset, size, training, seed=seed, purpose=0))
    normal = [
        detectors.look_at(scan, np.zeros(scan.shape, dtype=np.bool_))
        for scan in people(dataset, size, cases, seed=seed, purpose=1)
    ]
    bases = people(dataset, size, cases, seed=seed, purpose=2)
    classes = []
    for kinds in _classes(MODALITY[dataset], categories, by_kind=by_kind):
        drawn = (abnormal(dataset, bases, kinds[number % len(kinds)], number, seed=seed) for number in range(cases))
        classes.append(
            Class(
                category=kinds[0].category,
                name=", ".join(kind.subcategory for kind in kinds),
                difficulty=kinds[0].difficulty,
                cases=[detectors.look_at(each.volume, each.mask) for each in drawn],
            )
        )
    rng = np.random.default_rng([seed, zlib.crc32(dataset.encode()), 3])
    counts = np.hstack([rng.multinomial(cases, [1 / cases] * cases, size=RESAMPLES) for _ in range(2)])
    counts = np.vstack([np.ones(2 * cases, dtype=np.int64), counts])  # the first is all cases as they are
    found = np.stack([_average_precisions([*each.cases, *normal], counts) for each in classes])
    untouched = _average_precisions([*(detectors.look_at(scan, None) for scan in bases), *normal], counts)
    return Table(classes=classes, points=found[:, :, 0], resampled=found[:, :, 1:], unchanged=untouched)


def _average_precisions(cases: Sequence[Scored], counts: Counts) -> Numbers:
    """AP in each column of resampled cases, the first half of which are abnormal. (columns, resamples)."""
    labels = np.arange(len(cases)) < len(cases) // 2
    scores = np.array([case.scores for case in cases])
    found = [average_precisions(column, labels, counts) for column in scores.T]
    if cases[0].histograms.size:
        stacked = np.stack([case.histograms for case in cases])
        found += [pixel_average_precisions(stacked[:, detector], counts) for detector in range(2)]
    else:
        found += [np.full(len(counts), np.nan)] * 2
    return np.stack(found)


def _classes(modality: str, categories: Sequence[Category], *, by_kind: bool) -> list[list[Kind]]:
    """Put the kinds of a class together, categories from mild to strong, the hardest first."""
    together: dict[tuple[Category, int, str], list[Kind]] = {}
    for kind in PLAIN:
        if modality in kind.modalities and kind.category in categories:
            key = (kind.category, kind.difficulty, kind.subcategory if by_kind else "")
            together.setdefault(key, []).append(kind)
    ranks = list(Category)
    return [together[key] for key in sorted(together, key=lambda key: (ranks.index(key[0]), key[1:]))]


def lines(dataset: str, table: Table, *, names: bool) -> Iterator[str]:
    """Write a table in Markdown, with the kinds' names if wanted."""
    yield f"| {dataset} | difficulty | {' | '.join(COLUMNS)} |{' kinds |' * names}"
    yield f"| --- | ---: | {' | '.join(['---'] * len(COLUMNS))} |{' --- |' * names}"
    yield f"| unchanged | | {' | '.join(_cell(each[0], each[1:]) for each in table.unchanged)} |{' |' * names}"
    for number, each in enumerate(table.classes):
        cells = " | ".join(map(_cell, table.points[number], table.resampled[number]))
        yield f"| {each.category} | {each.difficulty} | {cells} |{f' {each.name} |' * names}"
    parts: list[tuple[str, Callable[[Class], bool]]] = [
        ("**tau-b**, all", lambda _: True),
        ("tau-b, local", lambda each: each.category.scope is Scope.LOCAL),
        ("tau-b, global", lambda each: each.category.scope is Scope.GLOBAL),
    ]
    parts += [(f"tau-b, {category}", _is_of(category)) for category in dict.fromkeys(c.category for c in table.classes)]
    for title, belongs in parts:
        cells = " | ".join(_tau(table, column, belongs) for column in range(len(COLUMNS)))
        yield f"| {title} | | {cells} |{' |' * names}"


def _tau(table: Table, column: int, belongs: Callable[[Class], bool]) -> str:
    """Say how difficulty and AP go together where there is an AP."""
    at = [i for i, each in enumerate(table.classes) if belongs(each) and not np.isnan(table.points[i, column])]
    grades = np.array([table.classes[number].difficulty for number in at], dtype=np.float64)
    taus = (
        tau_b(grades, np.vstack([table.points[at, column], table.resampled[at, column].T]))
        if at
        else np.full(1, np.nan)
    )
    return _cell(taus[0], taus[1:])


def _is_of(category: Category) -> Callable[[Class], bool]:
    return lambda each: each.category == category


def _cell(point: float, resampled: Numbers) -> str:
    if np.isnan(point):
        return ""
    low, high = np.nanpercentile(resampled, (2.5, 97.5))
    return f"{point:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Print a table for each data set."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--datasets", nargs="+", choices=list(MODALITY), default=list(MODALITY))
    asked.add_argument("--categories", nargs="+", type=Category, default=list(Category))
    asked.add_argument("--seed", type=int, default=SEED)
    asked.add_argument("--size", type=int, default=48, help="voxels a side")
    asked.add_argument("--cases", type=int, default=20, help="of a class")
    asked.add_argument("--training", type=int, default=60, help="normal scans")
    asked.add_argument("--kinds", action="store_true", help="a class for each kind")
    given = asked.parse_args()
    for dataset in given.datasets:
        start = time.monotonic()
        table = measure(
            dataset,
            seed=given.seed,
            size=given.size,
            cases=given.cases,
            training=given.training,
            by_kind=given.kinds,
            categories=given.categories,
        )
        print("\n".join(lines(dataset, table, names=given.kinds)))
        print(f"\n{dataset}: {given.size}³, {time.monotonic() - start:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
