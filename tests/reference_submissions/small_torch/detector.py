"""A convolution that predicts a slice from itself made soft: the least that goes through all of the kit's torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from reference_submissions.kit import device, state
from reference_submissions.kit.detector import Array, Detector, Parameters, Preset, Say, Scores
from reference_submissions.kit.slices import Rows, Stack, axial, batches, stacked
from reference_submissions.kit.training import Plan, seeded, teach

SIDE = 16
EPOCHS = {Preset.TINY: 2, Preset.SMALL: 10, Preset.PAPER: 100}


def network() -> nn.Module:
    """(n, 1, side, side) to the same."""
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))


@dataclass(frozen=True)
class SmallTorch(Detector):
    """Scores the difference between a slice and what the network makes of it when it is made soft."""

    name: ClassVar[str] = "small_torch"
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    network: nn.Module

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        where = device.best()
        stack = Stack.of(volumes, side=SIDE)
        seeded(seed)
        taught = network().to(where)

        def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
            del rng
            slices = device.tensor(stack[rows][:, None], where)
            return functional.mse_loss(taught(soft(slices)), slices)

        plan = Plan(epochs=EPOCHS[preset], batch=32, rate=1e-2)
        rows, held_out = stack.split(share=0.2, seed=seed)
        teach(taught, loss, taught=rows, held_out=held_out, plan=plan, seed=seed, say=say)
        return cls(taught)

    def score(self, volume: Array) -> Scores:
        where = next(self.network.parameters()).device
        with torch.inference_mode(), device.autocast(where):
            maps = [
                self._difference(device.tensor(batch[:, None], where))
                for batch in batches(axial(volume, side=SIDE), size=32)
            ]
        voxels = stacked(np.concatenate(maps), volume.shape)
        return Scores(sample=float(voxels.mean()), voxels=voxels)

    def _difference(self, slices: torch.Tensor) -> Array:
        return device.array((slices - self.network(soft(slices))).abs()[:, 0])

    def save(self, folder: Path) -> None:
        state.save(self.network, folder / "network.pt")

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(state.load(network(), folder / "network.pt", device.best()))

    def cost(self) -> Parameters:
        return state.count(self.network)


def soft(slices: torch.Tensor) -> torch.Tensor:
    """A mean over 3 × 3 neighbours."""
    return functional.avg_pool2d(slices, 3, stride=1, padding=1)
