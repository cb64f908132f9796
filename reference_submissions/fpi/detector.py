"""Foreign patch interpolation: a network learns how much of a patch of a slice came from another scan.

    x'       = (1 - a) x + a y  in a rectangle, y: the same place of another scan, a uniform in (0.05, 0.95)
    learn      min  binary cross-entropy of N(x') and a, 0 outside the rectangle
    score      the factor that N finds

Tan et al. (2020), first in MOOD 2020; Zimmerer's thesis, sections 4.1.3 and 4.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from reference_submissions.kit import device
from reference_submissions.kit.detector import Array, Preset, Scores
from reference_submissions.kit.slices import Rows, Stack, stacked
from reference_submissions.kit.training import Loss, Plan
from reference_submissions.nets.drawn import patch
from reference_submissions.nets.sliced import Sliced

HALF = (0.05, 0.20)  # of the side: half of a patch's height, of its width
MIDDLE = 0.5  # of the slice, along each axis, holds a patch's centre
FACTORS = (0.05, 0.95)
ALIKE = 1e-3  # of the intensity range: pixels that differ less cannot be told apart and have no label
PRIOR = -3.0  # the logit that an untaught network gives, as patches are small: one that said 1/2 would first learn that
STEEPEST = 30.0  # logits beyond this are cut off: their odds have to stay finite
WINDOW, ORDER = 0.10, 3  # of the filter over slices: its share of them, the order of its polynomial
HIGHEST = 0.25  # of the slices speak for the volume
PREDICTED = 16  # slices at a time
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What differs between presets and is kept with the weights."""

    side: int  # of a slice, a multiple of 4
    depth: int  # of the wide residual network that the encoder is: 6 n + 4 layers
    widening: int  # k


OPTIONS = MappingProxyType({
    Preset.TINY: Options(side=16, depth=10, widening=1),
    Preset.SMALL: Options(side=64, depth=10, widening=1),
    Preset.PAPER: Options(side=256, depth=16, widening=4),
})  # fmt: skip
PLANS = MappingProxyType({
    Preset.TINY: Plan(epochs=2, steps=4, batch=8, rate=1e-3),
    Preset.SMALL: Plan(epochs=30, steps=60, batch=16, rate=1e-3, patience=8),
    Preset.PAPER: Plan(epochs=50, batch=32, rate=1e-3),
})  # fmt: skip


class Block(nn.Module):
    """Two convolutions beside a shortcut, activated before each: (n, inputs, h, w) to (n, outputs, h/s, w/s)."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.second = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        )
        alike = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if alike else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the convolutions add to the shortcut."""
        active = self.first(x)
        plain = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(active)
        return torch.as_tensor(plain + self.second(active))


class WideNet(nn.Module):
    """A wide residual network of three resolutions and its mirror image: (n, 1, h, w) to logits (n, 1, h, w).

    h and w are multiples of 4. As in a U-Net, the way up sees what the way down saw at its resolution.
    """

    def __init__(self, *, depth: int, widening: int) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        widths = [16 * widening, 32 * widening, 64 * widening]
        self.start = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.down = nn.ModuleList(
            group(before, after, blocks=blocks, stride=stride)
            for (before, after), stride in zip(pairwise([16, *widths]), (1, 2, 2), strict=True)
        )
        self.up = nn.ModuleList(group(deep + fine, fine, blocks=blocks) for fine, deep in pairwise(widths))
        self.end = nn.Sequential(nn.BatchNorm2d(widths[0]), nn.ReLU(), nn.Conv2d(widths[0], 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the factor."""
        x = self.start(x)
        fine = []
        for down in self.down:
            x = down(x)
            fine.append(x)
        for up, skip in reversed(list(zip(self.up, fine[:-1], strict=True))):
            x = up(torch.cat([skip, functional.interpolate(x, scale_factor=2.0)], dim=1))
        return torch.as_tensor(self.end(x) + PRIOR)


def group(inputs: int, outputs: int, *, blocks: int, stride: int = 1) -> nn.Module:
    """Blocks of one width; the first of them has the stride."""
    first = Block(inputs, outputs, stride=stride)
    return nn.Sequential(first, *(Block(outputs, outputs) for _ in range(blocks - 1)))


@dataclass(frozen=True, kw_only=True)
class Fpi(Sliced[Options]):
    """The network and the size of its slices."""

    name: ClassVar[str] = "fpi"
    kind: ClassVar[type[Options]] = Options
    presets: ClassVar[Mapping[Preset, Options]] = OPTIONS
    plans: ClassVar[Mapping[Preset, Plan]] = PLANS

    @classmethod
    def made(cls, options: Options) -> nn.Module:
        """Slices to logits."""
        return WideNet(depth=options.depth, widening=options.widening)

    def lesson(self, stack: Stack, where: torch.device) -> Loss:
        """Binary cross-entropy of N(x') and the factor."""

        def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
            others = np.array([foreign(stack, int(row), rng) for row in rows])
            pairs = [interpolated(x, y, rng) for x, y in zip(stack[rows], stack[others], strict=True)]
            slices, factors = (device.tensor(np.stack(each), where) for each in zip(*pairs, strict=True))
            return functional.binary_cross_entropy_with_logits(self.network(slices[:, None])[:, 0], factors)

        return loss

    def score(self, volume: Array) -> Scores:
        """Voxels: the factor as odds, a / (1 - a); the volume: the mean factor of its most abnormal slices."""
        logits = np.clip(self.maps(volume, size=PREDICTED), -STEEPEST, STEEPEST)
        factors = (1 / (1 + np.exp(-logits))).mean(axis=(1, 2), dtype=np.float64)  # (n,)
        return Scores(sample=of_volume(factors), voxels=np.exp(stacked(logits, volume.shape)))


def foreign(stack: Stack, row: int, rng: np.random.Generator) -> int:
    """The row of the same slice of another volume."""
    other = rng.choice(stack.volumes[stack.volumes != stack.volume[row]])
    return stack.at(int(other), float(stack.height[row]))


def interpolated(x: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A slice with a patch on its way to another slice, and the factor of each pixel. All (side, side)."""
    where = patch(len(x), rng, half=HALF, middle=MIDDLE)
    factor = np.float32(rng.uniform(*FACTORS))
    mixed, label = x.copy(), np.zeros_like(x)
    mixed[where] += factor * (y[where] - x[where])
    label[where] = factor * (np.abs(y[where] - x[where]) > ALIKE)
    return mixed, label


def of_volume(factors: Numbers) -> float:
    """A volume's score from its slices' mean factors (n,): smoothed, the mean of the highest quarter."""
    window = max(ORDER + 2, round(WINDOW * len(factors))) | 1  # odd
    smooth = savitzky_golay(factors, window=window, order=ORDER) if len(factors) >= window else factors
    highest = np.sort(smooth)[-max(1, round(HIGHEST * len(smooth))) :]
    return max(0.0, float(highest.mean()))


def savitzky_golay(values: Numbers, *, window: int, order: int) -> Numbers:
    """Each value from the polynomial fitted to the window around it, at the ends to the first and the last. (n,)."""
    half = window // 2
    powers = np.vander(np.arange(-half, half + 1), order + 1, increasing=True)  # (window, order + 1)
    fitted = powers @ np.linalg.pinv(powers)  # (window, window), values to the polynomial's
    middle = np.convolve(values, fitted[half][::-1], mode="valid")
    return np.concatenate([fitted[:half] @ values[:window], middle, fitted[half + 1 :] @ values[-window:]])
