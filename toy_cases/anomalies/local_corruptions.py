"""Damage to a part of the picture, as no disease makes it: shuffled voxels, foreign patches, local filters.

The part is a ball, a box or an irregular blob. Filters with no effect of their own on even tissue find their
place where there is structure, since a place is drawn again until enough shows.
"""

from functools import partial

import numpy as np
from scipy import ndimage

from toy_cases.anomalies.base import Array, Category, Kind
from toy_cases.anomalies.spots import Axes, Painted, Spot, local_kind
from toy_cases.anomalies.textures import blended, blob, soft, warped

FEATHER = 0.15  # radii over which a soft part ends


def shuffle(spot: Spot, rng: np.random.Generator) -> Painted:
    """Every voxel of the part trades its place with another one (pixel shuffling, Zimmerer et al. 2022)."""
    here = (_part(spot, rng, edge=0) > 0) & spot.inside
    proposed = spot.before.copy()
    proposed[here] = rng.permutation(proposed[here])
    return Painted(proposed=proposed, drawn_on=here)


def noise(spot: Spot, rng: np.random.Generator) -> Painted:
    """White noise over the part, several times the scan's own (CutPaste-like scars, Li et al. 2021)."""
    strength = float(rng.uniform(0.07, 0.12))
    grains = rng.standard_normal(spot.before.shape, dtype=np.float32) * np.float32(strength)
    return blended(spot, _part(spot, rng), spot.before + grains, noise=round(strength, 4))


def blur(spot: Spot, rng: np.random.Generator) -> Painted:
    """The part is out of focus: motion or partial volume in a few slices only (Kascenas et al. 2022)."""
    sigma = float(rng.uniform(0.15, 0.25)) * spot.radius
    return blended(spot, _part(spot, rng), _filtered(spot, sigma), sigma_voxels=round(sigma, 2))


def sharpen(spot: Spot, rng: np.random.Generator) -> Painted:
    """Edges are exaggerated, as another reconstruction kernel would (Mackin et al. 2019)."""
    amount = float(rng.uniform(1.4, 2.2))
    sigma = max(1.0, 0.12 * spot.radius)
    sharp = spot.before + np.float32(amount) * (spot.before - _filtered(spot, sigma))
    return blended(spot, _part(spot, rng), np.clip(sharp, 0, 1), amount=round(amount, 3))


def contrast(spot: Spot, rng: np.random.Generator) -> Painted:
    """Contrast within the part is stretched or flattened about the scan's own mean (Zimmerer et al. 2022)."""
    factor = float(rng.uniform(0.3, 0.55) if rng.random() < 0.5 else rng.uniform(1.6, 2.2))  # noqa: PLR2004  either way
    pivot = _mean(spot)
    return blended(
        spot,
        _part(spot, rng),
        np.clip(pivot + np.float32(factor) * (spot.before - pivot), 0, 1),
        factor=round(factor, 3),
    )


def gamma(spot: Spot, rng: np.random.Generator) -> Painted:
    """Middle intensities are lifted or lowered by a power (gamma augmentation, Isensee et al. 2021)."""
    power = float(rng.uniform(0.65, 0.8) if rng.random() < 0.5 else rng.uniform(1.3, 1.6))  # noqa: PLR2004  either way
    return blended(spot, _part(spot, rng), np.maximum(spot.before, 0) ** np.float32(power), power=round(power, 3))


def mirror(spot: Spot, rng: np.random.Generator) -> Painted | None:
    """The part is mirrored in itself: all tissue is the scan's, at a wrong place (CutPaste, Li et al. 2021)."""
    axis = int(rng.integers(3))
    if any(abs(part.start + part.stop - 1 - 2 * c) > 0 for part, c in zip(spot.box, spot.centre, strict=True)):
        return None  # cut by the volume's border
    cover = _part(spot, rng) * np.flip(spot.inside, axis)
    return blended(spot, cover, np.flip(spot.before, axis), axis="xyz"[axis])


def foreign_patch(spot: Spot, rng: np.random.Generator, *, share: tuple[float, float]) -> Painted | None:
    """The part is mixed with another part of the same scan: foreign patch interpolation (FPI, Tan et al. 2020)."""
    other = spot.elsewhere(rng)
    if other is None:
        return None
    mixed = float(rng.uniform(*share))
    cover = _part(spot, rng) * np.float32(mixed) * spot.body[other]
    return blended(spot, cover, spot.scan[other], share=round(mixed, 3))


def dropout(spot: Spot, rng: np.random.Generator) -> Painted:
    """The part is zero: a signal void, lost data (erasing, Zhong et al. 2020)."""
    return blended(spot, _part(spot, rng, edge=0), np.zeros_like(spot.before))


def saturation(spot: Spot, rng: np.random.Generator) -> Painted:
    """The part is as bright as can be: the detector or the receiver was overdriven (clipping)."""
    return blended(spot, _part(spot, rng), np.full_like(spot.before, rng.uniform(0.97, 1.0)))


def inversion(spot: Spot, rng: np.random.Generator) -> Painted:
    """Dark is bright and bright is dark within the part (intensity inversion, Zhou et al. 2021)."""
    return blended(spot, _part(spot, rng), 1 - spot.before)


def mosaic(spot: Spot, rng: np.random.Generator) -> Painted:
    """The part is shown in coarse blocks, as on a screen that lost its detail."""
    size = max(2, round(float(rng.uniform(0.35, 0.55)) * spot.radius))
    shape = spot.before.shape
    padded = np.pad(spot.before, [(0, -side % size) for side in shape], mode="edge")
    x, y, z = (side // size for side in padded.shape)
    blocks = padded.reshape(x, size, y, size, z, size).mean(axis=(1, 3, 5))
    coarse = np.kron(blocks, np.ones((size,) * 3, dtype=np.float32))[tuple(slice(side) for side in shape)]
    return blended(spot, _part(spot, rng, edge=0), coarse, block_voxels=size)


def swirl(spot: Spot, rng: np.random.Generator) -> Painted | None:
    """The part is turned about an axis, most in its middle: nothing breaks, yet nothing fits (Baugh et al. 2023)."""
    axis = int(rng.integers(3))
    first, second = (a for a in range(3) if a != axis)
    most = np.float32(np.deg2rad(rng.uniform(100, 180)))

    def turned(axes: Axes) -> Axes:
        turn = most * (1 - np.sqrt(axes[0] ** 2 + axes[1] ** 2 + axes[2] ** 2))
        cos, sin = np.cos(turn), np.sin(turn)
        to = list(axes)
        to[first] = cos * axes[first] - sin * axes[second]
        to[second] = sin * axes[first] + cos * axes[second]
        return to[0], to[1], to[2]

    return warped(spot, turned, axis="xyz"[axis])


def _part(spot: Spot, rng: np.random.Generator, edge: float = FEATHER) -> Array:
    """Give the cover of the part, in the body only: a ball, a box with its edges along the axes, or a blob."""
    form = int(rng.integers(3))
    if form == 0:
        depth = 1 - spot.distance()
    elif form == 1:
        x, y, z = (
            np.float32(half) - np.abs(axis) for half, axis in zip(rng.uniform(0.6, 0.9, 3), spot.axes, strict=True)
        )
        depth = np.minimum(np.minimum(x, y), z)
    else:
        depth = blob(spot, rng, rough=0.2)
    return np.where(spot.inside, soft(depth, edge) if edge else (depth > 0).astype(np.float32), np.float32(0))


def _filtered(spot: Spot, sigma: float) -> Array:
    smooth = np.empty_like(spot.before)
    ndimage.gaussian_filter(spot.before, sigma, output=smooth, mode="nearest")
    return smooth


def _mean(spot: Spot) -> np.float32:
    """Give the scan's mean in the body, from every fourth voxel along each axis."""
    some = (slice(None, None, 4),) * 3
    body = spot.body[some]
    return np.float32(spot.scan[some][body].mean(dtype=np.float64)) if body.any() else np.float32(0.5)


_local = partial(local_kind, Category.LOCAL_CORRUPTIONS)
KINDS: tuple[Kind, ...] = (
    _local(
        "mirrored patch", mirror, difficulty=1, radius=(0.12, 0.2),
        source="the scan's own tissue at a wrong place (CutPaste, Li et al. 2021)",
    ),
    _local(
        "swirl", swirl, difficulty=2, radius=(0.2, 0.3),
        source="local deformations as self-supervised anomalies (Baugh et al. 2023)",
    ),
    _local(
        "blended patch", partial(foreign_patch, share=(0.3, 0.5)), difficulty=1, radius=(0.14, 0.22),
        source="foreign patch interpolation (FPI, Tan et al. 2020)",
    ),
    _local(
        "blur", blur, difficulty=1, radius=(0.16, 0.24),
        source="local motion or partial volume; a detail is lost, no intensity is odd",
    ),
    _local(
        "sharpening", sharpen, difficulty=2, radius=(0.16, 0.24),
        source="another reconstruction kernel (Mackin et al. 2019)",
    ),
    _local(
        "gamma", gamma, difficulty=3, radius=(0.16, 0.24),
        source="gamma augmentation (Isensee et al. 2021), in a part only",
    ),
    _local(
        "noise", noise, difficulty=2, radius=(0.14, 0.22),
        source="a local loss of signal to noise",
    ),
    _local(
        "foreign patch", partial(foreign_patch, share=(0.9, 1.0)), difficulty=3, radius=(0.16, 0.26),
        source="FPI at full share (Tan et al. 2020), CutPaste (Li et al. 2021)",
    ),
    _local(
        "mosaic", mosaic, difficulty=2, radius=(0.2, 0.28),
        source="coarse blocks, as by failed compression",
    ),
    _local(
        "contrast", contrast, difficulty=3, radius=(0.18, 0.26),
        source="local contrast change (Zimmerer et al. 2022)",
    ),
    _local(
        "voxel shuffle", shuffle, difficulty=3, radius=(0.18, 0.26),
        source="local pixel shuffling (Zimmerer et al. 2022)",
    ),
    _local(
        "inversion", inversion, difficulty=4, radius=(0.2, 0.28),
        source="intensity inversion within a patch (Zhou et al. 2021)",
    ),
    _local(
        "saturation", saturation, difficulty=5, radius=(0.2, 0.3),
        source="clipped values of an overdriven detector or receiver",
    ),
    _local(
        "dropout", dropout, difficulty=5, radius=(0.2, 0.3),
        source="erased region, lost data (Zhong et al. 2020)",
    ),
)  # fmt: skip
