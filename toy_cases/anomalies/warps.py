"""Bending a volume: each voxel shows what lies somewhere else in it.

Coordinates are voxels, x, y, z the volume's axes. Interpolation is linear: overshoot, as higher orders have,
would look like another anomaly.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from toy_cases.anomalies.base import Array
from toy_cases.anomalies.spoiling import along, slabs

Place = list[Array]  # x, y and z; each broadcasts over a slab
Pull = Callable[[Place], Place]


def warp(volume: Array, pull: Pull, *, empty: bool = False) -> Array:
    """Show at each voxel what lies where `pull` says.

    Beyond the border the border goes on, as a body does that a scan cuts off; or, where `empty`, there is 0.
    """
    warped = np.empty_like(volume)
    y, z = (np.arange(side, dtype=np.float32) for side in volume.shape[1:])
    for part in slabs(volume.shape):
        x = np.arange(part.start, part.stop, dtype=np.float32)
        here = warped[part]
        places = pull([x[:, None, None], y[None, :, None], z[None, None, :]])
        where = np.stack([np.broadcast_to(place, here.shape) for place in places]).astype(np.float32, copy=False)
        ndimage.map_coordinates(volume, where, output=here, order=1, mode="constant" if empty else "nearest", cval=0.0)
    return warped


def scaling(centre: tuple[float, ...], factors: tuple[float, ...]) -> Pull:
    """Enlarge by a factor along each axis, about the centre."""
    return lambda place: [
        c + (p - np.float32(c)) / np.float32(f) for p, c, f in zip(place, centre, factors, strict=True)
    ]


def turning(centre: tuple[float, ...], axis: int, angle: float | Callable[[Place], Array]) -> Pull:
    """Turn about an axis through the centre, by radians that may depend on the place."""
    first, second = (a for a in range(3) if a != axis)

    def pull(place: Place) -> Place:
        radians = np.asarray(angle(place) if callable(angle) else angle, dtype=np.float32)
        a, b = place[first] - np.float32(centre[first]), place[second] - np.float32(centre[second])
        pulled = list(place)
        pulled[first] = np.float32(centre[first]) + np.cos(radians) * a + np.sin(radians) * b
        pulled[second] = np.float32(centre[second]) - np.sin(radians) * a + np.cos(radians) * b
        return pulled

    return pull


def sliding(axis: int, offset: Callable[[Place], Array]) -> Pull:
    """Take each voxel from `offset` voxels further along an axis."""

    def pull(place: Place) -> Place:
        pulled = list(place)
        pulled[axis] = place[axis] + offset(place)
        return pulled

    return pull


def bulging(centre: tuple[float, ...], radius: float, strength: float) -> Pull:
    """Swell (strength above 0) or shrink what lies around a centre; at the radius nothing moves.

    The middle is enlarged by 1 / (1 - strength). Nothing folds over for strengths in (-1.3, 1).
    """

    def pull(place: Place) -> Place:
        offsets = [p - np.float32(c) for p, c in zip(place, centre, strict=True)]
        squared = _squared(offsets, (radius,) * 3)
        keep = 1 - np.float32(strength) * np.maximum(1 - squared, 0) ** 2
        return [np.float32(c) + offset * keep for c, offset in zip(centre, offsets, strict=True)]

    return pull


def barrel(centre: tuple[float, ...], reach: tuple[float, ...], strength: float) -> Pull:
    """Draw what lies far from the centre inwards, by `strength` of its distance at the body's reach."""

    def pull(place: Place) -> Place:
        offsets = [p - np.float32(c) for p, c in zip(place, centre, strict=True)]
        squared = _squared(offsets, reach)
        return [
            np.float32(c) + offset * (1 + np.float32(strength) * squared)
            for c, offset in zip(centre, offsets, strict=True)
        ]

    return pull


def drifting(offsets: list[Array], shape: tuple[int, ...]) -> Pull:
    """Take each voxel from as far away as three fields say, in voxels along x, y and z.

    Each field is given on a coarse grid over the whole volume, and is linear between its cells.
    """
    return lambda place: [p + _refined(field, place, shape) for p, field in zip(place, offsets, strict=True)]


def _refined(field: Array, place: Place, shape: tuple[int, ...]) -> Array:
    """The field on the lines of a slab, one axis after the other: only the last step is as large as the slab."""
    for axis, (line, side) in enumerate(zip(place, shape, strict=True)):
        cells = field.shape[axis]
        at = np.clip((line.ravel() + 0.5) * (cells / side) - 0.5, 0, cells - 1)
        low = np.minimum(at.astype(int), cells - 2)
        share = along(axis, (at - low).astype(np.float32))
        field = field.take(low, axis) * (1 - share) + field.take(low + 1, axis) * share
    return field


def _squared(offsets: Place, reach: tuple[float, ...]) -> Array:
    """Squared distance, in reaches along each axis."""
    x, y, z = ((offset / np.float32(r)) ** 2 for offset, r in zip(offsets, reach, strict=True))
    return np.asarray(x + y + z, dtype=np.float32)
