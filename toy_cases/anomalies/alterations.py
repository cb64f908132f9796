"""Strong global anomalies: a legitimate scan, but evident at once to whoever has seen a few normal ones."""

import numpy as np
from scipy import ndimage

from toy_cases.anomalies import tomography, warps
from toy_cases.anomalies.base import Array, Category, Mask, NoPlaceError
from toy_cases.anomalies.spoiling import CT, MR, Frame, Parameters, along, global_kind, in_slabs, slabs
from toy_cases.body import Places, body_side

FLOOR = 0.015  # mean absolute change over the body
SLICES = 4  # along z, for which streaks are reconstructed
STREAK_GRID = 160  # cells a side, at most, on which they are
SAMPLE = 32  # voxels along each axis, at least, that a median is taken of


def blurred(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Put the whole scan out of focus.

    The published example of an alteration: severe blurring (Zimmerer et al. 2022).
    """
    sigma = float(rng.uniform(0.03, 0.06)) * body_side(body)
    # Three boxes in a row are all but a Gaussian of variance (width² - 1) / 4, and quick however wide they are;
    # a narrow Gaussian makes up for what an odd width leaves.
    width = 2 * int((np.sqrt(4 * sigma**2 + 1) - 1) / 2) + 1
    volume = np.empty_like(normal)
    ndimage.gaussian_filter(normal, np.sqrt(sigma**2 - (width**2 - 1) / 4), output=volume, mode="nearest")
    for _ in range(3):
        ndimage.uniform_filter(volume, width, output=volume, mode="nearest")
    volume[volume < 1e-3] = 0  # noqa: PLR2004  tails
    return volume, {"sigma_voxels": round(sigma, 3)}


def noisy(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Drown the scan in noise.

    Gaussian noise, severity 4 to 5 of Hendrycks and Dietterich 2019.
    """
    sigma = float(rng.uniform(0.12, 0.22))
    return in_slabs(
        normal, lambda part: part + np.float32(sigma) * rng.standard_normal(part.shape, dtype=np.float32)
    ), {"sigma": round(sigma, 4)}


def inverted(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Exchange dark and bright.

    DICOM's MONOCHROME1, where 0 is white, read as MONOCHROME2 (PS3.3, C.7.6.3.1.2).
    """
    top = float(rng.uniform(0.9, 1.0))
    return in_slabs(normal, lambda part: np.float32(top) - part), {"top": round(top, 4)}


def posterised(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Leave a few steps of grey.

    Too few bits at an export; one of the distortions of Buslaev et al. 2020 (Albumentations).
    """
    levels = int(rng.integers(3, 6))
    steps = np.float32(levels - 1)
    return in_slabs(normal, lambda part: np.rint(part * steps) / steps), {"levels": levels}


def thick_sliced(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Average neighbouring slices into thick ones.

    Anisotropic clinical protocols (Billot et al. 2020, MICCAI, partial volume along one axis).
    """
    axis = int(rng.integers(3))
    thick = max(3, round(float(rng.uniform(0.08, 0.14)) * body_side(body)))
    starts = np.arange(int(rng.integers(thick)) - thick, normal.shape[axis], thick)
    starts = np.unique(np.maximum(starts, 0))
    counts = np.diff([*starts, normal.shape[axis]])
    means = np.add.reduceat(normal, starts, axis=axis) / along(axis, counts.astype(np.float32))
    return np.repeat(means, counts, axis=axis), {"axis": axis, "thick_voxels": thick}


def overstretched(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Spread a narrow window of intensities over the whole range.

    A window set for one tissue, stored as the scan: all else is black or white.
    """
    width = float(rng.uniform(0.15, 0.30))
    low = _median(normal, body) - width * float(rng.uniform(0.3, 0.7))
    return in_slabs(normal, lambda part: (part - np.float32(low)) / np.float32(width)), {
        "low": round(low, 4),
        "width": round(width, 4),
    }


def washed_out(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Leave little contrast.

    A window far too wide: the contrast corruption of Hendrycks and Dietterich 2019.
    """
    middle, share = _median(normal, body), float(rng.uniform(0.15, 0.30))
    return in_slabs(normal, lambda part: np.float32(middle) + np.float32(share) * (part - np.float32(middle))), {
        "share": round(share, 4)
    }


def sharpened(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Exaggerate every edge.

    A bone kernel, or a viewer's edge enhancement stored with the scan: unsharp masking.
    """
    sigma, amount = max(0.7, 0.015 * body_side(body)), float(rng.uniform(2.5, 4.5))
    volume = np.empty_like(normal)
    ndimage.gaussian_filter(normal, sigma, output=volume, mode="nearest")
    for part in slabs(normal.shape):
        volume[part] = normal[part] + np.float32(amount) * (normal[part] - volume[part])
    return volume, {"sigma_voxels": round(sigma, 3), "amount": round(amount, 3)}


def upside_down(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  one way
    """Put the head below the feet.

    Slices stacked in the wrong order: an everyday fault of converted DICOM series.
    """
    return normal[:, :, ::-1].copy(), {}


def lying_wrong(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  any
    """Turn the scan by a right angle.

    Axes taken in the wrong order: sagittal slices read as axial ones. Needs two sides of the same length.
    """
    pairs = [(a, b) for a, b in ((1, 2), (0, 2), (0, 1)) if normal.shape[a] == normal.shape[b]]
    if not pairs:
        raise NoPlaceError(f"no two sides of a volume of shape {normal.shape} are equal: it cannot be turned")
    axes = pairs[int(rng.integers(len(pairs)))]
    turns = 1 if rng.random() < 0.5 else 3  # noqa: PLR2004  a fair coin
    return np.rot90(normal, turns, axes).copy(), {"axes": f"{axes[0]} {axes[1]}", "quarter_turns": turns}


def too_small(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Show the body far too small.

    Millimetres and centimetres, or a field of view, mistaken.
    """
    factor = float(rng.uniform(0.45, 0.65))
    frame = Frame.of(body)
    return warps.warp(normal, warps.scaling(frame.centre, (factor,) * 3), empty=True), {"factor": round(factor, 4)}


def too_large(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Show a part of the body, far too large.

    A field of view that cuts off most of what should be in it.
    """
    factor = float(rng.uniform(1.6, 2.2))
    frame = Frame.of(body)
    return warps.warp(normal, warps.scaling(frame.centre, (factor,) * 3)), {"factor": round(factor, 4)}


def lit_from_one_side(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Let the signal die away from one side of the body to the other.

    A surface coil, whose signal falls with the distance (Axel et al. 1987, AJR 148:418).
    """
    frame, axis, near = Frame.of(body), int(rng.integers(3)), bool(rng.integers(2))
    decay, brightest = float(rng.uniform(2.0, 3.0)), float(rng.uniform(1.3, 1.7))
    way = np.clip((np.arange(normal.shape[axis]) - frame.first[axis]) / frame.sides[axis], 0, 1)
    gain = brightest * np.exp(-decay * (way if near else 1 - way))
    return normal * along(axis, gain.astype(np.float32)), {
        "axis": axis,
        "from": "low" if near else "high",
        "decay": round(decay, 3),
    }


def ringed(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Draw rings about the middle of every slice.

    Detector cells that are off draw rings about the axis of rotation (Barrett and Keat 2004, Radiographics 24:1679).
    """
    frame = Frame.of(body)
    x_at, y_at = (c + rng.uniform(-0.1, 0.1) * r for c, r in zip(frame.centre[:2], frame.reach[:2], strict=True))
    x, y = np.ogrid[: normal.shape[0], : normal.shape[1]]
    distance = np.hypot(x - x_at, y - y_at).astype(np.float32)
    count, width = int(rng.integers(8, 16)), max(0.7, 0.008 * body_side(body))
    rings = np.zeros_like(distance)
    for radius, size in zip(
        rng.uniform(0.05, 1.0, count) * max(frame.reach[:2]), rng.uniform(0.1, 0.3, count), strict=True
    ):
        squared = ((distance - radius) / width) ** 2
        # Dark beside bright, as the ramp filter leaves a line.
        rings += np.float32(size * (1 if rng.random() < 0.5 else -1)) * (1 - squared) * np.exp(-squared / 2)  # noqa: PLR2004
    sway = 0.75 + 0.25 * np.sin(np.linspace(0, 2 * np.pi * rng.uniform(1, 3), normal.shape[2]) + rng.uniform(0, 6))
    volume = normal.copy()
    for part in slabs(normal.shape):
        volume[part] += rings[part][:, :, None] * sway.astype(np.float32)
    return volume, {"rings": count, "width_voxels": round(width, 2)}


def metal_streaked(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Put metal rods into the body, with the streaks that they throw.

    Implants: beam hardening and photon starvation (De Man et al. 1999, IEEE Trans Nucl Sci 46:691).
    """
    frame, side = Frame.of(body), body_side(body)
    rods = _rods(body, rng, side)
    slices = frame.run(rng, 2, 0.4, 0.7)
    at = np.unique(np.linspace(slices.start, slices.stop - 1, SLICES).round().astype(int)).tolist()
    cells = min(STREAK_GRID, max(normal.shape[:2]))
    plane = tomography.Plane(side=cells, shape=normal.shape, angles=cells)
    strength = float(rng.uniform(0.25, 0.45))
    volume = plane.spread(tomography.streaks(plane, normal, rods, at, rng), at)
    fade = _faded_ends(normal.shape[2], slices)
    for part in slabs(normal.shape):
        volume[part] *= np.float32(strength) * fade
        volume[part] += normal[part]
    x, y = np.ogrid[: normal.shape[0], : normal.shape[1]]
    metal = np.any([np.hypot(x - rod.x, y - rod.y) <= rod.radius for rod in rods], axis=0)
    volume[:, :, slices][metal[:, :, None] & body[:, :, slices]] = 1
    return volume, {"rods": len(rods), "strength": round(strength, 4), "slices": slices.stop - slices.start}


def starved(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Reconstruct from too few photons.

    Ultra-low dose: noise with the spectrum of a reconstruction, more where the body is wide, and streaks from side
    to side (Kijewski and Judy 1987, Phys Med Biol 32:565; Barrett and Keat 2004, Radiographics 24:1679).
    """
    sigma = float(rng.uniform(0.08, 0.14))
    # A photon less in e for every attenuation length; the noise goes with the root of their number.
    loud = sigma * np.exp(2.0 * (tomography.ways(body) - 1))
    volume = tomography.grain((normal.shape[0], normal.shape[1]), normal.shape[2], rng)
    for part in slabs(normal.shape):
        volume[part] *= loud.astype(np.float32)
        volume[part] += normal[part]
    return volume, {"sigma": round(sigma, 4)}


def _rods(body: Mask, rng: np.random.Generator, side: float) -> list[tomography.Rod]:
    """Two or three, each through a place inside the body."""
    places, count = Places.of(body), int(rng.integers(2, 4))
    found = [places.draw(rng, 0.12 * side) for _ in range(count)]
    radii = np.maximum(0.8, rng.uniform(0.018, 0.03, count) * side)
    rods = [
        tomography.Rod(x=place[0], y=place[1], radius=float(radius))
        for place, radius in zip(found, radii, strict=True)
        if place is not None
    ]
    if len(rods) < count:
        raise NoPlaceError(f"no room for metal in a volume of shape {body.shape}")
    return rods


def _median(normal: Array, body: Mask) -> float:
    few = (slice(None, None, max(1, min(normal.shape) // SAMPLE)),) * 3
    return float(np.median(normal[few][body[few]])) if body[few].any() else float(normal[body].mean())


def _faded_ends(side: int, slices: slice) -> Array:
    """1 within the slices, 0 beyond, a soft step between."""
    z = np.arange(side)
    soft = max(1.0, (slices.stop - slices.start) / 8)
    inside = np.minimum(z - slices.start + 1, slices.stop - z) / soft
    return np.asarray(np.clip(inside, 0, 1), dtype=np.float32)


KINDS = (
    global_kind(Category.ALTERATIONS, "washed out", washed_out, difficulty=1, floor=FLOOR),
    global_kind(Category.ALTERATIONS, "upside down", upside_down, difficulty=5, floor=FLOOR, everywhere=True),
    global_kind(Category.ALTERATIONS, "ringed", ringed, difficulty=4, floor=FLOOR, modalities=CT),
    global_kind(Category.ALTERATIONS, "sharpened", sharpened, difficulty=5, floor=FLOOR, everywhere=True),
    global_kind(Category.ALTERATIONS, "thick slices", thick_sliced, difficulty=2, floor=FLOOR, everywhere=True),
    global_kind(Category.ALTERATIONS, "blurred", blurred, difficulty=2, floor=FLOOR, everywhere=True),
    global_kind(
        Category.ALTERATIONS, "metal streaks", metal_streaked, difficulty=5, floor=FLOOR, everywhere=True, modalities=CT
    ),
    global_kind(Category.ALTERATIONS, "low dose", starved, difficulty=4, floor=FLOOR, everywhere=True, modalities=CT),
    global_kind(Category.ALTERATIONS, "posterised", posterised, difficulty=3, floor=FLOOR),
    global_kind(Category.ALTERATIONS, "lit from one side", lit_from_one_side, difficulty=5, floor=FLOOR, modalities=MR),
    global_kind(Category.ALTERATIONS, "noisy", noisy, difficulty=4, floor=FLOOR),
    global_kind(Category.ALTERATIONS, "lying wrong", lying_wrong, difficulty=5, floor=FLOOR, everywhere=True),
    global_kind(Category.ALTERATIONS, "too small", too_small, difficulty=5, floor=FLOOR, everywhere=True),
    global_kind(Category.ALTERATIONS, "too large", too_large, difficulty=5, floor=FLOOR, everywhere=True),
    global_kind(Category.ALTERATIONS, "overstretched", overstretched, difficulty=4, floor=FLOOR),
    global_kind(Category.ALTERATIONS, "inverted", inverted, difficulty=5, floor=FLOOR),
)
