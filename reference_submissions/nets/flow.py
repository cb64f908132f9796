"""A conditional normalizing flow: the density of a vector, given where it stands.

Dinh et al., Density estimation using Real NVP (2016), with the condition of CFLOW-AD (Gudovskiy et al. 2022): layers
that are inverted easily carry a vector x to z = φ(x), which is to be standard normal, so that

    log p(x) = log N(φ(x); 0, 1) + log |det dφ/dx|              (SimpleSliceNet, eq. 6)
"""

import math

import torch
from torch import nn

CLAMP = 1.9  # of the logarithm of a factor, so that eight layers can't overflow; CFLOW-AD's value


class Coupling(nn.Module):
    """Half of the channels scale and shift the other half; before, all are put into another order.

    Two linear layers with a ReLU between them tell by how much, from that half and the condition.
    """

    def __init__(self, channels: int, *, condition: int, hidden: int) -> None:
        super().__init__()
        self.kept = channels // 2
        self.order: torch.Tensor
        self.register_buffer("order", torch.randperm(channels))
        changed = channels - self.kept
        last = nn.Linear(hidden, 2 * changed)
        nn.init.zeros_(last.weight)  # it starts as a change of order alone
        nn.init.zeros_(last.bias)
        self.amounts = nn.Sequential(nn.Linear(self.kept + condition, hidden), nn.ReLU(), last)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors (n, C) and conditions (n, K) to vectors (n, C) and log |det| of the change (n,)."""
        x = x[:, self.order]
        kept, changed = x[:, : self.kept], x[:, self.kept :]
        factor, shift = self.amounts(torch.cat([kept, condition], dim=1)).chunk(2, dim=1)
        log_factor = CLAMP * torch.tanh(factor / CLAMP)
        # The Jacobian is triangular but for the order: its determinant is the product of the factors.
        return torch.cat([kept, changed * log_factor.exp() + shift], dim=1), log_factor.sum(dim=1)


class Flow(nn.Module):
    """Coupling layers, one after the other."""

    def __init__(self, channels: int, *, condition: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Coupling(channels, condition=condition, hidden=hidden) for _ in range(layers))

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors (n, C) and conditions (n, K) to φ(x) (n, C) and log |det dφ/dx| (n,)."""
        log_det = x.new_zeros(len(x))
        for layer in self.layers:
            x, more = layer(x, condition)
            log_det = log_det + more
        return x, log_det

    def log_density(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """The logarithm of p(x) for vectors (n, C), in nats. (n,)."""
        z, log_det = self(x, condition)
        log_normal = -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=1)
        return torch.add(log_normal, log_det)


def positions(side: int, channels: int) -> torch.Tensor:
    """Tell places of a side × side grid apart: sines and cosines of row and column, row by row. (side², channels).

    As in CFLOW-AD. `channels` is a multiple of 4; wavelengths go from 2 π cells to 10,000 times that.
    """
    quarter = channels // 4
    rate = torch.exp(-math.log(1e4) * torch.arange(quarter) / quarter)
    angle = torch.arange(side)[:, None] * rate  # (side, quarter)
    waves = torch.cat([angle.sin(), angle.cos()], dim=1)
    rows, columns = waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=2).flatten(end_dim=1)
