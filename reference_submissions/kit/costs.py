"""What training and predicting take: measured, written beside the weights, put into the image's labels."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from reference_submissions.kit.detector import Preset

FILE = "cost.json"
STATUS = Path("/proc/self/status")
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}  # as the Dockerfile has it
KIBIBYTE = 1024


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one start of an image took."""

    volumes: int
    start_s: float  # to load the method; as `measured` it, all that is not the volumes': Python, imports, warming up
    volume_s: float  # wall clock, the median of the volumes but the first: reading, scoring, writing side by side
    memory_bytes: int  # the process's highest, of the host's memory
    device: str  # "CPU", or the GPU's name
    gpu_bytes: int | None = None  # the highest that tensors took; None: no GPU was used

    def sentence(self) -> str:
        """What it took, in a line."""
        gpu = "" if self.gpu_bytes is None else f", {self.gpu_bytes / 1e6:.0f} MB of the GPU's"
        return (
            f"{self.volumes} volumes: start {self.start_s:.1f} s, {self.volume_s:.2f} s a volume, "
            f"{self.memory_bytes / 1e6:.0f} MB{gpu} ({self.device})"
        )


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a method costs on one data set."""

    method: str
    preset: Preset
    seed: int  # of training
    trainable_parameters: int
    fixed_parameters: int
    training_volumes: int
    training_s: float  # fit and calibration
    volume_shape: Sequence[int]  # of the volume that `predicting` was measured on
    predicting: Run

    def json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    def save(self, folder: Path) -> None:
        """Write FILE."""
        (folder / FILE).write_text(self.json() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read FILE."""
        stored: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return cls(**stored | {"preset": Preset(stored["preset"]), "predicting": Run(**stored["predicting"])})


def measured(module: str, weights: Path, scans: Sequence[Path], *, roots: Sequence[str]) -> Run:
    """Run a method as its image does, on some scans, in a process of its own: the memory is that of predicting alone.

    `roots`: where Python looks for modules. Raises ChildProcessError with what the process said where it fails.
    """
    with tempfile.TemporaryDirectory(prefix="mood-cost-") as folder:
        data, pred, run = (Path(folder) / name for name in ("data", "pred", "run.json"))
        data.mkdir()
        pred.mkdir()
        for number, scan in enumerate(scans):
            shutil.copy(scan, data / f"{number}.nii.gz")
        command = ["-m", "reference_submissions.kit.entry", module, str(weights), "pixel", str(data), str(pred)]
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, *command, "--run", str(run)],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(roots)},
        )
        if done.returncode != 0:
            raise ChildProcessError(f"{module} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        wall_s = time.monotonic() - begun
        said = Run(**json.loads(run.read_text(encoding="utf-8")))
        return replace(said, start_s=wall_s - said.volumes * said.volume_s)


def peak_memory_bytes() -> int:
    """The highest resident memory of this process, of this program alone; 0 where there is no /proc.

    Not getrusage's: that starts with what the parent held when it forked.
    """
    if not STATUS.is_file():
        return 0
    (line,) = (line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * KIBIBYTE


def gpu_of_torch() -> tuple[str, int | None]:
    """The device's name and the highest that tensors took of its memory; torch is not loaded for it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or torch.cuda.max_memory_allocated() == 0:
        return "CPU", None
    return torch.cuda.get_device_name(), int(torch.cuda.max_memory_allocated())
