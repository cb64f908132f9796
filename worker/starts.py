"""One container start: its folder, its run, and what its end means.

The same for a toy start, a hidden start and a participant's own `mood try`.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from server.protocol import ContainerUser, FailureCode, Limits, Task, WarningCode
from worker.runners.base import Ended, Outcome, Run, Runner
from worker.runners.docker import NOBODY, ImageFacts
from worker.workspace import RunFolder, output_bytes, run_folder

MOST_UID = 2**31 - 1  # the engine takes none above


@dataclass(frozen=True, kw_only=True)
class Case:
    """A volume with its label, as it stands in a data-set folder."""

    name: str  # its file's, ….nii.gz
    volume: Path
    label: Path
    shape: tuple[int, ...]
    positive_voxels: int | None = None  # of the pixel label, where the manifest says; guards the parser's answer

    @property
    def voxels(self) -> int:
        """How many it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Start:
    """What is to be run."""

    image: ImageFacts
    task: Task
    dataset: str
    cases: tuple[Case, ...]
    limits: Limits
    budget_s: float  # for each case
    user: ContainerUser | int
    gpu: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def output_bytes(self) -> int:
        """Cap on what it may write."""
        return output_bytes(case.voxels for case in self.cases if self.task is Task.PIXEL)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What came of it. The folder lasts as long as the `with` block that gave this."""

    start: Start
    outcome: Outcome
    folder: RunFolder

    @property
    def predictions(self) -> dict[str, Path]:
        """Where each case's prediction would be: case name -> path. Nothing is known of what stands there."""
        return {
            case: self.folder.output_dir / prediction_name(self.start.task, name)
            for name, case in self.folder.case_of.items()
        }

    @property
    def predicted_at_s(self) -> dict[str, float]:
        """When predictions appeared, by the cases' own names."""
        case_of = {prediction_name(self.start.task, name): case for name, case in self.folder.case_of.items()}
        return {case_of[name]: round(at_s, 1) for name, at_s in self.outcome.predicted_at_s.items()}


def prediction_name(task: Task, name: str) -> str:
    """Give the published contract's name of a prediction."""
    return name if task is Task.PIXEL else f"{name}.txt"


def own_user(user: ContainerUser) -> ContainerUser | int:
    """Whom a container runs as here: only root can let it be somebody else than the caller."""
    return user if os.geteuid() == 0 else os.geteuid()


@contextmanager
def started(
    start: Start,
    *,
    runner: Runner,
    parent: Path,
    progress: Callable[[int], None],
    cancelled: Event,
) -> Iterator[Ran]:
    """Run a container to its end, or until it is cancelled, and yield what it left."""
    cap_bytes = start.output_bytes
    volumes = {case.name: case.volume for case in start.cases}
    with run_folder(parent, cases=volumes, output_cap_bytes=cap_bytes, owner=owner_of(start)) as folder:
        run = Run(
            name=folder.name,
            image=start.image.id,
            task=start.task,
            dataset=start.dataset,
            input_dir=folder.input_dir,
            output_dir=folder.output_dir,
            expected=frozenset(prediction_name(start.task, name) for name in folder.case_of),
            budget_s=start.budget_s * len(start.cases),
            output_bytes=cap_bytes,
            limits=start.limits,
            user=start.user,
            gpu=start.gpu,
            labels=start.labels,
        )
        outcome = runner.run(run, progress=progress, cancelled=cancelled)
        yield Ran(start=start, outcome=outcome, folder=folder)


def owner_of(start: Start) -> int | None:
    """The uid that the container will have; None where only its image knows."""
    if isinstance(start.user, int):
        return start.user
    if start.user is ContainerUser.IMAGE:
        uid = start.image.user.split(":")[0] or "0"
        return int(uid) if uid.isdecimal() and int(uid) <= MOST_UID else None
    return 0 if start.user is ContainerUser.ROOT else NOBODY


def failure_of(outcome: Outcome) -> FailureCode | None:
    """Say how a container start failed, if it did."""
    if outcome.ended is Ended.BUDGET:
        return FailureCode.BUDGET
    if outcome.ended is Ended.OUTPUT_FULL:
        return FailureCode.OUTPUT_FULL
    if outcome.exit_code == 0:
        return None
    return FailureCode.MEMORY if outcome.killed_for_memory else FailureCode.EXIT


def warnings_of(outcome: Outcome) -> dict[WarningCode, int]:
    """Say what was odd about a container start that did not fail."""
    odd = {WarningCode.LOG_CUT: outcome.log_cut, WarningCode.CHILD_MEMORY: outcome.killed_for_memory}
    return {code: 1 for code, was in odd.items() if was}
