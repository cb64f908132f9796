"""Raw scores into [0, 1]: rising, never saturated, and spread over the numbers that half precision has there.

The platform rounds voxel scores to half precision: 15,361 numbers in [0, 1], 1,024 to each power of two. Read as
integers their bits are 0 … 15,360 in the same order: a score's *level*. A raw score is given a level and leaves as
that level's number, so the platform's rounding changes nothing. Levels are dealt out by what normal volumes, held
out from training, have:

    0                  a raw score of 0, and of nothing else
    1 … BULK           the lower nine tenths of their voxels above 0, the same number of voxels to each level
    … HIGHEST          their top tenth, where false positives are made: the same number of levels for every
                       halving of the voxels above (their survival function is taken on a logarithmic scale)
    … TOP              what no normal voxel has: every doubling of the raw score moves on, none reaches the end

So most normal voxels have less than 0.001 and the highest has 0.25; eight times that has 0.5. Half of the levels go
where normal and abnormal voxels mix, few to what is beyond doubt. Scores order voxels; they are no probabilities.
Volumes' scores are not rounded: r / (r + m), m the median of held-out normal volumes.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from reference_submissions.kit.detector import Array, Scores

TOP = 0x3C00  # the bits of 1.0
BULK, HIGHEST = 0x1400, 0x3400  # the bits of 2⁻¹⁰ and 2⁻²
TAIL_OCTAVES = 3.0  # 2³ times the highest normal score stands in the middle of the levels above it: at 0.5
KNOTS = 64  # in each of the two parts below HIGHEST
PER_VOLUME = 2**20  # voxels that stand for a volume, drawn at random
FILE = "calibration.json"
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The map from raw scores to scores in [0, 1]."""

    usual: float  # the median of normal volumes' raw scores, above 0
    raw: tuple[float, ...]  # rising from 0 to the highest of normal voxels
    level: tuple[float, ...]  # of each of these, rising from 0 to HIGHEST; in between it is interpolated

    @classmethod
    def fit(cls, scores: Iterable[Scores], *, seed: int) -> Self:
        """Learn from raw scores of normal volumes. Raises ValueError where one is negative or not finite."""
        rng = np.random.default_rng(seed)
        samples, voxels, highest = [], [], 0.0
        for each in scores:
            _verify(each)
            samples.append(each.sample)
            highest = max(highest, float(each.voxels.max()))
            above = each.voxels[each.voxels > 0]
            voxels.append(above if above.size <= PER_VOLUME else rng.choice(above, PER_VOLUME, replace=False))
        raw, level = _knots(np.concatenate(voxels), highest)
        return cls(usual=float(np.median(samples)) or 1.0, raw=tuple(raw.tolist()), level=tuple(level.tolist()))

    def of(self, scores: Scores) -> Scores:
        """Calibrate raw scores. nan stays nan, which the platform counts."""
        return Scores(sample=self.of_sample(scores.sample), voxels=self.of_voxels(scores.voxels))

    def of_sample(self, raw: float) -> float:
        """Calibrate a volume's raw score, in double precision."""
        return float(1 - self.usual / (max(raw, 0) + self.usual))

    def of_voxels(self, raw: Array) -> Array:
        """Calibrate voxels' raw scores, slab by slab: the double precision in between takes little memory."""
        calibrated = np.empty(raw.shape, dtype=np.float32)
        for slab, out in zip(raw, calibrated, strict=True):
            known = np.nan_to_num(self._levels(slab), nan=0.0)
            out[...] = np.rint(known).astype(np.uint16).view(np.float16)
            out[np.isnan(slab)] = np.nan
        return calibrated

    def _levels(self, raw: Array) -> Numbers:
        levels = np.maximum(np.interp(raw, self.raw, self.level), raw > 0)
        beyond = raw > self.raw[-1]
        octaves = np.log2(raw[beyond].astype(np.float64) / self.raw[-1])
        levels[beyond] = TOP - (TOP - HIGHEST) * TAIL_OCTAVES / (octaves + TAIL_OCTAVES)
        return np.asarray(levels, dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write FILE."""
        (folder / FILE).write_text(json.dumps(asdict(self)), encoding="ascii")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read FILE."""
        stored = json.loads((folder / FILE).read_text(encoding="ascii"))
        return cls(usual=stored["usual"], raw=tuple(stored["raw"]), level=tuple(stored["level"]))


def _verify(scores: Scores) -> None:
    ends = np.array([scores.sample, scores.voxels.min(), scores.voxels.max()])
    if not np.all(np.isfinite(ends) & (ends >= 0)):
        raise ValueError(f"raw scores must be finite and at least 0: sample {ends[0]}, voxels {ends[1]} to {ends[2]}")


def _knots(voxels: Array, highest: float) -> tuple[Numbers, Numbers]:
    """Raw scores and their levels, both rising. Voxels: the raw scores above 0, (n,)."""
    if not voxels.size:
        return np.array([0.0, 1.0]), np.array([0.0, float(HIGHEST)])
    # The share of voxels above a knot, from all of them down to one.
    shares = np.concatenate([np.linspace(1, 0.1, KNOTS), np.geomspace(0.1, min(0.1, 1 / voxels.size), KNOTS)[1:]])
    raw = np.quantile(voxels.astype(np.float64), 1 - shares)
    level = np.concatenate([np.linspace(1, BULK, KNOTS), np.linspace(BULK, HIGHEST, KNOTS)[1:]])
    raw, level = np.append(raw, highest), np.append(level, HIGHEST)
    # Of knots that tie, the last one speaks for them: what lies above stays above.
    last = np.flatnonzero(np.append(np.diff(raw) > 0, True))
    return np.insert(raw[last], 0, 0.0), np.insert(level[last], 0, 0.0)
