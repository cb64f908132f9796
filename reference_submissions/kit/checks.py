"""What every method has to do, for its test: `check(Mine, volumes, tmp_path)`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reference_submissions.kit.detector import Array, Detector, Preset, Say, Scores
from reference_submissions.kit.fitted import Fitted
from reference_submissions.kit.slices import smoothed

SIDE = 24
ALIKE = 0.05  # of the highest score: what storing weights in half precision may change


def check(method: type[Detector], volumes: Sequence[Array], folder: Path, *, say: Say = print) -> None:
    """Fit with the tiny preset, twice; score, save, load, calibrate. Raises AssertionError with what is wrong.

    `volumes`: normal ones, eight or so of 24³ will do; `folder`: empty.
    """
    model = method.fit(volumes[:-1], preset=Preset.TINY, seed=1, say=say)
    scores = model.score(volumes[-1])
    for volume in (volumes[-1], np.zeros_like(volumes[-1]), volumes[-1][2:, :-3, 1:-4]):  # normal, empty, oblong
        _verify(model.score(volume), volume)
    again = method.fit(volumes[:-1], preset=Preset.TINY, seed=1, say=say)
    _hold(_alike(again.score(volumes[-1]), scores), "the same seed gives other scores")
    model.save(folder)
    _hold(_alike(method.load(folder).score(volumes[-1]), scores), "what was saved and loaded gives other scores")
    Fitted.fit(method, volumes, preset=Preset.TINY, seed=1, say=say).save(folder / "fitted")
    calibrated = Fitted.load(method, folder / "fitted").score(volumes[-1])
    _hold(0 <= calibrated.sample <= 1, f"the calibrated score of a volume is {calibrated.sample}")
    ends = calibrated.voxels.min(), calibrated.voxels.max()
    _hold(ends[0] >= 0 and ends[1] <= 1, f"calibrated scores of voxels are {ends[0]} to {ends[1]}")


def phantom(seed: int, *, side: int = SIDE) -> Array:
    """A normal volume without anatomy: a ball of soft texture in the dark. (side, side, side)."""
    rng = np.random.default_rng(seed)
    x, y, z = (2 * np.indices((side,) * 3, dtype=np.float32) + 1) / side - 1
    body = x**2 + y**2 + z**2 < rng.uniform(0.6, 0.75)
    texture = 0.4 + 0.1 * np.cos(5 * x) + smoothed(rng.normal(0, 0.2, body.shape).astype(np.float32), 1.5)
    return np.asarray(np.clip(texture, 0.05, 1) * body, dtype=np.float32)


def _verify(scores: Scores, volume: Array) -> None:
    found = scores.voxels
    _hold(found.shape == volume.shape, f"scores have the shape {found.shape}, the volume {volume.shape}")
    _hold(found.dtype == np.float32, f"scores of voxels are {found.dtype}, float32 is expected")
    ends = np.array([scores.sample, found.min(), found.max()])
    _hold(bool(np.all(np.isfinite(ends) & (ends >= 0))), f"raw scores are {ends[0]}, voxels {ends[1]} to {ends[2]}")


def _alike(one: Scores, other: Scores) -> bool:
    near = np.abs(one.voxels - other.voxels) <= ALIKE * one.voxels.max()
    return bool(near.all()) and abs(one.sample - other.sample) <= ALIKE * one.sample


def _hold(condition: bool, complaint: str) -> None:  # noqa: FBT001  it is the point
    if not condition:
        raise AssertionError(complaint)
