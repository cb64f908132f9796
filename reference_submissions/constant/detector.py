"""The same score for everything: what any other method has to beat."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from reference_submissions.kit.detector import Array, Detector, Preset, Say, Scores


class Constant(Detector):
    """Scores 0, whatever the volume shows. All cases tie, so the AP is the prevalence to the last digit."""

    name: ClassVar[str] = "constant"

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Nothing is learnt."""
        del volumes, preset, seed, say
        return cls()

    def score(self, volume: Array) -> Scores:
        """0 everywhere."""
        return Scores(sample=0.0, voxels=np.zeros_like(volume))

    def save(self, folder: Path) -> None:
        """Nothing to write."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Nothing to read."""
        del folder
        return cls()
