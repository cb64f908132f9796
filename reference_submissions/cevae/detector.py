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
from reference_submissions.vae.detector import Design, Network, Recipe, Score, Vae, normal

SQUARES = 3  # at most; one at least
SIDES = (0.1, 0.5)  # of a square, in sides of a slice; "randomly sized" is all that is published

RECIPES: Mapping[Preset, Recipe] = MappingProxyType({
    Preset.TINY: Recipe(
        design=Design(side=16, widths=(8, 16), latent=8, score=Score.COMBI, grids=True, laplace=True, draws=2),
        plan=Plan(epochs=2, batch=16, rate=1e-3),
        augmented=False,
    ),
    # Fewer channels and a faster rate; a wide clip, since a bright lesion beyond 1.5 looks like bright tissue.
    Preset.SMALL: Recipe(
        design=Design(
            side=64, widths=(16, 32, 64, 128), latent=64, score=Score.COMBI, grids=True, laplace=True, clip=3
        ),
        plan=Plan(epochs=20, batch=32, rate=1e-3),
        augmented=False,
    ),
    Preset.PAPER: Recipe(
        design=Design(
            side=64, widths=(16, 64, 256, 1024), latent=1024, score=Score.COMBI, grids=True, laplace=True, draws=50
        ),
        plan=Plan(epochs=60, batch=64, rate=2e-4),
        augmented=True,
    ),
})  # fmt: skip


class CeVae(Vae):
    """A VAE of axial slices that has also learnt to repair them."""

    name: ClassVar[str] = "cevae"
    recipes: ClassVar[Mapping[Preset, Recipe]] = RECIPES

    @classmethod
    def loss(cls, network: Network, x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """L, the mean over slices (b, 1, side, side)."""
        terms = network.terms(x, normal(rng, (len(x), network.design.latent), x.device))
        repaired = network.reconstructed(painted_over(x, network.design.clip, rng))
        return (terms.elbo() + network.rec(x, repaired)).mean()


def painted_over(x: torch.Tensor, clip: float, rng: np.random.Generator) -> torch.Tensor:
    """Paint one to SQUARES squares of random size, place and value within +-clip over each slice (b, 1, side, side)."""
    side, made = x.shape[-1], x.clone()
    for each, squares in zip(made, rng.integers(1, SQUARES, len(x), endpoint=True), strict=True):
        for _ in range(squares):
            size = max(1, round(side * rng.uniform(*SIDES)))
            top, left = rng.integers(0, side - size, 2, endpoint=True)
            each[:, top : top + size, left : left + size] = rng.uniform(-clip, clip)
    return made
