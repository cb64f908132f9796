"""Where Proportion Localised looks for an image's lesions: a box round each, and the pixels that count for it.

Depends on the label alone. The geometry is that of the package `proportion-localised` 0.1.3, by the same calls of
OpenCV and shapely; docs/decisions/0006-proportion-localised.md says what of it is a quirk and what differs.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, Self

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from evaluator.runs import Runs

OVERLAP: Final = 1 / 3  # of the smaller box: boxes that share more are merged
_ROUNDS: Final = 2  # of merging
_BLOCK: Final = 1 << 16  # pixels whose nearest centre is looked for at a time

cv2.setNumThreads(0)  # images are small, and the caller's workers share the cores


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes:
    """The boxes of one image (H, W), and whose pixels are whose.

    `inside`: for each box, the image's pixels in it. `outside`: for each box, the pixels that are nearer to its
    centre than to any other box's, less those inside it. A pixel can be inside several boxes, and inside one
    while it is outside another. Indices are flat in Fortran order; `n_pixels` is H · W.
    """

    inside: tuple[Runs, ...]
    outside: tuple[Runs, ...]
    n_pixels: int

    def __len__(self) -> int:
        return len(self.inside)

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Self:
        """Box the lesions of `mask` bool[H, W]: its connected components, diagonal neighbours included.

        A lesion's box is the rectangle of least area round it, turned freely, its sides at least an eighth of
        the image's: of √(H · W), whatever the box's angle. Boxes that overlap are merged, in two rounds
        (Taylor, section 3.4 and appendix C). Raises ValueError where the mask is not an image.
        """
        if mask.ndim != 2 or not mask.size:  # noqa: PLR2004  an image
            raise ValueError(f"a mask {mask.shape} is not an image")
        lesions = _Lesions.of(mask)
        groups = [[label] for label in range(1, lesions.count + 1)]
        boxes = [lesions.box(group) for group in groups]
        for _ in range(_ROUNDS):
            merged = _merge(boxes)
            groups = [list(chain.from_iterable(groups[box] for box in group)) for group in merged]
            boxes = [
                boxes[old[0]] if len(old) == 1 else lesions.box(group)
                for old, group in zip(merged, groups, strict=True)
            ]
        inside = _drawn(boxes, mask.shape)
        return cls(inside=inside, outside=_nearer(boxes, inside, mask.shape), n_pixels=mask.size)


class _Box(NamedTuple):
    """A rotated rectangle, as OpenCV passes them: x is a column, y a row, `angle` in degrees."""

    centre: tuple[float, float]
    sides: tuple[float, float]
    angle: float

    def corners(self) -> NDArray[np.float32]:
        """Give float32[4, 2], x and y."""
        return np.asarray(cv2.boxPoints(self), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lesions:
    """The connected components of a mask.

    `labels` int32[H, W], 0 or from 1 in the order of the first pixels, row by row. `corners` int64[labels + 1, 4]:
    each label's first row and column, and the row and column after its last. `least_side` of a box, in pixels.
    """

    labels: NDArray[np.int32]
    corners: NDArray[np.int64]
    least_side: float

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Self:
        """Label them. The scan by rows numbers as scikit-image does, which the package asks."""
        _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
            np.ascontiguousarray(mask, dtype=np.uint8), 8, cv2.CV_32S, cv2.CCL_SAUF
        )
        left, top, width, height = stats[:, :4].astype(np.int64).T
        return cls(
            labels=np.asarray(labels, dtype=np.int32),
            corners=np.stack([top, left, top + height, left + width], axis=1),
            least_side=math.sqrt(mask.size) / 8,
        )

    @property
    def count(self) -> int:
        return len(self.corners) - 1

    def box(self, members: Sequence[int]) -> _Box:
        """Box the pixels of some labels together."""
        top, left = self.corners[members, :2].min(axis=0)
        bottom, right = self.corners[members, 2:].max(axis=0)
        is_member = np.zeros(self.count + 1, dtype=np.uint8)
        is_member[members] = 255
        contours, _ = cv2.findContours(
            is_member[self.labels[top:bottom, left:right]],
            cv2.RETR_EXTERNAL,
            cv2.CHAIN_APPROX_SIMPLE,
            offset=(int(left), int(top)),
        )
        (x, y), (width, height), angle = cv2.minAreaRect(cv2.convexHull(np.concatenate(contours)))
        return _Box((x, y), (max(width, self.least_side), max(height, self.least_side)), angle)


def _merge(boxes: Sequence[_Box]) -> list[list[int]]:
    """Group boxes that overlap, or are linked by such; the closest pair's group comes first, lone boxes last."""
    if len(boxes) < 2:  # noqa: PLR2004  nothing to merge
        return [[index] for index in range(len(boxes))]
    one, other = np.triu_indices(len(boxes), k=1)
    centres = np.array([box.centre for box in boxes])
    sides = np.array([box.sides for box in boxes])
    distance = np.sqrt(np.square(centres[one] - centres[other]).sum(axis=1))
    reach = np.hypot(*sides.T) / 2
    near = np.flatnonzero(distance < reach[one] + reach[other])
    near = near[np.argsort(distance[near], kind="stable")]
    one, other = one[near], other[near]
    size = sides.sum(axis=1)
    smaller = np.where(size[one] < size[other], one, other)
    larger = one + other - smaller
    shapes = shapely.polygons(np.stack([box.corners() for box in boxes]).astype(np.float64))
    overlap = shapely.area(shapely.intersection(shapes[smaller], shapes[larger])) / shapely.area(shapes[smaller])
    linked = overlap > OVERLAP
    return _linked(len(boxes), list(zip(one[linked].tolist(), other[linked].tolist(), strict=True)))


def _linked(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Connect 0 to count - 1 by pairs; groups in the order in which the pairs, then the rest, name them."""
    group = {index: [index] for index in range(count)}
    for one, other in pairs:
        if group[one] is not group[other]:
            group[one].extend(group[other])
            group.update(dict.fromkeys(group[other], group[one]))
    named = dict.fromkeys(chain(chain.from_iterable(pairs), range(count)))
    return [sorted(members) for members in {id(group[index]): group[index] for index in named}.values()]


def _drawn(boxes: Sequence[_Box], shape: tuple[int, ...]) -> tuple[Runs, ...]:
    """Fill each box, its corners cut to whole pixels towards 0, and give the image's pixels in it."""
    canvas = np.zeros(shape, dtype=np.uint8)
    drawn = []
    for box in boxes:
        corners = box.corners().astype(np.int32)
        cv2.drawContours(canvas, [corners], 0, 1, -1)
        left, top = np.maximum(corners.min(axis=0), 0)
        right, bottom = corners.max(axis=0) + 1
        part = canvas[top:bottom, left:right]
        column, row = np.nonzero(part.T)
        drawn.append(_runs((column + left) * shape[0] + row + top, shape[0]))
        part[:] = 0
    return tuple(drawn)


def _runs(indices: NDArray[np.int64], row: int) -> Runs:
    """Join ascending flat indices to runs along axis 0, which has `row` pixels."""
    first = np.ones(indices.size, dtype=bool)
    first[1:] = (np.diff(indices) > 1) | (indices[1:] % row == 0)
    return Runs(indices[first], np.diff(np.append(np.flatnonzero(first), indices.size)))


def _nearer(boxes: Sequence[_Box], inside: Sequence[Runs], shape: tuple[int, ...]) -> tuple[Runs, ...]:
    """For each box, the pixels outside it whose nearest centre is its own."""
    owner = _nearest(boxes, shape).ravel()
    nobody = len(boxes)
    for index, runs in enumerate(inside):
        pixels = runs.indices()
        owner[pixels[owner[pixels] == index]] = nobody
    first = np.ones(owner.size, dtype=bool)
    first[1:] = owner[1:] != owner[:-1]
    first[:: shape[0]] = True
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, owner.size))
    of = owner[starts]
    return tuple(Runs(starts[of == index], lengths[of == index]) for index in range(len(boxes)))


def _nearest(boxes: Sequence[_Box], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Find each pixel's nearest centre, the first of equally near ones: int32[W, H].

    Distances and not their squares are compared: roots round, and can tie where squares do not.
    """
    rows, columns = np.arange(shape[0]), np.arange(shape[1])[:, np.newaxis]
    nearest = np.zeros((shape[1], shape[0]), dtype=np.int32)
    step = max(1, _BLOCK // shape[0])
    for start in range(0, shape[1] if len(boxes) > 1 else 0, step):
        block = slice(start, start + step)
        least = np.full(nearest[block].shape, np.inf)
        for index, ((x, y), _, _) in enumerate(boxes):
            distance = np.sqrt(np.square(rows - y) + np.square(columns[block] - x))
            closer = distance < least
            nearest[block][closer] = index
            least[closer] = distance[closer]
    return nearest
