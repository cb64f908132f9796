"""Encoder-decoder contrast: a pretrained encoder is tuned to scans by a decoder that has to rebuild its maps.

Guo et al., Encoder-decoder contrast for unsupervised anomaly detection in medical images (IEEE TMI 2023), as
SimpleSliceNet (section 3.9) uses it: the decoder is thrown away afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from reference_submissions.kit import device
from reference_submissions.kit.detector import Say
from reference_submissions.kit.slices import Stack
from reference_submissions.nets.features import CHANNELS, Lite0, frozen

BOTTLENECK = 192  # channels at half the deepest level's side
SPOKEN = 20  # steps between two lines of progress


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How far an encoder is tuned."""

    steps: int
    batch: int = 16
    encoder_rate: float = 1e-5  # of Adam, as EDC's published code has it; it is to be tuned, not taught anew
    decoder_rate: float = 5e-4


class Decoder(nn.Module):
    """The encoder's way back: from its deepest map to each of its maps."""

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        widths = [CHANNELS[level] for level in levels]
        self.narrow = _convolution(widths[-1], BOTTLENECK, stride=2)
        ways = pairwise([BOTTLENECK, *reversed(widths)])
        self.stages = nn.ModuleList(_convolution(wide, narrow) for wide, narrow in ways)
        self.heads = nn.ModuleList(nn.Conv2d(width, width, 1) for width in reversed(widths))

    def forward(self, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Maps (n, C, h, w), finest first, to as many rebuilt from the last of them."""
        x = self.narrow(maps[-1])
        rebuilt: list[torch.Tensor] = []
        for level, stage, head in zip(reversed(maps), self.stages, self.heads, strict=True):
            x = stage(functional.interpolate(x, size=level.shape[2:], mode="nearest"))
            rebuilt.insert(0, head(x))
        return rebuilt


def _convolution(wide: int, narrow: int, *, stride: int = 1) -> nn.Module:
    layers = nn.Conv2d(wide, narrow, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()
    return nn.Sequential(*layers)


def global_cosine(encoded: Sequence[torch.Tensor], rebuilt: Sequence[torch.Tensor]) -> torch.Tensor:
    """1 - the cosine between each slice's whole map and its rebuilt one, summed over levels (eq. 9); a number.

    The gradient stops at `encoded`: it reaches the encoder through the decoder alone, so that maps which are easy to
    rebuild, for they are all alike, are no way out.
    """
    distances = [
        1 - functional.cosine_similarity(one.detach().flatten(1), other.flatten(1))
        for one, other in zip(encoded, rebuilt, strict=True)
    ]
    return torch.stack(distances).sum(dim=0).mean()


def tune(network: Lite0, slices: Stack, tuning: Tuning, *, seed: int, say: Say) -> Lite0:
    """Tune a network in place to some slices, and freeze it again."""
    where, rng = network.stem.weight.device, np.random.default_rng(seed)
    network.requires_grad_().train()
    decoder = Decoder(network.levels).to(where).train()
    optimizer = torch.optim.Adam([
        {"params": network.parameters(), "lr": tuning.encoder_rate},
        {"params": decoder.parameters(), "lr": tuning.decoder_rate},
    ])  # fmt: skip
    for step in range(1, tuning.steps + 1):
        x = device.tensor(slices[rng.integers(len(slices), size=tuning.batch)], where)
        with device.autocast(where, training=True):
            encoded = network(x)
            rebuilt = decoder(encoded)
        loss = global_cosine([each.float() for each in encoded], [each.float() for each in rebuilt])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % SPOKEN == 0 or step == tuning.steps:
            say(f"tuning, step {step}/{tuning.steps}: cosine distance {loss.item():.4f}")
    return frozen(network)
