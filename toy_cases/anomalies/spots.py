"""How a local anomaly finds its place: a spot of the body is chosen, painted on, and settled or drawn again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from toy_cases.anomalies.base import (
    Array,
    Category,
    Drawn,
    Kind,
    Mask,
    NoPlaceError,
    measured,
    settle,
)
from toy_cases.body import Place, Places, body_side

MAX_DRAWS = 300
SMALLEST_RADIUS = 1.5  # voxels; less has no shape
ROOM = 1.5  # radii from the centre to the box's sides: outlines may bulge
Box = tuple[slice, slice, slice]
Axes = tuple[Array, Array, Array]
Paint = Callable[["Spot", np.random.Generator], "Painted | None"]


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A place in a scan, and the box around it that may be painted on."""

    scan: Array  # the whole normal volume; nobody writes to it
    places: Places
    body: Mask  # of the whole volume
    centre: Place
    radius: float  # voxels
    box: Box

    @property
    def before(self) -> Array:
        """The scan in the box."""
        return self.scan[self.box]

    @property
    def inside(self) -> Mask:
        """The body in the box."""
        return self.body[self.box]

    @property
    def axes(self) -> Axes:
        """The box's coordinates from the centre in radii, an open grid."""
        grid = np.ogrid[self.box]
        x, y, z = (
            (line - c).astype(np.float32) / np.float32(self.radius) for line, c in zip(grid, self.centre, strict=True)
        )
        return x, y, z

    def distance(self) -> Array:
        """Give the distance from the centre in radii, for every voxel of the box."""
        x, y, z = self.axes
        return np.asarray(np.sqrt(x**2 + y**2 + z**2), dtype=np.float32)

    def elsewhere(self, rng: np.random.Generator) -> Box | None:
        """Give a box of the same shape around another place of the body, more than a radius away; None if it fails."""
        other = self.places.draw(rng, self.radius)
        if other is None or np.linalg.norm(np.subtract(other, self.centre)) < self.radius:
            return None
        moved = tuple(
            slice(part.start + to - c, part.stop + to - c)
            for part, c, to in zip(self.box, self.centre, other, strict=True)
        )
        if any(part.start < 0 or part.stop > side for part, side in zip(moved, self.scan.shape, strict=True)):
            return None
        return cast("Box", moved)


@dataclass(frozen=True, kw_only=True)
class Painted:
    """What an anomaly would make of a spot's box, before it is settled."""

    proposed: Array
    drawn_on: Mask  # where it means to change something
    parameters: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Implant:
    """Draws one local kind: tries places until enough of what is painted shows."""

    what: str
    paint: Paint  # gives None where the spot does not suit
    radius: tuple[float, float]  # of the body's side
    clearance: float  # radii between the centre and the outline

    def __call__(self, normal: Array, body: Mask, rng: np.random.Generator) -> Drawn:
        """Put it in. Raises NoPlaceError where `MAX_DRAWS` draws found no place."""
        places, side = Places.of(body), body_side(body)
        if places.deepest() is None:
            raise NoPlaceError(f"no body in a volume of shape {normal.shape}: no place for {self.what}")
        for _ in range(MAX_DRAWS):
            radius = max(float(rng.uniform(*self.radius)) * side, SMALLEST_RADIUS)
            centre = places.draw(rng, self.clearance * radius)
            if centre is None:
                continue
            box = _box(normal.shape, centre, ROOM * radius)
            spot = Spot(scan=normal, places=places, body=body, centre=centre, radius=radius, box=box)
            drawn = self._put(spot, rng)
            if drawn is not None:
                return drawn
        raise NoPlaceError(f"no place for {self.what} in a volume of shape {normal.shape} after {MAX_DRAWS} draws")

    def _put(self, spot: Spot, rng: np.random.Generator) -> Drawn | None:
        painted = self.paint(spot, rng)
        if painted is None:
            return None
        settled = settle(spot.before, painted.proposed, painted.drawn_on, spot.inside)
        if settled is None:
            return None
        after, changed = settled
        size = measured(spot.before, after, changed)
        volume = spot.scan.copy()
        volume[spot.box] = after
        mask = np.zeros(volume.shape, dtype=np.bool_)
        mask[spot.box] = changed
        drawn: dict[str, float | str] = {
            "centre": " ".join(map(str, spot.centre)),
            "radius_voxels": round(spot.radius, 2),
        }
        return Drawn(volume=volume, mask=mask, parameters=size | drawn | {**painted.parameters})


def local_kind(
    category: Category,
    subcategory: str,
    paint: Paint,
    *,
    difficulty: int,
    radius: tuple[float, float],
    source: str,
    clearance: float = 0.8,
    modalities: tuple[str, ...] = ("mr", "ct"),
) -> Kind:
    """A kind that `Implant` draws."""
    return Kind(
        scope=category.scope,
        category=category,
        subcategory=subcategory,
        difficulty=difficulty,
        source=source,
        draw=Implant(what=subcategory, paint=paint, radius=radius, clearance=clearance),
        modalities=frozenset(modalities),
    )


def _box(shape: tuple[int, ...], centre: Place, reach: float) -> Box:
    around = int(np.ceil(reach))
    x, y, z = (slice(max(c - around, 0), min(c + around + 1, side)) for c, side in zip(centre, shape, strict=True))
    return x, y, z
