"""Tiny scans that obey the contract, and what an image would run."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from reference_submissions import context
from reference_submissions.pca import train
from toy_cases import anomalies
from toy_cases.build import write_training
from toy_cases.nifti import write_volume
from toy_cases.phantoms import PHANTOMS

SIDE = 28
AFFINE = np.array([[-3.0, 0, 0, 40], [0, 3, 0, -50], [0, 0, 3, 7], [0, 0, 0, 1]])


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A method as its image has it: a workspace and the kit, and nothing else of the project."""

    workspace: Path
    kit: Path

    def run(self, task: str, dataset: str, data: Path, pred: Path) -> subprocess.CompletedProcess[str]:
        """Call the entry script's command; the real one names /workspace and an image's python."""
        script = (self.workspace / f"run_{task}_{dataset}.sh").read_text()
        script = script.replace("/workspace", str(self.workspace)).replace("python ", f"{sys.executable} ")
        return subprocess.run(
            ["sh", "-c", script, "sh", str(data), str(pred)],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env={"PYTHONPATH": str(self.kit), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        )


@pytest.fixture(scope="session")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_training(folder, sizes={"brain": SIDE, "abdom": SIDE}, count=16, seed=1)
    return folder


@pytest.fixture(scope="session", params=context.METHODS)
def installed(request: pytest.FixtureRequest, training: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    work = tmp_path_factory.mktemp("method")
    (work / "wheels").mkdir()
    made = context.prepare(request.param, work / "context", wheels=work / "wheels")
    if request.param == "pca":
        for dataset in PHANTOMS:
            train.fit(training / dataset).write(made / "workspace" / f"{dataset}.npz")
    return Installed(workspace=made / "workspace", kit=made / "kit")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two brains, one with a sphere and an empty scan; their affine is not the identity."""
    folder = tmp_path_factory.mktemp("data")
    for seed, name in ((100, "0b.nii.gz"), (101, "a1.nii.gz")):
        volume = PHANTOMS["brain"](SIDE, np.random.default_rng(seed))
        if seed == 101:
            volume = anomalies.sphere(volume, np.random.default_rng(seed)).volume
        write_volume(folder / name, volume, AFFINE)
    empty = nib.Nifti1Image(np.zeros((SIDE, SIDE, SIDE), np.float32), AFFINE)
    nib.save(empty, folder / "c0.nii.gz")
    return folder


@pytest.fixture
def pred(tmp_path: Path) -> Path:
    folder = tmp_path / "pred"
    folder.mkdir()
    return folder
