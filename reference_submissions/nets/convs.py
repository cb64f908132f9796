"""Convolutional encoders and decoders of slices, and the grid that tells a convolution where it is.

    encoder(side=64, widths=(16, 32, 64, 256), out=256)        (n, 1, 64, 64) to (n, 256)
    decoder(side=64, widths=(16, 32, 64, 256), latent=256)     (n, 256) to (n, 1, 64, 64)

One convolution of stride 2 for each width, and one over the whole rest; after DCGAN (Radford et al. 2015), without
normalisation, as the autoencoders of Zimmerer's thesis and of MOOD's published example have it.
"""

from collections.abc import Sequence

import torch
from torch import nn

PADDING = 1  # with kernels of 3 and of 4, stride 2 halves a side


class Grid(nn.Module):
    """Two more channels: where a pixel lies along both axes, in (-1, 1) (CoordConv, Liu et al. 2018)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, c, h, w) to (n, c + 2, h, w)."""
        places = grid(x.shape[2], x.shape[3], like=x)
        return torch.cat([x, places.expand(len(x), -1, -1, -1)], dim=1)


def grid(height: int, width: int, *, like: torch.Tensor) -> torch.Tensor:
    """The centres of a grid of pixels over [-1, 1] x [-1, 1]: (2, height, width), rows first."""
    rows, columns = ((2 * torch.arange(n, device=like.device, dtype=like.dtype) + 1) / n - 1 for n in (height, width))
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))


def encoder(
    *, side: int, widths: Sequence[int], out: int, kernel: int = 4, bias: bool = True, grids: bool = False
) -> nn.Sequential:
    """A network from (n, 1, side, side) to (n, out); with `grids`, every convolution of stride 2 knows where it is.

    kernel: 3 or 4. Raises ValueError where a side cannot be halved once for each width.
    """
    layers: list[nn.Module] = []
    for before, after in zip((1, *widths), widths, strict=False):
        layers += [Grid()] * grids
        layers += [nn.Conv2d(before + 2 * grids, after, kernel, stride=2, padding=PADDING, bias=bias), nn.LeakyReLU()]
    last = nn.Conv2d(widths[-1], out, _rest(side, widths), bias=bias)
    return nn.Sequential(*layers, last, nn.Flatten())


def decoder(*, side: int, widths: Sequence[int], latent: int, bias: bool = True, grids: bool = False) -> nn.Sequential:
    """A network from (n, latent) to (n, 1, side, side): what `encoder` does, backwards, with kernels of 4."""
    first = nn.ConvTranspose2d(latent, widths[-1], _rest(side, widths), bias=bias)
    layers: list[nn.Module] = [nn.Unflatten(1, (latent, 1, 1)), first]
    for before, after in zip(widths[::-1], (*widths[-2::-1], 1), strict=True):
        layers += [nn.LeakyReLU(), *[Grid()] * grids]
        layers += [nn.ConvTranspose2d(before + 2 * grids, after, 4, stride=2, padding=PADDING, bias=bias)]
    return nn.Sequential(*layers)


def _rest(side: int, widths: Sequence[int]) -> int:
    """The side that is left after all halvings."""
    rest, odd = divmod(side, 1 << len(widths))
    if odd or not rest:
        raise ValueError(f"a side of {side} pixels cannot be halved {len(widths)} times")
    return rest
