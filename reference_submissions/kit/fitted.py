"""A detector with its calibration: what a fit gives, what an image carries for each data set, and what it predicts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from reference_submissions.kit.calibration import Calibration
from reference_submissions.kit.detector import Array, Detector, Preset, Say, Scores
from reference_submissions.kit.volumes import split

HELD_OUT = 0.2  # of the normal volumes calibrate instead of teaching


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A detector, and the map of its scores into [0, 1]."""

    detector: Detector
    calibration: Calibration

    @classmethod
    def fit(cls, of: type[Detector], volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Learn from four fifths of some normal volumes, calibrate on the others.

        Raises ValueError where there are fewer than two volumes, or a raw score is negative or not finite.
        """
        taught, held_out = split(volumes, share=HELD_OUT, seed=seed)
        try:
            detector = of.fit(taught, preset=preset, seed=seed, say=say)
        except ValueError as error:
            raise ValueError(f"{len(volumes)} volumes, {len(held_out)} of them kept to calibrate: {error}") from error
        say(f"calibrating on {len(held_out)} volumes")
        start = time.monotonic()
        calibration = Calibration.fit((detector.score(volume) for volume in held_out), seed=seed)
        say(f"calibrated in {time.monotonic() - start:.0f} s")
        return cls(detector=detector, calibration=calibration)

    def score(self, volume: Array) -> Scores:
        """Score a volume, in [0, 1]. What is not a number in it counts as background, infinity as the brightest."""
        return self.calibration.of(self.detector.score(finite(volume)))

    def save(self, folder: Path) -> None:
        """Write both into a folder, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        self.detector.save(folder)
        self.calibration.save(folder)

    @classmethod
    def load(cls, of: type[Detector], folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(detector=of.load(folder), calibration=Calibration.load(folder))


def finite(volume: Array) -> Array:
    """The volume, with 0 for what is not a number and the ends of [0, 1] for infinities."""
    if np.isfinite(volume.sum(dtype=np.float64)):
        return volume
    return np.nan_to_num(volume, nan=0, posinf=1, neginf=0)
