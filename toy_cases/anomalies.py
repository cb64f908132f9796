"""Anomalies put into normal volumes: a sphere with its exact mask, and two that spoil a whole scan.

A mask holds exactly the voxels that changed by at least `VISIBLE`; every other voxel keeps its very bits.
A global anomaly has no mask: it belongs to the sample task only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
VISIBLE = np.float32(0.02)  # a smaller change of intensity is none
RADIUS = (0.07, 0.17)  # of the side; the published text leaves size and place open
INSIDE = 0.9  # share of a sphere that must lie in the body
MAX_DRAWS = 1000
BODY_GRID = 64  # the body is looked for on a grid of at most this side


@dataclass(frozen=True, kw_only=True)
class Sphere:
    """A volume with a sphere in it."""

    volume: Array
    mask: Mask  # exactly the voxels that changed by VISIBLE or more
    centre: tuple[int, int, int]  # voxels
    radius_voxels: float
    intensity: float


def sphere(normal: Array, rng: np.random.Generator) -> Sphere:
    """Put a sphere of random size and random intensity at a random place inside the body.

    Drawn again while more than half of it would not be seen, or more than a tenth lies outside the body.
    Raises ValueError where no place can be found (an empty volume).
    """
    body, step = body_of(normal)
    places = np.flatnonzero(body)
    if places.size == 0:
        raise ValueError(f"no body in a volume of shape {normal.shape}: nothing to put a sphere into")
    for _ in range(MAX_DRAWS):
        coarse = np.unravel_index(places[rng.integers(places.size)], body.shape)
        centre = tuple(
            min(int(c) * step + int(rng.integers(step)), side - 1) for c, side in zip(coarse, normal.shape, strict=True)
        )
        drawn = _draw(normal, body, step, centre, rng)
        if drawn is not None:
            return drawn
    raise ValueError(f"no place for a sphere in a volume of shape {normal.shape} after {MAX_DRAWS} draws")


def _draw(normal: Array, body: Mask, step: int, centre: tuple[int, ...], rng: np.random.Generator) -> Sphere | None:
    radius = float(rng.uniform(*RADIUS)) * min(normal.shape)
    intensity = np.float32(rng.uniform(0, 1))
    reach = int(np.ceil(radius))
    box = tuple(
        slice(max(c - reach, 0), min(c + reach + 1, side)) for c, side in zip(centre, normal.shape, strict=True)
    )
    axes = np.ogrid[box]
    ball = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True)) <= radius**2
    in_body = body[np.ix_(*(np.arange(part.start, part.stop) // step for part in box))]
    before = normal[box]
    seen = ball & (np.abs(before - intensity) >= VISIBLE)
    if in_body[ball].mean() < INSIDE or 2 * np.count_nonzero(seen) < np.count_nonzero(ball):
        return None
    volume = normal.copy()
    volume[box][seen] = intensity
    mask = np.zeros(normal.shape, dtype=np.bool_)
    mask[box] = seen
    x, y, z = centre
    return Sphere(volume=volume, mask=mask, centre=(x, y, z), radius_voxels=radius, intensity=float(intensity))


def body_of(volume: Array) -> tuple[Mask, int]:
    """Where the body is, holes such as gas and fluid filled, on a coarser grid; and that grid's step."""
    step = max(1, -(-max(volume.shape) // BODY_GRID))
    seen = volume[::step, ::step, ::step] > 0.05  # noqa: PLR2004  air and padding are darker
    closed = ndimage.binary_closing(np.pad(seen, 2), iterations=2)[2:-2, 2:-2, 2:-2]
    parts, count = ndimage.label(closed)
    if count == 0:
        return np.zeros_like(seen), step
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(largest, 2, 0)], axis=2)
    return np.asarray(filled, dtype=np.bool_), step


def blur(normal: Array, rng: np.random.Generator) -> Array:
    """The whole scan out of focus."""
    sigma = float(rng.uniform(0.015, 0.03)) * min(normal.shape)
    blurred = np.empty_like(normal)
    ndimage.gaussian_filter(normal, sigma, output=blurred, mode="constant")
    return np.where(blurred > 1e-3, np.clip(blurred, 0, 1), 0).astype(np.float32)  # noqa: PLR2004  tails


def missing_slices(normal: Array, rng: np.random.Generator) -> Array:
    """A slab of slices across the body is gone (zero)."""
    axis = int(rng.integers(3))
    filled = np.flatnonzero(normal.any(axis=tuple(a for a in range(3) if a != axis)))
    if filled.size == 0:
        raise ValueError(f"no body in a volume of shape {normal.shape}: no slice that could be missing")
    width = max(1, int(filled.size * rng.uniform(0.06, 0.15)))
    first = int(rng.choice(filled[filled.size // 5 : max(filled.size * 4 // 5 - width, filled.size // 5 + 1)]))
    spoilt = normal.copy()
    np.moveaxis(spoilt, axis, 0)[first : first + width] = 0
    return spoilt


@dataclass(frozen=True, kw_only=True)
class Global:
    """A kind of anomaly that has no place in the scan, in the published taxonomy's words."""

    category: str
    subcategory: str
    apply: Callable[[Array, np.random.Generator], Array]


GLOBALS = (
    Global(category="alterations", subcategory="blur", apply=blur),
    Global(category="destructions", subcategory="missing slices", apply=missing_slices),
)
