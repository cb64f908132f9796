"""A network's weights on disk, and its parameters counted."""

from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from reference_submissions.kit.detector import Parameters

Network = TypeVar("Network", bound=nn.Module)


def save(network: nn.Module, path: Path) -> None:
    """Write a network's weights, floats in half precision: half the size, and finer than training is certain of."""
    state = network.state_dict()
    torch.save({name: value.half() if value.is_floating_point() else value for name, value in state.items()}, path)


def load(network: Network, path: Path, device: torch.device) -> Network:
    """Read what `save` wrote into a network of the same architecture; gives it on the device, ready to predict."""
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.to(device).eval()


def count(*networks: nn.Module) -> Parameters:
    """Count parameters; fixed are those that need no gradient."""
    sizes = [(each.numel(), each.requires_grad) for network in networks for each in network.parameters()]
    return Parameters(
        trainable=sum(size for size, learnt in sizes if learnt),
        fixed=sum(size for size, learnt in sizes if not learnt),
    )
