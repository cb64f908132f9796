"""Denoising autoencoder: a U-Net learns to take coarse noise off normal slices; what it takes off a scan is abnormal.

    noisy    = x + e,  e: Gaussian noise on a coarse grid, interpolated
    learn      min  mean over the body of |U(noisy) - x|
    score      | mean over passes of (x - U(noisy)) |  /  (local standard deviation of x + 0.1)

Canon's first part in MOOD 2020 (Zimmerer's thesis, section 4.1.3). Noise as coarse as anomalies are has to be told
from anatomy by what lies around it; noise of single pixels would be taken off by blurring.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from reference_submissions.kit import device
from reference_submissions.kit.detector import Array, Preset, Scores
from reference_submissions.kit.slices import Rows, Stack, axial, batches, resized, stacked
from reference_submissions.kit.training import Loss, Plan
from reference_submissions.nets.convs import Grid
from reference_submissions.nets.sliced import Sliced
from reference_submissions.nets.unet import UNet

BODY = 0.01  # darker pixels are background: neither taught nor scored
CELL = 8  # pixels of a slice to one of the noise's grid
NOISY = 0.7  # of the batches; the others teach that a clean slice stays as it is
FLOOR = 0.1  # added to the local standard deviation: an edge a little off counts less than a change in flat tissue
UNIT = 1.5  # a score of 1, where Canon clamps it
PREDICTED = 32  # slices at a time


@dataclass(frozen=True, kw_only=True)
class Options:
    """What differs between presets and is kept with the weights."""

    side: int  # of a slice, a multiple of CELL
    width: int  # channels of the finest resolution
    depth: int  # resolutions
    sigma: float  # standard deviation of the noise, of the intensity range
    passes: int  # with other noise each, averaged


OPTIONS = MappingProxyType({
    Preset.TINY: Options(side=16, width=8, depth=2, sigma=0.2, passes=1),
    # Louder noise than Canon's: at 0.05 there is little to take off a lesson of minutes.
    Preset.SMALL: Options(side=64, width=16, depth=3, sigma=0.2, passes=4),
    Preset.PAPER: Options(side=128, width=256, depth=3, sigma=0.05, passes=10),
})  # fmt: skip
PLANS = MappingProxyType({
    Preset.TINY: Plan(epochs=2, steps=4, batch=8, rate=1e-3),
    Preset.SMALL: Plan(epochs=30, steps=80, batch=16, rate=1e-3, patience=8, amsgrad=True, decay=1e-5),
    Preset.PAPER: Plan(epochs=800, steps=480, batch=8, rate=1e-3, patience=30, amsgrad=True, decay=1e-5),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Dae(Sliced[Options]):
    """The U-Net and how it is asked."""

    name: ClassVar[str] = "dae"
    kind: ClassVar[type[Options]] = Options
    presets: ClassVar[Mapping[Preset, Options]] = OPTIONS
    plans: ClassVar[Mapping[Preset, Plan]] = PLANS

    @classmethod
    def made(cls, options: Options) -> nn.Module:
        """Slices without noise; the U-Net also sees where a pixel lies."""
        return nn.Sequential(Grid(), UNet(inputs=3, outputs=1, width=options.width, depth=options.depth))

    def lesson(self, stack: Stack, where: torch.device) -> Loss:
        """The mean over the body of |U(noisy) - x|."""

        def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
            x = stack[rows]  # (b, side, side)
            sigma = self.options.sigma if rng.random() < NOISY else 0.0
            body = device.tensor((x > BODY).astype(np.float32), where)
            restored = self.network(device.tensor(noisy(x, sigma, rng)[:, None], where))[:, 0]
            off = (restored - device.tensor(x, where)).abs()
            return torch.sum(off * body) / body.sum().clamp(min=1)

        return loss

    def score(self, volume: Array) -> Scores:
        """Voxels: what is taken off, 1 where Canon clamps it; the volume: their mean. Background scores 0."""
        slices = axial(volume, side=self.options.side)  # (n, side, side)
        rng = np.random.default_rng(0)  # a scan always meets the same noise
        with torch.inference_mode():  # and no mixed precision: these are small differences
            taken_off = np.concatenate([self._taken_off(batch, rng) for batch in batches(slices, size=PREDICTED)])
        halved = resized(taken_off, (len(taken_off), self.options.side // 2, self.options.side // 2))
        voxels = stacked(halved, volume.shape) * (volume > BODY)
        return Scores(sample=float(voxels.mean(dtype=np.float64)), voxels=voxels)

    def _taken_off(self, slices: Array, rng: np.random.Generator) -> Array:
        """(n, side, side) to the same, at least 0."""
        where = next(self.network.parameters()).device
        x = device.tensor(slices, where)
        difference = torch.zeros_like(x)
        for _ in range(self.options.passes):
            asked = device.tensor(noisy(slices, self.options.sigma, rng)[:, None], where)
            difference += x - self.network(asked)[:, 0]
        return device.array((difference / self.options.passes).abs() / (local_deviation(x) + FLOOR) / UNIT)


def noisy(slices: Array, sigma: float, rng: np.random.Generator) -> Array:
    """Add coarse noise to the body, as air has none. (n, side, side) to the same."""
    n, side, _ = slices.shape
    coarse = rng.normal(0, sigma, (n, side // CELL, side // CELL)).astype(np.float32)
    return slices + resized(coarse, slices.shape) * (slices > BODY)


def local_deviation(slices: torch.Tensor) -> torch.Tensor:
    """The standard deviation over 3 × 3 neighbours. (n, h, w) to the same."""
    mean, mean_square = (
        functional.avg_pool2d(each, 3, stride=1, padding=1, count_include_pad=False) for each in (slices, slices**2)
    )
    return (mean_square - mean**2).clamp(min=0).sqrt()
