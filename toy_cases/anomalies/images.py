"""Pictures rendered into a scan, after the gorilla that 20 of 24 radiologists did not see (Drew et al. 2013).

A picture lies in slices across one axis, mostly the axial ones, and goes through some of them like a stamp.
How hard it is to see is set by its size, its opacity and whether its edges are hard.
"""

from functools import partial

import numpy as np

from toy_cases.anomalies import pictures
from toy_cases.anomalies.base import Array, Category, Kind
from toy_cases.anomalies.spots import Painted, Spot, local_kind
from toy_cases.anomalies.textures import TOUCHED, grain, mean_inside, soft

AXIAL = 0.7  # share of pictures that lie in axial slices, as scans are read
TILT_DEGREES = 20.0  # either way, in the plane
DARK, BRIGHT = (0.02, 0.15), (0.85, 1.0)  # what a picture's ink is
MIDDLE = (0.25, 0.75)  # tissue between these may get dark or bright ink
SHADE = 0.5  # the dark parts of a picture with greys, from the scan's own intensity towards the other end
THICK = (0.2, 0.45)  # half the depth through the slices, of half the picture's width


def picture(
    spot: Spot,
    rng: np.random.Generator,
    *,
    draw: pictures.Draw,
    opacity: tuple[float, float],
    hard: bool,
) -> Painted | None:
    """Render a picture into the scan: ink, darker or brighter than the tissue there, laid over it with opacity.

    Hard edges are a voxel wide, soft ones fade over a quarter of the picture's width and depth.
    """
    axis = 2 if rng.random() < AXIAL else int(rng.integers(2))
    u, v, depth_axis = _plane(spot, axis, rng)
    drawn = draw(u, v, rng)
    thick = float(rng.uniform(*THICK))
    edge = 1 / spot.radius if hard else 0.12
    through = soft(np.maximum(thick, 0.75 / spot.radius) - np.abs(depth_axis), 1 / spot.radius if hard else thick)
    cover = soft(drawn.depth + np.float32(0 if hard else edge / 4), edge) * through
    ink = _ink(spot, cover, rng)
    if ink is None:
        return None
    strength = float(rng.uniform(*opacity))
    value = _shaded(spot, drawn.grey, ink) + grain(spot, rng) * np.float32(1 - strength)
    proposed = spot.before + cover * np.float32(strength) * (value - spot.before)
    parameters: dict[str, float | str] = {"opacity": round(strength, 3), "ink": round(ink, 3), "axis": "xyz"[axis]}
    return Painted(
        proposed=np.asarray(proposed, dtype=np.float32),
        drawn_on=cover > TOUCHED,
        parameters=parameters | ({"says": drawn.says} if drawn.says else {}),
    )


def _plane(spot: Spot, axis: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Give the picture's coordinates u and v, tilted and sometimes on its head, and the one across its plane."""
    right, up = (line for a, line in enumerate(spot.axes) if a != axis)
    angle = np.deg2rad(rng.uniform(-TILT_DEGREES, TILT_DEGREES))
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * right + sin * up, cos * up - sin * right, spot.axes[axis]


def _ink(spot: Spot, cover: Array, rng: np.random.Generator) -> float | None:
    """Draw an intensity at an end of the range: the one the tissue below is farther from, or either."""
    here = mean_inside(spot, cover - np.float32(0.5))
    if here is None:
        return None
    dark = rng.random() < (here - MIDDLE[0]) / (MIDDLE[1] - MIDDLE[0])
    return float(rng.uniform(*(DARK if dark else BRIGHT)))


def _shaded(spot: Spot, grey: Array | float, ink: float) -> Array:
    """Give the picture's values: full ink where grey is 1, half way from the other end where it is 0."""
    other = np.float32(1 - ink)
    shaded = np.float32(ink) + (1 - np.asarray(grey, dtype=np.float32)) * np.float32(SHADE) * (other - np.float32(ink))
    return np.broadcast_to(shaded, spot.before.shape)


_local = partial(local_kind, Category.IMAGES)
_DREW = "inattentional blindness (Drew et al. 2013)"
KINDS: tuple[Kind, ...] = (
    _local(
        "watermark", partial(picture, draw=pictures.lettering, opacity=(0.08, 0.14), hard=True), difficulty=1,
        radius=(0.28, 0.38), clearance=0.5, source="text burnt into images (Zech et al. 2018, tokens in radiographs)",
    ),
    _local(
        "faint gorilla", partial(picture, draw=pictures.gorilla, opacity=(0.15, 0.25), hard=False), difficulty=1,
        radius=(0.16, 0.24), source=f"{_DREW}, nearly transparent as in their hardest frames",
    ),
    _local(
        "ring", partial(picture, draw=pictures.ring, opacity=(0.45, 0.6), hard=True), difficulty=2,
        radius=(0.18, 0.26), source="round foreign bodies, such as coins and washers",
    ),
    _local(
        "cross", partial(picture, draw=pictures.cross, opacity=(0.5, 0.7), hard=True), difficulty=2,
        radius=(0.17, 0.24), source="markers of planning software saved into images",
    ),
    _local(
        "gorilla", partial(picture, draw=pictures.gorilla, opacity=(0.5, 0.7), hard=False), difficulty=3,
        radius=(0.2, 0.3), source=_DREW,
    ),
    _local(
        "letter", partial(picture, draw=pictures.letter, opacity=(0.6, 0.85), hard=True), difficulty=3,
        radius=(0.16, 0.24), source="side markers and burnt-in text (Zech et al. 2018)",
    ),
    _local(
        "arrow", partial(picture, draw=pictures.arrow, opacity=(0.8, 1.0), hard=True), difficulty=4,
        radius=(0.18, 0.26), source="annotations of a reading saved into images",
    ),
    _local(
        "star", partial(picture, draw=pictures.star, opacity=(0.8, 1.0), hard=True), difficulty=4,
        radius=(0.18, 0.26), source="a plain figure no anatomy has",
    ),
    _local(
        "checks", partial(picture, draw=pictures.checks, opacity=(0.9, 1.0), hard=True), difficulty=5,
        radius=(0.24, 0.34), source="a plain pattern no anatomy has",
    ),
    _local(
        "face", partial(picture, draw=pictures.face, opacity=(0.9, 1.0), hard=True), difficulty=5,
        radius=(0.24, 0.34), source="a picture in line with Drew et al. 2013 that nobody takes for tissue",
    ),
    _local(
        "photograph", partial(picture, draw=pictures.photograph, opacity=(0.9, 1.0), hard=True), difficulty=5,
        radius=(0.26, 0.36), source="an actual image embedded into the scan (Zimmerer et al. 2022)",
    ),
)  # fmt: skip
