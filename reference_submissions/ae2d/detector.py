"""2D autoencoder: what a slice shows that does not go through a narrow code.

Slices are encoded as a few numbers and decoded again; what was never normal is decoded badly. After `ae_2d.py` of
MOOD's published examples: a voxel scores its squared error, a volume the highest mean of its slices.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from reference_submissions.kit import device, state
from reference_submissions.kit.detector import Array, Detector, Parameters, Preset, Say, Scores
from reference_submissions.kit.slices import Rows, Stack, axial, batches, stacked
from reference_submissions.kit.training import Plan, seeded, teach
from reference_submissions.nets import convs

HELD_OUT = 0.1  # of the volumes tell when to stop
BATCH = 64  # slices that are scored at a time
NETWORK, DESIGN = "network.pt", "design.json"


@dataclass(frozen=True, kw_only=True)
class Design:
    """The network's shape."""

    side: int  # of the slices, pixels
    widths: Sequence[int]  # channels after each halving
    latent: int  # numbers that a slice goes through


# Small: half the side and fewer channels, so the rate can be ten times the published one; seconds an epoch.
DESIGNS = MappingProxyType({
    Preset.TINY: Design(side=16, widths=(8, 16), latent=16),
    Preset.SMALL: Design(side=64, widths=(16, 32, 64, 128), latent=64),
    Preset.PAPER: Design(side=128, widths=(16, 64, 256, 1024), latent=128),
})  # fmt: skip
PLANS = MappingProxyType({
    Preset.TINY: Plan(epochs=2, batch=16, rate=1e-3),
    Preset.SMALL: Plan(epochs=20, batch=16, rate=1e-3),
    Preset.PAPER: Plan(epochs=20, batch=16, rate=1e-4),
})  # fmt: skip


def autoencoder(design: Design) -> nn.Module:
    """Slices (n, 1, side, side) to the same. No bias anywhere: what is empty stays exactly empty."""
    return nn.Sequential(
        convs.encoder(side=design.side, widths=design.widths, out=design.latent, kernel=3, bias=False),
        convs.decoder(side=design.side, widths=design.widths, latent=design.latent, bias=False),
    )


@dataclass(frozen=True, kw_only=True)
class Ae2d(Detector):
    """An autoencoder of axial slices."""

    name: ClassVar[str] = "ae2d"
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    network: nn.Module
    design: Design

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Learn with a preset's design and plan."""
        return cls.taught(volumes, design=DESIGNS[preset], plan=PLANS[preset], seed=seed, say=say)

    @classmethod
    def taught(cls, volumes: Sequence[Array], *, design: Design, plan: Plan, seed: int, say: Say) -> Self:
        """Minimise the mean squared error of slices."""
        where = device.best()
        stack = Stack.of(volumes, side=design.side)
        seeded(seed)
        network = autoencoder(design).to(where)

        def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
            del rng  # nothing is drawn
            slices = device.tensor(stack[rows][:, None], where)  # (b, 1, side, side)
            return functional.mse_loss(network(slices), slices)

        rows, held_out = stack.split(share=HELD_OUT, seed=seed)
        teach(network, loss, taught=rows, held_out=held_out, plan=plan, seed=seed, say=say)
        return cls(network=network, design=design)

    def score(self, volume: Array) -> Scores:
        """Voxels: squared error, interpolated back. The volume: the highest mean of a slice."""
        slices = axial(volume, side=self.design.side)
        errors = np.concatenate([self._errors(batch) for batch in batches(slices, size=BATCH)])
        return Scores(sample=float(errors.mean(axis=(1, 2)).max()), voxels=stacked(errors, volume.shape))

    def _errors(self, slices: Array) -> Array:
        """(b, side, side) of each pixel."""
        where = next(self.network.parameters()).device
        given = device.tensor(slices[:, None], where)
        with torch.inference_mode(), device.autocast(where):
            decoded = self.network(given)
        return device.array((given - decoded.float())[:, 0] ** 2)

    def save(self, folder: Path) -> None:
        """Write NETWORK and DESIGN."""
        state.save(self.network, folder / NETWORK)
        (folder / DESIGN).write_text(json.dumps(asdict(self.design)), encoding="ascii")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read NETWORK and DESIGN."""
        design = Design(**json.loads((folder / DESIGN).read_text(encoding="ascii")))
        return cls(network=state.load(autoencoder(design), folder / NETWORK, device.best()), design=design)

    def cost(self) -> Parameters:
        """All parameters are learnt."""
        return state.count(self.network)
