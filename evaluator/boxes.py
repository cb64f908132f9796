"""Where Proportion Localised looks for an image's lesions: a box round each, and the pixels that count for it.

Depends on the label alone. The geometry is that of the package `proportion-localised` 0.1.3, by the same calls of
OpenCV and shapely; docs/decisions/0006-proportion-localised.md says what of it is a quirk and what differs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, Self

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from evaluator.localised import Boxes
from evaluator.runs import Runs

OVERLAP: Final = 1 / 3  # of the smaller box: boxes that share more are merged
_ROUNDS: Final = 2  # of merging
_PAIRS: Final = 1 << 12  # of boxes whose overlap is measured at a time
_BLOCK: Final = 1 << 14  # pixels whose nearest centre is looked for at a time

cv2.setNumThreads(0)  # images are small, and the caller's workers share the cores


def boxes_of(mask: NDArray[np.bool_]) -> Boxes:
    """Box the lesions of `mask` bool[H, W]: its connected components, diagonal neighbours included.

    A lesion's box is the rectangle of least area round it, turned freely, its sides at least an eighth of
    the image's: of √(H · W), whatever the box's angle. Boxes that overlap are merged, in two rounds
    (Taylor, section 3.4 and appendix C). Raises ValueError where the mask is not an image.
    """
    if mask.ndim != 2 or not mask.size:  # noqa: PLR2004  an image
        raise ValueError(f"a mask {mask.shape} is not an image")
    boxes = _boxed(_Lesions.of(mask)) if mask.any() else []
    inside = _drawn(boxes, mask.shape)
    part = 2 * _nearest(boxes, mask.shape).ravel()
    farther = []
    for index, pixels in enumerate(inside):
        is_nearest = part[pixels] == 2 * index
        part[pixels[is_nearest]] += 1
        farther.append(_runs(pixels[~is_nearest], mask.shape[0]))
    cells = _cells(part, mask.shape[0])
    return Boxes(
        cells=cells,
        part=part[cells.starts].astype(np.int64),
        farther=tuple(farther),
        areas=np.array([pixels.size for pixels in inside], dtype=np.int64),
        n_pixels=mask.size,
    )


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

    `labels` int32[h, w], 0 or from 1 in the order of the first pixels, row by row, within the rectangle that holds
    them all and whose first column and row are `left` and `top`. `corners` int64[labels + 1, 4]: each label's first
    row and column, and the row and column after its last, in that rectangle. `least_side` of a box, in pixels.
    """

    labels: NDArray[np.int32]
    left: int
    top: int
    corners: NDArray[np.int64]
    least_side: float

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Self:
        """Label them. This algorithm numbers as scikit-image does, which the package asks."""
        image = np.ascontiguousarray(mask, dtype=np.uint8)
        left, top, width, height = cv2.boundingRect(image)
        _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
            image[top : top + height, left : left + width], 8, cv2.CV_32S, cv2.CCL_SAUF
        )
        lefts, tops, widths, heights = stats[:, :4].astype(np.int64).T
        return cls(
            labels=np.asarray(labels, dtype=np.int32),
            left=left,
            top=top,
            corners=np.stack([tops, lefts, tops + heights, lefts + widths], axis=1),
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
            offset=(self.left + int(left), self.top + int(top)),
        )
        (x, y), (width, height), angle = cv2.minAreaRect(cv2.convexHull(np.concatenate(contours)))
        return _Box((x, y), (max(width, self.least_side), max(height, self.least_side)), angle)


def _boxed(lesions: _Lesions) -> list[_Box]:
    """Box each lesion, and those together whose boxes overlap."""
    groups = [[label] for label in range(1, lesions.count + 1)]
    boxes = [lesions.box(group) for group in groups]
    for _ in range(_ROUNDS):
        merged = _merge(boxes)
        groups = [list(chain.from_iterable(groups[box] for box in group)) for group in merged]
        boxes = [
            boxes[old[0]] if len(old) == 1 else lesions.box(group) for old, group in zip(merged, groups, strict=True)
        ]
    return boxes


def _merge(boxes: Sequence[_Box]) -> list[list[int]]:
    """Group boxes that overlap, or are linked by such; the closest pair's group comes first, lone boxes last."""
    if len(boxes) < 2:  # noqa: PLR2004  nothing to merge
        return [[index] for index in range(len(boxes))]
    one, other = _pairs(boxes)
    size = np.array([sum(box.sides) for box in boxes])
    smaller = np.where(size[one] < size[other], one, other)
    larger = one + other - smaller
    shapes = shapely.polygons(np.stack([box.corners() for box in boxes]).astype(np.float64))
    group = np.arange(len(boxes))
    named: dict[int, None] = {}
    for start in range(0, one.size, _PAIRS):
        pairs = np.arange(start, min(start + _PAIRS, one.size))
        pairs = pairs[group[one[pairs]] != group[other[pairs]]]  # the others' overlap would change nothing
        shared = shapely.area(shapely.intersection(shapes[smaller[pairs]], shapes[larger[pairs]]))
        for pair in pairs[shared / shapely.area(shapes[smaller[pairs]]) > OVERLAP]:
            named |= {int(one[pair]): None, int(other[pair]): None}
            group[group == group[other[pair]]] = group[one[pair]]
    labels = dict.fromkeys(group[[*named, *range(len(boxes))]].tolist())
    return [np.flatnonzero(group == label).tolist() for label in labels]


def _pairs(boxes: Sequence[_Box]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the pairs of boxes that are near enough to overlap, the closest centres first; one index < other."""
    one, other = np.triu_indices(len(boxes), k=1)
    centres = np.array([box.centre for box in boxes])
    distance = np.sqrt(np.square(centres[one] - centres[other]).sum(axis=1))
    reach = np.array([math.hypot(*box.sides) / 2 for box in boxes])
    near = np.flatnonzero(distance < reach[one] + reach[other])
    near = near[np.argsort(distance[near], kind="stable")]
    return one[near], other[near]


def _drawn(boxes: Sequence[_Box], shape: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """Fill each box, its corners cut to whole pixels towards 0; give the flat indices of the image's pixels in it."""
    canvas = np.zeros(shape, dtype=np.uint8)
    drawn = []
    for box in boxes:
        corners = box.corners().astype(np.int32)
        cv2.drawContours(canvas, [corners], 0, 1, -1)
        left, top = np.maximum(corners.min(axis=0), 0)
        right, bottom = corners.max(axis=0) + 1
        part = canvas[top:bottom, left:right]
        column, row = np.nonzero(part.T)
        drawn.append((column + left) * shape[0] + row + top)
        part[:] = 0
    return drawn


def _nearest(boxes: Sequence[_Box], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Find each pixel's nearest centre, the first of equally near ones: int32[W, H].

    Distances and not their squares are compared: roots round, and can tie where squares do not.
    """
    nearest = np.zeros((shape[1], shape[0]), dtype=np.int32)
    if len(boxes) < 2:  # noqa: PLR2004  no other
        return nearest
    rows, columns = np.arange(shape[0]), np.arange(shape[1])[:, np.newaxis]
    step = max(1, _BLOCK // shape[0])
    for start in range(0, shape[1], step):
        block = slice(start, start + step)
        least = np.full(nearest[block].shape, np.inf)
        for index, ((x, y), _, _) in enumerate(boxes):
            distance = np.square(rows - y) + np.square(columns[block] - x)
            np.sqrt(distance, out=distance)
            np.copyto(nearest[block], index, where=distance < least)
            np.minimum(least, distance, out=least)
    return nearest


def _cells(part: NDArray[np.int32], row: int) -> Runs:
    """Cut an image, flat, into runs of one part along axis 0, which has `row` pixels."""
    first = np.ones(part.size, dtype=bool)
    first[1:] = part[1:] != part[:-1]
    first[::row] = True
    starts = np.flatnonzero(first)
    return Runs(starts, np.diff(starts, append=part.size))


def _runs(indices: NDArray[np.int64], row: int) -> Runs:
    """Join ascending flat indices to runs along axis 0, which has `row` pixels."""
    first = np.ones(indices.size, dtype=bool)
    first[1:] = (indices[1:] > indices[:-1] + 1) | (indices[1:] % row == 0)
    return Runs(indices[first], np.diff(np.flatnonzero(first), append=indices.size))
