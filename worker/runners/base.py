"""What a runner is asked and what it answers: values in, values out.

`Run` has no network field, so that nobody can ask for one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from threading import Event
from typing import Protocol

from server.protocol import ContainerUser, Limits, Task


class Ended(Enum):
    """How a container start came to its end."""

    EXITED = "exited"  # by itself; see the exit code
    BUDGET = "budget"  # killed past its wall-clock budget
    OUTPUT_FULL = "output full"  # its output folder had no room left
    CANCELLED = "cancelled"  # killed because nobody wants it any more


@dataclass(frozen=True, kw_only=True)
class Run:
    """One container from start to end: the published command line, read-only inputs, an output folder."""

    name: str  # unique on the host
    image: str  # an image ID, sha256:…
    task: Task
    dataset: str
    input_dir: Path  # becomes /mnt/data, read-only
    output_dir: Path  # becomes /mnt/pred; holds nothing yet
    expected: frozenset[str]  # names of the predictions that count as progress
    budget_s: float  # for the whole start
    output_bytes: int  # cap on what the output folder can hold
    limits: Limits
    user: ContainerUser | int  # an int is a uid: `mood try` by an ordinary caller
    gpu: str | None = None  # device id as the engine names it
    labels: Mapping[str, str] = field(default_factory=dict)  # for the reaper

    @property
    def command(self) -> list[str]:
        """The published contract (MOOD 2020)."""
        return ["sh", f"/workspace/run_{self.task}_{self.dataset}.sh", "/mnt/data", "/mnt/pred"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is known of a run when it is over."""

    ended: Ended
    exit_code: int | None
    killed_for_memory: bool  # any process in it, by the kernel
    wall_s: float
    peak_memory_bytes: int | None  # highest sample; None: too short to sample
    log: str
    log_cut: bool
    predicted_at_s: Mapping[str, float]  # file name -> seconds after the start


class Runner(Protocol):
    """A container engine."""

    def run(self, run: Run, *, progress: Callable[[int], None], cancelled: Event) -> Outcome:
        """Run to the end or to the budget; predictions stay in `run.output_dir`.

        `progress` is called with the number of expected predictions written. Raises
        `worker.runners.base.EngineFault` for whatever is not the container's doing.
        """


class EngineFault(Exception):  # noqa: N818  fault is the word for ours
    """The engine could not do its part. Ours."""


class StartRefused(EngineFault):
    """The engine answers, and will not make or start this container. Whose doing that is, is not said yet."""
