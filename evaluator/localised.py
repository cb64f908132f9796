"""What scoring keeps for Proportion Localised: how many lesions' boxes are found, for every threshold on the score.

A box's IoU with the pixels above any real threshold is its IoU with those from the next half pattern upwards, so
one pass keeps enough for every choice of thresholds. Localised add up as sketches do, over images and cases.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise, starmap
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from evaluator.kernels import ONE
from evaluator.runs import Runs
from evaluator.sketch import MOST_VOXELS, VALUES

LIMITS: Final = (0.3, 0.5)  # a box is found where its IoU is above this
_LIMITS: Final = np.array(LIMITS)[:, np.newaxis]
_CHUNK: Final = 1 << 20  # pixels counted at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes:
    """The boxes of one image (H, W), and whose pixels are whose; flat indices are in Fortran order.

    A pixel counts for the box whose centre is nearest, and for every box that it is inside. `cells`: runs that
    cover the image; `part` int64[r], one entry a run: 2 · i where the nearest is box i and the run is outside
    it, 2 · i + 1 where inside it. `farther`: for each box, the pixels inside it that are nearer to another.
    `areas` int64[n]: the image's pixels inside each box. `n_pixels` is H · W.
    """

    cells: Runs
    part: NDArray[np.int64]
    farther: tuple[Runs, ...]
    areas: NDArray[np.int64]
    n_pixels: int

    def __len__(self) -> int:
        return len(self.farther)


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """How a number of boxes changes with the threshold.

    `bins` uint16[k], strictly ascending half patterns; `changes` int64[k], how many more boxes are found (fewer
    where below 0) once the pixels of that pattern are predicted beside those above it; none is 0.
    """

    bins: NDArray[np.uint16]
    changes: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check_bins(self.bins, self.changes, np.int64)
        if np.any(self.changes == 0):
            raise ValueError("a step changes nothing")

    @classmethod
    def of(cls, changes: NDArray[np.int64]) -> Self:
        """Keep what is not 0 of int64[VALUES]."""
        bins = np.flatnonzero(changes != 0)  # faster than of integers
        return cls(bins=bins.astype(np.uint16), changes=changes[bins])


@dataclass(frozen=True, kw_only=True, eq=False)
class Localised:
    """The boxes of some images with a lesion, and what was predicted there; images without one do not enter.

    `boxes`: their number. `bins` uint16[k], strictly ascending clamped half patterns, and `counts` uint64[k]: all
    pixels of those images by score. `steps`: for each of LIMITS, how many boxes have an IoU above it. Equal
    content has equal arrays. Raises ValueError where it cannot be.
    """

    boxes: int
    bins: NDArray[np.uint16]
    counts: NDArray[np.uint64]
    steps: tuple[Steps, ...]

    def __post_init__(self) -> None:
        _check_bins(self.bins, self.counts, np.uint64)
        if np.any(self.counts == 0) or self.counts.sum(dtype=np.float64) > MOST_VOXELS:
            raise ValueError("a score has no pixel, or there are more pixels than can be counted")
        if not 0 <= self.boxes <= MOST_VOXELS or bool(self.boxes) != bool(self.bins.size):
            raise ValueError(f"there are {self.boxes} boxes in images of {self.bins.size} scores")
        if len(self.steps) != len(LIMITS):
            raise ValueError(f"there are steps for {len(self.steps)} limits, not for {len(LIMITS)}")
        for steps in self.steps:
            if np.any((steps.changes < -self.boxes) | (steps.changes > self.boxes)):
                raise ValueError(f"a step changes the number of boxes found by more than all {self.boxes}")
        places = np.concatenate([steps.bins for steps in self.steps])
        most = np.full(places.size, self.boxes)
        for limit in LIMITS:
            found = self.found(limit, places)  # no sum overflows before one leaves the range
            if np.any((found < 0) | (found > most)):
                raise ValueError(f"of {self.boxes} boxes, fewer than none or too many have an IoU above {limit}")
            most = found

    @classmethod
    def of(cls, boxes: Boxes, patterns: NDArray[np.uint16]) -> Self:
        """Take one image: `patterns` uint16[H · W] are its clamped scores, flat in Fortran order.

        Raises ValueError where these are not as many as the boxes' image has pixels.
        """
        if patterns.shape != (boxes.n_pixels,):
            raise ValueError(f"patterns are {patterns.shape}, the image has {boxes.n_pixels} pixels")
        if not len(boxes):
            return cls.total(())
        counts = _counted(boxes, patterns)
        every = counts.sum(axis=(0, 1))
        for box, farther in enumerate(boxes.farther):
            if farther.n_voxels:
                counts[box, 1] += np.bincount(patterns[farther.indices()], minlength=VALUES)
        downwards = counts[:, :, ::-1]
        np.cumsum(downwards, axis=2, out=downwards)
        downwards[:, 0] += boxes.areas[:, np.newaxis]  # now the union
        iou = np.empty(VALUES)
        found = np.zeros((len(LIMITS), VALUES), dtype=np.int32)
        for union, inside in downwards:
            np.divide(inside, union, out=iou)
            found += iou > _LIMITS
        changes = found.astype(np.int64)
        changes[:, 1:] -= found[:, :-1]
        return cls._dense(len(boxes), every, changes[:, ::-1])

    @classmethod
    def total(cls, several: Iterable["Localised"]) -> Self:
        """Add up; of none, no boxes and no image."""
        boxes = 0
        every = np.zeros(VALUES, dtype=np.int64)
        changes = np.zeros((len(LIMITS), VALUES), dtype=np.int64)
        for one in several:
            boxes += one.boxes
            every[one.bins] += one.counts.astype(np.int64)
            for row, steps in zip(changes, one.steps, strict=True):
                row[steps.bins] += steps.changes
        return cls._dense(boxes, every, changes)

    @classmethod
    def _dense(cls, boxes: int, every: NDArray[np.int64], changes: NDArray[np.int64]) -> Self:
        """Keep the patterns that occur of int64[VALUES] and, for each limit, int64[VALUES]."""
        bins = np.flatnonzero(every != 0)
        return cls(
            boxes=boxes,
            bins=bins.astype(np.uint16),
            counts=every[bins].astype(np.uint64),
            steps=tuple(Steps.of(row) for row in changes),
        )

    def found(self, limit: float, patterns: NDArray[np.integer]) -> NDArray[np.int64]:
        """Count the boxes whose IoU with the pixels of a pattern and higher is above a limit, one of LIMITS.

        `patterns` int[k] in any order, VALUES for no pixel; gives int64[k]. Raises ValueError where the limit was not
        kept.
        """
        steps = self._steps(limit)
        found = np.append(np.cumsum(steps.changes[::-1])[::-1], 0)
        return found[np.searchsorted(steps.bins, patterns)]

    def most_found(self, limit: float) -> int:
        """Count the boxes that are found at the best threshold for a limit, one of LIMITS; raises ValueError else."""
        return int(self.found(limit, self._steps(limit).bins).max(initial=0))

    def _steps(self, limit: float) -> Steps:
        if limit not in LIMITS:
            raise ValueError(f"boxes were counted for an IoU above {LIMITS}, not {limit}")
        return self.steps[LIMITS.index(limit)]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Give every array by its name, to be stored."""
        arrays: dict[str, NDArray[np.generic]] = {
            "boxes": np.array([self.boxes], dtype=np.uint64),
            "bins": self.bins,
            "counts": self.counts,
        }
        for limit, steps in zip(LIMITS, self.steps, strict=True):
            arrays |= {_name("bins", limit): steps.bins, _name("changes", limit): steps.changes}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Read what `arrays` gave. Believes nothing; raises ValueError."""
        if set(arrays) != set(_DTYPES):
            raise ValueError(f"localised hold {sorted(arrays)[:8]}")
        for name, dtype in _DTYPES.items():
            if arrays[name].dtype != dtype:
                raise ValueError(f"localised's {name} are {arrays[name].dtype}, not {np.dtype(dtype)}")
        if arrays["boxes"].shape != (1,):
            raise ValueError(f"localised's boxes are an array {arrays['boxes'].shape}")
        return cls(
            boxes=int(arrays["boxes"].astype(np.uint64)[0]),
            bins=arrays["bins"].astype(np.uint16),
            counts=arrays["counts"].astype(np.uint64),
            steps=tuple(
                Steps(
                    bins=arrays[_name("bins", limit)].astype(np.uint16),
                    changes=arrays[_name("changes", limit)].astype(np.int64),
                )
                for limit in LIMITS
            ),
        )


def _name(what: str, limit: float) -> str:
    """Name an array of a limit's steps, which is written in hundredths."""
    return f"{what}_{limit * 100:.0f}"


_DTYPES: Final[Mapping[str, type[np.integer]]] = {
    "boxes": np.uint64,
    "bins": np.uint16,
    "counts": np.uint64,
    **{_name("bins", limit): np.uint16 for limit in LIMITS},
    **{_name("changes", limit): np.int64 for limit in LIMITS},
}


def _counted(boxes: Boxes, patterns: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Count an image's pixels: int64[boxes, 2, VALUES], those outside and inside the box of the nearest centre."""
    cells = boxes.cells
    size = 2 * len(boxes) * VALUES
    cuts = np.searchsorted(cells.starts, np.arange(0, boxes.n_pixels, _CHUNK))
    pixels = np.append(cells.starts, boxes.n_pixels)

    def part(first: int, last: int) -> NDArray[np.int64]:
        keys = np.repeat(boxes.part[first:last] * VALUES, cells.lengths[first:last])
        keys += patterns[pixels[first] : pixels[last]]
        return np.bincount(keys, minlength=size)

    return reduce(np.add, starmap(part, pairwise([*cuts, cells.starts.size]))).reshape(-1, 2, VALUES)


def _check_bins(bins: NDArray[np.uint16], numbers: NDArray[np.integer], dtype: type[np.integer]) -> None:
    """Are these clamped patterns, strictly ascending, with a number each? Raises ValueError."""
    if bins.ndim != 1 or bins.shape != numbers.shape or bins.dtype != np.uint16 or numbers.dtype != dtype:
        raise ValueError(f"bins are {bins.dtype}{bins.shape}, their numbers {numbers.dtype}{numbers.shape}")
    if bins.size and (bins[-1] > ONE or np.any(bins[1:] <= bins[:-1])):
        raise ValueError("bins do not ascend within 0 and 1")
