"""Pictures in two dimensions, drawn by formulas: letters, a gorilla, a face, an arrow, a photograph.

A picture is asked at coordinates u (to the right) and v (up), both in [-1, 1] where it lies, and answers with
its depth below its own outline (in those units; below 0 is outside) and its grey in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
Point = tuple[float, float]
Segment = tuple[Point, Point]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a drawing answers."""

    depth: Plane
    grey: Plane | float
    says: str = ""  # which letter, say


Draw = Callable[[Plane, Plane, np.random.Generator], Picture]

# Strokes of what reads alike whatever its size; on a field of 2 by 2.
_TOP_LEFT, _TOP_RIGHT, _LOW_LEFT, _LOW_RIGHT = (-0.5, 0.75), (0.5, 0.75), (-0.5, -0.75), (0.5, -0.75)
_LEFT, _RIGHT = (_LOW_LEFT, _TOP_LEFT), (_LOW_RIGHT, _TOP_RIGHT)
GLYPHS: MappingProxyType[str, tuple[Segment, ...]] = MappingProxyType(
    {
        "A": ((_LOW_LEFT, (0, 0.75)), ((0, 0.75), _LOW_RIGHT), ((-0.3, -0.2), (0.3, -0.2))),
        "E": (_LEFT, (_TOP_LEFT, _TOP_RIGHT), ((-0.5, 0), (0.35, 0)), (_LOW_LEFT, _LOW_RIGHT)),
        "F": (_LEFT, (_TOP_LEFT, _TOP_RIGHT), ((-0.5, 0), (0.35, 0))),
        "H": (_LEFT, _RIGHT, ((-0.5, 0), (0.5, 0))),
        "K": (_LEFT, ((-0.5, -0.05), _TOP_RIGHT), ((-0.2, 0.18), _LOW_RIGHT)),
        "L": (_LEFT, (_LOW_LEFT, _LOW_RIGHT)),
        "M": (_LEFT, (_TOP_LEFT, (0, 0)), ((0, 0), _TOP_RIGHT), _RIGHT),
        "N": (_LEFT, (_TOP_LEFT, _LOW_RIGHT), _RIGHT),
        "X": ((_TOP_LEFT, _LOW_RIGHT), (_LOW_LEFT, _TOP_RIGHT)),
        "Z": ((_TOP_LEFT, _TOP_RIGHT), (_TOP_RIGHT, _LOW_LEFT), (_LOW_LEFT, _LOW_RIGHT)),
        "1": (((0.1, -0.75), (0.1, 0.75)), ((0.1, 0.75), (-0.3, 0.4))),
        "4": (((0.2, -0.75), (0.2, 0.75)), ((0.2, 0.75), (-0.5, -0.2)), ((-0.5, -0.2), (0.5, -0.2))),
        "7": ((_TOP_LEFT, _TOP_RIGHT), (_TOP_RIGHT, (-0.1, -0.75))),
    }
)


def letter(u: Plane, v: Plane, rng: np.random.Generator) -> Picture:
    """A capital or a digit."""
    name = str(rng.choice(sorted(GLYPHS)))
    return Picture(depth=_strokes(u, v, GLYPHS[name], 0.2), grey=1.0, says=name)


def gorilla(u: Plane, v: Plane, _: np.random.Generator) -> Picture:
    """A gorilla on all fours but the fists it shakes: crested head, shoulders, long arms, short legs."""
    body = _union(
        _oval(u, v, (0.0, 0.62), (0.21, 0.26)),  # head
        _oval(u, v, (0.0, 0.82), (0.10, 0.15)),  # crest
        _oval(u, v, (0.0, 0.28), (0.52, 0.27)),  # shoulders
        _oval(u, v, (0.0, -0.12), (0.40, 0.46)),  # trunk
        *(
            _capsule(u, v, start, end, width)
            for side in (-1, 1)
            for start, end, width in (
                ((0.46 * side, 0.30), (0.74 * side, -0.12), 0.15),  # upper arm
                ((0.74 * side, -0.12), (0.62 * side, -0.62), 0.13),  # forearm
                ((0.62 * side, -0.68), (0.56 * side, -0.74), 0.14),  # fist
                ((0.20 * side, -0.42), (0.34 * side, -0.66), 0.18),  # thigh
                ((0.34 * side, -0.66), (0.30 * side, -0.88), 0.13),  # foot
            )
        ),
    )
    light = _union(
        *(_oval(u, v, (0.08 * side, 0.64), (0.045, 0.04)) for side in (-1, 1)),  # eyes
        _oval(u, v, (0.0, 0.48), (0.12, 0.07)),  # muzzle
        *(_oval(u, v, (0.17 * side, 0.24), (0.14, 0.10)) for side in (-1, 1)),  # chest
    )
    return Picture(depth=body, grey=(np.float32(1) - np.float32(0.4) * (light > 0)).astype(np.float32))


def face(u: Plane, v: Plane, _: np.random.Generator) -> Picture:
    """A smiling face: light disc, dark eyes and mouth."""
    mouth = np.minimum(0.09 - np.abs(np.hypot(u, v) - 0.52), -0.12 - v)
    dark = _union(_oval(u, v, (-0.32, 0.28), (0.12, 0.18)), _oval(u, v, (0.32, 0.28), (0.12, 0.18)), mouth)
    return Picture(depth=_oval(u, v, (0, 0), (0.92, 0.92)), grey=(dark < 0).astype(np.float32))


def checks(u: Plane, v: Plane, rng: np.random.Generator) -> Picture:
    """A square of light and dark checks, four to six a side."""
    many = int(rng.integers(4, 7))
    fields = np.floor((u + 0.84) / 1.68 * many) + np.floor((v + 0.84) / 1.68 * many)
    depth = np.asarray(0.84 - np.maximum(np.abs(u), np.abs(v)), dtype=np.float32)
    return Picture(depth=depth, grey=(fields % 2).astype(np.float32), says=f"{many} x {many}")


def ring(u: Plane, v: Plane, rng: np.random.Generator) -> Picture:
    """A ring, as of a washer or a coin with a hole."""
    width = float(rng.uniform(0.2, 0.28))
    return Picture(depth=np.asarray(width / 2 - np.abs(np.hypot(u, v) - 0.78), dtype=np.float32), grey=1.0)


def arrow(u: Plane, v: Plane, _: np.random.Generator) -> Picture:
    """An arrow, as left in a report's pictures."""
    shaft = np.minimum(0.13 - np.abs(v), np.minimum(u + 0.9, 0.3 - u))
    tip = np.minimum((0.95 - u) * np.float32(0.62) - np.abs(v), u - 0.2) * np.float32(0.85)
    return Picture(depth=_union(shaft, tip), grey=1.0)


def cross(u: Plane, v: Plane, _: np.random.Generator) -> Picture:
    """An upright cross of thin beams, as a marker."""
    return Picture(depth=_strokes(u, v, (((0, -0.8), (0, 0.8)), ((-0.8, 0), (0.8, 0))), 0.16), grey=1.0)


def star(u: Plane, v: Plane, _: np.random.Generator) -> Picture:
    """A five-pointed star."""
    angle = np.arctan2(u, v)
    sector = 2 * np.pi / 5
    folded = np.abs((angle + sector / 2) % sector - sector / 2)
    radius = np.hypot(u, v)
    x, y = radius * np.sin(folded), radius * np.cos(folded)
    # Below the line from the tip (0, 0.92) to the notch between two tips.
    notch_x, notch_y = 0.4 * np.sin(sector / 2), 0.4 * np.cos(sector / 2)
    normal = np.array([0.92 - notch_y, notch_x]) / np.hypot(0.92 - notch_y, notch_x)
    return Picture(depth=np.asarray(normal[1] * (0.92 - y) - normal[0] * x, dtype=np.float32), grey=1.0)


def photograph(u: Plane, v: Plane, rng: np.random.Generator) -> Picture:
    """A framed photograph: sky that darkens upwards, a sun, hills, rough ground."""
    depth = np.asarray(np.minimum(0.92 - np.abs(u), 0.70 - np.abs(v)), dtype=np.float32)
    phases, heights = rng.uniform(0, 2 * np.pi, 5), rng.uniform(0.4, 1, 5)
    hills = sum(
        0.2 * h / (k + 1) * np.sin(2.2 * (k + 1) * u + p) for k, (h, p) in enumerate(zip(heights, phases, strict=True))
    )
    rough = sum(np.sin(9 * (k + 2) * u + p) * np.sin(7 * (k + 2) * v + 2 * p) for k, p in enumerate(phases)) / 5
    sky = 0.78 - 0.25 * v
    sun = _oval(u, v, (float(rng.uniform(-0.5, 0.5)), 0.42), (0.15, 0.15)) > 0
    scene = np.where(v < hills - 0.15, 0.32 + 0.16 * rough, np.where(sun, 1.0, sky))
    framed = np.where(depth < 0.07, 0.05, scene)  # noqa: PLR2004  width of the frame
    return Picture(depth=depth, grey=np.clip(framed, 0, 1).astype(np.float32))


def lettering(u: Plane, v: Plane, rng: np.random.Generator) -> Picture:
    """A line of four letters, as a watermark."""
    names = rng.choice(sorted(GLYPHS), 4)
    at = (-0.72, -0.24, 0.24, 0.72)
    drawn = (
        _strokes((u - x) * np.float32(2.9), v * np.float32(2.9), GLYPHS[str(n)], 0.2)
        for x, n in zip(at, names, strict=True)
    )
    return Picture(depth=_union(*drawn) / np.float32(2.9), grey=1.0, says="".join(map(str, names)))


def _strokes(u: Plane, v: Plane, segments: tuple[Segment, ...], width: float) -> Plane:
    return _union(*(_capsule(u, v, start, end, width) for start, end in segments))


def _capsule(u: Plane, v: Plane, start: Point, end: Point, width: float) -> Plane:
    """Depth below a thick line with round ends."""
    du, dv = end[0] - start[0], end[1] - start[1]
    along = np.clip(((u - start[0]) * du + (v - start[1]) * dv) / (du**2 + dv**2), 0, 1)
    return np.asarray(width - np.hypot(u - start[0] - along * du, v - start[1] - along * dv), dtype=np.float32)


def _oval(u: Plane, v: Plane, centre: Point, halves: Point) -> Plane:
    """Depth below an ellipse, exact on its outline and nearly so beside it."""
    distance = np.hypot((u - centre[0]) / halves[0], (v - centre[1]) / halves[1])
    return np.asarray((1 - distance) * min(halves), dtype=np.float32)


def _union(*depths: Plane) -> Plane:
    return np.asarray(np.maximum.reduce(depths), dtype=np.float32)
