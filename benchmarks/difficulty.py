"""How hard the anomalies are: AP of two simple detectors for each category and difficulty, on phantoms.

    .venv/bin/python benchmarks/difficulty.py [--size 48] [--cases 20] [--kinds]

A class is a category and a difficulty (1 hardest … 5 plain), or with --kinds one kind. Each has `--cases` abnormal
cases (an equal number of each of its kinds, rounded up) against as many normal ones, the same for all classes, so
that chance and a constant score give about 0.5. Every case is a phantom of its own; what a case shows follows from
its kind and number alone, not from its grade. Detectors have seen `--training` other normal phantoms:

    intensity   mean of |x − m| over the 0.1 % of voxels where it is largest; m is the training scans' mean
    PCA         reference_submissions/pca on a grid of 24³: norm of what the principal components leave over

In brackets the 2.5th and 97.5th percentile of 1,000 resamples of cases, normal and abnormal ones apart; tau-b is
Kendall's between difficulty and AP over the classes, its interval from the same resamples.
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

from reference_submissions.pca.train import SIDE, fit_scans  # noqa: E402  as above
from reference_submissions.pca.workspace.predict import Weights, norm, normalised, residual  # noqa: E402  as above
from toy_cases.anomalies import PLAIN, Array, Category, Kind, NoPlaceError, body_of  # noqa: E402  as above
from toy_cases.phantoms import PHANTOMS  # noqa: E402  as above

MODALITY = {"brain": "mr", "abdom": "ct"}
DETECTORS = ("intensity", "PCA")
HIGHEST = 0.001  # of the voxels
RESAMPLES = 1000
SEED = 20261122
TRIES = 20  # phantoms, until one has room for an anomaly
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Detectors:
    """Both, having seen normal scans."""

    mean: Array  # scan
    weights: Weights

    @classmethod
    def trained(cls, scans: Sequence[Array]) -> "Detectors":
        """Learn from normal scans."""
        coarse = np.stack([normalised(scan, SIDE) for scan in scans])
        return cls(mean=np.mean(scans, axis=0, dtype=np.float32), weights=fit_scans(coarse))

    def scores(self, scan: Array) -> tuple[float, float]:
        """Score a scan with each; more is more abnormal."""
        change = np.abs(scan - self.mean).ravel()
        count = max(1, round(HIGHEST * change.size))
        highest = np.partition(change, -count)[-count:]
        return float(highest.mean()), norm(residual(self.weights, normalised(scan, SIDE)))


@dataclass(frozen=True, kw_only=True)
class Class:
    """Abnormal cases that are scored together."""

    category: Category
    name: str  # of its kind or kinds
    difficulty: int
    scores: Numbers  # (cases, detectors)


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a data set came to."""

    classes: Sequence[Class]
    points: Numbers  # (classes, detectors) AP
    resampled: Numbers  # (classes, detectors, resamples) AP


def average_precisions(scores: Numbers, labels: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64]) -> Numbers:
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


def tau_b(grades: Numbers, values: Numbers) -> Numbers:
    """Kendall's tau-b of grades (classes,) with each row of values (rows, classes); nan where all are tied."""
    one = np.sign(grades[:, None] - grades)
    other = np.sign(values[:, :, None] - values[:, None, :])
    with np.errstate(invalid="ignore"):
        return np.asarray((one * other).sum(axis=(1, 2)) / np.sqrt((one**2).sum() * (other**2).sum(axis=(1, 2))))


def normals(dataset: str, size: int, count: int, purpose: int) -> Iterator[Array]:
    """Draw people; each purpose has its own."""
    for number in range(count):
        yield PHANTOMS[dataset](size, np.random.default_rng([SEED, zlib.crc32(dataset.encode()), purpose, number]))


def abnormal(dataset: str, size: int, kind: Kind, number: int) -> Array:
    """Draw a person with an anomaly; another one where it finds no place."""
    for attempt in range(TRIES):
        key = zlib.crc32(f"{dataset}/{kind.name}".encode())
        rng = np.random.default_rng([SEED, key, number, attempt])
        scan = PHANTOMS[dataset](size, rng)
        try:
            return kind.draw(scan, body_of(scan), rng).volume
        except NoPlaceError:
            continue
    raise NoPlaceError(f"{kind.name}: {TRIES} phantoms of {size} voxels a side had no room for it")


def measure(dataset: str, *, size: int, cases: int, training: int, by_kind: bool) -> Table:
    """Make and score all classes of a data set."""
    detectors = Detectors.trained(list(normals(dataset, size, training, 0)))
    normal = np.array([detectors.scores(scan) for scan in normals(dataset, size, cases, 1)])
    classes = []
    for kinds in _classes(MODALITY[dataset], by_kind=by_kind):
        each = -(-cases // len(kinds))
        found = [detectors.scores(abnormal(dataset, size, kind, number)) for kind in kinds for number in range(each)]
        category, difficulty = kinds[0].category, kinds[0].difficulty
        name = ", ".join(kind.subcategory for kind in kinds)
        classes.append(Class(category=category, name=name, difficulty=difficulty, scores=np.array(found)))
    rng = np.random.default_rng([SEED, zlib.crc32(dataset.encode()), 2])
    drawn_normal = rng.multinomial(cases, [1 / cases] * cases, size=RESAMPLES)
    points, resampled = [], []
    for each_class in classes:
        count = len(each_class.scores)
        counts = np.hstack([rng.multinomial(count, [1 / count] * count, size=RESAMPLES), drawn_normal])
        counts = np.vstack([np.ones(count + cases, dtype=np.int64), counts])
        labels = np.arange(count + cases) < count
        scores = np.vstack([each_class.scores, normal])
        found_aps = np.stack([average_precisions(column, labels, counts) for column in scores.T])
        points.append(found_aps[:, 0])
        resampled.append(found_aps[:, 1:])
    return Table(classes=classes, points=np.array(points), resampled=np.array(resampled))


def _classes(modality: str, *, by_kind: bool) -> list[list[Kind]]:
    """Put the kinds of a class together, categories from mild to strong, the hardest first."""
    together: dict[tuple[Category, int, str], list[Kind]] = {}
    for kind in PLAIN:
        if modality in kind.modalities:
            key = (kind.category, kind.difficulty, kind.subcategory if by_kind else "")
            together.setdefault(key, []).append(kind)
    ranks = list(Category)
    return [together[key] for key in sorted(together, key=lambda key: (ranks.index(key[0]), key[1:]))]


def lines(dataset: str, table: Table) -> Iterator[str]:
    """Write a table in Markdown."""
    yield f"| {dataset} | difficulty | cases | {' | '.join(DETECTORS)} | kinds |"
    yield "| --- | ---: | ---: | --- | --- | --- |"
    for number, each in enumerate(table.classes):
        cells = [_cell(table.points[number, d], table.resampled[number, d]) for d in range(len(DETECTORS))]
        yield f"| {each.category} | {each.difficulty} | {len(each.scores)} | {' | '.join(cells)} | {each.name} |"
    parts: list[tuple[str, Callable[[Class], bool]]] = [("**tau-b**, all", lambda _: True)]
    parts += [(f"tau-b, {category}", _is_of(category)) for category in dict.fromkeys(c.category for c in table.classes)]
    for title, belongs in parts:
        at = [number for number, each in enumerate(table.classes) if belongs(each)]
        grades = np.array([table.classes[number].difficulty for number in at], dtype=np.float64)
        cells = []
        for d in range(len(DETECTORS)):
            values = np.vstack([table.points[at, d], table.resampled[at, d].T])
            taus = tau_b(grades, values)
            cells.append(_cell(taus[0], taus[1:]))
        yield f"| {title} | | {len(at)} classes | {' | '.join(cells)} | |"


def _is_of(category: Category) -> Callable[[Class], bool]:
    return lambda each: each.category == category


def _cell(point: float, resampled: Numbers) -> str:
    low, high = np.nanpercentile(resampled, (2.5, 97.5))
    return f"{point:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Print a table for each data set."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--datasets", nargs="+", choices=list(MODALITY), default=list(MODALITY))
    asked.add_argument("--size", type=int, default=48, help="voxels a side")
    asked.add_argument("--cases", type=int, default=20, help="of a class")
    asked.add_argument("--training", type=int, default=60, help="normal scans")
    asked.add_argument("--kinds", action="store_true", help="a class for each kind")
    given = asked.parse_args()
    for dataset in given.datasets:
        start = time.monotonic()
        table = measure(dataset, size=given.size, cases=given.cases, training=given.training, by_kind=given.kinds)
        print("\n".join(lines(dataset, table)))
        print(f"\n{dataset}: {given.size}³, {time.monotonic() - start:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
