"""How much faster PL is than the published package on the same 100 images of 256²: `python benchmarks/localised.py`.

Both are given labels and maps in memory, as each stores them, and must give the same number at the package's
thresholds. The package is measured as it is called by default, which scores the inverted maps too, and with the
upright ones only. Ours starts from the pass's patterns, and gives both limits and both choices of thresholds; it is
measured with the boxes of the labels at hand, and with finding them. The ways take turns, so that a busy machine
slows all.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, in which `evaluator` is another benchmark

import cv2
import numpy as np
from numpy.typing import NDArray
from proportion_localised import PL

from evaluator.boxes import boxes_of
from evaluator.localised import LIMITS, Boxes, Localised
from evaluator.metrics.localised import pl, pl_package

ROUNDS = 5
SIDE = 256
IMAGES = 100


@dataclass(frozen=True, kw_only=True)
class Images:
    """`masks` bool[IMAGES, SIDE, SIDE]; `maps` float64 of the same shape, holding half-precision numbers in [0, 1].

    `patterns` uint16[IMAGES, SIDE²]: the maps', each flat in Fortran order.
    """

    masks: NDArray[np.bool_]
    maps: NDArray[np.float64]
    patterns: NDArray[np.uint16]


def draw() -> Images:
    """Draw one to four lesions an image, and a blurred and noisy map of them."""
    rng = np.random.default_rng(0)
    masks, maps = [], []
    for _ in range(IMAGES):
        image = np.zeros((SIDE, SIDE), dtype=np.uint8)
        for _ in range(rng.integers(1, 5)):
            centre, axes = rng.integers(20, SIDE - 20, 2).tolist(), rng.integers(1, (30, 15)).tolist()
            cv2.ellipse(image, centre, axes, int(rng.integers(180)), 0, 360, 1, -1)
        noisy = cv2.GaussianBlur(image.astype(np.float64), (0, 0), 7) + 0.1 * np.abs(rng.normal(size=image.shape))
        masks.append(image.astype(bool))
        maps.append(np.asarray(np.clip(noisy, 0, 1), dtype=np.float16))
    return Images(
        masks=np.stack(masks),
        maps=np.stack(maps).astype(np.float64),
        patterns=np.stack([scores.ravel(order="F").view(np.uint16) for scores in maps]),
    )


def by_package(images: Images, *, upright_only: bool) -> float:
    """As published."""
    way = PL(anomaly_likelihood_definitely_increasing=upright_only)
    score, _ = way.calculate(images.maps, images.masks, LIMITS[0])
    return float(score)


def by_counting(images: Images, boxes: Sequence[Boxes]) -> float:
    """Count, then look all thresholds up."""
    total = Localised.total(map(Localised.of, boxes, images.patterns))
    found = [metric(total, limit) for metric in (pl_package, pl) for limit in LIMITS]
    return found[0]


def timed(way: Callable[[], float]) -> tuple[float, float]:
    """Give seconds and result."""
    start = time.perf_counter()
    found = way()
    return time.perf_counter() - start, found


def main() -> None:
    """Measure and print."""
    images = draw()
    boxes = [boxes_of(mask) for mask in images.masks]
    ways: dict[str, Callable[[], float]] = {
        "package": lambda: by_package(images, upright_only=False),
        "upright only": lambda: by_package(images, upright_only=True),
        "boxes at hand": lambda: by_counting(images, boxes),
        "boxes found": lambda: by_counting(images, [boxes_of(mask) for mask in images.masks]),
    }
    rounds = [{name: timed(way) for name, way in ways.items()} for _ in range(ROUNDS)]
    seconds = {name: median(one[name][0] for one in rounds) for name in ways}
    same = len({found for one in rounds for _, found in one.values()}) == 1
    print(f"{IMAGES} images of {SIDE}², {sum(map(len, boxes))} boxes, median of {ROUNDS}")
    for name, took in seconds.items():
        ratios = ", ".join(f"{seconds[other] / took:6.1f} × {other}" for other in ("package", "upright only"))
        print(f"{name:14}{took:8.3f} s  {ratios}")
    print(f"results {'bit-identical' if same else 'DIFFER'}")


if __name__ == "__main__":
    main()
