"""PCA residual: what a scan has that no combination of normal scans shows.

A scan is averaged down to a coarse grid, normalised over its body, z-transformed voxel by voxel, and
projected on the principal components of normal scans. What is left over is smoothed, since an anomaly keeps
its sign over some distance and the chance of anatomy does not, and taken in units of what is usually left
over at that place. Weights come from `train.py`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reference_submissions.kit import Array, Call, Model, main

BODY = 0.01  # darker voxels are background
SMOOTHING = 1.0  # coarse voxels, standard deviation
# The plain norm (2) drowns a small sphere in the sum over a whole body; a maximum would hang on one voxel.
NORM_ORDER = 8
HALFWAY = 4.0  # this many times the usual scores 0.5: normal voxels stay low and no sphere saturates


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What was learnt from normal scans; V voxels of the coarse grid, K components."""

    mean: Array  # (g, g, g) of normalised scans
    spread: Array  # (g, g, g), never 0
    components: Array  # (K, V), orthonormal rows
    usual: Array  # (g, g, g) residual of normal scans that the fit has not seen, never 0
    usual_norm: float  # the same for the norm of a whole scan

    @classmethod
    def read(cls, path: Path) -> "Weights":
        """Read what `write` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(
                mean=stored["mean"],
                spread=stored["spread"],
                components=stored["components"].astype(np.float32),
                usual=stored["usual"],
                usual_norm=float(stored["usual_norm"]),
            )

    def write(self, path: Path) -> None:
        """Write an .npz; the components in half precision, for size."""
        np.savez_compressed(
            path,
            mean=self.mean,
            spread=self.spread,
            components=self.components.astype(np.float16),
            usual=self.usual,
            usual_norm=np.float64(self.usual_norm),
        )


def normalised(scan: Array, side: int) -> Array:
    """A scan on a grid of `side`³, in standard deviations of its body's intensities; background 0."""
    body = scan[scan > BODY]
    centre, spread = (float(body.mean()), float(body.std())) if body.size else (0.0, 1.0)
    # Shifting the background along with the body would make the outline the strongest feature of all.
    coarse = along_axes(scan, [averaging(length, side) for length in scan.shape])
    inside = along_axes((scan > BODY).astype(np.float32), [averaging(length, side) for length in scan.shape])
    return np.asarray((coarse - centre * inside) / max(spread, 1e-6), dtype=np.float32)


def residual(weights: Weights, coarse: Array) -> Array:
    """What the components leave of a normalised scan, in units of what is usual there. (g, g, g)."""
    return left_over(weights.mean, weights.spread, weights.components, coarse) / weights.usual


def left_over(mean: Array, spread: Array, components: Array, coarse: Array) -> Array:
    """Project, subtract and smooth, in z-scores. (g, g, g)."""
    z = ((coarse - mean) / spread).ravel()
    left = (z - components.T @ (components @ z)).reshape(coarse.shape)
    return along_axes(left, [smoothing(length) for length in coarse.shape])


def norm(left: Array) -> float:
    """The mean over the grid of its values to the power NORM_ORDER, and that root of it."""
    return float(np.mean(np.abs(left, dtype=np.float64) ** NORM_ORDER) ** (1 / NORM_ORDER))


def squashed(value: Array | float, one_half: float) -> Array | float:
    """Map [0, inf) to [0, 1), rising; `one_half` goes to 0.5."""
    return value / (value + one_half)


def averaging(length: int, side: int) -> npt.NDArray[np.float32]:
    """Weights (side, length) that average `length` voxels over `side` equal intervals."""
    edges = np.linspace(0, length, side + 1)
    voxel = np.arange(length)
    overlap = np.minimum(edges[1:, None], voxel + 1) - np.maximum(edges[:-1, None], voxel)
    return np.asarray(np.maximum(overlap, 0) * side / length, dtype=np.float32)


def interpolation(side: int, length: int) -> npt.NDArray[np.float32]:
    """Weights (length, side) that interpolate linearly between the centres of `side` equal intervals."""
    place = np.clip((np.arange(length) + 0.5) * side / length - 0.5, 0, side - 1)
    return np.asarray(np.maximum(1 - np.abs(place[:, None] - np.arange(side)), 0), dtype=np.float32)


def smoothing(side: int) -> npt.NDArray[np.float32]:
    """Weights (side, side) of a Gaussian; each row sums to 1, at the borders too."""
    place = np.arange(side)
    weights = np.exp(-0.5 * ((place[:, None] - place) / SMOOTHING) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def along_axes(volume: Array, matrices: list[npt.NDArray[np.float32]]) -> Array:
    """Apply one matrix (new, old) along each axis."""
    for axis, matrix in enumerate(matrices):
        volume = np.moveaxis(np.tensordot(matrix, volume, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(volume, dtype=np.float32)


def scorer(weights: Weights, task: str) -> Model:
    """A scan's score, or its map."""
    side = int(weights.mean.shape[0])

    def of_scan(scan: Array) -> float:
        return float(squashed(norm(residual(weights, normalised(scan, side))), weights.usual_norm))

    def of_voxels(scan: Array) -> Array:
        size = np.abs(residual(weights, normalised(scan, side)))
        fine = along_axes(size, [interpolation(side, length) for length in scan.shape])
        return np.asarray(squashed(fine, HALFWAY), dtype=np.float32)

    return of_scan if task == "sample" else of_voxels


def model_of(call: Call) -> Model:
    """Read the data set's weights, which lie beside this file."""
    return scorer(Weights.read(Path(__file__).with_name(f"{call.dataset}.npz")), call.task)


if __name__ == "__main__":
    main(model_of)
