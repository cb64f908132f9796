"""Phantoms and what is put into them, for methods that are taught for seconds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from reference_submissions.kit.detector import Array, Detector
from toy_cases.phantoms import PHANTOMS

SIDE = 32
Mask = npt.NDArray[np.bool_]


def brains(count: int, *, first: int = 0) -> list[Array]:
    """Normal ones."""
    return [PHANTOMS["brain"](SIDE, np.random.default_rng([7, first + seed])) for seed in range(count)]


def with_ball(volume: Array, *, seed: int) -> tuple[Array, Mask]:
    """A ball a quarter of the volume wide, brighter than anything around it, in the middle half."""
    rng = np.random.default_rng(seed)
    side = len(volume)
    centre = rng.uniform(0.35, 0.65, size=3) * side
    distance = np.sqrt(sum((axis + 0.5 - at) ** 2 for axis, at in zip(np.indices(volume.shape), centre, strict=True)))
    mask = (distance < side / 8) & (volume > 0)
    return np.where(mask, np.float32(1), volume), mask


def times_chance(method: Detector, normal: Sequence[Array]) -> float:
    """The voxels' average precision on volumes with a ball in each, over its value for random scores."""
    pairs = [with_ball(volume, seed=seed) for seed, volume in enumerate(normal)]
    scores = np.concatenate([method.score(volume).voxels.ravel() for volume, _ in pairs])
    truth = np.concatenate([mask.ravel() for _, mask in pairs])
    return float(average_precision_score(truth, scores) / truth.mean())
