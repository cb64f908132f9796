"""From scans to a data set: one value a scan, then mean and median, beside the value of all voxels pooled.

Thesis, section 4.2 and Fig. 4.9. The only code that says what an undefined value of a scan means: a scan that holds
one class only, or whose value is nan, is left out and counted, never 0.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from evaluator.metrics import voxels
from evaluator.metrics.regions import aupro
from evaluator.regions import Regions
from evaluator.sketch import Sketch

SketchMetric = Callable[[Sketch], float]

_PER_VOLUME: Final[Mapping[str, SketchMetric]] = {
    "auroc": voxels.auroc,
    "auprc": voxels.average_precision,
    "max_dice": voxels.max_dice,
    "accuracy": voxels.accuracy,
    "specificity": voxels.specificity,
    "precision": voxels.precision,
}


@dataclass(frozen=True, kw_only=True)
class Scans:
    """A metric over the scans for which it is defined; mean and median are nan where there is none.

    `n` scans count, `left_out` do not. `counts[i]` scans lie in [edges[i], edges[i + 1]), the last with both ends.
    """

    mean: float
    median: float
    n: int
    left_out: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Levels:
    """One metric at both levels: all voxels pooled, and scan by scan."""

    dataset: float
    scans: Scans


def over_scans(values: Iterable[float], bins: int = 20) -> Scans:
    """Aggregate values in [0, 1], nan where undefined, into mean, median and a histogram of `bins` equal bins.

    >>> found = over_scans([0.2, float("nan"), 0.4, 0.9], bins=2)
    >>> found.mean, found.median, found.n, found.left_out, found.counts
    (0.5, 0.4, 3, 1, (2, 1))
    """
    every = list(values)
    defined = [value for value in every if not math.isnan(value)]
    counts, edges = np.histogram(defined, bins=bins, range=(0, 1))
    return Scans(
        mean=math.fsum(defined) / len(defined) if defined else float("nan"),
        median=median(defined) if defined else float("nan"),
        n=len(defined),
        left_out=len(every) - len(defined),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )


def by_scan(metric: SketchMetric, scans: Sequence[Sketch], bins: int = 20) -> Scans:
    """Compute a metric of each scan's sketch; one-class scans are left out.

    >>> by_scan(voxels.average_precision, [Sketch.zeros(positive=1, negative=3)]).mean
    0.25
    """
    return over_scans((metric(scan) if _has_both(scan) else float("nan") for scan in scans), bins)


def compare(metric: SketchMetric, scans: Sequence[Sketch], bins: int = 20) -> Levels:
    """Compute a metric of sketches at data-set level and at scan level; one-class scans are left out of the latter.

    >>> two = [Sketch.zeros(positive=1, negative=3), Sketch.zeros(positive=0, negative=4)]
    >>> found = compare(voxels.average_precision, two)
    >>> found.dataset, found.scans.mean, found.scans.n, found.scans.left_out
    (0.125, 0.25, 1, 1)
    """
    return Levels(dataset=metric(Sketch.total(scans)), scans=by_scan(metric, scans, bins))


def per_volume(scans: Sequence[Sketch], regions: Sequence[Regions]) -> dict[str, Scans]:
    """SimpleSliceNet's protocol (section 4): each metric within each volume, then over volumes.

    `auroc`, `auprc`, `pro` (AUPRO up to an FPR of 0.3), `max_dice`, and at the threshold of the best F1 `accuracy`,
    `specificity`, `precision`. The protocol normalises a volume's scores between their minimum and maximum, which
    changes none of these, so nothing is normalised. One-class volumes are left out. Raises ValueError where there
    are not as many regions as scans.
    """
    if len(scans) != len(regions):
        raise ValueError(f"{len(scans)} scans, the regions of {len(regions)}")
    found = {name: by_scan(metric, scans) for name, metric in _PER_VOLUME.items()}
    pro = [aupro(scan, its) if _has_both(scan) else float("nan") for scan, its in zip(scans, regions, strict=True)]
    return found | {"pro": over_scans(pro)}


def _has_both(scan: Sketch) -> bool:
    return scan.n_positive > 0 and scan.n_negative > 0
