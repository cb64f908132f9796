"""What goes wrong in reconstructing a CT: errors of the projections, carried into the image.

Parallel beams in the plane of the first two axes. Intensities as a window from -1000 HU gives them are
proportional to the attenuation (air 0, water 0.5), so they are projected as they stand. An error is small and
smooth or streaky, so it is reconstructed on a coarse grid and added to the volume.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from toy_cases.anomalies.base import Array, Mask

GRAIN = 0.2  # of the way through metal: the noise that starved projections have


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A square grid over the plane of the first two axes of a volume."""

    side: int  # cells
    shape: tuple[int, ...]  # of the volume
    angles: int  # projections over half a turn

    @property
    def step(self) -> float:
        """Voxels for each cell."""
        return max(self.shape[:2]) / self.side

    def slice_of(self, volume: Array, z: int) -> Array:
        """Sample one slice: (side, side), 0 beyond the volume."""
        sampled = np.zeros((self.side, self.side), dtype=np.float32)
        (x, x_in), (y, y_in) = (self._sampled(axis) for axis in range(2))
        sampled[np.ix_(x_in, y_in)] = volume[:, :, z][np.ix_(x, y)]
        return sampled

    def place(self, axis: int, voxel: float) -> float:
        """Where a voxel lies, in cells."""
        return (voxel + 0.5 - self.shape[axis] / 2) / self.step + self.side / 2 - 0.5

    def project(self, image: Array) -> Array:
        """Sum along parallel lines: (angles, side), in cells."""
        return np.stack([_turned(image, angle).sum(axis=0) for angle in self._degrees()])

    def reconstruct(self, projections: Array) -> Array:
        """Filter with a ramp and project back: the image whose projections these are, (side, side)."""
        padded = 2 * self.side
        ramp = np.abs(fft.fftfreq(padded)).astype(np.float32)[: padded // 2 + 1]
        filtered = fft.irfft(fft.rfft(projections, n=padded, axis=1) * ramp, n=padded, axis=1)[:, : self.side]
        image = np.zeros((self.side, self.side), dtype=np.float32)
        for angle, line in zip(self._degrees(), filtered, strict=True):
            image += _turned(np.broadcast_to(line, image.shape).astype(np.float32), -angle)
        return image * np.float32(np.pi / self.angles)

    def spread(self, errors: Array, at: list[float]) -> Array:
        """Bring errors of a few slices, (n, side, side) at rising `at` (voxels of z), to the volume's grid.

        Linear between slices and cells; before the first and after the last slice the nearest holds.
        """
        z = np.interp(np.arange(self.shape[2]), at, np.arange(len(at)))
        x, y = (
            np.asarray([self.place(axis, voxel) for voxel in range(self.shape[axis])], dtype=np.float32)
            for axis in range(2)
        )
        fine = np.stack([_enlarged(error, x, y) for error in errors])
        low = np.minimum(z.astype(int), max(len(at) - 2, 0))
        part = (z - low).astype(np.float32)
        spread = np.empty(self.shape, dtype=np.float32)
        for k in range(self.shape[2]):
            following = fine[min(int(low[k]) + 1, len(at) - 1)]
            spread[:, :, k] = fine[low[k]] * (1 - part[k]) + following * part[k]
        return spread

    def _sampled(self, axis: int) -> tuple[np.typing.NDArray[np.int_], np.typing.NDArray[np.int_]]:
        """Voxels along an axis, and the cells that they fall into."""
        cells = np.arange(self.side)
        voxels = np.floor((cells + 0.5 - self.side / 2) * self.step + self.shape[axis] / 2).astype(int)
        inside = (voxels >= 0) & (voxels < self.shape[axis])
        return voxels[inside], cells[inside]

    def _degrees(self) -> np.typing.NDArray[np.float64]:
        return np.linspace(0, 180, self.angles, endpoint=False)


def hardening(volume: Array, *, side: int = 64, angles: int = 48, slices: int = 12) -> Array:
    """How a beam that hardens on its way darkens a body's middle: a field of negative values, at most 1 deep.

    The longer the way, the less is attenuated: a projection p is measured as p - b p² (Brooks and Di Chiro 1976,
    Phys Med Biol 21:390). The depth, b, is the caller's.
    """
    plane = Plane(side=min(side, max(volume.shape[:2])), shape=volume.shape, angles=angles)
    at = np.unique(np.linspace(0, volume.shape[2] - 1, slices).round().astype(int)).tolist()
    ways = [plane.project(plane.slice_of(volume, z)) for z in at]
    errors = np.stack([plane.reconstruct(-(way**2)) for way in ways])
    deepest = -float(errors.min())
    return plane.spread(errors / np.float32(deepest), at) if deepest > 0 else np.zeros_like(volume)


@dataclass(frozen=True, kw_only=True)
class Rod:
    """A piece of metal along z."""

    x: float  # voxels, as the radius
    y: float
    radius: float


def streaks(plane: Plane, volume: Array, rods: list[Rod], at: list[int], rng: np.random.Generator) -> Array:
    """What metal does to the slices `at`: (n, side, side), 98 % of it within ±1.

    Rods let few photons through: their projections are measured too low, the lower the denser the rest of the way
    (dark bands between rods), and noisily (fine streaks). After De Man et al. 1999, IEEE Trans Nucl Sci 46:691.
    """
    x, y = np.ogrid[: plane.side, : plane.side]
    metal = np.zeros((plane.side, plane.side), dtype=np.float32)
    for rod in rods:
        distance = np.hypot(x - plane.place(0, rod.x), y - plane.place(1, rod.y))
        metal += np.clip(rod.radius / plane.step + 0.5 - distance, 0, 1).astype(np.float32)
    through = plane.project(metal)
    errors = []
    for z in at:
        way = plane.project(plane.slice_of(volume, z))
        noise = rng.standard_normal(through.shape, dtype=np.float32)
        missing = -through * (through + way) / max(float(way.max()), 1.0)
        errors.append(plane.reconstruct(missing + through * noise * np.float32(GRAIN)))
    found = np.stack(errors)
    found /= np.float32(np.percentile(np.abs(found), 98) or 1)
    return found


def grain(shape: tuple[int, int], slices: int, rng: np.random.Generator) -> Array:
    """The noise of a reconstruction from few photons: (*shape, slices), standard deviation 1 in each slice.

    The ramp filter leaves a power spectrum that rises with the frequency until the kernel cuts it off (Kijewski
    and Judy 1987, Phys Med Biol 32:565). Ways from side to side are the longest, so streaks lie along x.
    """
    u, v = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    frequency = np.hypot(u, v)
    kernel = np.sqrt(frequency) * np.cos(np.pi * np.minimum(frequency, 0.5)) ** 2
    streaky = 1 + 2 * v**2 / np.maximum(frequency**2, 1e-12)
    weight = (kernel * streaky).astype(np.float32)
    noise = np.empty((*shape, slices), dtype=np.float32)
    for k in range(slices):
        white = rng.standard_normal(shape, dtype=np.float32)
        drawn = fft.irfft2(fft.rfft2(white) * weight, s=shape)
        noise[:, :, k] = drawn / max(float(drawn.std()), 1e-6)
    return noise


def ways(body: Mask) -> Array:
    """How far a beam goes through each slice of a body, from side to side: (z,), 1 the farthest."""
    widest = body.sum(axis=0, dtype=np.int32).max(axis=0)
    return np.asarray(widest / max(1, int(widest.max())), dtype=np.float32)


def _turned(image: Array, degrees: float) -> Array:
    turned = np.empty_like(image)
    ndimage.rotate(image, degrees, reshape=False, order=1, output=turned)
    return turned


def _enlarged(error: Array, x: Array, y: Array) -> Array:
    where = np.stack(np.broadcast_arrays(x[:, None], y[None, :]))
    enlarged = np.empty(where.shape[1:], dtype=np.float32)
    ndimage.map_coordinates(error, where, output=enlarged, order=1, mode="nearest")
    return enlarged
