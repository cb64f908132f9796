"""Normal volumes where no scan is at hand: a brain and an abdomen, no two alike.

Both are drawn from formulas on the cube [-1, 1]³ with x to the right, y to the front and z upwards, so one
anatomy can be had at any size. A volume is float32 in [0, 1], background exactly 0. Work goes slab by
slab: beyond the volume itself memory stays small.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toy_cases.rigid import rotation

Array = npt.NDArray[np.float32]
Drawn = npt.NDArray[np.floating]  # between two steps numpy may widen it
Draw = Callable[["Grid"], Array]
SLAB_VOXELS = 2**21  # evaluated at a time


def brain(size: int, rng: np.random.Generator) -> Array:
    """A skull-stripped, T1-like head: white and grey matter, ventricles, cerebellum. Shape (size,)*3."""
    return _render(size, _brain(rng), rng, noise=0.012)


def abdomen(size: int, rng: np.random.Generator) -> Array:
    """A CT-like trunk (air 0, water 0.5, as a window of ±1000 HU gives). Shape (size,)*3."""
    return _render(size, _abdomen(rng), rng, noise=0.010)


PHANTOMS: dict[str, Callable[[int, np.random.Generator], Array]] = {"brain": brain, "abdom": abdomen}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The coordinates of one slab; each broadcasts to (size, size, slab)."""

    x: Array
    y: Array
    z: Array
    step: float  # between voxels

    @property
    def axes(self) -> tuple[Array, Array, Array]:
        """The plain coordinates along each axis."""
        return self.x.ravel(), self.y.ravel(), self.z.ravel()


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
        for axis, coordinates in enumerate(grid.axes):
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


def _render(size: int, draw: Draw, rng: np.random.Generator, *, noise: float) -> Array:
    volume = np.empty((size, size, size), dtype=np.float32)
    line = ((np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1).astype(np.float32)
    slab = max(1, SLAB_VOXELS // size**2)
    for start in range(0, size, slab):
        part = slice(start, min(start + slab, size))
        grid = Grid(x=line[:, None, None], y=line[None, :, None], z=line[None, None, part], step=2 / size)
        drawn = draw(grid)
        grain = rng.standard_normal(drawn.shape, dtype=np.float32) * np.float32(noise)
        volume[:, :, part] = np.where(drawn > 0, np.clip(drawn + grain, 1e-3, 1), 0)
    return volume


def _soft(depth: Drawn, width: float) -> Array:
    """0 outside, 1 inside, a smooth step of `width` between."""
    return np.asarray(1 / (1 + np.exp(-np.clip(depth / np.float32(width), -30, 30))), dtype=np.float32)


def _paint(canvas: Array, value: float | Drawn, cover: Array) -> Array:
    """Lay `value` over the canvas where `cover` says."""
    return np.asarray(canvas + (value - canvas) * cover, dtype=np.float32)


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
        turned = (t[i, 0] * grid.x + t[i, 1] * grid.y + t[i, 2] * grid.z for i in range(3))
        x, y, z = (
            (axis - self.shift[i]) / self.scale[i] + np.float32(self.bend) * self.bends[i].at(grid)
            for i, axis in enumerate(turned)
        )
        return x, y, z


def _ball(x: Drawn, y: Drawn, z: Drawn, at: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    """About the depth below an ellipsoid's surface (negative outside)."""
    r = np.sqrt(((x - at[0]) / radii[0]) ** 2 + ((y - at[1]) / radii[1]) ** 2 + ((z - at[2]) / radii[2]) ** 2)
    return np.asarray((1 - r) * min(radii), dtype=np.float32)


def _tube(x: Drawn, y: Drawn, at: tuple[float, float], radii: tuple[float, float]) -> Array:
    """About the depth below an elliptic cylinder's surface, along z."""
    r = np.sqrt(((x - at[0]) / radii[0]) ** 2 + ((y - at[1]) / radii[1]) ** 2)
    return np.asarray((1 - r) * min(radii), dtype=np.float32)


def _brain(rng: np.random.Generator) -> Draw:
    pose = Pose.draw(rng, scale=0.03, tilt_degrees=2.0, bend=0.018)
    folds, fine, bias, texture = (Field.draw(rng, cells) for cells in (15, 24, 3, 40))
    white, grey, fluid = rng.normal((0.80, 0.56, 0.20), (0.02, 0.02, 0.015))
    swell = float(rng.uniform(0.8, 1.35))  # ventricles differ most between people
    cortex = float(rng.uniform(0.052, 0.064))
    atrophy = float(rng.uniform(0.008, 0.020))  # half the width of an open sulcus

    def draw(grid: Grid) -> Array:
        edge = max(0.006, 0.25 * grid.step)
        x, y, z = pose.place(grid)
        side = np.abs(x)
        fold = folds.at(grid) + np.float32(0.4) * fine.at(grid)

        cerebrum = _ball(x, y, z, (0, 0.03, 0.10), (0.68, 0.84, 0.66))
        floor = z + 0.34 + 0.10 * (y - 0.1) ** 2 + 0.18 * np.minimum(y + 0.1, 0)
        temporal = _ball(side, y, z, (0.42, 0.10, -0.28), (0.22, 0.40, 0.20))
        cerebrum = np.maximum(np.minimum(cerebrum, floor), temporal)
        cleft = np.maximum(side - 0.010, 0.20 - z - 0.25 * y**2)  # between the hemispheres
        sylvian = np.hypot(z + 0.06 - 0.25 * y, np.maximum(0.30 - side, 0)) + np.maximum(np.abs(y - 0.1) - 0.35, 0)
        small = _ball(side, y, z, (0.22, -0.46, -0.45), (0.30, 0.27, 0.20))
        stem = np.minimum(_tube(x, y - 0.2 * (z + 0.45), (0, -0.17), (0.11, 0.12)), np.minimum(z + 0.88, 0.1 - z))
        head = np.maximum(np.maximum(cerebrum, small), stem)

        # Folds: sheets of fluid where the field changes sign, down to some depth; cortex follows them.
        depth = np.minimum(np.minimum(cerebrum, cleft), sylvian)
        sulcus = 0.06 * np.abs(fold) + 1.2 * np.maximum(cerebrum - 0.15, 0)
        matter = np.minimum(depth - 0.010, sulcus - atrophy)
        canvas = np.full(head.shape, fluid, dtype=np.float32)
        canvas = _paint(canvas, grey, _soft(matter, edge))
        canvas = _paint(canvas, white, _soft(matter - cortex, 1.3 * edge))

        leaves = 0.5 + 0.5 * np.sin(70 * (small + 0.2 * y) + 2 * fold)
        canvas = _paint(canvas, grey - 0.06 + 0.16 * leaves, _soft(small - 0.01, edge))
        canvas = _paint(canvas, white, _soft(small - 0.13, 2 * edge))
        canvas = _paint(canvas, white - 0.03, _soft(stem - 0.01, edge))

        for at, radii, value in (
            ((0.12, -0.06, 0.06), (0.085, 0.14, 0.09), grey + 0.05),  # thalamus
            ((0.27, 0.10, 0.06), (0.055, 0.17, 0.10), grey + 0.03),  # putamen
            ((0.135, 0.22, 0.14), (0.05, 0.12, 0.07), grey + 0.02),  # caudate
        ):
            canvas = _paint(canvas, value, _soft(_ball(side, y, z, at, radii), 1.3 * edge))
        horn_z = z - 0.12 * y + 0.25 * y**2
        for hollow in (
            _ball(side - 0.10 * (y - 0.1) ** 2, y, horn_z, (0.065, 0.02, 0.20), (0.05 * swell, 0.36, 0.07 * swell)),
            _ball(side, y, z, (0.21, -0.32, 0.08), (0.05 * swell, 0.14, 0.09 * swell)),
            _ball(x, y, z, (0, -0.03, 0.04), (0.018 * swell, 0.14, 0.10)),  # third
            _ball(x, y, z, (0, -0.29, -0.42), (0.05 * swell, 0.04, 0.08)),  # fourth
        ):
            canvas = _paint(canvas, fluid - 0.03, _soft(hollow, edge))
        canvas *= 1 + 0.035 * bias.at(grid)
        canvas += 0.010 * texture.at(grid)
        return np.where(head > 0, np.maximum(canvas, 0.02), 0).astype(np.float32)

    return draw


def _abdomen(rng: np.random.Generator) -> Draw:
    return Trunk.draw(rng).at


@dataclass(frozen=True, kw_only=True)
class TrunkSlab:
    """What the parts of a trunk share on one slab."""

    x: Array
    y: Array
    z: Array
    side: Array  # |x|
    coarse: Array
    rough: Array  # unevenness of surfaces
    waist: Array
    body: Array  # depths: below the skin, …
    wall: Array  # … the fat …
    cavity: Drawn  # … and the muscle
    fine: Array
    lumen: Array  # the field that winds the bowel


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """One person's abdomen. Tissues are intensities; what is painted later lies in front."""

    pose: Pose
    coarse: Field
    loops: Field
    fine: Field
    bias: Field
    texture: Field
    fat_depth: float  # under the skin, in half cubes
    liver: float
    spleen: float
    kidney: float
    muscle: float
    blood: float
    fat: float
    bone: float
    marrow: float
    phase: float  # of the vertebrae
    ribs_phase: float
    gas_level: float
    colon: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Trunk":
        """A random person."""
        pose = Pose.draw(rng, scale=0.04, tilt_degrees=1.5, bend=0.020)
        coarse, loops, fine, bias, texture = (Field.draw(rng, cells) for cells in (6, 13, 26, 3, 36))
        fat_depth = float(rng.uniform(0.05, 0.13))
        liver, spleen, kidney, muscle, blood = rng.normal((0.60, 0.585, 0.62, 0.56, 0.60), 0.012)
        fat, bone, marrow = rng.normal((0.42, 0.86, 0.68), 0.01)
        phase, ribs_phase = rng.uniform(0, 2 * np.pi, 2)
        return cls(
            pose=pose, coarse=coarse, loops=loops, fine=fine, bias=bias, texture=texture, fat_depth=fat_depth,
            liver=liver, spleen=spleen, kidney=kidney, muscle=muscle, blood=blood, fat=fat, bone=bone, marrow=marrow,
            phase=phase, ribs_phase=ribs_phase,
            gas_level=float(rng.uniform(0.55, 1.1)), colon=float(rng.uniform(0.85, 1.15)),
        )  # fmt: skip

    def at(self, grid: Grid) -> Array:
        """Its intensities on a slab."""
        slab = self._slab(grid)
        canvas = self._walls(slab)
        canvas = self._bowel(canvas, slab)
        canvas = self._organs(canvas, slab)
        canvas = self._spine(canvas, slab)
        canvas += 0.006 * self.texture.at(grid) + 0.004 * self.bias.at(grid)
        return np.where(slab.body > 0, np.clip(canvas, 0.004, 1), 0).astype(np.float32)

    def _slab(self, grid: Grid) -> TrunkSlab:
        x, y, z = self.pose.place(grid)
        side = np.abs(x)
        coarse = self.coarse.at(grid)
        rough = 0.02 * coarse
        waist = 1 - 0.07 * np.exp(-((z - 0.05) ** 2) / 0.15) + 0.03 * np.cos(3 * z)
        body = _tube(x / waist, y + 0.06 * side**2, (0, 0.02), (0.84, 0.58))
        wall = body - self.fat_depth + 0.2 * rough
        return TrunkSlab(
            x=x, y=y, z=z, side=side, coarse=coarse, rough=rough, waist=waist, body=body, wall=wall,
            cavity=wall - 0.075, fine=self.fine.at(grid), lumen=self.loops.at(grid),
        )  # fmt: skip

    def _walls(self, at: TrunkSlab) -> Array:
        """Skin, fat, muscles and ribs."""
        canvas = np.full(at.body.shape, self.fat, dtype=np.float32)
        canvas = _paint(canvas, self.muscle, _soft(0.012 - at.body, 0.004))  # skin
        canvas = _paint(canvas, self.muscle, _soft(at.wall, 0.008) * (1 - _soft(at.cavity, 0.008)))
        back = np.minimum(_ball(at.side, at.y, at.z, (0.17, -0.43, 0.0), (0.15, 0.12, 3.0)), at.wall + 0.02)
        canvas = _paint(canvas, self.muscle + 0.03 * np.clip(at.fine, -1, 1) * 0.5, _soft(back, 0.008))
        psoas = _ball(at.side, at.y, at.z, (0.19, -0.20, -0.45), (0.085, 0.095, 0.55))
        canvas = _paint(canvas, self.muscle, _soft(psoas, 0.008))

        # Ribs: tilted rings in the wall of the upper half.
        ring = np.sin(14 * (at.z - 0.45 * at.y) + self.ribs_phase) - 0.62
        rib = np.minimum(np.minimum(0.03 - np.abs(at.wall - 0.035), 0.06 * ring), 0.4 * (at.z - 0.05 + 0.3 * at.y))
        return _paint(canvas, self.bone - 0.04, _soft(rib, 0.006))

    def _bowel(self, canvas: Array, at: TrunkSlab) -> Array:
        """Gas pockets and loops where the cavity has room, low and in front; the colon at both sides."""
        room = np.minimum(np.minimum(at.cavity - 0.03, 0.22 - at.z + 0.1 * at.rough), at.y + 0.14)
        canvas = _paint(canvas, self.muscle + 0.015, _soft(np.minimum(room, 0.05 * (at.lumen + 0.25)), 0.008))
        content = np.clip(at.fine, -1.5, 1.5)
        canvas = _paint(canvas, 0.53 + 0.02 * content, _soft(np.minimum(room, 0.05 * (at.lumen - 0.35)), 0.008))
        bubble = np.minimum(room - 0.02, 0.05 * (at.lumen + 0.5 * at.y - 0.75 - self.gas_level))
        canvas = _paint(canvas, 0.02, _soft(bubble, 0.006))
        for x_at, sign in ((0.56, 1.0), (-0.56, -1.0)):  # ascending and descending colon
            radius = 0.085 * self.colon * (1 + 0.12 * np.sin(22 * at.z + sign))
            reach = np.hypot(at.x - x_at * at.waist * 0.95, at.y - 0.05)
            gut = np.minimum(radius - reach, np.minimum(at.cavity, 0.12 - at.z))
            canvas = _paint(canvas, self.muscle, _soft(gut, 0.008))
            canvas = _paint(canvas, 0.5 + 0.05 * content, _soft(gut - 0.022, 0.008))
            gas = np.minimum(gut - 0.024, at.y - 0.06 - 0.04 * at.coarse)
            canvas = _paint(canvas, 0.02, _soft(gas, 0.006))
        return canvas

    def _organs(self, canvas: Array, at: TrunkSlab) -> Array:
        """Liver, spleen, stomach, gall bladder, kidneys, lungs."""
        x, y, z = at.x, at.y, at.z
        lobe = _ball(x, y, z, (0.36, 0.02, 0.42), (0.42, 0.44, 0.50))
        left_lobe = _ball(x, y, z, (0.0, 0.20, 0.52), (0.38, 0.24, 0.26))
        hepar = np.minimum(np.maximum(lobe, left_lobe) + at.rough, at.cavity - 0.008)
        vessels = np.exp(-((at.fine / 0.16) ** 2)) * np.exp(-((at.lumen / 0.35) ** 2))
        canvas = _paint(canvas, self.liver + 0.035 * vessels * _soft(hepar - 0.06, 0.01), _soft(hepar, 0.008))
        lien = np.minimum(_ball(x, y, z, (-0.50, -0.16, 0.45), (0.17, 0.24, 0.27)) + at.rough, at.cavity - 0.008)
        canvas = _paint(canvas, self.spleen, _soft(lien, 0.008))
        stomach = np.minimum(_ball(x, y, z, (-0.28, 0.17, 0.45), (0.26, 0.21, 0.27)) + at.rough, at.cavity - 0.012)
        canvas = _paint(canvas, self.muscle, _soft(stomach, 0.008))
        canvas = _paint(canvas, 0.52, _soft(stomach - 0.025, 0.008))
        canvas = _paint(canvas, 0.02, _soft(np.minimum(stomach - 0.03, y - 0.24), 0.006))
        gall = _ball(x, y, z, (0.24, 0.24, 0.12), (0.065, 0.11, 0.075))
        canvas = _paint(canvas, 0.51, _soft(gall, 0.008))

        for x_at, z_at in ((0.36, 0.02), (-0.36, 0.10)):
            nephros = _ball(x, y, z, (x_at, -0.20, z_at), (0.125, 0.12, 0.25))
            hilum = _ball(x, y, z, (x_at * 0.74, -0.17, z_at), (0.085, 0.06, 0.11))
            canvas = _paint(canvas, self.fat, _soft(nephros + 0.03, 0.010))
            canvas = _paint(canvas, self.kidney + 0.02 * _soft(0.035 - nephros, 0.01), _soft(nephros, 0.007))
            canvas = _paint(canvas, self.fat + 0.05, _soft(hilum, 0.010))

        lung = np.minimum(_ball(at.side, y, z, (0.42, -0.08, 1.10), (0.34, 0.40, 0.30)), at.cavity - 0.01)
        return _paint(canvas, 0.09 + 0.06 * np.clip(vessels, 0, 1), _soft(lung, 0.008))

    def _spine(self, canvas: Array, at: TrunkSlab) -> Array:
        """Vertebrae with discs, canal and processes; the great vessels before them; the iliac wings below."""
        x, y, z = at.x, at.y, at.z
        disc = _soft(np.sin(11 * z + self.phase) - 0.80, 0.06)
        column = _tube(x, y, (0, -0.27), (0.145, 0.115))
        process = np.minimum(_tube(x, y, (0, -0.46), (0.03, 0.12)), 0.05 * (np.sin(11 * z + self.phase + 2) + 0.5))
        wings = np.minimum(_tube(x, y, (0, -0.40), (0.24, 0.035)), 0.05 * (np.sin(11 * z + self.phase + 2) - 0.2))
        for depth in (process, wings, column):
            canvas = _paint(canvas, self.bone, _soft(depth, 0.007))
        canvas = _paint(canvas, self.marrow + 0.03 * np.clip(at.fine, -1, 1), _soft(column - 0.02, 0.007))
        canvas = _paint(canvas, 0.56, _soft(column, 0.007) * disc)
        canal = _tube(x, y, (0, -0.425), (0.055, 0.045))
        canvas = _paint(canvas, self.bone, _soft(canal + 0.022, 0.006) * (1 - disc))
        canvas = _paint(canvas, 0.52, _soft(canal, 0.006))
        for x_at, radius in ((-0.055, 0.055), (0.085, 0.06)):  # aorta, vena cava
            canvas = _paint(canvas, self.blood, _soft(_tube(x, y, (x_at, -0.10), (radius, radius)), 0.007))

        ilium = np.minimum(0.028 - np.abs(_ball(at.side, y, z, (0.30, 0.02, -0.86), (0.34, 0.36, 0.42))), -0.52 - z)
        ilium = np.minimum(np.minimum(ilium, 0.16 - y), at.cavity + 0.07)
        return _paint(canvas, self.bone - 0.03, _soft(ilium, 0.007))
