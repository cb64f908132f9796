"""Mild global anomalies: a legitimate scan that only knowledge of many others tells from a normal one."""

import numpy as np
from scipy import ndimage

from toy_cases.anomalies import tomography, warps
from toy_cases.anomalies.base import Array, Category, Mask, NoPlaceError
from toy_cases.anomalies.spoiling import CT, MR, Frame, Parameters, along, global_kind, in_slabs, signed
from toy_cases.body import Places, body_side

FLOOR = 0.004  # mean absolute change over the body; noise of a good scan is about 0.01
BULGES = 3  # places, at most
SOFTNESS = 0.003  # of the side: not quite a voxel at 256
SOFTNESS_VOXELS = 0.45  # and at least so many; less changes nothing


def squeezed(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Squeeze a body along one axis, or stretch it where the scan cuts it off.

    A wrong voxel size in the header: the commonest fault of converted scans, and shapes no population has.
    """
    frame, axis, factor = Frame.of(body), int(rng.integers(3)), float(rng.uniform(0.78, 0.88))
    factor = 1 / factor if frame.cut[axis] else factor
    factors = tuple(factor if a == axis else 1.0 for a in range(3))
    return warps.warp(normal, warps.scaling(frame.centre, factors)), {"axis": axis, "factor": round(factor, 4)}


def sheared(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Slide the planes across one axis over each other.

    A tilted gantry that the conversion to a volume ignored (DICOM tag 0018,1120).
    """
    frame = Frame.of(body)
    axis = frame.free_axis(rng)
    across = int(rng.choice([a for a in range(3) if a != axis]))
    slope = signed(rng, 0.10, 0.18)
    pull = warps.sliding(axis, lambda place: np.float32(slope) * (place[across] - np.float32(frame.centre[across])))
    return warps.warp(normal, pull), {"axis": axis, "across": across, "slope": round(slope, 4)}


def turned(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Turn a body further than people lie.

    A patient lying askew; the rotation of Hendrycks and Dietterich 2019 (ImageNet-P), further.
    """
    frame, degrees = Frame.of(body), signed(rng, 14, 22)
    # Where the scan cuts the body off, no more of it can be turned into sight.
    axes = [axis for axis in range(3) if not any(frame.cut[a] for a in range(3) if a != axis)]
    axis = int(rng.choice(axes or [2]))
    pull = warps.turning(frame.centre, axis, float(np.deg2rad(degrees)))
    return warps.warp(normal, pull), {"axis": axis, "degrees": round(degrees, 2)}


def twisted(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Turn the top against the bottom.

    Smooth non-rigid deformation is MOOD's own example of a mild corruption (Zimmerer et al. 2022).
    """
    frame, degrees = Frame.of(body), signed(rng, 10, 18)
    slope = np.float32(np.deg2rad(degrees) / frame.reach[2])
    pull = warps.turning(frame.centre, 2, lambda place: slope * (place[2] - np.float32(frame.centre[2])))
    return warps.warp(normal, pull), {"degrees": round(degrees, 2)}


def swollen(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Enlarge whatever lies around some places inside; its neighbours make room.

    Enlarged organs without any change of their tissue: smooth local deformation (Zimmerer et al. 2022).
    """
    return _bulged(normal, body, rng, float(rng.uniform(0.40, 0.60)))


def shrunken(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Shrink whatever lies around some places inside; its neighbours move in.

    Organs too small, without any change of their tissue: smooth local deformation (Zimmerer et al. 2022).
    """
    return _bulged(normal, body, rng, -float(rng.uniform(0.5, 0.8)))


def _bulged(normal: Array, body: Mask, rng: np.random.Generator, strength: float) -> tuple[Array, Parameters]:
    places, radii = Places.of(body), rng.uniform(0.24, 0.34, BULGES) * body_side(body)
    found = [(places.draw(rng, 0.9 * float(radius)), float(radius)) for radius in radii]
    volume = normal.copy()
    for centre, radius in found:
        if centre is not None:
            _bulge(volume, centre, radius, strength)
    bulges = [radius for centre, radius in found if centre is not None]
    if not bulges:
        raise NoPlaceError(f"no room for a deformation {2 * radii.min():.0f} voxels wide in {normal.shape}")
    return volume, {
        "places": len(bulges),
        "radius_voxels": round(float(np.mean(bulges)), 2),
        "strength": round(strength, 4),
    }


def _bulge(volume: Array, centre: tuple[int, ...], radius: float, strength: float) -> None:
    """Swell or shrink one place; only the box around it is looked at."""
    reach = int(radius) + 1
    box = tuple(slice(max(c - reach, 0), c + reach + 1) for c in centre)
    within = tuple(float(c - part.start) for c, part in zip(centre, box, strict=True))
    volume[box] = warps.warp(volume[box], warps.bulging(within, radius, strength))


def wavy(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Let the body sway from slice to slice.

    Breathing during the scan: a wave along z in every outline (Barrett and Keat 2004, Radiographics 24:1679).
    """
    frame = Frame.of(body)
    axis = int(rng.choice([a for a in (0, 1) if not frame.cut[a]] or [0]))
    size = float(rng.uniform(0.015, 0.025)) * body_side(body)
    waves, phase = float(rng.uniform(2.5, 4.5)), float(rng.uniform(0, 2 * np.pi))
    turns = np.float32(np.pi * waves / frame.reach[2])
    pull = warps.sliding(axis, lambda place: np.float32(size) * np.sin(turns * place[2] + np.float32(phase)))
    return warps.warp(normal, pull), {"axis": axis, "amplitude_voxels": round(size, 2), "waves": round(waves, 2)}


def lopsided(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Make one side wider and the other narrower.

    A shift of the midline, one of the first things read in a scan, without its cause.
    """
    frame, shift = Frame.of(body), signed(rng, 0.07, 0.12)
    centre, reach = np.float32(frame.centre[0]), np.float32(frame.reach[0])
    pull = warps.sliding(
        0, lambda place: np.float32(shift) * reach * np.maximum(1 - ((place[0] - centre) / reach) ** 2, 0)
    )
    return warps.warp(normal, pull), {"shift": round(shift, 4)}


def barrelled(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Draw the outside inwards, the more the further out.

    Gradients that fall off towards the edge of the field, left uncorrected (Jovicich et al. 2006, NeuroImage 30:436).
    """
    frame, strength = Frame.of(body), float(rng.uniform(0.03, 0.06))
    return warps.warp(normal, warps.barrel(frame.centre, frame.reach, strength)), {"strength": round(strength, 4)}


def mirrored(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  one way
    """Exchange left and right.

    The classical fault of a conversion that ignores orientation; in a trunk it looks like situs inversus.
    """
    return normal[::-1].copy(), {}


def toned(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Bend the tone curve.

    Another weighting or another reconstruction: gamma, as augmentation has it (Pérez-García et al. 2021, TorchIO).
    """
    gamma = float(np.exp(signed(rng, 0.18, 0.32)))
    return in_slabs(normal, lambda part: part ** np.float32(gamma)), {"gamma": round(gamma, 4)}


def grainy(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Add a little noise.

    A shorter scan or a lower dose (Hendrycks and Dietterich 2019, Gaussian noise, severity 1).
    """
    sigma = float(rng.uniform(0.02, 0.035))
    return in_slabs(
        normal, lambda part: part + np.float32(sigma) * rng.standard_normal(part.shape, dtype=np.float32)
    ), {"sigma": round(sigma, 4)}


def softened(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Take off the sharpness.

    A softer kernel or a smoothing step that the training scans have not seen: about a voxel at 256³.
    """
    sigma = max(SOFTNESS_VOXELS, SOFTNESS * max(normal.shape)) * float(rng.uniform(1, 1.4))
    soft = np.empty_like(normal)
    ndimage.gaussian_filter(normal, sigma, output=soft, mode="nearest")
    return soft, {"sigma_voxels": round(sigma, 3)}


def faded(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Let the scan get darker from one end of an axis to the other.

    A coil that does not reach all of the body; the simplest bias field (Sled et al. 1998, IEEE TMI 17:87).
    """
    frame, axis, loss = Frame.of(body), int(rng.integers(3)), signed(rng, 0.15, 0.28)
    way = (np.arange(normal.shape[axis]) - frame.first[axis]) / frame.sides[axis]
    gain = 1 - abs(loss) * np.clip(way if loss > 0 else 1 - way, 0, 1)
    return normal * along(axis, gain.astype(np.float32)), {"axis": axis, "loss": round(loss, 4)}


def cupped(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Darken the middle of the body.

    Beam hardening that was not corrected (Barrett and Keat 2004, Radiographics 24:1679, cupping).
    """
    depth = float(rng.uniform(0.05, 0.10))
    field = tomography.hardening(normal)
    field *= np.float32(depth)
    field += normal
    return field, {"depth": round(depth, 4)}


KINDS = (
    global_kind(Category.CORRUPTIONS, "mirrored", mirrored, difficulty=4, floor=FLOOR, everywhere=True, modalities=CT),
    global_kind(
        Category.CORRUPTIONS, "barrelled", barrelled, difficulty=3, floor=FLOOR, everywhere=True, modalities=MR
    ),
    global_kind(Category.CORRUPTIONS, "swollen", swollen, difficulty=1, floor=FLOOR, everywhere=True),
    global_kind(Category.CORRUPTIONS, "shrunken", shrunken, difficulty=1, floor=FLOOR, everywhere=True),
    global_kind(Category.CORRUPTIONS, "twisted", twisted, difficulty=3, floor=FLOOR, everywhere=True),
    global_kind(Category.CORRUPTIONS, "lopsided", lopsided, difficulty=3, floor=FLOOR, everywhere=True),
    global_kind(Category.CORRUPTIONS, "toned", toned, difficulty=2, floor=FLOOR),
    global_kind(Category.CORRUPTIONS, "softened", softened, difficulty=2, floor=FLOOR, everywhere=True),
    global_kind(Category.CORRUPTIONS, "faded", faded, difficulty=1, floor=FLOOR, modalities=MR),
    global_kind(Category.CORRUPTIONS, "cupped", cupped, difficulty=1, floor=FLOOR, modalities=CT),
    global_kind(Category.CORRUPTIONS, "wavy", wavy, difficulty=2, floor=FLOOR, everywhere=True),
    global_kind(Category.CORRUPTIONS, "grainy", grainy, difficulty=1, floor=FLOOR),
    global_kind(Category.CORRUPTIONS, "squeezed", squeezed, difficulty=3, floor=FLOOR, everywhere=True),
    global_kind(Category.CORRUPTIONS, "sheared", sheared, difficulty=4, floor=FLOOR, everywhere=True),
    global_kind(Category.CORRUPTIONS, "turned", turned, difficulty=4, floor=FLOOR, everywhere=True),
)
