"""Phantoms, half of them with an obvious sphere, and how well a method ranks their voxels."""

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from reference_submissions.kit.checks import SIDE, phantom
from reference_submissions.kit.detector import Array, Detector

RADIUS = 3.5  # voxels


def with_sphere(volume: Array, seed: int, *, value: float) -> tuple[Array, npt.NDArray[np.bool_]]:
    """A sphere of one value somewhere in the middle of a volume, and where it is."""
    centre = np.random.default_rng(seed).uniform(9, SIDE - 9, 3)
    mask = np.sum((np.moveaxis(np.indices(volume.shape), 0, -1) - centre) ** 2, axis=-1) < RADIUS**2
    return np.where(mask, np.float32(value), volume), mask


def auroc(method: Detector, *, value: float = 1.0, count: int = 4) -> float:
    """The AUROC of the voxels of some scans with a sphere, 0.5 by chance."""
    cases = [with_sphere(phantom(seed), seed, value=value) for seed in range(200, 200 + count)]
    scores = np.concatenate([method.score(volume).voxels.ravel() for volume, _ in cases])
    return float(roc_auc_score(np.concatenate([mask.ravel() for _, mask in cases]), scores))
