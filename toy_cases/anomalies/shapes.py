"""Spheres and cubes of one intensity: toy cases, the toy-ish proxy set, and sweeps over size and intensity.

The published text says: in-painted with random size and intensity. Place and range of sizes are ours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from toy_cases.anomalies.base import (
    KEPT,
    PLAINEST,
    VISIBLE,
    Array,
    Category,
    Drawn,
    Kind,
    Mask,
    NoPlaceError,
    Scope,
    measured,
)
from toy_cases.body import Place, Places, body_of, body_side

RADIUS = (0.11, 0.25)  # of the body's side; half the edge of a cube
MARGIN = 0.03  # of the body's side between a shape and the outline, at least `MARGIN_VOXELS`
MARGIN_VOXELS = 1.5
MAX_DRAWS = 1000
Form = Callable[[tuple[np.typing.NDArray[np.int_], ...], float], Mask]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A volume with a sphere or a cube in it."""

    volume: Array
    mask: Mask  # exactly the voxels that changed by VISIBLE or more
    centre: Place
    radius_voxels: float
    intensity: float


def sphere(normal: Array, rng: np.random.Generator, *, body: Mask | None = None) -> Shape:
    """Put a sphere of random size and intensity at a random place well inside the body.

    Drawn again while more than half of it would not be seen. Raises NoPlaceError where no place can be found.
    """
    return _random(normal, body_of(normal) if body is None else body, rng, ball)


def cube(normal: Array, rng: np.random.Generator, *, body: Mask | None = None) -> Shape:
    """Put in a cube likewise; its edges lie along the axes."""
    return _random(normal, body_of(normal) if body is None else body, rng, block)


def sphere_at(normal: Array, body: Mask, centre: Place, radius: float, intensity: float) -> Shape:
    """Put in a sphere of given place, radius (voxels) and intensity, cut to the body, however much of it shows.

    Raises NoPlaceError where not one voxel of it does.
    """
    return _at(normal, body, ball, centre, radius, intensity)


def cube_at(normal: Array, body: Mask, centre: Place, radius: float, intensity: float) -> Shape:
    """Put in a cube of edge 2 · radius likewise."""
    return _at(normal, body, block, centre, radius, intensity)


def fixed_place(body: Mask) -> Place:
    """Give the place for a sweep: the one with most room around it. Raises NoPlaceError in an empty body."""
    place = Places.of(body).deepest()
    if place is None:
        raise NoPlaceError(f"no body in a volume of shape {body.shape}: no place for a sweep")
    return place


def ball(axes: tuple[np.typing.NDArray[np.int_], ...], radius: float) -> Mask:
    """Voxels within the radius of 0, on an open grid."""
    return np.asarray(sum(axis**2 for axis in axes) <= radius**2)


def block(axes: tuple[np.typing.NDArray[np.int_], ...], radius: float) -> Mask:
    """Voxels whose coordinates all lie within the radius of 0, on an open grid."""
    x, y, z = (np.abs(axis) <= radius for axis in axes)
    return np.asarray(x & y & z)


def _random(normal: Array, body: Mask, rng: np.random.Generator, form: Form) -> Shape:
    places, side = Places.of(body), body_side(body)
    if places.deepest() is None:
        raise NoPlaceError(f"no body in a volume of shape {normal.shape}: no place for a {form.__name__}")
    margin = max(MARGIN_VOXELS, MARGIN * side)
    for _ in range(MAX_DRAWS):
        radius, intensity = float(rng.uniform(*RADIUS)) * side, float(np.float32(rng.uniform(0, 1)))
        centre = places.draw(rng, radius)
        if centre is None:
            continue
        box, axes = _around(normal.shape, centre, radius + margin)
        if min(part.stop - part.start for part in box) < 2 * int(radius + margin) + 1:
            continue  # it would touch the volume's border
        here = form(axes, radius)
        shows = np.abs(normal[box][here] - np.float32(intensity)) >= VISIBLE
        if body[box][form(axes, radius + margin)].all() and shows.mean() >= KEPT:
            return _at(normal, body, form, centre, radius, intensity)
    raise NoPlaceError(f"no place for a {form.__name__} in a volume of shape {normal.shape} after {MAX_DRAWS} draws")


def _at(normal: Array, body: Mask, form: Form, centre: Place, radius: float, intensity: float) -> Shape:
    box, axes = _around(normal.shape, centre, radius)
    seen = form(axes, radius) & body[box] & (np.abs(normal[box] - np.float32(intensity)) >= VISIBLE)
    if not seen.any():
        raise NoPlaceError(
            f"a {form.__name__} of radius {radius:g} and intensity {intensity:g} at {centre} changes nothing"
        )
    volume = normal.copy()
    volume[box][seen] = np.float32(intensity)
    mask = np.zeros(normal.shape, dtype=np.bool_)
    mask[box] = seen
    return Shape(volume=volume, mask=mask, centre=centre, radius_voxels=radius, intensity=float(np.float32(intensity)))


def _around(
    shape: tuple[int, ...], centre: Place, radius: float
) -> tuple[tuple[slice, ...], tuple[np.typing.NDArray[np.int_], ...]]:
    """Give the box that holds the radius, cut to the volume, and its coordinates from the centre, an open grid."""
    reach = int(radius)
    box = tuple(slice(max(c - reach, 0), min(c + reach + 1, side)) for c, side in zip(centre, shape, strict=True))
    grid = np.ogrid[box]
    return box, tuple(axis - c for axis, c in zip(grid, centre, strict=True))


def _draw(put: Callable[..., Shape], normal: Array, body: Mask, rng: np.random.Generator) -> Drawn:
    made = put(normal, rng, body=body)
    size = measured(normal, made.volume, made.mask)
    return Drawn(
        volume=made.volume,
        mask=made.mask,
        parameters=size
        | {
            "centre": " ".join(map(str, made.centre)),
            "radius_voxels": round(made.radius_voxels, 2),
            "intensity": round(made.intensity, 4),
        },
    )


SHAPES = tuple(
    Kind(
        scope=Scope.LOCAL,
        category=Category.IMAGES,
        subcategory=put.__name__,
        difficulty=PLAINEST,
        source="MOOD's toy and toy-ish cases (Zimmerer et al. 2022)",
        draw=partial(_draw, put),
    )
    for put in (sphere, cube)
)
