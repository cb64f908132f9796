"""What anomalies are made of: smooth fields, irregular outlines, edges, and grain like the scan's own."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from toy_cases.anomalies.base import KEPT, VISIBLE, Array, Mask
from toy_cases.anomalies.spots import Axes, Painted, Spot
from toy_cases.fields import Field, Grid
from toy_cases.rigid import rotation

BULGE = 1.2  # standard deviations; with the roughest outline still within the box of a spot
TOUCHED = 0.05  # a lighter cover is no paint
NORMAL_QUARTILE = 0.3186  # lower quartile of |N(0, 1)|
MOST_GRAIN = 0.04  # standard deviation; more is structure, not noise
PROBE = 24  # voxels a side of a coarse look
HOPELESS = KEPT - 0.1  # share of them that change, below which the whole would not do either
GRAIN_SAMPLE = 32  # voxels a side that grain is estimated from
Q = np.linspace(0, 0.95, 96)  # correlation of neighbours in Gaussian-smoothed noise
Drawn = npt.NDArray[np.floating]


def smooth_field(shape: tuple[int, ...], rng: np.random.Generator, cells: int) -> Array:
    """A smooth random function, about N(0, 1), with `cells` bumps along each side, whatever the shape."""
    x, y, z = (np.linspace(-1, 1, side, dtype=np.float32) for side in shape)
    return Field.draw(rng, cells).at(Grid(x=x, y=y, z=z, step=2 / max(shape)))


def soft(depth: Drawn, width: float) -> Array:
    """Cover from 0 outside to 1 inside, a ramp of `width` around depth 0."""
    return np.asarray(np.clip(depth / np.float32(max(width, 1e-3)) + np.float32(0.5), 0, 1), dtype=np.float32)


def turned(axes: Axes, rng: np.random.Generator) -> Axes:
    """Give coordinates turned at random about all three axes, dense."""
    turn = rotation(rng.uniform(0, 2 * np.pi, 3)).astype(np.float32)
    x, y, z = (turn[row, 0] * axes[0] + turn[row, 1] * axes[1] + turn[row, 2] * axes[2] for row in range(3))
    return x, y, z


def blob(spot: Spot, rng: np.random.Generator, *, rough: float = 0.15, stretch: float = 0.15) -> Array:
    """Give the depth below an irregular outline, in radii: a turned ellipsoid pushed in and out by a field.

    In one piece, and within the box: bulges end softly at `BULGE`. `rough` and `stretch` are standard deviations,
    of the outline and of the log of the half axes.
    """
    halves = np.exp(np.clip(rng.normal(0, stretch, 3), -0.35, 0.05)).astype(np.float32)
    x, y, z = (axis / half for axis, half in zip(turned(spot.axes, rng), halves, strict=True))
    depth = np.asarray(1 - np.sqrt(x**2 + y**2 + z**2), dtype=np.float32)
    if rough == 0:
        return depth
    depth += np.float32(rough * BULGE) * np.tanh(smooth_field(depth.shape, rng, 5) / np.float32(BULGE))
    pieces, count = ndimage.label(depth > 0)
    if count > 1:
        largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
        depth[(pieces > 0) & (pieces != largest)] = -1
    return depth


def grain(spot: Spot, rng: np.random.Generator) -> Array:
    """Give noise of the strength and coarseness that the scan has around the spot.

    Taken from second differences over one and over two voxels, which slopes do not move, and of these from the
    lower quartile, which edges hardly move; the noise is taken for white noise that a Gaussian smoothed, as
    resampling does.
    """
    middle = tuple(slice(max(side - GRAIN_SAMPLE, 0) // 2, (side + GRAIN_SAMPLE) // 2) for side in spot.before.shape)
    sample, inside = spot.before[middle], spot.inside[middle]
    near, far = _roughness(sample, inside, 1), _roughness(sample, inside, 2)
    if far == 0:
        return np.zeros(spot.before.shape, dtype=np.float32)
    # Variances of both differences where neighbours correlate by q, the next ones by q⁴.
    near_var, far_var = 6 - 8 * Q + 2 * Q**4, 6 - 8 * Q**4 + 2 * Q**16
    at = int(np.argmin(np.abs(near_var / far_var - (near / far) ** 2)))
    strength = min(far / NORMAL_QUARTILE / float(np.sqrt(far_var[at])), MOST_GRAIN)
    noise = rng.standard_normal(spot.before.shape, dtype=np.float32)
    if Q[at] > 0.05:  # noqa: PLR2004  below, a filter of a third of a voxel would do nothing
        noise = ndimage.gaussian_filter(noise, np.sqrt(-1 / (4 * np.log(Q[at]))), mode="wrap")
        noise /= max(float(noise.std()), 1e-6)
    return np.asarray(noise * np.float32(strength), dtype=np.float32)


def laid(
    spot: Spot, cover: Array, value: float | Array, rng: np.random.Generator, **parameters: float | str
) -> Painted:
    """Lay a tissue of intensity `value` and the scan's own grain over the spot where `cover` says."""
    tissue = np.asarray(value, dtype=np.float32)
    proposed = spot.before + cover * (tissue + grain(spot, rng) - spot.before)
    return Painted(proposed=proposed, drawn_on=cover > TOUCHED, parameters=parameters)


def blended(spot: Spot, cover: Array, other: Array, **parameters: float | str) -> Painted:
    """Replace the spot by `other` where `cover` says, without anything of our own."""
    proposed = spot.before + cover * (other - spot.before)
    return Painted(proposed=proposed, drawn_on=cover > TOUCHED, parameters=parameters)


def mean_inside(spot: Spot, depth: Array) -> float | None:
    """Give the scan's mean intensity where depth is above 0 and the body is; None where that is nowhere."""
    here = spot.before[(depth > 0) & spot.inside]
    return float(here.mean(dtype=np.float64)) if here.size else None


def specks(spot: Spot, centres: list[npt.NDArray[np.float64]], radii: list[float], edge: float = 1.0) -> Array:
    """Give the cover of small balls: centres in voxels of the box, radii and edge in voxels."""
    cover = np.zeros(spot.before.shape, dtype=np.float32)
    for centre, radius in zip(centres, radii, strict=True):
        reach = int(np.ceil(radius + edge))
        first = [max(int(c) - reach, 0) for c in centre]
        last = [max(min(int(c) + reach + 2, cover.shape[axis]), 0) for axis, c in enumerate(centre)]
        box = tuple(map(slice, first, last))
        x, y, z = (line - c for line, c in zip(np.ogrid[box], centre, strict=True))
        cover[box] = np.maximum(cover[box], soft(radius - np.sqrt(x**2 + y**2 + z**2), edge))
    return cover


def warped(spot: Spot, where: Callable[[Axes], Axes], **parameters: float | str) -> Painted | None:
    """Show within the radius what the scan has elsewhere: `where` says for coordinates from the centre, in radii.

    None where a coarse look already tells that too little would change.
    """
    step = max(1, min(spot.before.shape) // PROBE)
    few = (slice(None, None, step),) * 3
    x, y, z = (axis[few] for axis in spot.axes)
    near, seen = _moved(spot, where, (x, y, z))
    changed = np.abs(seen - spot.before[few][near]) >= VISIBLE
    if np.count_nonzero(changed & spot.inside[few][near]) < HOPELESS * changed.size:
        return None
    near, seen = _moved(spot, where, spot.axes)
    proposed = spot.before.copy()
    proposed[near] = seen
    return Painted(proposed=proposed, drawn_on=near, parameters=parameters)


def resampled(spot: Spot, coordinates: Axes) -> Array:
    """Give the scan at other places: coordinates from the spot's centre in radii, linearly interpolated."""
    where = [axis * spot.radius + c for axis, c in zip(np.broadcast_arrays(*coordinates), spot.centre, strict=True)]
    made = np.empty(where[0].shape, dtype=np.float32)
    ndimage.map_coordinates(spot.scan, where, output=made, order=1, mode="nearest")
    return made


def _moved(spot: Spot, where: Callable[[Axes], Axes], axes: Axes) -> tuple[Mask, Array]:
    """Tell which voxels of an open grid lie within the radius, and what each of these is to show."""
    x, y, z = np.broadcast_arrays(*axes)
    near = x**2 + y**2 + z**2 < 1
    return near, resampled(spot, where((x[near], y[near], z[near])))


def _roughness(sample: Array, inside: Mask, lag: int) -> float:
    """Give the lower quartile of |v(-lag) - 2 v(0) + v(lag)| along the first axis, within the body."""
    if sample.shape[0] <= 2 * lag:
        return 0.0
    within = inside[: -2 * lag] & inside[lag:-lag] & inside[2 * lag :]
    rough = np.abs(sample[: -2 * lag] - 2 * sample[lag:-lag] + sample[2 * lag :])[within]
    return float(np.quantile(rough, 0.25)) if rough.size else 0.0
