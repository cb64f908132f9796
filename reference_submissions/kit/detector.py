"""The class that a method subclasses; everything else of a submission is the kit's.

    class Mine(Detector):
        name = "mine"

        @classmethod
        def fit(cls, volumes, *, preset, seed, say): ...   # learn from normal volumes
        def score(self, volume): ...                       # -> Scores(sample=…, voxels=…), raw
        def save(self, folder): ...
        @classmethod
        def load(cls, folder): ...

`mood new-submission mine` writes a folder with one that works.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Say = Callable[[str], object]  # takes a line of progress: print, for one


class Preset(StrEnum):
    """How much work a fit is."""

    TINY = "tiny"  # seconds: shows that everything runs, not that it finds anything; for tests
    SMALL = "small"  # minutes on two CPU cores, for 40 volumes of 64³
    PAPER = "paper"  # the paper's architecture and hyperparameters; most want a GPU


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a method says of a volume, higher is more abnormal.

    From a detector they are raw: at least 0, finite, in any range. A probability p is best given as its odds
    p / (1 - p): near 1, where anomalies are, those keep apart what p has rounded together.
    From the kit they are calibrated, in [0, 1].
    """

    sample: float  # of the whole volume
    voxels: Array  # of the volume's shape


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How many numbers a method has learnt (trainable), or brought along (fixed: a pretrained backbone's)."""

    trainable: int = 0
    fixed: int = 0


class Detector(ABC):
    """A method: learns from normal volumes, then scores others. Volumes are float32 (x, y, z) in [0, 1]."""

    name: ClassVar[str]  # the folder's name
    needs: ClassVar[tuple[str, ...]] = ()  # its image's packages beyond numpy and nibabel, as pip names them: "torch"

    @classmethod
    @abstractmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Learn from normal volumes: each is read when it is asked for, any number of times.

        The same volumes, preset and seed give the same detector on the same processor; a GPU may round otherwise.
        """

    @abstractmethod
    def score(self, volume: Array) -> Scores:
        """Score a volume of any shape; an empty one too."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `load` needs into a folder that is there."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. A method on torch goes to `device.best()`."""

    def cost(self) -> Parameters:
        """Count parameters; none unless a method says so."""
        return Parameters()


def detector_in(module: str) -> type[Detector]:
    """Give the detector that a module defines. Raises ValueError where it has none or several."""
    found = [
        member
        for member in vars(import_module(module)).values()
        if isinstance(member, type)
        and issubclass(member, Detector)
        and member.__module__ == module
        and not inspect.isabstract(member)
    ]
    if len(found) != 1:
        names = ", ".join(each.__name__ for each in found) or "none"
        raise ValueError(f"{module}: one subclass of Detector is expected, there is {names}")
    return found[0]
