"""What all anomalies of a whole scan share: its range, its background, the least change, and slabs to work in.

A global anomaly is a function that spoils a volume; `Spoiler` makes of it what a `Kind` draws. Work goes slab
by slab where it can: a volume of 512³ is half a gigabyte, and so is each array as large as it.

A kind's difficulty is what simple detectors make of it on phantoms (benchmarks/difficulty.py), not the eye: a
washed-out scan is hardly remarkable to them, and slices that were lost are.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from toy_cases.anomalies.base import Array, Category, Drawn, Kind, Mask, NoPlaceError, Scope
from toy_cases.body import AIR

Parameters = Mapping[str, float | str]
Spoil = Callable[[Array, Mask, np.random.Generator], tuple[Array, Parameters]]
TRIES = 8  # draws before a scan is given up
DUST = np.float32(5e-4)  # what filters leave of nothing; no scan's darkest tissue is darker
GRID = 64  # cells a side at most, on which the air around a body is looked for
CUT = 0.8  # of the slice a tenth further in: an outermost slice larger than that is no rounded end
SLAB_VOXELS = 2**21  # worked on at a time
BOTH = frozenset({"mr", "ct"})
MR = frozenset({"mr"})
CT = frozenset({"ct"})


@dataclass(frozen=True, kw_only=True)
class Spoiler:
    """Draws a global anomaly, again while the body is hardly changed."""

    spoil: Spoil  # gives a new array of the same shape, in any range, and what was drawn
    floor: float  # the least mean absolute change over the body
    everywhere: bool  # the air around the body changes too; else it keeps its bits

    def __call__(self, normal: Array, body: Mask, rng: np.random.Generator) -> Drawn:
        """Give the spoilt scan: float32 in [0, 1]. Raises NoPlaceError where nothing drawn changes it enough."""
        if not body.any():
            raise NoPlaceError(f"no body in a volume of shape {normal.shape}: nothing to spoil")
        around = None if self.everywhere else _around(normal, body)
        for _ in range(TRIES):
            volume, parameters = self.spoil(normal, body, rng)
            _tidy(volume, normal, around)
            contrast = mean_change(normal, volume, body)
            if contrast >= self.floor:
                return Drawn(volume=volume, mask=None, parameters={"contrast": round(contrast, 4), **parameters})
        raise NoPlaceError(
            f"{self.spoil.__name__} changes a body of {np.count_nonzero(body)} voxels by less than {self.floor:g} "
            f"on average, {TRIES} draws in a row"
        )


def global_kind(
    category: Category,
    subcategory: str,
    spoil: Spoil,
    *,
    difficulty: int,
    floor: float,
    everywhere: bool = False,
    modalities: frozenset[str] = BOTH,
    needs: str | None = None,
) -> Kind:
    """Make a kind of a function; its source is the second paragraph of the function's docstring."""
    return Kind(
        scope=Scope.GLOBAL,
        category=category,
        subcategory=subcategory,
        difficulty=difficulty,
        source=_reason(spoil),
        draw=Spoiler(spoil=spoil, floor=floor, everywhere=everywhere),
        modalities=modalities,
        needs=needs,
    )


def mean_change(before: Array, after: Array, body: Mask) -> float:
    """Mean absolute difference over the body."""
    total = sum(
        float(np.abs(after[part] - before[part])[body[part]].sum(dtype=np.float64)) for part in slabs(before.shape)
    )
    return total / int(np.count_nonzero(body))


def slabs(shape: tuple[int, ...]) -> Iterator[slice]:
    """Cut the first axis into parts of about SLAB_VOXELS."""
    thick = max(1, SLAB_VOXELS // max(1, int(np.prod(shape[1:]))))
    for start in range(0, shape[0], thick):
        yield slice(start, min(start + thick, shape[0]))


def in_slabs(volume: Array, change: Callable[[Array], Array]) -> Array:
    """Change each voxel by itself."""
    after = np.empty_like(volume)
    for part in slabs(volume.shape):
        after[part] = change(volume[part])
    return after


def signed(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a size from [low, high) and its sign."""
    return float(rng.uniform(low, high)) * (1 if rng.random() < 0.5 else -1)  # noqa: PLR2004  a fair coin


def along(axis: int, values: Array) -> Array:
    """Let values of one axis broadcast over a volume."""
    return values.reshape([-1 if a == axis else 1 for a in range(3)])


@dataclass(frozen=True, kw_only=True)
class _Extent:
    """A body along one axis, in voxels."""

    first: int
    side: int
    cut: bool

    @classmethod
    def of(cls, body: Mask, axis: int) -> "_Extent":
        sizes = np.count_nonzero(body, axis=tuple(a for a in range(3) if a != axis))
        seen = np.flatnonzero(sizes)
        first, last, deep = int(seen[0]), int(seen[-1]), min(max(1, seen.size // 10), seen.size - 1)
        flat = sizes[first] > CUT * sizes[first + deep] or sizes[last] > CUT * sizes[last - deep]
        cut = first == 0 or last == sizes.size - 1 or bool(flat)
        return cls(first=first, side=last - first + 1, cut=cut)

    @property
    def centre(self) -> float:
        return self.first + (self.side - 1) / 2


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The box around a body, in voxels."""

    centre: tuple[float, float, float]
    reach: tuple[float, float, float]  # half its sides
    first: tuple[int, int, int]  # its first voxel
    sides: tuple[int, int, int]
    cut: tuple[bool, bool, bool]  # the scan ends along this axis before the body does

    @classmethod
    def of(cls, body: Mask) -> "Frame":
        """Find it; the body is not empty."""
        x, y, z = (_Extent.of(body, axis) for axis in range(3))
        return cls(
            centre=(x.centre, y.centre, z.centre),
            reach=(x.side / 2, y.side / 2, z.side / 2),
            first=(x.first, y.first, z.first),
            sides=(x.side, y.side, z.side),
            cut=(x.cut, y.cut, z.cut),
        )

    def free_axis(self, rng: np.random.Generator) -> int:
        """Draw an axis along which there is air at both ends; any where there is none."""
        free = [axis for axis in range(3) if not self.cut[axis]]
        return int(rng.choice(free or [0, 1, 2]))

    def run(self, rng: np.random.Generator, axis: int, low: float, high: float) -> slice:
        """Draw some neighbouring slices within the body's middle; low and high are shares of its side."""
        side = self.sides[axis]
        count = min(max(1, round(side * rng.uniform(low, high))), side)
        room = side - count
        first = self.first[axis] + int(rng.integers(room // 5, room - room // 5 + 1))
        return slice(first, first + count)


def _around(normal: Array, body: Mask) -> Mask:
    """Find the air around a body, with its clefts and without gas inside it.

    Looked for on a coarse grid: a hole that is closed but for a gap narrower than a cell counts as closed.
    """
    step = max(1, -(-max(normal.shape) // GRID))
    few = (slice(None, None, step),) * 3
    parts, _ = ndimage.label(normal[few] < AIR)
    # Not by what touches the border: gas does where the scan ends in the bowel.
    named = np.unique(parts[~body[few]])
    outside = ndimage.binary_dilation(np.isin(parts, named[named > 0]))
    x, y, z = (np.arange(side) // step for side in normal.shape)
    around = np.empty(normal.shape, dtype=np.bool_)
    for part in slabs(normal.shape):
        around[part] = (outside[np.ix_(x[part], y, z)] | ~body[part]) & (normal[part] < AIR)
    return around


def _tidy(volume: Array, normal: Array, around: Mask | None) -> None:
    """Bring it into [0, 1]; put back the air around the body where it is given."""
    for part in slabs(volume.shape):
        here = volume[part]
        np.clip(here, 0, 1, out=here)
        here[here < DUST] = 0
        if around is not None:
            here[around[part]] = normal[part][around[part]]


def _reason(spoil: Spoil) -> str:
    paragraphs = (inspect.getdoc(spoil) or "").split("\n\n")
    if len(paragraphs) < 2:  # noqa: PLR2004  a point, and a source
        raise TypeError(f"{spoil.__name__}: its docstring names no source in a second paragraph")
    return " ".join(paragraphs[1].split())
