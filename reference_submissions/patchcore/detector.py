"""PatchCore: how far a patch's features lie from the nearest of a well-spread selection of normal ones.

Roth et al., Towards total recall in industrial anomaly detection (CVPR 2022). Bottom up: features of patches (section
3.1), the selection, a greedy coreset (3.2, algorithm 1), nearest neighbours and the score of an image (3.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
import torch

from reference_submissions.kit import device, state
from reference_submissions.kit.detector import Array, Detector, Parameters, Preset, Say, Scores
from reference_submissions.kit.training import seeded
from reference_submissions.nets.features import DEEP, MIDDLE, Lite0, frozen, lite0, of_volume
from reference_submissions.nets.maps import smooth, to_voxels

LEVELS = (MIDDLE, DEEP)  # as the paper's second and third stage: 1/8 and 1/16 of the side
PATCH = 3  # neighbours averaged: p
SEARCHED = 4096  # patches at a time: their distances to a bank of 2,000 take 33 MB, of 50,000 819 MB
BACKBONE, BANK = "backbone.pt", "bank.npz"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What differs between presets."""

    side: int  # of a slice, pixels; a patch's centre is 8 × 8 of them
    candidates: int  # normal patches drawn at random, the same number from each volume
    share: float  # of the candidates that the bank keeps
    projected: int  # dimensions in which the coreset is sought, by a random projection


OPTIONS = MappingProxyType({
    Preset.TINY: Options(side=64, candidates=200, share=0.25, projected=16),
    Preset.SMALL: Options(side=128, candidates=20_000, share=0.10, projected=64),
    # The share and the projection are the paper's, its images all of their patches: of volumes there are too many.
    Preset.PAPER: Options(side=224, candidates=500_000, share=0.10, projected=128),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The nearest of a bank to each of n patches."""

    rows: torch.Tensor  # (n,) of the bank
    distances: torch.Tensor  # (n,) root mean squares over channels


@dataclass(frozen=True, kw_only=True)
class Patchcore(Detector):
    """A bank of M normal patches, C channels each."""

    name: ClassVar[str] = "patchcore"
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    reweighting: ClassVar[int] = 9  # neighbours in the bank that score an image: b
    network: Lite0
    side: int
    bank: torch.Tensor  # (M, C)

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Pass over the volumes once, then choose; nothing is trained."""
        options, where = OPTIONS[preset], device.best()
        noise = seeded(seed)
        network = lite0(LEVELS, say=say).to(where)
        each = -(-options.candidates // len(volumes))
        drawn = []
        for number, volume in enumerate(volumes, start=1):
            patches = patches_of(network, volume, side=options.side).flatten(end_dim=2)
            drawn.append(patches[torch.randperm(len(patches), generator=noise)[:each].to(where)])
            say(f"{number}/{len(volumes)} volumes")
        candidates = torch.cat(drawn)
        projection = torch.randn(candidates.shape[1], options.projected, generator=noise).to(where)
        count = max(1, round(options.share * len(candidates)))
        rows = coreset(candidates @ projection / options.projected**0.5, count)
        say(f"kept {count} of {len(candidates)} patches")
        return cls(network=network, side=options.side, bank=candidates[rows].half().float())

    def score(self, volume: Array) -> Scores:
        """Voxels: the distance of their patch. The volume: its strangest patch's, reweighted."""
        patches = patches_of(self.network, volume, side=self.side)
        found = nearest(patches.flatten(end_dim=2), self.bank)
        maps = smooth(device.array(found.distances.reshape(patches.shape[:3])))
        strangest = int(found.distances.argmax())
        sample = reweighted(
            patches.flatten(end_dim=2)[strangest], int(found.rows[strangest]), self.bank, self.reweighting
        )
        return Scores(sample=sample, voxels=to_voxels(maps, volume))

    def save(self, folder: Path) -> None:
        """Write both files, in half precision."""
        state.save(self.network, folder / BACKBONE)
        np.savez(folder / BANK, bank=self.bank.half().cpu().numpy(), side=self.side)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read them."""
        where = device.best()
        network = frozen(state.load(Lite0(LEVELS), folder / BACKBONE, where))
        with np.load(folder / BANK, allow_pickle=False) as stored:
            return cls(network=network, side=int(stored["side"]), bank=device.tensor(stored["bank"], where))

    def cost(self) -> Parameters:
        """The bank is learnt, if not trained; the network is brought along."""
        return Parameters(trainable=self.bank.numel(), fixed=state.count(self.network).fixed)


def patches_of(network: Lite0, volume: Array, *, side: int) -> torch.Tensor:
    """The patches of a volume's n slices. (n, side / 8, side / 8, C)."""
    return torch.cat(list(of_volume(network, volume, side=side, patch=PATCH))).permute(0, 2, 3, 1)


def coreset(points: torch.Tensor, count: int) -> torch.Tensor:
    """Choose points, (n, d), one by one: the next is the one farthest from all that are chosen. Rows (count,).

    Greedy k-centre; the first is the one farthest from the mean.
    """
    centred = points - points.mean(dim=0)  # small numbers, small rounding
    squares = centred.square().sum(dim=1)
    gap = squares.clone()  # squared distance to the nearest chosen one
    rows = torch.empty(count, dtype=torch.int64, device=points.device)
    for number in range(count):
        rows[number] = row = gap.argmax()
        distances = squares + squares[row] - 2 * (centred @ centred[row])
        gap = distances if number == 0 else torch.minimum(gap, distances)
    return rows


def nearest(patches: torch.Tensor, bank: torch.Tensor) -> Neighbours:
    """Find each patch's nearest in the bank, by trying all of it. Patches (n, C), bank (M, C)."""
    found = [_nearest(some, bank) for some in patches.split(SEARCHED)]
    return Neighbours(
        rows=torch.cat([each.rows for each in found]), distances=torch.cat([each.distances for each in found])
    )


def _nearest(patches: torch.Tensor, bank: torch.Tensor) -> Neighbours:
    # |p - b|² = |p|² - 2 p·b + |b|²: the first term is the same for all of the bank. A product rounds (and on a GPU
    # more so), which may swap near ties; the distance is then taken from the difference itself.
    middle = bank.mean(dim=0)
    centred = bank - middle
    rows = torch.addmm(centred.square().sum(dim=1), patches - middle, centred.T, alpha=-2).argmin(dim=1)
    return Neighbours(rows=rows, distances=(patches - bank[rows]).square().mean(dim=1).sqrt())


def reweighted(patch: torch.Tensor, row: int, bank: torch.Tensor, count: int) -> float:
    """The score of an image, s (eq. 7), from its strangest patch (C,), whose nearest is `row` of the bank.

    The distance counts for more where that neighbour is far from its own: it is rare itself. Over the neighbour and
    the `count` - 1 of the bank nearest to it, m: s = (1 - exp(d_row) / Σ exp(d_m)) d_row.
    """
    around = (bank - bank[row]).square().mean(dim=1).topk(min(count, len(bank)), largest=False).indices
    distances = (bank[around] - patch).square().mean(dim=1).sqrt()
    own = (bank[row] - patch).square().mean().sqrt()
    share = torch.exp(own - torch.logsumexp(distances, dim=0))
    return float((1 - share) * own)
