"""PaDiM: at each place of a slice, how far an ImageNet network's features lie from a Gaussian of normal ones.

Defard et al., PaDiM: a patch distribution modeling framework for anomaly detection and localization (ICPR 2020). Bottom
up: features of a slice (section 3.1), a mean and a covariance at each place (3.2), the Mahalanobis distance (3.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from reference_submissions.kit import device, state
from reference_submissions.kit.detector import Array, Detector, Parameters, Preset, Say, Scores
from reference_submissions.kit.training import seeded
from reference_submissions.nets.features import CHANNELS, DEEP, MIDDLE, SHALLOW, Lite0, frozen, lite0, of_volume
from reference_submissions.nets.maps import smooth, to_voxels

LEVELS = (SHALLOW, MIDDLE, DEEP)
REGULARISATION = 0.01  # the paper's ε, here of the features' mean variance: ours are larger than a ResNet's
HIGHEST = 0.25  # of the slices tell a volume's score: a single one is the top of a head as often as a lesion
FLOOR = 1e-6  # added to every variance: scans that are all empty have none
BACKBONE, GAUSSIANS = "backbone.pt", "gaussians.npz"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What differs between presets."""

    side: int  # of a slice, pixels; a place is 4 × 4 of them
    channels: int  # kept, drawn once at random: d
    bands: int  # of heights, each with its own Gaussians: slices from the chin are no measure for those from the crown
    shared: float  # of the covariance is what all places have in common, for want of slices


OPTIONS = MappingProxyType({
    Preset.TINY: Options(side=64, channels=8, bands=2, shared=0.1),
    Preset.SMALL: Options(side=128, channels=40, bands=10, shared=0.3),
    # d = 100 as for ResNet-18; the paper's slices are 224 on a side and its images have no height.
    Preset.PAPER: Options(side=224, channels=100, bands=1, shared=0.0),
})  # fmt: skip


@dataclass(kw_only=True)
class Moments:
    """Mean and scatter of the features at P places, learnt as they come by (Chan, Golub & LeVeque 1979)."""

    count: int
    mean: torch.Tensor  # (P, d)
    scatter: torch.Tensor  # (P, d, d): sum over slices of (x - mean)(x - mean)ᵀ

    @classmethod
    def none(cls, places: int, channels: int, where: torch.device) -> Self:
        """Of no slices."""
        mean = torch.zeros(places, channels, device=where)
        return cls(count=0, mean=mean, scatter=torch.zeros(places, channels, channels, device=where))

    def add(self, features: torch.Tensor) -> None:
        """Learn from n slices. (P, n, d)."""
        new = features.shape[1]
        centred = features - features.mean(dim=1, keepdim=True)
        step = features.mean(dim=1) - self.mean
        total = self.count + new
        self.scatter += centred.mT @ centred + step[:, :, None] * step[:, None, :] * (self.count * new / total)
        self.mean += step * (new / total)
        self.count = total

    @property
    def covariance(self) -> torch.Tensor:
        """Of each place. (P, d, d)."""
        return self.scatter / max(self.count - 1, 1)

    def whitening(self, *, shared: float, ridge: float) -> torch.Tensor:
        """W of each place, lower triangular, with which |W (x - mean)| is the Mahalanobis distance. (P, d, d)."""
        covariance = (1 - shared) * self.covariance + shared * self.covariance.mean(dim=0)
        one = torch.eye(covariance.shape[1], device=covariance.device)
        lower = torch.linalg.cholesky(covariance + one * ridge)
        whitening: torch.Tensor = torch.linalg.solve_triangular(lower, one, upper=False)
        return whitening


@dataclass(frozen=True, kw_only=True)
class Padim(Detector):
    """A Gaussian for each of B bands of heights and P places, over d channels."""

    name: ClassVar[str] = "padim"
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    network: Lite0
    side: int
    chosen: torch.Tensor  # (d,) channels
    means: torch.Tensor  # (B, P, d)
    whitenings: torch.Tensor  # (B, P, d, d)

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Pass over the volumes once; nothing is trained."""
        options, where = OPTIONS[preset], device.best()
        noise = seeded(seed)
        network = lite0(LEVELS, say=say).to(where)
        channels = sum(CHANNELS[level] for level in LEVELS)
        chosen = torch.randperm(channels, generator=noise)[: options.channels].sort().values.to(where)
        places = (options.side // 4) ** 2
        bands = [Moments.none(places, options.channels, where) for _ in range(options.bands)]
        for number, volume in enumerate(volumes, start=1):
            features = chosen_features(network, volume, side=options.side, chosen=chosen)
            belongs = band_of(volume.shape[2], options.bands)
            for band, moments in enumerate(bands):
                if np.any(belongs == band):
                    moments.add(features[:, torch.from_numpy(belongs == band)])
            say(f"{number}/{len(volumes)} volumes")
        shared, ridge = options.shared, ridge_of(bands)
        return cls(
            network=network,
            side=options.side,
            chosen=chosen,
            means=halved(torch.stack([moments.mean for moments in bands])),
            whitenings=halved(torch.stack([moments.whitening(shared=shared, ridge=ridge) for moments in bands])),
        )

    def score(self, volume: Array) -> Scores:
        """Voxels: the distance at their place. A slice: its greatest, as in the paper. The volume: `of_slices`."""
        maps = smooth(self.distances(volume))
        return Scores(sample=of_slices(maps.max(axis=(1, 2))), voxels=to_voxels(maps, volume))

    def distances(self, volume: Array) -> Array:
        """Mahalanobis distances (eq. 2) of every place of every slice. (n, side / 4, side / 4)."""
        features = chosen_features(self.network, volume, side=self.side, chosen=self.chosen)
        belongs = torch.from_numpy(band_of(volume.shape[2], len(self.means)))
        distances = torch.zeros(features.shape[:2], device=features.device)  # (P, n)
        for band, (mean, whitening) in enumerate(zip(self.means, self.whitenings, strict=True)):
            inside = belongs == band
            white = (features[:, inside] - mean[:, None]) @ whitening.mT
            distances[:, inside] = white.norm(dim=2)
        return device.array(distances.T.reshape(volume.shape[2], self.side // 4, self.side // 4))

    def save(self, folder: Path) -> None:
        """Write both files; the Gaussians in half precision, packed, for half of each whitening is 0."""
        state.save(self.network, folder / BACKBONE)
        np.savez_compressed(
            folder / GAUSSIANS,
            side=self.side,
            chosen=self.chosen.cpu().numpy(),
            means=self.means.half().cpu().numpy(),
            whitenings=self.whitenings.half().cpu().numpy(),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read them."""
        where = device.best()
        with np.load(folder / GAUSSIANS, allow_pickle=False) as stored:
            return cls(
                network=frozen(state.load(Lite0(LEVELS), folder / BACKBONE, where)),
                side=int(stored["side"]),
                chosen=torch.from_numpy(stored["chosen"]).to(where),
                means=device.tensor(stored["means"], where),
                whitenings=device.tensor(stored["whitenings"], where),
            )

    def cost(self) -> Parameters:
        """The Gaussians are learnt, if not trained; the network is brought along."""
        fixed = state.count(self.network).fixed
        return Parameters(trainable=self.means.numel() + self.whitenings.numel(), fixed=fixed)


def ridge_of(bands: Sequence[Moments]) -> float:
    """What is added to every variance: of all bands alike, for one that holds only air has next to none of its own."""
    variances = [moments.covariance.diagonal(dim1=1, dim2=2).mean() for moments in bands]
    return REGULARISATION * float(torch.stack(variances).mean()) + FLOOR


def of_slices(slices: Array) -> float:
    """A volume's score from its slices' (n,): the mean of the highest quarter."""
    highest = np.sort(slices)[-max(1, round(HIGHEST * len(slices))) :]
    return float(highest.mean(dtype=np.float64))


def chosen_features(network: Lite0, volume: Array, *, side: int, chosen: torch.Tensor) -> torch.Tensor:
    """Some channels of a volume's n slices, by place. (P, n, d)."""
    maps = torch.cat([batch[:, chosen] for batch in of_volume(network, volume, side=side)])
    return maps.flatten(start_dim=2).permute(2, 0, 1)


def band_of(count: int, bands: int) -> npt.NDArray[np.int64]:
    """Of which band of heights each of `count` slices is. (count,)."""
    return np.arange(count) * bands // count


def halved(values: torch.Tensor) -> torch.Tensor:
    """What half precision keeps: what is saved is then exactly what was used."""
    return values.half().float()
