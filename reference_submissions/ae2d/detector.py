"""2D autoencoder: what a slice shows that does not go through a narrow code.

Slices are encoded as a few numbers and decoded again; what was never normal is decoded badly. After `ae_2d.py` of
MOOD's published examples: a voxel scores its squared error, a volume the highest mean of its slices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from reference_submissions.kit import device
from reference_submissions.kit.detector import Array, Preset, Scores
from reference_submissions.kit.slices import Rows, Stack, axial, stacked
from reference_submissions.kit.training import Loss, Plan
from reference_submissions.nets import convs
from reference_submissions.nets.sliced import Sliced

PREDICTED = 64  # slices at a time


@dataclass(frozen=True, kw_only=True)
class Options:
    """The network's shape."""

    side: int  # of the slices, pixels
    widths: Sequence[int]  # channels after each halving
    latent: int  # numbers that a slice goes through


# Small: half the side and fewer channels, so the rate can be ten times the published one; seconds an epoch.
OPTIONS = MappingProxyType({
    Preset.TINY: Options(side=16, widths=(8, 16), latent=16),
    Preset.SMALL: Options(side=64, widths=(16, 32, 64, 128), latent=64),
    Preset.PAPER: Options(side=128, widths=(16, 64, 256, 1024), latent=128),
})  # fmt: skip
PLANS = MappingProxyType({
    Preset.TINY: Plan(epochs=2, batch=16, rate=1e-3),
    Preset.SMALL: Plan(epochs=20, batch=16, rate=1e-3),
    Preset.PAPER: Plan(epochs=20, batch=16, rate=1e-4),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ae2d(Sliced[Options]):
    """An autoencoder of axial slices."""

    name: ClassVar[str] = "ae2d"
    kind: ClassVar[type[Options]] = Options
    presets: ClassVar[Mapping[Preset, Options]] = OPTIONS
    plans: ClassVar[Mapping[Preset, Plan]] = PLANS

    @classmethod
    def made(cls, options: Options) -> nn.Module:
        """No bias anywhere: what is empty stays exactly empty."""
        return nn.Sequential(
            convs.encoder(side=options.side, widths=options.widths, out=options.latent, kernel=3, bias=False),
            convs.decoder(side=options.side, widths=options.widths, latent=options.latent, bias=False),
        )

    def lesson(self, stack: Stack, where: torch.device) -> Loss:
        """The mean squared error of slices."""

        def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
            del rng  # nothing is drawn
            slices = device.tensor(stack[rows][:, None], where)  # (b, 1, side, side)
            return functional.mse_loss(self.network(slices), slices)

        return loss

    def score(self, volume: Array) -> Scores:
        """Voxels: squared error, interpolated back. The volume: the highest mean of a slice."""
        errors = (axial(volume, side=self.options.side) - self.maps(volume, size=PREDICTED)) ** 2
        return Scores(sample=float(errors.mean(axis=(1, 2)).max()), voxels=stacked(errors, volume.shape))
