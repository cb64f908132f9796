"""Tiny scans that obey the contract, and what an image would run."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from reference_submissions import context
from reference_submissions.kit.detector import Array, Preset
from reference_submissions.method import Method
from toy_cases import anomalies
from toy_cases.build import write_training
from toy_cases.nifti import write_volume
from toy_cases.phantoms import PHANTOMS

SIDE = 28
AFFINE = np.array([[-3.0, 0, 0, 40], [0, 3, 0, -50], [0, 0, 3, 7], [0, 0, 0, 1]])
SMALL_TORCH = Path(__file__).parent / "small_torch"


@contextmanager
def importable(folder: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder's package is what its name stands for, whatever other tests have imported by it; and not after this."""
    monkeypatch.syspath_prepend(folder)
    yield
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[module]


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A method as its image has it: a workspace, and nothing else of the project."""

    workspace: Path

    def run(self, task: str, dataset: str, data: Path, pred: Path) -> subprocess.CompletedProcess[str]:
        """Call an entry script, with this machine's Python as the image's."""
        python = self.workspace.parent / "bin" / "python"
        if not python.exists():
            python.parent.mkdir()
            python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            python.chmod(0o755)
        return subprocess.run(
            ["sh", str(self.workspace / f"run_{task}_{dataset}.sh"), str(data), str(pred)],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env={
                "PYTHONPATH": str(self.workspace),
                "PATH": f"{python.parent}:/usr/bin:/bin",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )


@pytest.fixture(scope="session")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_training(folder, sizes={"brain": SIDE, "abdom": SIDE}, count=8, seed=1)
    return folder


@pytest.fixture(scope="session")
def weights(training: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods' weights, in a folder for each and in that one for each data set."""
    folder = tmp_path_factory.mktemp("weights")
    for given, dataset in (("pca", "brain"), ("pca", "abdom"), (str(SMALL_TORCH), "brain")):
        method = Method.find(given)
        method.train(training / dataset, folder / method.name / dataset, preset=Preset.TINY, seed=0, say=print)
    return folder


@pytest.fixture(scope="session")
def installed(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install("pca", weights, tmp_path_factory.mktemp("method"))


def install(given: str, weights: Path, folder: Path) -> Installed:
    """Make a method's context, for its workspace."""
    method = Method.find(given)
    return Installed(workspace=context.prepare(method, weights / method.name, folder / "context") / "workspace")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two brains, one with a sphere and an empty scan; their affine is not the identity."""
    folder = tmp_path_factory.mktemp("data")
    for seed, name in ((100, "0b.nii.gz"), (101, "a1.nii.gz")):
        volume: Array = PHANTOMS["brain"](SIDE, np.random.default_rng(seed))
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
