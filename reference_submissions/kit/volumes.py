"""Normal volumes as a method gets them: a sequence that reads a scan when it is asked for, and parts of it."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError

from reference_submissions.kit import nifti
from reference_submissions.kit.detector import Array

DIMENSIONS = 3


@dataclass(frozen=True)
class Files(Sequence[Array]):
    """The scans of some files; nothing is kept in memory."""

    paths: tuple[Path, ...]

    @classmethod
    def of(cls, folder: Path) -> "Files":
        """Every `*.nii.gz` of a folder, by name."""
        return cls(tuple(sorted(folder.glob("*.nii.gz"))))

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> "Files": ...
    def __getitem__(self, index: int | slice) -> "Array | Files":
        if isinstance(index, slice):
            return Files(self.paths[index])
        path = self.paths[index]
        try:
            voxels = nifti.read(path).voxels
        except (OSError, EOFError, zlib.error, ImageFileError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        if voxels.ndim != DIMENSIONS:
            raise ValueError(f"{path}: {voxels.ndim} dimensions, and a volume has {DIMENSIONS}")
        if amiss := voxels.size - np.count_nonzero(np.isfinite(voxels)):
            raise ValueError(f"{path}: {amiss} of {voxels.size} voxels are not finite; put it right, or leave it out")
        return voxels

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Part(Sequence[Array]):
    """Some of a sequence's volumes, as lazy as that is."""

    whole: Sequence[Array]
    rows: tuple[int, ...]

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> "Part": ...
    def __getitem__(self, index: int | slice) -> "Array | Part":
        if isinstance(index, slice):
            return Part(self.whole, self.rows[index])
        return self.whole[self.rows[index]]

    def __len__(self) -> int:
        return len(self.rows)


def split(volumes: Sequence[Array], *, share: float, seed: int) -> tuple[Part, Part]:
    """Deal volumes into those to learn from and those held out, as `held_out` says; both keep their order."""
    out = held_out(len(volumes), share=share, seed=seed)
    taught, rest = (Part(volumes, tuple(np.flatnonzero(chosen).tolist())) for chosen in (~out, out))
    return taught, rest


def held_out(count: int, *, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which of `count` volumes to hold out: a share of them drawn at random, one at least.

    Raises ValueError where that would leave none.
    """
    n_out = max(1, round(share * count))
    if n_out >= count:
        raise ValueError(f"{count} normal volumes to learn from: too few to hold {n_out} of them out")
    return np.random.default_rng(seed).permutation(count) < n_out
