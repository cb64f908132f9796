"""PCA residual: what a volume has that no combination of normal volumes shows.

A volume is averaged down to a coarse grid, normalised over its body, z-transformed voxel by voxel, and projected on
the principal components of normal volumes (Saase; Zimmerer's thesis, section 4.1). What is left over is smoothed,
since an anomaly keeps its sign over some distance and the chance of anatomy does not, and taken in units of what is
usually left over at that place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np

from reference_submissions.kit.detector import Array, Detector, Parameters, Preset, Say, Scores
from reference_submissions.kit.slices import resized, smoothed

BODY = 0.01  # darker voxels are background
EXPLAINED = 0.90  # of the variance; components past that are mostly one volume's own noise
HELD_OUT = 4  # every fourth volume shows what is usually left over instead of teaching
SPREAD_FLOOR = 0.10  # standard deviations: nothing is so constant that any change there is a wonder
USUAL_FLOOR = 0.5  # of the mean of what is usual
FEWEST = 4  # volumes
FILE = "pca.npz"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What differs between presets."""

    side: int  # of the coarse grid
    smoothing: float  # coarse voxels, standard deviation; 0: none
    order: float  # of the norm that scores a volume
    relative: bool  # in units of what is usual at a place


OPTIONS = MappingProxyType({
    Preset.TINY: Options(side=12, smoothing=1, order=8, relative=True),
    # At 24 a sphere of the toy cases is some 3 to 8 voxels across. The plain norm (order 2) drowns a small one in
    # the sum over a whole body; a maximum would hang on one voxel.
    Preset.SMALL: Options(side=24, smoothing=1, order=8, relative=True),
    # The published norm, without our additions; the grid is ours, the paper's is the registered scan's own.
    Preset.PAPER: Options(side=48, smoothing=0, order=2, relative=False),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Pca(Detector):
    """Mean, spread and principal components of normal volumes; V voxels of the coarse grid, K components."""

    name: ClassVar[str] = "pca"
    mean: Array  # (g, g, g) of normalised volumes
    spread: Array  # (g, g, g), never 0
    components: Array  # (K, V), orthonormal rows
    usual: Array  # (g, g, g) left over in normal volumes that the fit has not seen, never 0
    smoothing: float
    order: float

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Learn from FEWEST volumes at least. Raises ValueError where there are fewer."""
        del seed  # nothing is drawn
        options = OPTIONS[preset]
        if len(volumes) < FEWEST:
            raise ValueError(f"{len(volumes)} normal volumes, PCA needs {FEWEST} at least")
        coarse = np.stack([normalised(volume, options.side) for volume in volumes])
        unseen = np.arange(len(coarse)) % HELD_OUT == HELD_OUT - 1
        taught = coarse[~unseen]
        mean = taught.mean(axis=0)
        spread = taught.std(axis=0) + np.float32(SPREAD_FLOOR)
        components = principal(((taught - mean) / spread).reshape(len(taught), -1))
        say(f"{len(components)} components of {len(taught)} volumes explain {EXPLAINED:.0%}")
        fitted = cls(
            mean=mean,
            spread=spread,
            components=components,
            usual=np.ones_like(mean),
            smoothing=options.smoothing,
            order=options.order,
        )
        return fitted._relative_to(coarse[unseen]) if options.relative else fitted

    def _relative_to(self, unseen: Array) -> Self:
        """Take what is left over in units of what normal volumes (n, g, g, g) have there."""
        left = np.stack([self.left_over(coarse) for coarse in unseen])
        usual = np.sqrt(np.mean(left**2, axis=0))
        usual = np.maximum(_mean_of_neighbours(usual), USUAL_FLOOR * usual.mean())
        return type(self)(**vars(self) | {"usual": np.asarray(usual, dtype=np.float32)})

    def score(self, volume: Array) -> Scores:
        """Voxels: what is left over, interpolated back. The volume: its norm, as a mean over the grid."""
        left = np.abs(self.left_over(normalised(volume, len(self.mean))) / self.usual, dtype=np.float32)
        norm = np.mean(left.astype(np.float64) ** self.order) ** (1 / self.order)
        return Scores(sample=float(norm), voxels=resized(left, volume.shape))

    def left_over(self, coarse: Array) -> Array:
        """Project, subtract and smooth, in z-scores. (g, g, g)."""
        z = ((coarse - self.mean) / self.spread).ravel()
        left = (z - self.components.T @ (self.components @ z)).reshape(coarse.shape)
        return smoothed(left, self.smoothing) if self.smoothing else left

    def save(self, folder: Path) -> None:
        """Write FILE, the components in half precision for size."""
        np.savez_compressed(folder / FILE, **vars(self) | {"components": self.components.astype(np.float16)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read FILE."""
        with np.load(folder / FILE, allow_pickle=False) as stored:
            arrays = {name: stored[name].astype(np.float32) for name in ("mean", "spread", "components", "usual")}
            return cls(**arrays, smoothing=float(stored["smoothing"]), order=float(stored["order"]))

    def cost(self) -> Parameters:
        """All of the arrays are learnt."""
        return Parameters(trainable=self.mean.size + self.spread.size + self.components.size + self.usual.size)


def normalised(volume: Array, side: int) -> Array:
    """A volume on a grid of `side`³, in standard deviations of its body's intensities; background 0."""
    inside = volume > BODY
    body = volume[inside]
    centre, spread = (float(body.mean()), float(body.std())) if body.size else (0.0, 1.0)
    # Shifting the background along with the body would make the outline the strongest feature of all.
    shifted = resized(volume, [side] * 3) - np.float32(centre) * resized(inside.astype(np.float32), [side] * 3)
    return np.asarray(shifted / max(spread, 1e-6), dtype=np.float32)


def principal(z: Array) -> Array:
    """The principal components of z-scores (n, V), centred, that explain EXPLAINED of the variance. (K < n, V)."""
    _, values, rows = np.linalg.svd(z, full_matrices=False)
    kept = 1 + int(np.searchsorted(np.cumsum(values**2) / np.sum(values**2), EXPLAINED))
    return np.asarray(rows[: min(kept, len(z) - 1)], dtype=np.float32)


def _mean_of_neighbours(grid: Array) -> Array:
    """A mean over 3³ neighbours, edges repeated: few volumes are unseen, so each voxel's own value is rough."""
    padded = np.pad(grid, 1, mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, (3, 3, 3)).mean(axis=(3, 4, 5)), np.float32)
