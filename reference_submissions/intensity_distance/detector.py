"""How far a voxel's intensity lies from one half: the simplest score that looks at the volume."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from reference_submissions.kit.detector import Array, Detector, Preset, Say, Scores

MIDDLE = np.float32(0.5)  # the mean intensity of a scan, more or less
BACKGROUND = np.float32(0.01)  # darker voxels are air and score 0


class IntensityDistance(Detector):
    """|x - 0.5| for each voxel of the body; a volume scores the mean of its voxels."""

    name: ClassVar[str] = "intensity_distance"

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Nothing is learnt."""
        del volumes, preset, seed, say
        return cls()

    def score(self, volume: Array) -> Scores:
        """At most 0.5; 0 for background."""
        distance = np.where(volume < BACKGROUND, np.float32(0), np.abs(volume - MIDDLE))
        return Scores(sample=float(distance.mean(dtype=np.float64)), voxels=distance)

    def save(self, folder: Path) -> None:
        """Nothing to write."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Nothing to read."""
        del folder
        return cls()
