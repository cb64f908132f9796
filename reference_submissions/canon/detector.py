"""Canon's submission to MOOD 2020: the weighted sum of a denoising autoencoder and a network that finds drawn shapes.

The first notices any change that is coarse, the second what is cut out sharply. Both are methods of their own here,
`dae` and `shapes`; Zimmerer's thesis, section 4.1.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from reference_submissions.dae import detector as dae
from reference_submissions.kit.detector import Array, Detector, Parameters, Preset, Say, Scores
from reference_submissions.kit.slices import Stack
from reference_submissions.shapes import detector as shapes

DAE_WEIGHT, SHAPES_WEIGHT = np.float32(0.5), np.float32(0.5)


@dataclass(frozen=True, kw_only=True)
class Canon(Detector):
    """Both parts, taught on the same slices."""

    name: ClassVar[str] = "canon"
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    dae: dae.Dae
    shapes: shapes.Shapes

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Learn both parts from axial slices of normal volumes. Raises ValueError where there are fewer than two."""
        stack = Stack.of(volumes, side=dae.OPTIONS[preset].side)
        say("part 1 of 2, denoising autoencoder")
        first = dae.Dae.learn(stack, dae.OPTIONS[preset], dae.PLANS[preset], seed=seed, say=say)
        say("part 2 of 2, drawn shapes")
        second = shapes.Shapes.learn(stack, shapes.OPTIONS[preset], shapes.PLANS[preset], seed=seed, say=say)
        return cls(dae=first, shapes=second)

    def score(self, volume: Array) -> Scores:
        """Voxels: what is taken off, at most 1, and the probability of a shape, half each; the volume: their mean."""
        taken_off = np.minimum(self.dae.score(volume).voxels, 1)
        found = shapes.probability(self.shapes.logits(volume))
        voxels = DAE_WEIGHT * taken_off + SHAPES_WEIGHT * found
        return Scores(sample=float(voxels.mean(dtype=np.float64)), voxels=voxels)

    def save(self, folder: Path) -> None:
        """Write both parts' files."""
        self.dae.save(folder)
        self.shapes.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(dae=dae.Dae.load(folder), shapes=shapes.Shapes.load(folder))

    def cost(self) -> Parameters:
        """Count both U-Nets'."""
        return Parameters(trainable=self.dae.cost().trainable + self.shapes.cost().trainable)
