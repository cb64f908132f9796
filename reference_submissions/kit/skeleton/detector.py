"""How far each voxel lies from the mean of normal volumes, in standard deviations: a start to write over."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np

from reference_submissions.kit.detector import Array, Detector, Parameters, Preset, Say, Scores
from reference_submissions.kit.slices import resized

SIDES = MappingProxyType({Preset.TINY: 16, Preset.SMALL: 32, Preset.PAPER: 128})  # of the grid that is learnt on
SPREAD_FLOOR = 0.02  # of the intensity range: the least that counts as one standard deviation
FILE = "skeleton.npz"


@dataclass(frozen=True, kw_only=True)
class Skeleton(Detector):
    """Mean and standard deviation of normal volumes on a grid of side g."""

    name: ClassVar[str] = "skeleton"
    needs: ClassVar[tuple[str, ...]] = ()  # ("torch",) puts torch into the image
    mean: Array  # (g, g, g)
    spread: Array  # (g, g, g), above 0

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Learn from normal volumes: one is read at a time, each as often as you like."""
        del seed  # for whatever is drawn: random weights, the order of batches
        side = SIDES[preset]
        coarse = np.stack([resized(volume, (side,) * 3) for volume in volumes])
        say(f"mean of {len(coarse)} volumes")
        return cls(mean=coarse.mean(axis=0), spread=coarse.std(axis=0) + np.float32(SPREAD_FLOOR))

    def score(self, volume: Array) -> Scores:
        """Raw scores, at least 0 and in any range: the kit maps them into [0, 1]."""
        coarse = resized(volume, self.mean.shape)
        distance = np.abs(coarse - self.mean) / self.spread
        return Scores(sample=float(np.quantile(distance, 0.99)), voxels=resized(distance, volume.shape))

    def save(self, folder: Path) -> None:
        """Write FILE."""
        np.savez_compressed(folder / FILE, mean=self.mean, spread=self.spread)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read FILE."""
        with np.load(folder / FILE) as stored:
            return cls(mean=stored["mean"], spread=stored["spread"])

    def cost(self) -> Parameters:
        """Mean and spread are learnt."""
        return Parameters(trainable=self.mean.size + self.spread.size)
