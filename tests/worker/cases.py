"""A challenge folder of 8³ volumes: brain, four toy cases and six hidden ones, both tasks."""

from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from evaluator.dataset import build_manifest, manifest_sha256

SHAPE = (8, 8, 8)
SLUG = "tiny"
DATASET = "brain"
TOY, HIDDEN = 4, 6


def write_volume(path: Path, voxels: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)


def write_case(folder: Path, split: str, name: str, *, anomalous: bool, rng: np.random.Generator) -> None:
    """One case with both labels: a bright cube of 2³ in noise, or noise alone."""
    volume = rng.uniform(0.1, 0.5, SHAPE).astype(np.float32)
    label = np.zeros(SHAPE, dtype=np.uint8)
    if anomalous:
        label[2:4, 2:4, 2:4] = 1
        volume[label > 0] = 0.9
    write_volume(folder / split / f"{name}.nii.gz", volume)
    write_volume(folder / f"{split}_label" / "pixel" / f"{name}.nii.gz", label)
    sample = folder / f"{split}_label" / "sample" / f"{name}.nii.gz.txt"
    sample.parent.mkdir(parents=True, exist_ok=True)
    sample.write_text(f"{int(anomalous)}\n", encoding="ascii")


def write_challenge(folder: Path) -> Path:
    """A whole challenge folder; every second case is anomalous."""
    rng = np.random.default_rng(7)
    brain = folder / DATASET
    for split, count in (("toy", TOY), ("test", HIDDEN)):
        for number in range(count):
            write_case(brain, split, f"{split}_{number}", anomalous=number % 2 == 0, rng=rng)
    title = "title: Tiny\ndatasets: [{name: brain, title: Brain}]\n"
    (folder / "challenge.yaml").write_text(f"slug: {SLUG}\n{title}", encoding="utf-8")
    build_manifest(folder, [DATASET], seed=1, batch_size=20).write(folder)
    return folder


def manifest_hash(folder: Path) -> str:
    return manifest_sha256(folder)
