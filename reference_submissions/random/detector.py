"""A score drawn for each voxel and each volume: chance, with its spread."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from reference_submissions.kit.detector import Array, Detector, Preset, Say, Scores

FILE = "seed.txt"


@dataclass(frozen=True)
class Random(Detector):
    """Draws from the uniform distribution on [0, 1); the same volume gets the same scores."""

    name: ClassVar[str] = "random"
    seed: int

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Nothing is learnt."""
        del volumes, preset, say
        return cls(seed)

    def score(self, volume: Array) -> Scores:
        """Draw all scores; what is drawn follows from the seed and the volume's voxels."""
        rng = np.random.default_rng([self.seed, zlib.crc32(volume.tobytes())])
        return Scores(sample=float(rng.random()), voxels=rng.random(volume.shape, dtype=np.float32))

    def save(self, folder: Path) -> None:
        """Write the seed."""
        (folder / FILE).write_text(f"{self.seed}\n", encoding="ascii")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the seed."""
        return cls(int((folder / FILE).read_text(encoding="ascii")))
