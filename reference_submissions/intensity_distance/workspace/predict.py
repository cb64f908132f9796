"""How far a voxel's intensity lies from one half: the simplest score that looks at the scan."""

import numpy as np

from reference_submissions.kit import Array, Call, Model, main

MIDDLE = np.float32(0.5)  # the mean intensity of a scan, more or less
BACKGROUND = np.float32(0.01)  # darker voxels are air and score 0


def distance(scan: Array) -> Array:
    """|x - 0.5| for each voxel of the body, so at most 0.5; 0 for background."""
    return np.where(scan < BACKGROUND, np.float32(0), np.abs(scan - MIDDLE))


def model_of(call: Call) -> Model:
    """Score voxels; a scan scores the mean of its voxels (the published example drew that at random)."""

    def mean(scan: Array) -> float:
        return float(distance(scan).mean(dtype=np.float64))

    return distance if call.task == "pixel" else mean


if __name__ == "__main__":
    main(model_of)
