"""Context-encoding VAE: a VAE that also learns to repair slices with squares painted over (thesis, section 3.2).

Beside x itself, the network is given x~, which is x with one to three squares of one grey value each, encodes that by
the mean alone, and has to decode the x that was there (equation 3.13, all of them sums over pixels):

    L(x) = KL(x) + |x - g(z)| + |x - g(mu(x~))|

So what does not belong is pushed away from the prior without ever being called normal. Network and scores are the
VAE's: ../vae/detector.py. By default a voxel scores |x - g(mu(x))| * |dKL/dx| (equation 3.16), a volume the highest
KL(x) + |x - g(mu(x))| of its slices (equation 3.14).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import torch

from reference_submissions.kit.detector import Preset
from reference_submissions.kit.training import Plan
from reference_submissions.vae.detector import Design, Score, Vae

SQUARES = 3  # at most; one at least
SIDES = (0.1, 0.5)  # of a square, in sides of a slice; "randomly sized" is all that is published
CLIP = 1.5  # of pixels, in standard deviations of the body

DESIGNS: Mapping[Preset, Design] = MappingProxyType({
    Preset.TINY: Design(
        side=16, widths=(8, 16), latent=8, score=Score.COMBI, grids=True, laplace=True, clip=CLIP, draws=2
    ),
    # Fewer channels, and a faster rate for so few steps.
    Preset.SMALL: Design(
        side=64, widths=(16, 32, 64, 128), latent=64, score=Score.COMBI, grids=True, laplace=True, clip=CLIP
    ),
    Preset.PAPER: Design(
        side=64, widths=(16, 64, 256, 1024), latent=1024, score=Score.COMBI, grids=True, laplace=True, clip=CLIP,
        draws=50, augmented=True,
    ),
})  # fmt: skip
PLANS: Mapping[Preset, Plan] = MappingProxyType({
    Preset.TINY: Plan(epochs=2, batch=16, rate=1e-3),
    Preset.SMALL: Plan(epochs=16, batch=32, rate=1e-3),
    Preset.PAPER: Plan(epochs=60, batch=64, rate=2e-4),
})  # fmt: skip


class CeVae(Vae):
    """A VAE of axial slices that has also learnt to repair them."""

    name: ClassVar[str] = "cevae"
    presets: ClassVar[Mapping[Preset, Design]] = DESIGNS
    plans: ClassVar[Mapping[Preset, Plan]] = PLANS

    def loss(self, x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """L, the mean over slices (b, 1, side, side)."""
        usual = super().loss(x, rng)
        repaired = self.network.reconstructed(painted_over(x, self.options.clip, rng))
        return usual + self.network.rec(x, repaired).mean()


def painted_over(x: torch.Tensor, clip: float, rng: np.random.Generator) -> torch.Tensor:
    """Paint one to SQUARES squares of random size, place and value within +-clip over each slice (b, 1, side, side)."""
    side, made = x.shape[-1], x.clone()
    for each, squares in zip(made, rng.integers(1, SQUARES, len(x), endpoint=True), strict=True):
        for _ in range(squares):
            size = max(1, round(side * rng.uniform(*SIDES)))
            top, left = rng.integers(0, side - size, 2, endpoint=True)
            each[:, top : top + size, left : left + size] = rng.uniform(-clip, clip)
    return made
