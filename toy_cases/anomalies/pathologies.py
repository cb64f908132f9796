"""Diseases laid over healthy tissue: tumours, cysts, bleedings, stones, swelling.

Shapes are irregular, edges a voxel or two wide, and inside goes on the scan's own grain. Contrasts are
steps of intensity in [0, 1], not Hounsfield units: how hard a kind is to see is set by them and by its size.
"""

from functools import partial

import numpy as np

from toy_cases.anomalies.base import Array, Category, Kind
from toy_cases.anomalies.spots import Axes, Painted, Spot, local_kind
from toy_cases.anomalies.textures import (
    blended,
    blob,
    laid,
    mean_inside,
    smooth_field,
    soft,
    specks,
    turned,
    warped,
)

EDGE = 1.5  # voxels between inside and outside
DARKEST, BRIGHTEST = 0.02, 0.98
ROOM_LEFT = 0.7  # share of the contrast that the range of intensities must leave, or another place is sought
GAS = 0.25  # darker is gas, in which nothing calcifies
Contrast = tuple[float, float]


def tumour(spot: Spot, rng: np.random.Generator, *, contrast: Contrast, rim: float) -> Painted | None:
    """A bright solid mass, uneven inside, in a fainter swollen rim (oedema) that ends softly.

    As gliomas and metastases look (Menze et al. 2015).
    """
    depth = blob(spot, rng, rough=0.24)
    level = _step(spot, depth, float(rng.uniform(*contrast)))
    if level is None:
        return None
    here, target = level
    core = soft(depth - np.float32(rim), EDGE / spot.radius)
    swollen = soft(depth - np.float32(rim / 2), max(rim, EDGE / spot.radius)) * np.float32(0.4 if rim else 0)
    uneven = 1 + 0.15 * smooth_field(depth.shape, rng, 6)
    value = here + np.float32(target - here) * uneven
    return laid(spot, np.maximum(core, swollen), np.clip(value, DARKEST, BRIGHTEST), rng)


def cyst(spot: Spot, rng: np.random.Generator, *, contrast: Contrast) -> Painted | None:
    """A dark, even, sharply bordered and nearly round cavity full of fluid.

    Arachnoid, hepatic and renal cysts (Bosniak 2012: thin wall, water inside).
    """
    depth = blob(spot, rng, rough=0.03, stretch=0.1)
    level = _step(spot, depth, -float(rng.uniform(*contrast)))
    return None if level is None else laid(spot, soft(depth, EDGE / spot.radius), level[1], rng)


def ring(spot: Spot, rng: np.random.Generator, *, contrast: Contrast) -> Painted | None:
    """A bright, uneven ring around a dark centre: abscess, necrotic metastasis.

    Ring enhancement (Smirniotopoulos et al. 2007).
    """
    depth = blob(spot, rng, rough=0.1)
    strength = float(rng.uniform(*contrast))
    level = _step(spot, depth, strength)
    if level is None:
        return None
    here, bright = level
    width = max(float(rng.uniform(0.2, 0.35)), 1.5 / spot.radius)
    centre = soft(depth - np.float32(width), EDGE / spot.radius)
    dark = max(here - 0.8 * strength, DARKEST)
    return laid(spot, soft(depth, EDGE / spot.radius), bright + centre * np.float32(dark - bright), rng)


def haemorrhage(spot: Spot, rng: np.random.Generator, *, contrast: Contrast) -> Painted | None:
    """A bright bleeding, ragged and sharp, with a level of its own: brighter below, where cells settle.

    Acute intracerebral and abdominal bleeding (Parizel et al. 2001).
    """
    depth = blob(spot, rng, rough=0.35, stretch=0.25)
    level = _step(spot, depth, float(rng.uniform(*contrast)))
    if level is None:
        return None
    here, target = level
    settled = 1 - 0.25 * np.clip(spot.axes[1], -1, 1)  # the patient lies on the back
    value = np.clip(here + np.float32(target - here) * settled, DARKEST, BRIGHTEST)
    return laid(spot, soft(depth, 1 / spot.radius), np.broadcast_to(value, depth.shape), rng)


def infarct(spot: Spot, rng: np.random.Generator, *, contrast: Contrast) -> Painted | None:
    """A dark wedge, as wide as deep, its structure half lost: the territory of a closed artery.

    Strokes, and infarcts of kidney and spleen (Osborn's Brain, 2013).
    """
    x, y, z = turned(spot.axes, rng)
    along = np.minimum(0.45 * (z + 1) - np.hypot(x, y), 1 - z)
    depth = np.asarray(along + 0.07 * smooth_field(along.shape, rng, 5), dtype=np.float32)
    level = _step(spot, depth, -float(rng.uniform(*contrast)))
    if level is None:
        return None
    here, target = level
    lost = soft(depth, 2 * EDGE / spot.radius)
    value = np.float32(target) + np.float32(0.5) * (spot.before - np.float32(here))
    return laid(spot, lost, np.clip(value, DARKEST, BRIGHTEST), rng)


def oedema(spot: Spot, rng: np.random.Generator, *, contrast: Contrast) -> Painted | None:
    """Tissue that holds water: a wide, faint, dark or bright cloud without an edge; structure shows through.

    Vasogenic oedema (Ho et al. 2012).
    """
    depth = blob(spot, rng, rough=0.2, stretch=0.2)
    cover = soft(depth - np.float32(0.1), 0.5)
    change = float(rng.uniform(*contrast)) * (1 if rng.random() < 0.5 else -1)  # noqa: PLR2004  either sign
    level = _step(spot, depth, change)
    if level is None:
        return None
    return blended(spot, cover, np.clip(spot.before + np.float32(change), DARKEST, BRIGHTEST))


def spots(spot: Spot, rng: np.random.Generator, *, contrast: Contrast) -> Painted | None:
    """Several small, faint spots spread over a region, all bright or all dark.

    White-matter lesions of multiple sclerosis or small vessels (Wardlaw et al. 2013); miliary nodules.
    """
    many = int(rng.integers(6, 15))
    sign = 1 if rng.random() < 0.5 else -1  # noqa: PLR2004  either sign
    change = np.float32(sign * rng.uniform(*contrast))
    radii = np.maximum(rng.uniform(0.09, 0.22, many) * spot.radius, 1.2)
    cover = specks(spot, _scattered(spot, rng, many), list(radii), edge=EDGE)
    return blended(spot, cover, np.clip(spot.before + change, DARKEST, BRIGHTEST), lesions=many)


def calcifications(spot: Spot, rng: np.random.Generator) -> Painted | None:
    """A cluster of very bright grains, each a voxel or a few wide.

    Grouped calcifications (Kiroglu et al. 2010).
    """
    many = int(rng.integers(8, 25))
    radii = np.maximum(rng.uniform(0.05, 0.14, many) * spot.radius, 0.8)
    centres = [c for c in _scattered(spot, rng, many) if _value_at(spot, c) > GAS]
    cover = specks(spot, centres, list(radii[: len(centres)]))
    return laid(spot, cover, float(rng.uniform(0.85, BRIGHTEST)), rng, grains=len(centres))


def stone(spot: Spot, rng: np.random.Generator) -> Painted | None:
    """A single hard stone: as bright as bone, sharp, slightly angular, layered.

    Gall and kidney stones (Bellin et al. 2004).
    """
    x, y, z = turned(spot.axes, rng)
    if spot.scan[spot.centre] <= GAS:
        return None
    size = (np.abs(x) ** 3 + np.abs(y) ** 3 + np.abs(z) ** 3) ** np.float32(1 / 3)
    layers = np.float32(rng.uniform(0.85, 0.95)) + np.float32(0.05) * np.cos(3 * np.pi * size)
    return laid(spot, soft(1 - size, 1 / spot.radius), layers, rng)


def hole(spot: Spot, rng: np.random.Generator) -> Painted | None:
    """Tissue is gone and fluid or gas, nearly black, fills the ragged cavity.

    Porencephaly, resection cavities, free gas (Osborn's Brain, 2013).
    """
    depth = blob(spot, rng, rough=0.25, stretch=0.2)
    here = mean_inside(spot, depth)
    target = float(rng.uniform(DARKEST, 0.12))
    if here is None or here - target < 0.15:  # noqa: PLR2004  already a cavity
        return None
    return laid(spot, soft(depth, EDGE / spot.radius), target, rng)


def mass_effect(spot: Spot, rng: np.random.Generator) -> Painted | None:
    """Something swells and pushes its surroundings aside; nothing but the place of the tissue changes.

    The deformation of tumour growth (Hogea et al. 2008): the middle is enlarged, the rest compressed.
    """
    power = np.float32(rng.uniform(0.8, 1.6))

    def nearer(axes: Axes) -> Axes:
        x, y, z = axes
        pulled = np.sqrt(x**2 + y**2 + z**2) ** power
        return x * pulled, y * pulled, z * pulled

    return warped(spot, nearer, power=round(float(power), 3))


def _step(spot: Spot, depth: Array, contrast: float) -> tuple[float, float] | None:
    """Give the scan's mean intensity inside the outline, and that plus the contrast; None where it does not fit."""
    here = mean_inside(spot, depth)
    if here is None:
        return None
    target = float(np.clip(here + contrast, DARKEST, BRIGHTEST))
    return None if abs(target - here) < ROOM_LEFT * abs(contrast) else (here, target)


def _value_at(spot: Spot, place: np.typing.NDArray[np.float64]) -> float:
    """Give the scan's intensity at a place in voxels of the box, 0 outside of it."""
    x, y, z = (round(c) for c in place)
    inside = all(0 <= c < side for c, side in zip((x, y, z), spot.before.shape, strict=True))
    return float(spot.before[x, y, z]) if inside else 0.0


def _scattered(spot: Spot, rng: np.random.Generator, many: int) -> list[np.typing.NDArray[np.float64]]:
    """Give places within the radius, in voxels of the box."""
    directions = rng.standard_normal((many, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    middle = np.array([c - part.start for c, part in zip(spot.centre, spot.box, strict=True)])
    reach = spot.radius * rng.uniform(0, 1, (many, 1)) ** (1 / 3)
    return list(middle + directions * reach)


_local = partial(local_kind, Category.PATHOLOGIES)
KINDS: tuple[Kind, ...] = (
    _local(
        "faint lesion", partial(tumour, contrast=(0.05, 0.08), rim=0.0), difficulty=1, radius=(0.08, 0.13),
        clearance=1.0, source="tumours nearly as bright as the tissue around them; outlines as Menze et al. 2015",
    ),
    _local(
        "small spots", partial(spots, contrast=(0.06, 0.1)), difficulty=1, radius=(0.25, 0.35), clearance=0.4,
        source="white-matter lesions (Wardlaw et al. 2013), miliary nodules",
    ),
    _local(
        "mass effect", mass_effect, difficulty=1, radius=(0.2, 0.32), clearance=0.7,
        source="displacement around growing tumours (Hogea et al. 2008)",
    ),
    _local(
        "oedema", partial(oedema, contrast=(0.07, 0.11)), difficulty=2, radius=(0.22, 0.32), clearance=0.5,
        source="vasogenic oedema (Ho et al. 2012)",
    ),
    _local(
        "infarct", partial(infarct, contrast=(0.1, 0.16)), difficulty=3, radius=(0.22, 0.32), clearance=0.5,
        source="territorial infarcts (Osborn's Brain, 2013)",
    ),
    _local(
        "calcifications", calcifications, difficulty=2, radius=(0.12, 0.2), clearance=1.0, modalities=("ct",),
        source="grouped calcifications (Kiroglu et al. 2010)",
    ),
    _local(
        "haemorrhage", partial(haemorrhage, contrast=(0.16, 0.24)), difficulty=3, radius=(0.15, 0.22), clearance=1.0,
        source="acute bleeding (Parizel et al. 2001)",
    ),
    _local(
        "dark cyst", partial(cyst, contrast=(0.16, 0.26)), difficulty=4, radius=(0.13, 0.2), clearance=1.0,
        source="arachnoid, hepatic and renal cysts (Bosniak 2012)",
    ),
    _local(
        "stone", stone, difficulty=4, radius=(0.05, 0.09), clearance=1.0, modalities=("ct",),
        source="gall and kidney stones (Bellin et al. 2004)",
    ),
    _local(
        "ring lesion", partial(ring, contrast=(0.2, 0.32)), difficulty=3, radius=(0.16, 0.24), clearance=1.0,
        source="ring enhancement of abscesses and metastases (Smirniotopoulos et al. 2007)",
    ),
    _local(
        "bright tumour", partial(tumour, contrast=(0.24, 0.4), rim=0.3), difficulty=4, radius=(0.22, 0.3),
        clearance=1.0, source="gliomas and metastases with oedema (Menze et al. 2015)",
    ),
    _local(
        "hole", hole, difficulty=5, radius=(0.2, 0.28), clearance=1.0,
        source="porencephaly, resection cavities, free gas (Osborn's Brain, 2013)",
    ),
)  # fmt: skip
