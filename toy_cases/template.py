"""A population drawn from one real brain: the MNI152 T1 average, deformed and recoloured person by person.

The template is the one that nilearn ships (`load_mni152_template`): ICBM 152 nonlinear symmetric 2009a, skull-stripped,
1 mm, an average of 152 healthy adults (Fonov et al., NeuroImage 2011, doi:10.1016/j.neuroimage.2010.07.033). Its terms:
copyright 1993-2009 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University;
use, copying, change and distribution are free for any purpose, provided that this notice appears in all copies, with no
warranty. Whoever hands out scans drawn from it repeats that notice. An average has less detail than a person, and its
brain is symmetric: a population of it is more alike than real people are.

Needs the extra "template"; loaded only for a source of that kind.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from nibabel.affines import apply_affine
from nilearn.datasets import load_mni152_template
from scipy import ndimage

from toy_cases.fields import Array, Field, Grid, Pose
from toy_cases.preprocess import Grid as Sides
from toy_cases.preprocess import Modality, Scan
from toy_cases.sources import ScanRef, numbered

ROOM_MM = (180.0, 220.0, 200.0)  # a head of 145 × 181 × 155 mm, with room for larger ones
HALF_MM = 110.0  # 1 in the coordinates of fields
SLAB_VOXELS = 2**21  # evaluated at a time
DARKEST = 0.15  # below it the average is the blurred rim of the mask


@dataclass(frozen=True, kw_only=True)
class Template:
    """The average brain."""

    volume: Array  # 1 mm, [0, 1], 0 round the brain
    to_voxels: npt.NDArray[np.float64]  # (4, 4) from coordinates about the brain's middle, in half heads, to voxels


@dataclass(frozen=True, kw_only=True)
class Person:
    """What makes one of the population."""

    pose: Pose  # size, tilt, and a coarse bend
    bends: tuple[Field, Field, Field]  # a finer one
    bias: Field
    texture: Field
    bend: float
    gamma: float  # contrast of tissues
    gain: float
    bias_by: float
    texture_by: float
    noise: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Person":
        """Draw a random person. Bends stay far below their knots' distance, so that nothing folds over."""
        return cls(
            pose=Pose.draw(rng, scale=0.03, tilt_degrees=2.0, bend=0.030),
            bends=(Field.draw(rng, 9), Field.draw(rng, 9), Field.draw(rng, 9)),
            bias=Field.draw(rng, 3),
            texture=Field.draw(rng, 40),
            bend=float(rng.uniform(0.008, 0.014)),
            gamma=float(np.exp(rng.normal(0, 0.12))),
            gain=float(rng.uniform(0.92, 1.05)),
            bias_by=float(rng.uniform(0.015, 0.045)),
            texture_by=float(rng.uniform(0.008, 0.016)),
            noise=float(rng.uniform(0.010, 0.020)),
        )

    def place(self, grid: Grid) -> tuple[Array, Array, Array]:
        """Where each voxel of a slab lies in the template, in half heads from its middle."""
        x, y, z = self.pose.place(grid)
        by = np.float32(self.bend)
        a, b, c = self.bends
        return x + by * a.at(grid), y + by * b.at(grid), z + by * c.at(grid)


@dataclass(frozen=True, kw_only=True)
class TemplateSource:
    """As many people as are asked for, all of the seed."""

    grid: Sides
    seed: tuple[int, ...]
    count: int

    def names(self) -> list[ScanRef]:
        """Number them."""
        return numbered("template person", self.count, self.seed)

    def verify(self, ref: ScanRef) -> None:
        """Drawn scans are as they should be."""

    def read(self, ref: ScanRef) -> Scan:
        """Draw one."""
        number = int(ref.name.rsplit(" ", 1)[1])
        volume, affine = draw(self.grid, np.random.default_rng([*self.seed, number]))
        return Scan(volume=volume, affine=affine, modality=Modality.MR, window=(0.0, 1.0))


def open_population(dataset: str, grid: Sides, *, seed: tuple[int, ...], count: int) -> TemplateSource:
    """Say which people. Raises ValueError for an abdomen."""
    if dataset == "abdom":
        raise ValueError(f"the template is a brain's: it cannot be the source of {dataset!r}")
    return TemplateSource(grid=grid, seed=seed, count=count)


def draw(sides: Sides, rng: np.random.Generator) -> tuple[Array, npt.NDArray[np.float64]]:
    """Draw a person: float32 in [0, 1] of shape `sides`, the background exactly 0; and the affine to mm."""
    person, template = Person.draw(rng), _template()
    voxel_mm = max(room / side for room, side in zip(ROOM_MM, sides, strict=True))
    x, y, z = (((np.arange(side) - (side - 1) / 2) * voxel_mm / HALF_MM).astype(np.float32) for side in sides)
    volume = np.zeros(sides, dtype=np.float32)
    slab = max(1, SLAB_VOXELS // (sides[0] * sides[1]))
    for start in range(0, sides[2], slab):
        part = slice(start, start + slab)
        grid = Grid(x=x, y=y, z=z[part], step=voxel_mm / HALF_MM)
        volume[:, :, part] = _drawn(person, template, grid, rng)
    affine = np.diag([voxel_mm] * 3 + [1.0])
    affine[:3, 3] = [-(side - 1) / 2 * voxel_mm for side in sides]
    return volume, affine


def _drawn(person: Person, template: Template, grid: Grid, rng: np.random.Generator) -> Array:
    """Sample the template on one slab, and make it this person's."""
    places = np.stack(person.place(grid))
    voxels = np.moveaxis(apply_affine(template.to_voxels, np.moveaxis(places, 0, -1)), -1, 0)
    tissue = ndimage.map_coordinates(template.volume, voxels, order=1, mode="constant", cval=0.0)
    shade = np.float32(person.gain) * tissue ** np.float32(person.gamma)
    shade *= 1 + np.float32(person.bias_by) * person.bias.at(grid)
    shade += np.float32(person.texture_by) * person.texture.at(grid)
    shade += np.float32(person.noise) * rng.standard_normal(shade.shape, dtype=np.float32)
    return np.where(tissue > DARKEST, np.clip(shade, 1e-3, 1), 0).astype(np.float32)


@cache
def _template() -> Template:
    image = load_mni152_template(resolution=1)
    volume = np.asarray(image.dataobj, dtype=np.float32)
    filled = np.argwhere(volume > 0)
    middle_mm = apply_affine(image.affine, (filled.min(axis=0) + filled.max(axis=0)) / 2)
    from_middle = np.diag([HALF_MM] * 3 + [1.0])
    from_middle[:3, 3] = middle_mm
    return Template(volume=volume, to_voxels=np.linalg.inv(image.affine) @ from_middle)
