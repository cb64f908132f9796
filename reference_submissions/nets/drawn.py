"""What is put into normal slices so that a network learns to find it: shapes of fourteen kinds, and patches.

A kind is a formula of u and v, coordinates about the shape's centre in which it fills much of the unit disc. All
lengths are shares of the slice's side, so a shape looks alike at any resolution.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from reference_submissions.kit.detector import Array

Mask = npt.NDArray[np.bool_]
Rng = np.random.Generator
Range = tuple[float, float]  # uniform between the two
Kind = Callable[[Array, Array, Rng], Mask]
DISCS = 0.5  # of all shapes; the other kinds share the rest


def shape(side: int, rng: Rng, *, radius: Range, middle: float) -> Mask:
    """One shape of a random kind, size and turn. (side, side).

    `radius`: of the disc around it; `middle`: its centre lies in this share of the slice, along each axis.
    """
    scale, turn = rng.uniform(*radius), rng.uniform(0, 2 * math.pi)
    down, across = rng.uniform(-middle / 2, middle / 2), rng.uniform(-middle / 2, middle / 2)
    place = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    x, y = ((place - down) / scale)[:, None], ((place - across) / scale)[None, :]
    u = np.asarray(math.cos(turn) * x + math.sin(turn) * y, dtype=np.float32)  # (side, side)
    v = np.asarray(math.cos(turn) * y - math.sin(turn) * x, dtype=np.float32)
    kind = disc if rng.random() < DISCS else OTHERS[rng.integers(len(OTHERS))]
    return kind(u, v, rng)


def patch(side: int, rng: Rng, *, half: Range, middle: float) -> tuple[slice, slice]:
    """A rectangle's rows and columns; one pixel at least, cut at the slice's border.

    `half`: of its height and of its width, drawn apart; `middle`: as for a shape.
    """
    centre = 0.5 + rng.uniform(-middle / 2, middle / 2, size=2)
    reach = rng.uniform(*half, size=2)
    low = np.clip(np.rint((centre - reach) * side).astype(int), 0, side - 1)
    high = np.clip(np.rint((centre + reach) * side).astype(int), low + 1, side)
    return slice(low[0], high[0]), slice(low[1], high[1])


def disc(u: Array, v: Array, rng: Rng) -> Mask:
    """All of it."""
    del rng
    return np.hypot(u, v) < 1


def ellipse(u: Array, v: Array, rng: Rng) -> Mask:
    """A disc pressed flat."""
    return u**2 + (v / rng.uniform(0.3, 0.8)) ** 2 < 1


def ring(u: Array, v: Array, rng: Rng) -> Mask:
    """A disc with a hole."""
    return disc(u, v, rng) & (u**2 + v**2 > rng.uniform(0.4, 0.8) ** 2)


def half_disc(u: Array, v: Array, rng: Rng) -> Mask:
    """A disc cut through its centre."""
    return disc(u, v, rng) & (v > 0)


def sector(u: Array, v: Array, rng: Rng) -> Mask:
    """A slice of a cake, or the cake without it."""
    return disc(u, v, rng) & (np.abs(np.arctan2(v, u)) < math.pi * rng.uniform(0.2, 0.9))


def crescent(u: Array, v: Array, rng: Rng) -> Mask:
    """A disc less another that was moved."""
    return disc(u, v, rng) & ~disc(u - rng.uniform(0.4, 0.9), v, rng)


def square(u: Array, v: Array, rng: Rng) -> Mask:
    """Equal sides."""
    del rng
    return np.maximum(np.abs(u), np.abs(v)) < math.sqrt(0.5)


def rectangle(u: Array, v: Array, rng: Rng) -> Mask:
    """Unequal sides."""
    return (np.abs(u) < 0.85) & (np.abs(v) < rng.uniform(0.2, 0.5))  # noqa: PLR2004  corners on the unit circle


def triangle(u: Array, v: Array, rng: Rng) -> Mask:
    """Three equal sides."""
    del rng
    return regular(u, v, corners=3)


def polygon(u: Array, v: Array, rng: Rng) -> Mask:
    """Five to eight equal sides."""
    return regular(u, v, corners=int(rng.integers(5, 9)))


def star(u: Array, v: Array, rng: Rng) -> Mask:
    """Four to seven rays."""
    return np.hypot(u, v) < 0.6 + 0.4 * np.cos(rng.integers(4, 8) * np.arctan2(v, u))


def cross(u: Array, v: Array, rng: Rng) -> Mask:
    """Two bars."""
    near, far = np.minimum(np.abs(u), np.abs(v)), np.maximum(np.abs(u), np.abs(v))
    return np.less(near, rng.uniform(0.15, 0.35)) & (far < 0.95)  # noqa: PLR2004  its arms end near the unit circle


def stroke(u: Array, v: Array, rng: Rng) -> Mask:
    """A line with round ends."""
    wide = rng.uniform(0.1, 0.25)
    return np.hypot(np.maximum(np.abs(u) - (1 - wide), 0), v) < wide


def blob(u: Array, v: Array, rng: Rng) -> Mask:
    """A disc with a wavy rim: waves of two to five periods, finer ones lower."""
    angle, rim = np.arctan2(v, u), np.full_like(u, 0.7)
    for periods in range(2, 6):
        rim += rng.normal(0, 0.25 / periods) * np.cos(periods * angle + rng.uniform(0, 2 * math.pi))
    return np.hypot(u, v) < rim


def regular(u: Array, v: Array, *, corners: int) -> Mask:
    """The inside of a regular polygon with its corners on the unit circle."""
    half = math.pi / corners
    angle = np.mod(np.arctan2(v, u), 2 * half) - half  # from the middle of the nearest side
    return np.hypot(u, v) * np.cos(angle) < math.cos(half)


OTHERS: tuple[Kind, ...] = (
    ellipse, ring, half_disc, sector, crescent, square, rectangle, triangle, polygon, star, cross, stroke, blob,
)  # fmt: skip
