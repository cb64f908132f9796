"""Fit the PCA method to normal scans: `python -m reference_submissions.pca.train TRAINING WEIGHTS.npz`."""

import argparse
from pathlib import Path

import numpy as np

from reference_submissions.kit import Array, scans
from reference_submissions.pca.workspace.predict import Weights, left_over, norm, normalised

SIDE = 24  # of the coarse grid: a sphere of the toy cases is some 3 to 8 of its voxels across
EXPLAINED = 0.90  # of the variance; components past that are mostly one scan's own noise
HELD_OUT = 4  # every fourth scan calibrates instead of teaching
SPREAD_FLOOR = 0.10  # standard deviations: nothing is so constant that any change there is a wonder
USUAL_FLOOR = 0.5  # of the mean of the usual residual
FEWEST = 4  # scans


def fit(folder: Path, *, side: int = SIDE) -> Weights:
    """Learn from the `.nii.gz` files of a folder. Raises ValueError where there are too few of them."""
    coarse = [normalised(scan, side) for scan in scans(folder)]
    if len(coarse) < FEWEST:
        raise ValueError(f"{folder}: {len(coarse)} training scans (*.nii.gz), {FEWEST} at least are needed")
    return fit_scans(np.stack(coarse))


def fit_scans(coarse: Array) -> Weights:
    """Learn from normalised scans (n, g, g, g), FEWEST at least."""
    held_out = np.arange(len(coarse)) % HELD_OUT == HELD_OUT - 1
    taught, unseen = coarse[~held_out], coarse[held_out]
    mean = taught.mean(axis=0)
    spread = taught.std(axis=0) + np.float32(SPREAD_FLOOR)
    z = ((taught - mean) / spread).reshape(len(taught), -1)
    _, values, rows = np.linalg.svd(z, full_matrices=False)
    kept = 1 + int(np.searchsorted(np.cumsum(values**2) / np.sum(values**2), EXPLAINED))
    components = rows[: min(kept, len(taught) - 1)].astype(np.float32)
    left = np.stack([left_over(mean, spread, components, scan) for scan in unseen])
    usual = np.sqrt(np.mean(left**2, axis=0))
    usual = np.maximum(_smoothed(usual), USUAL_FLOOR * usual.mean()).astype(np.float32)
    usual_norm = float(np.median([norm(one / usual) for one in left]))
    return Weights(mean=mean, spread=spread, components=components, usual=usual, usual_norm=usual_norm)


def _smoothed(grid: Array) -> Array:
    """A mean over 3³ neighbours, edges repeated: few scans are held out, so each voxel's own value is rough."""
    for axis in range(3):
        padded = np.pad(grid, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        length = grid.shape[axis]
        parts = (np.take(padded, range(start, start + length), axis=axis) for start in range(3))
        grid = np.asarray(sum(parts) / np.float32(3), dtype=np.float32)
    return grid


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("training", type=Path, help="a folder of normal scans, *.nii.gz")
    parser.add_argument("weights", type=Path, help="the .npz to write")
    arguments = parser.parse_args()
    fit(arguments.training).write(arguments.weights)


if __name__ == "__main__":
    main()
