"""Normal volumes where no scan is at hand: a brain and an abdomen, no two alike.

Both are drawn from formulas on the cube [-1, 1]³ with x to the right, y to the front and z upwards, so one
anatomy can be had at any size. A volume is float32 in [0, 1], background exactly 0. Work goes slab by
slab, and within a slab only where a body is: beyond the volume itself memory stays small.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toy_cases.fields import Array, Drawn, Field, Grid, Pose

SLAB_VOXELS = 2**21  # evaluated at a time
VERTEBRAE = 30.0  # radians a half cube of 210 mm: one in 44 mm
RIBS = 30.0


def brain(size: int, rng: np.random.Generator) -> Array:
    """A skull-stripped, T1-like head: white and grey matter, ventricles, cerebellum. Shape (size,)*3."""
    return _render(size, Head.draw(rng), rng)


def abdomen(size: int, rng: np.random.Generator) -> Array:
    """A CT-like trunk (air 0, water 0.5, as a window of ±1000 HU gives). Shape (size,)*3."""
    return _render(size, Trunk.draw(rng), rng)


PHANTOMS: dict[str, Callable[[int, np.random.Generator], Array]] = {"brain": brain, "abdom": abdomen}


@dataclass(frozen=True, kw_only=True)
class Anatomy(ABC):
    """One person."""

    pose: Pose
    noise: float  # standard deviation

    @abstractmethod
    def bound(self, x: Drawn, y: Drawn, z: Drawn) -> Drawn:
        """Depth below a surface that encloses the body, in the mean anatomy: positive inside."""

    @abstractmethod
    def at(self, points: "Points") -> Array:
        """Intensities at some points; 0 outside the body."""


@dataclass(frozen=True, kw_only=True)
class Points:
    """The voxels of a slab that may lie in a body, with their places in the mean anatomy; all of shape (n,)."""

    x: Drawn
    y: Drawn
    z: Drawn
    step: float  # between voxels
    grid: Grid
    chosen: npt.NDArray[np.bool_]  # (nx, ny, nz): the n voxels

    def of(self, field: Field) -> Drawn:
        """A field's values there."""
        return np.asarray(field.at(self.grid)[self.chosen])


def _render(size: int, person: Anatomy, rng: np.random.Generator) -> Array:
    volume = np.zeros((size, size, size), dtype=np.float32)
    line = ((np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1).astype(np.float32)
    slab = max(1, SLAB_VOXELS // size**2)
    for start in range(0, size, slab):
        part = slice(start, min(start + slab, size))
        grid = Grid(x=line, y=line, z=line[part], step=2 / size)
        points = _points(grid, person)
        drawn = person.at(points)
        grain = rng.standard_normal(drawn.shape, dtype=np.float32) * np.float32(person.noise)
        volume[:, :, part][points.chosen] = np.where(drawn > 0, np.clip(drawn + grain, 1e-3, 1), 0)
    return volume


def _points(grid: Grid, person: Anatomy) -> Points:
    x, y, z = person.pose.place(grid)
    chosen = person.bound(x, y, z) > 0
    return Points(x=x[chosen], y=y[chosen], z=z[chosen], step=grid.step, grid=grid, chosen=chosen)


def _soft(depth: Drawn, width: float) -> Array:
    """0 outside, 1 inside, a smooth step between; four fifths of it take about 3.5 widths."""
    t = np.clip(depth * np.float32(1 / (6 * width)) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def _paint(canvas: Array, value: float | Drawn, cover: Array) -> Array:
    """Lay `value` over the canvas where `cover` says."""
    return np.asarray(canvas + (value - canvas) * cover, dtype=np.float32)


def _joined(a: Drawn, b: Drawn, round_by: float) -> Drawn:
    """The depth in either of two bodies, the edge between them filled smoothly."""
    near = np.maximum(round_by - np.abs(a - b), 0)
    return np.asarray(np.maximum(a, b) + near * near / np.float32(4 * round_by))


def _shared(a: Drawn, b: Drawn, round_by: float) -> Drawn:
    """The depth in both of two bodies, the edge between them rounded."""
    return np.asarray(-_joined(-a, -b, round_by))


def _ball(x: Drawn, y: Drawn, z: Drawn, at: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    """About the depth below an ellipsoid's surface (negative outside)."""
    r = np.sqrt(((x - at[0]) / radii[0]) ** 2 + ((y - at[1]) / radii[1]) ** 2 + ((z - at[2]) / radii[2]) ** 2)
    return np.asarray((1 - r) * min(radii), dtype=np.float32)


def _tube(x: Drawn, y: Drawn, at: tuple[float, float], radii: tuple[float, float]) -> Array:
    """About the depth below an elliptic cylinder's surface, along z."""
    r = np.sqrt(((x - at[0]) / radii[0]) ** 2 + ((y - at[1]) / radii[1]) ** 2)
    return np.asarray((1 - r) * min(radii), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Head(Anatomy):
    """One person's brain. Tissues are intensities; what is painted later lies in front."""

    folds: Field
    fine: Field
    wave: Field  # how the fissures wander
    bias: Field
    texture: Field
    white: float
    grey: float
    fluid: float
    cortex: float  # thickness
    atrophy: float  # half the width of an open sulcus
    sulci: float  # how deep they reach
    swell: float  # of the ventricles, which differ most between people
    hind: float  # size of the cerebellum
    callosum: float  # thickness
    bias_by: float
    texture_by: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Head":
        """A random person."""
        pose = Pose.draw(rng, scale=0.03, tilt_degrees=2.0, bend=0.018)
        folds, fine, wave, bias, texture = (Field.draw(rng, cells) for cells in (15, 24, 8, 3, 40))
        white, grey, fluid = (float(value) for value in rng.normal((0.80, 0.56, 0.20), (0.02, 0.02, 0.015)))
        return cls(
            pose=pose, folds=folds, fine=fine, wave=wave, bias=bias, texture=texture,
            white=white, grey=grey, fluid=fluid,
            cortex=float(rng.uniform(0.050, 0.064)), atrophy=float(rng.uniform(0.008, 0.020)),
            sulci=float(rng.uniform(0.14, 0.19)), swell=float(rng.uniform(0.75, 1.4)),
            hind=float(rng.normal(1, 0.04)), callosum=float(rng.uniform(0.055, 0.085)),
            bias_by=float(rng.uniform(0.015, 0.045)), texture_by=float(rng.uniform(0.007, 0.013)),
            noise=float(rng.uniform(0.009, 0.015)),
        )  # fmt: skip

    def bound(self, x: Drawn, y: Drawn, z: Drawn) -> Drawn:
        """An ellipsoid round the cerebrum, a cylinder round what is below."""
        hind = np.minimum(0.58 - np.hypot(x, y + 0.30), -z)
        return np.asarray(np.maximum(_ball(x, y, z, (0, 0.02, 0.08), (0.74, 0.92, 0.76)), hind))

    def at(self, points: Points) -> Array:
        """Its intensities."""
        edge = max(0.006, 0.25 * points.step)
        x, y, z = points.x, points.y, points.z
        side, wave = np.abs(x), points.of(self.wave)
        fold = points.of(self.folds) + np.float32(0.4) * points.of(self.fine)
        cerebrum, small, stem = self._cerebrum(x, y, z, wave), self._cerebellum(x, y, z), self._stem(x, y, z)
        canvas = self._mantle(cerebrum, fold, x, y, z, wave, edge)
        canvas = _paint(canvas, self.white - 0.03, _soft(stem - 0.01, edge))
        leaves = 0.5 + 0.5 * np.sin(70 * (small + 0.2 * y) + 2 * fold)
        canvas = _paint(canvas, self.grey - 0.06 + 0.16 * leaves, _soft(small - 0.01, edge))
        canvas = _paint(canvas, self.white, _soft(small - 0.13, 2 * edge))
        canvas = self._core(canvas, side, x, y, z, edge)
        canvas *= 1 + np.float32(self.bias_by) * points.of(self.bias)
        canvas += np.float32(self.texture_by) * points.of(self.texture)
        whole = np.maximum(np.maximum(cerebrum, small), stem)
        return np.where(whole > 0, np.maximum(canvas, 0.02), 0).astype(np.float32)

    def _cerebrum(self, x: Drawn, y: Drawn, z: Drawn, wave: Drawn) -> Drawn:
        """Depth in both hemispheres, taken as one body with a rounded base and temporal lobes."""
        floor = (
            z
            + 0.34
            + 0.10 * (y - 0.1) ** 2
            + 0.18 * np.minimum(y + 0.1, 0)
            - 0.25 * np.maximum(np.abs(x) - 0.1, 0) ** 2
        )
        lobes = _shared(_ball(x, y, z, (0, 0.03, 0.10), (0.68, 0.84, 0.66)), floor + 0.012 * wave, 0.10)
        temporal = _ball(np.abs(x), y, z, (0.42, 0.10, -0.28), (0.22, 0.40, 0.20))
        return _joined(lobes, temporal, 0.06)

    def _cerebellum(self, x: Drawn, y: Drawn, z: Drawn) -> Drawn:
        """Depth in two hemispheres and the vermis between them."""
        radii = (0.30 * self.hind, 0.27 * self.hind, 0.20 * self.hind)
        vermis = _ball(x, y, z, (0, -0.44, -0.40), (0.16, 0.20 * self.hind, 0.17 * self.hind))
        return _joined(_ball(np.abs(x), y, z, (0.22, -0.46, -0.45), radii), vermis, 0.05)

    def _stem(self, x: Drawn, y: Drawn, z: Drawn) -> Drawn:
        """Depth in midbrain, pons and medulla."""
        lean = y - 0.2 * (z + 0.45)
        shaft = np.minimum(_tube(x, lean, (0, -0.18), (0.095, 0.095)), np.minimum(z + 0.88, 0.06 - z))
        pons = _ball(x, lean, z, (0, -0.115, -0.40), (0.16, 0.135, 0.15))
        return _joined(shaft, pons, 0.05)

    def _mantle(self, cerebrum: Drawn, fold: Drawn, x: Drawn, y: Drawn, z: Drawn, wave: Drawn, edge: float) -> Array:
        """White matter under a folded cortex, fluid in the fissures, the callosum between the hemispheres."""
        # The fissure wanders from the middle, or the middle slice would be one sheet of fluid.
        off = np.abs(x + 0.016 * wave + 0.010 * fold)
        arch = (1 - np.hypot((y - 0.02) / 0.44, (z - 0.06) / 0.27)) * 0.27  # depth below the callosum's upper face
        base = 0.34 - np.hypot(y + 0.08, z + 0.28)  # the hemispheres are grown together here
        cleft = np.maximum(off - 0.003, np.maximum(arch, base))
        lateral = np.maximum(0.36 - np.abs(x), 0) + np.maximum(np.abs(y - 0.1) - 0.35, 0)
        sylvian = np.hypot(z + 0.10 - 0.25 * y - 0.18 * (np.abs(x) - 0.4) - 0.025 * wave, lateral)
        # Folds: sheets of fluid where the field changes sign, down to some depth; cortex follows them.
        surface = np.minimum(cerebrum, cleft + 0.006)
        sulcus = 0.06 * np.abs(fold) + 1.2 * np.maximum(surface - self.sulci, 0)
        matter = np.minimum(np.minimum(surface, sylvian) - 0.010, sulcus - self.atrophy)
        canvas = np.full(cerebrum.shape, self.fluid, dtype=np.float32)
        canvas = _paint(canvas, self.grey, _soft(matter, edge))
        canvas = _paint(canvas, self.white, _soft(matter - self.cortex, 1.3 * edge))
        band = np.minimum(np.minimum(arch, self.callosum - arch), np.minimum(0.24 - np.abs(x), z - 0.02 * y - 0.02))
        canvas = _paint(canvas, self.white + 0.03, _soft(band, edge))
        under = np.minimum(np.minimum(arch - self.callosum, 0.014 - np.abs(x)), z - 0.12)
        return _paint(canvas, self.fluid + 0.06, _soft(under, edge))

    def _core(self, canvas: Array, side: Drawn, x: Drawn, y: Drawn, z: Drawn, edge: float) -> Array:
        """Grey nuclei, and the ventricles."""
        for at, radii, value in (
            ((0.12, -0.06, 0.06), (0.085, 0.14, 0.09), 0.05),  # thalamus
            ((0.27, 0.10, 0.06), (0.055, 0.17, 0.10), 0.03),  # putamen
            ((0.135, 0.22, 0.14), (0.05, 0.12, 0.07), 0.02),  # caudate
        ):
            canvas = _paint(canvas, self.grey + value, _soft(_ball(side, y, z, at, radii), 1.3 * edge))
        horn_z, swell = z - 0.12 * y + 0.25 * y**2, self.swell
        for hollow in (
            _ball(side - 0.10 * (y - 0.1) ** 2, y, horn_z, (0.065, 0.02, 0.20), (0.05 * swell, 0.36, 0.07 * swell)),
            _ball(side, y, z, (0.21, -0.32, 0.08), (0.05 * swell, 0.14, 0.09 * swell)),
            _ball(x, y, z, (0, -0.03, 0.02), (0.018 * swell, 0.14, 0.10)),  # third
            _ball(x, y, z, (0, -0.29, -0.42), (0.05 * swell, 0.04, 0.08)),  # fourth
        ):
            canvas = _paint(canvas, self.fluid - 0.03, _soft(hollow, edge))
        joint = _ball(x, y, z, (0, -0.04, 0.05), (0.03, 0.045, 0.04))  # of the thalami
        return _paint(canvas, self.grey + 0.05, _soft(joint, edge))


@dataclass(frozen=True, kw_only=True)
class TrunkSlab:
    """What the parts of a trunk share on one slab."""

    x: Drawn
    y: Drawn
    z: Drawn
    side: Drawn  # |x|
    coarse: Drawn
    rough: Drawn  # unevenness of surfaces
    waist: Drawn
    body: Drawn  # depths: below the skin, …
    wall: Drawn  # … the fat …
    cavity: Drawn  # … and the muscle
    fine: Drawn
    lumen: Drawn  # the field that winds the bowel


@dataclass(frozen=True, kw_only=True)
class Trunk(Anatomy):
    """One person's abdomen. Tissues are intensities; what is painted later lies in front."""

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
    liver_by: float  # sizes
    spleen_by: float
    kidney_by: float
    stomach_by: float
    girth: float  # front to back

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Trunk":
        """A random person."""
        pose = Pose.draw(rng, scale=0.04, tilt_degrees=1.5, bend=0.022)
        coarse, loops, fine, bias, texture = (Field.draw(rng, cells) for cells in (6, 13, 26, 3, 36))
        fat_depth = float(rng.uniform(0.05, 0.13))
        # Plain floats: numpy's own would widen every array that they meet.
        means = (0.60, 0.585, 0.62, 0.56, 0.60)
        liver, spleen, kidney, muscle, blood = (float(value) for value in rng.normal(means, 0.012))
        fat, bone, marrow = (float(value) for value in rng.normal((0.42, 0.86, 0.68), 0.01))
        phase, ribs_phase = (float(value) for value in rng.uniform(0, 2 * np.pi, 2))
        sizes = [float(value) for value in np.exp(rng.normal(0, (0.08, 0.12, 0.08, 0.12, 0.05)))]
        return cls(
            pose=pose, coarse=coarse, loops=loops, fine=fine, bias=bias, texture=texture, fat_depth=fat_depth,
            liver=liver, spleen=spleen, kidney=kidney, muscle=muscle, blood=blood, fat=fat, bone=bone, marrow=marrow,
            phase=phase, ribs_phase=ribs_phase,
            gas_level=float(rng.uniform(0.55, 1.1)), colon=float(rng.uniform(0.8, 1.2)),
            liver_by=sizes[0], spleen_by=sizes[1], kidney_by=sizes[2], stomach_by=sizes[3], girth=sizes[4],
            noise=float(rng.uniform(0.008, 0.014)),
        )  # fmt: skip

    def bound(self, x: Drawn, y: Drawn, z: Drawn) -> Drawn:
        """A wide cylinder."""
        return _tube(x, y, (0, 0.0), (0.98, 0.64 * self.girth)) + 0 * z

    def at(self, points: Points) -> Array:
        """Its intensities."""
        slab = self._slab(points)
        canvas = self._walls(slab)
        canvas = self._bowel(canvas, slab)
        canvas = self._organs(canvas, slab)
        canvas = self._spine(canvas, slab)
        canvas += 0.006 * points.of(self.texture) + 0.004 * points.of(self.bias)
        return np.where(slab.body > 0, np.clip(canvas, 0.004, 1), 0).astype(np.float32)

    def _slab(self, points: Points) -> TrunkSlab:
        x, y, z = points.x, points.y, points.z
        side = np.abs(x)
        coarse = points.of(self.coarse)
        rough = 0.02 * coarse
        waist = 1 - 0.07 * np.exp(-((z - 0.05) ** 2) / 0.15) + 0.03 * np.cos(3 * z)
        body = _tube(x / waist, y + 0.06 * side**2, (0, 0.02), (0.84, 0.58 * self.girth))
        wall = body - self.fat_depth + 0.2 * rough
        return TrunkSlab(
            x=x, y=y, z=z, side=side, coarse=coarse, rough=rough, waist=waist, body=body, wall=wall,
            cavity=wall - 0.075, fine=points.of(self.fine), lumen=points.of(self.loops),
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
        ring = np.sin(RIBS * (at.z - 0.45 * at.y) + self.ribs_phase) - 0.62
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
        large, small, by = self.liver_by, self.kidney_by, self.spleen_by
        lobe = _ball(x, y, z, (0.36, 0.02, 0.42), (0.42, 0.44 * large, 0.50 * large))
        left_lobe = _ball(x, y, z, (0.0, 0.20, 0.52), (0.38 * large, 0.24, 0.26))
        hepar = np.minimum(np.maximum(lobe, left_lobe) + at.rough, at.cavity - 0.008)
        vessels = np.exp(-((at.fine / 0.16) ** 2)) * np.exp(-((at.lumen / 0.35) ** 2))
        canvas = _paint(canvas, self.liver + 0.035 * vessels * _soft(hepar - 0.06, 0.01), _soft(hepar, 0.008))
        lien = np.minimum(
            _ball(x, y, z, (-0.50, -0.16, 0.45), (0.17, 0.24 * by, 0.27 * by)) + at.rough, at.cavity - 0.008
        )
        canvas = _paint(canvas, self.spleen, _soft(lien, 0.008))
        stomach = np.minimum(
            _ball(x, y, z, (-0.28, 0.17, 0.45), (0.26, 0.21 * self.stomach_by, 0.27 * self.stomach_by)) + at.rough,
            at.cavity - 0.012,
        )
        canvas = _paint(canvas, self.muscle, _soft(stomach, 0.008))
        canvas = _paint(canvas, 0.52, _soft(stomach - 0.025, 0.008))
        canvas = _paint(canvas, 0.02, _soft(np.minimum(stomach - 0.03, y - 0.24), 0.006))
        gall = _ball(x, y, z, (0.24, 0.24, 0.12), (0.065, 0.11, 0.075))
        canvas = _paint(canvas, 0.51, _soft(gall, 0.008))

        for x_at, z_at in ((0.36, 0.02), (-0.36, 0.10)):
            nephros = _ball(x, y, z, (x_at, -0.20, z_at), (0.125 * small, 0.12 * small, 0.25 * small))
            hilum = _ball(x, y, z, (x_at * 0.74, -0.17, z_at), (0.085, 0.06, 0.11))
            canvas = _paint(canvas, self.fat, _soft(nephros + 0.03, 0.010))
            canvas = _paint(canvas, self.kidney + 0.02 * _soft(0.035 - nephros, 0.01), _soft(nephros, 0.007))
            canvas = _paint(canvas, self.fat + 0.05, _soft(hilum, 0.010))

        lung = np.minimum(_ball(at.side, y, z, (0.42, -0.08, 1.10), (0.34, 0.40, 0.30)), at.cavity - 0.01)
        return _paint(canvas, 0.09 + 0.06 * np.clip(vessels, 0, 1), _soft(lung, 0.008))

    def _spine(self, canvas: Array, at: TrunkSlab) -> Array:
        """Vertebrae with discs, canal and processes; the great vessels before them; the iliac wings below."""
        x, y, z = at.x, at.y, at.z
        disc = _soft(np.sin(VERTEBRAE * z + self.phase) - 0.80, 0.08)
        column = _tube(x, y, (0, -0.27), (0.145, 0.115))
        process = np.minimum(
            _tube(x, y, (0, -0.46), (0.03, 0.12)), 0.05 * (np.sin(VERTEBRAE * z + self.phase + 2) + 0.5)
        )
        wings = np.minimum(
            _tube(x, y, (0, -0.40), (0.24, 0.035)), 0.05 * (np.sin(VERTEBRAE * z + self.phase + 2) - 0.2)
        )
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
