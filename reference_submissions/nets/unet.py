"""A U-Net on slices: `depth` resolutions down and up again, joined at each.

After Ronneberger et al. (MICCAI 2015), but padded, so that a map has the slice's size, with group normalisation, which
does to a slice the same whatever else is in its batch, and SiLU in place of ReLU.
"""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

GROUPS = 8  # of channels, each normalised over a whole slice


class UNet(nn.Module):
    """(n, inputs, h, w) to (n, outputs, h, w); h and w are multiples of 2^(depth - 1).

    `width`: channels of the finest resolution, twice as many at each that follows; `offset`: about what it gives
    before it is taught.
    """

    def __init__(self, *, inputs: int, outputs: int, width: int, depth: int, offset: float = 0.0) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth)]
        self.down = nn.ModuleList(block(before, after) for before, after in pairwise([inputs, *widths]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, fine, 2, stride=2) for fine, deep in pairwise(widths))
        self.join = nn.ModuleList(block(2 * fine, fine) for fine in widths[:-1])
        self.offset = offset
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps without a final activation."""
        x = self.down[0](x)
        fine = []
        for down in self.down[1:]:
            fine.append(x)
            x = down(functional.max_pool2d(x, 2))
        for up, join, skip in reversed(list(zip(self.up, self.join, fine, strict=True))):
            x = join(torch.cat([skip, up(x)], dim=1))
        return torch.as_tensor(self.last(x) + self.offset)


def block(inputs: int, outputs: int) -> nn.Module:
    """Two convolutions of 3 × 3. (n, inputs, h, w) to (n, outputs, h, w)."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(math.gcd(GROUPS, outputs), outputs),
            nn.SiLU(),
        ]
    return nn.Sequential(*layers)
