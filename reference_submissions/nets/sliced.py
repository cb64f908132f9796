"""A detector that is one network, taught on axial slices: all of it but the network, its loss and its score."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from torch import nn

from reference_submissions.kit import device, state
from reference_submissions.kit.detector import Array, Detector, Parameters, Preset, Say
from reference_submissions.kit.slices import Stack, axial, batches
from reference_submissions.kit.training import Loss, Plan, seeded, teach

HELD_OUT = 0.1  # of the volumes tell when to stop


class Sided(Protocol):
    """Options: a frozen dataclass of numbers."""

    @property
    def side(self) -> int:
        """Of a slice."""


Options = TypeVar("Options", bound=Sided)


@dataclass(frozen=True, kw_only=True)
class Sliced(Detector, Generic[Options]):
    """A network, and the options that it was made with and is asked with."""

    needs: ClassVar[tuple[str, ...]] = ("torch",)
    kind: ClassVar[type[Any]]  # of the options
    presets: ClassVar[Mapping[Preset, Any]]  # options
    plans: ClassVar[Mapping[Preset, Plan]]
    filled: ClassVar[float] = 0.0  # slices of which no larger share is above 0 do not teach
    network: nn.Module
    options: Options

    @classmethod
    @abstractmethod
    def made(cls, options: Options) -> nn.Module:
        """Make the network, untaught: (n, 1, side, side), slices, to (n, 1, side, side)."""

    @abstractmethod
    def lesson(self, stack: Stack, where: torch.device) -> Loss:
        """Give what is to become small over slices of the stack; the network is at `where`."""

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Learn from the axial slices of normal volumes. Raises ValueError where there are fewer than two."""
        options = cls.presets[preset]
        stack = Stack.of(volumes, side=options.side, filled=cls.filled)
        return cls.learn(stack, options, cls.plans[preset], seed=seed, say=say)

    @classmethod
    def learn(cls, stack: Stack, options: Options, plan: Plan, *, seed: int, say: Say) -> Self:
        """Learn from slices of `options.side`."""
        where = device.best()
        seeded(seed)
        made = cls(network=cls.made(options).to(where), options=options)
        taught, held_out = stack.split(share=HELD_OUT, seed=seed)
        lesson = made.lesson(stack, where)
        teach(made.network, lesson, taught=taught, held_out=held_out, plan=plan, seed=seed, say=say)
        return made

    def maps(self, volume: Array, *, size: int) -> Array:
        """Ask the network about a volume's slices, `size` at a time. (n, side, side)."""
        where = next(self.network.parameters()).device
        with torch.inference_mode(), device.autocast(where):
            found = [
                device.array(self.network(device.tensor(batch[:, None], where))[:, 0])
                for batch in batches(axial(volume, side=self.options.side), size=size)
            ]
        return np.concatenate(found)

    def save(self, folder: Path) -> None:
        """Write the weights, and the options beside them, under the method's name."""
        state.save(self.network, folder / f"{self.name}.pt")
        (folder / f"{self.name}.json").write_text(json.dumps(vars(self.options)), encoding="ascii")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        options = cls.kind(**json.loads((folder / f"{cls.name}.json").read_text(encoding="ascii")))
        return cls(network=state.load(cls.made(options), folder / f"{cls.name}.pt", device.best()), options=options)

    def cost(self) -> Parameters:
        """Count the network's."""
        return state.count(self.network)
