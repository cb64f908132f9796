"""Shape segmentation: a U-Net learns to find shapes drawn into normal slices; what it finds in a scan is abnormal.

    x'       = x, but one of its own grey values inside a drawn shape
    learn      min  binary cross-entropy of U(x') and the shape
    score      the probability of a shape

Canon's second part in MOOD 2020 (Zimmerer's thesis, sections 4.1.3 and 4.2): discs, the sections of spheres, and
thirteen other shapes.
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
from reference_submissions.kit.slices import Rows, Stack, stacked
from reference_submissions.kit.training import Loss, Plan
from reference_submissions.nets.drawn import shape
from reference_submissions.nets.sliced import Sliced
from reference_submissions.nets.unet import UNet

BODY = 0.05  # shapes are drawn on brighter pixels
RADIUS = (4 / 128, 25 / 128)  # of the side
MIDDLE = 0.5  # of the slice, along each axis, holds a shape's centre
DRAWN = 0.75  # of the slices; most slices of a scan have nothing abnormal, and the network is to know such
PRIOR = -3.0  # the logit that an untaught network gives, as shapes are rare: one that said 1/2 would first learn that
STEEPEST = 30.0  # logits beyond this are cut off: their odds have to stay finite
PREDICTED = 32  # slices at a time


@dataclass(frozen=True, kw_only=True)
class Options:
    """What differs between presets and is kept with the weights."""

    side: int  # of a slice
    width: int  # channels of the finest resolution
    depth: int  # resolutions


OPTIONS = MappingProxyType({
    Preset.TINY: Options(side=16, width=8, depth=2),
    Preset.SMALL: Options(side=64, width=16, depth=3),
    Preset.PAPER: Options(side=128, width=256, depth=3),
})  # fmt: skip
PLANS = MappingProxyType({
    Preset.TINY: Plan(epochs=2, steps=4, batch=8, rate=1e-3),
    Preset.SMALL: Plan(epochs=30, steps=80, batch=16, rate=1e-3, patience=8, amsgrad=True, decay=1e-5),
    Preset.PAPER: Plan(epochs=800, steps=480, batch=8, rate=1e-3, patience=30, amsgrad=True, decay=1e-5),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Shapes(Sliced[Options]):
    """The U-Net and the size of its slices."""

    name: ClassVar[str] = "shapes"
    kind: ClassVar[type[Options]] = Options
    presets: ClassVar[Mapping[Preset, Options]] = OPTIONS
    plans: ClassVar[Mapping[Preset, Plan]] = PLANS

    @classmethod
    def made(cls, options: Options) -> nn.Module:
        """Slices to logits."""
        return UNet(inputs=1, outputs=1, width=options.width, depth=options.depth, offset=PRIOR)

    def lesson(self, stack: Stack, where: torch.device) -> Loss:
        """Binary cross-entropy of U(x') and the shape."""

        def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
            pairs = [with_shape(normal, rng) for normal in stack[rows]]
            slices, labels = (device.tensor(np.stack(each), where) for each in zip(*pairs, strict=True))
            return functional.binary_cross_entropy_with_logits(self.network(slices[:, None])[:, 0], labels)

        return loss

    def score(self, volume: Array) -> Scores:
        """Voxels: the odds of a shape; the volume: the mean probability of one."""
        logits = self.logits(volume)
        return Scores(sample=float(probability(logits).mean(dtype=np.float64)), voxels=np.exp(logits))

    def logits(self, volume: Array) -> Array:
        """The logarithm of the odds of a shape, of the volume's shape."""
        maps = self.maps(volume, size=PREDICTED)
        return np.clip(stacked(maps, volume.shape), -STEEPEST, STEEPEST)


def with_shape(normal: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A slice with, most often, a shape drawn on its body, and where: 1 inside, else 0. Both (side, side)."""
    body = normal > BODY
    if rng.random() >= DRAWN or not body.any():
        return normal, np.zeros_like(normal)
    inside = shape(len(normal), rng, radius=RADIUS, middle=MIDDLE) & body
    return np.where(inside, rng.choice(normal[body]), normal), inside.astype(np.float32)


def probability(logits: Array) -> Array:
    """1 / (1 + e^-logit)."""
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)
