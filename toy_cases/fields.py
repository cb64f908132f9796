"""Smooth random functions on the cube [-1, 1]³, and how one person's place in it differs from another's.

Everything is evaluated on slabs of a regular grid, so one person can be had at any size in little memory.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toy_cases.rigid import rotation

Array = npt.NDArray[np.float32]
Drawn = npt.NDArray[np.floating]  # between two steps numpy may widen it


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The coordinates along each axis of one slab."""

    x: Array
    y: Array
    z: Array
    step: float  # between voxels


@dataclass(frozen=True, kw_only=True)
class Field:
    """A smooth random function on the cube: cubic B-splines over random knots, about N(0, 1) anywhere."""

    knots: Array

    @classmethod
    def draw(cls, rng: np.random.Generator, cells: int) -> "Field":
        """A field with `cells` bumps along each side of the cube."""
        knots = rng.standard_normal((cells + 3,) * 3).astype(np.float32)
        return cls(knots=knots / np.float32(0.33))  # a B-spline sum shrinks the spread to a third

    def at(self, grid: Grid) -> Array:
        """Its values on a slab."""
        result = self.knots
        for axis, coordinates in enumerate((grid.x, grid.y, grid.z)):
            result = _along(result, axis, coordinates)
        return result


def _along(knots: Array, axis: int, coordinates: Array) -> Array:
    """Evaluate uniform cubic B-splines along one axis, at coordinates in [-1, 1].

    Four weighted slices and no matrix product: BLAS threads would wait for each other longer than they work.
    """
    cells = knots.shape[axis] - 3
    place = np.clip((coordinates + 1) / 2, 0, 1) * cells
    first = np.minimum(place.astype(int), cells - 1)
    t = (place - first).astype(np.float32)
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    across = [-1 if a == axis else 1 for a in range(3)]
    parts = (
        knots.take(first + offset, axis=axis) * (weight / 6).reshape(across) for offset, weight in enumerate(weights)
    )
    return np.asarray(sum(parts), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Pose:
    """How one person differs from the mean: size, place, tilt and a smooth bend."""

    scale: Array  # (3,)
    shift: Array  # (3,)
    tilt: Array  # (3, 3) rotation
    bends: tuple[Field, Field, Field]
    bend: float  # amplitude of the bends

    @classmethod
    def draw(cls, rng: np.random.Generator, *, scale: float, tilt_degrees: float, bend: float) -> "Pose":
        """A random pose: `scale` and `tilt_degrees` are standard deviations."""
        tilt = rotation(np.deg2rad(rng.normal(0, tilt_degrees, 3)))
        return cls(
            scale=np.exp(rng.normal(0, scale, 3)).astype(np.float32),
            shift=rng.normal(0, 0.012, 3).astype(np.float32),
            tilt=tilt.astype(np.float32),
            bends=(Field.draw(rng, 4), Field.draw(rng, 4), Field.draw(rng, 4)),
            bend=bend,
        )

    def place(self, grid: Grid) -> tuple[Array, Array, Array]:
        """Where each voxel of the slab lies in the mean anatomy."""
        t = self.tilt
        across = grid.x[:, None, None], grid.y[None, :, None], grid.z[None, None, :]
        turned = (t[i, 0] * across[0] + t[i, 1] * across[1] + t[i, 2] * across[2] for i in range(3))
        x, y, z = (
            (axis - self.shift[i]) / self.scale[i] + np.float32(self.bend) * self.bends[i].at(grid)
            for i, axis in enumerate(turned)
        )
        return x, y, z
