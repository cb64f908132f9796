"""The files that the benchmarks read: three kinds of anomaly maps and their labels, the same for the same seed.

A map is a smooth background squared, the absolute value of noise, and three blurred lesions; the label holds
the lesions' spheres. Written plane by plane, as float32 (labels: uint8), gzip level 1 of zlib.
"""

import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Header
from numpy.typing import DTypeLike, NDArray

PLACES = ("predictions", "labels")
LESIONS = 3
FALSE_ALARM_ABOVE = 0.5
Plane = NDArray[np.float32]


def half_valued(scores: Plane, distance: Plane) -> Plane:
    """Hold half-precision values in single precision: what `astype(float16)` on the way leaves."""
    del distance
    return scores.astype(np.float16).astype(np.float32)


def full_mantissa(scores: Plane, distance: Plane) -> Plane:
    """Keep every bit of the noise: hardly compressible."""
    del distance
    return scores


def mostly_zero(scores: Plane, distance: Plane) -> Plane:
    """Give 0 away from the lesions, but for a few false alarms."""
    return np.where((distance < 1) | (scores > FALSE_ALARM_ABOVE), scores, np.float32(0))


KINDS: dict[str, Callable[[Plane, Plane], Plane]] = {
    "half-valued": half_valued,
    "full mantissa": full_mantissa,
    "mostly zero": mostly_zero,
}


def write(folder: Path, kind: str, *, side: int, count: int) -> None:
    """Write `count` different cases of side³ voxels to predictions/ and labels/."""
    for place in PLACES:
        (folder / place).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        _write_case(folder, _name(i), kind, side, seed=i)


def repeat(source: Path, folder: Path, *, distinct: int, count: int) -> None:
    """Copy the first `distinct` cases of a folder round and round: `count` files, none a link."""
    for place in PLACES:
        (folder / place).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            shutil.copyfile(source / place / _name(i % distinct), folder / place / _name(i))


def _name(number: int) -> str:
    return f"case{number:02d}.nii.gz"


def _write_case(folder: Path, name: str, kind: str, side: int, seed: int) -> None:
    with (
        gzip.open(folder / "predictions" / name, "wb", compresslevel=1) as maps,
        gzip.open(folder / "labels" / name, "wb", compresslevel=1) as labels,
    ):
        maps.write(_header(side, np.float32))
        labels.write(_header(side, np.uint8))
        for scores, distance in _planes(side, np.random.default_rng(seed)):
            maps.write(KINDS[kind](scores, distance).astype("<f4").tobytes(order="F"))
            labels.write((distance < 1).astype("u1").tobytes(order="F"))


def _planes(side: int, rng: np.random.Generator) -> Iterator[tuple[Plane, Plane]]:
    """Give the scores of each plane, and each voxel's distance to the nearest lesion's centre in its radii."""
    x, y = np.meshgrid(*2 * [np.arange(side, dtype=np.float32) / side], indexing="ij")
    centres = rng.uniform(0.25, 0.75, (LESIONS, 3)).astype(np.float32)
    radii = rng.uniform(0.05, 0.1, LESIONS).astype(np.float32)
    phases = rng.uniform(0, 6, 3).astype(np.float32)
    background = np.sin(5 * x + phases[0]) * np.sin(7 * y + phases[1])
    for z in np.arange(side, dtype=np.float32) / side:
        of_each = [
            ((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2) / radius**2
            for centre, radius in zip(centres, radii, strict=True)
        ]
        squared = np.min(of_each, axis=0)
        noise = np.abs(rng.standard_normal((side, side), dtype=np.float32))
        smooth = (background * np.sin(6 * z + phases[2])) ** 2
        yield 0.2 * smooth + 0.1 * noise + 0.4 * np.exp(-squared), np.sqrt(squared)


def _header(side: int, dtype: DTypeLike) -> bytes:
    made = Nifti1Header(endianness="<")
    made.set_data_dtype(dtype)
    made.set_data_shape((side, side, side))
    made.set_data_offset(made.single_vox_offset)
    return bytes(made.binaryblock).ljust(made.single_vox_offset, b"\0")
