"""SimpleSliceNet: how unlikely a flow finds the features of a cell of a volume, at its place in the slice.

Zhang & Mohsenzadeh, Efficient slice anomaly detection network for 3D brain MRI volume (2024). Bottom up: features of
slices (section 3.6) from a network tuned to scans (3.9), aggregated along depth (3.7), their likelihood by a
conditional normalizing flow (3.8), taught with strange features beside normal ones (3.10), the score (3.3).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from reference_submissions.kit import device, state
from reference_submissions.kit.detector import Array, Detector, Parameters, Preset, Say, Scores
from reference_submissions.kit.slices import Rows, Stack, averaging, resized
from reference_submissions.kit.training import Plan, seeded, teach
from reference_submissions.kit.volumes import held_out
from reference_submissions.nets.edc import Tuning, tune
from reference_submissions.nets.features import CHANNELS, DEEP, MIDDLE, Lite0, frozen, lite0, of_volume
from reference_submissions.nets.flow import Flow, positions
from reference_submissions.nets.maps import BODY, to_voxels

LEVELS = (MIDDLE, DEEP)  # as the paper's second and third stage: 1/8 and 1/16 of the side
CELL = 8  # pixels of a slice that a cell is wide and high
WIDTH = sum(CHANNELS[level] for level in LEVELS)
PATCH = 3  # neighbours averaged: p; the paper does not give it
HELD_OUT = 0.15  # of the volumes tell when to stop
FLOOR = 1e-3  # of a feature's standard deviation, added: a feature may be constant
FILLED = 0.1  # of a slice, at least, to be tuned on
BACKBONE, FLOW, DESIGN = "backbone.pt", "flow.pt", "design.json"


class Push(StrEnum):
    """How normal and strange log-likelihoods are kept apart: semi-push-pull (section 3.10)."""

    NONE = "none"
    TRIPLET = "triplet"  # the paper's best
    RANKING = "ranking"
    BOUNDARY = "boundary"  # BG-SPP, eq. 10


@dataclass(frozen=True, kw_only=True)
class Design:
    """The flow's architecture, and the slices it is for."""

    side: int  # of a slice, pixels
    layers: int
    hidden: int  # of a coupling layer's two linear ones
    condition: int  # sines and cosines that tell a place

    @property
    def grid(self) -> int:
        """Cells along a slice's side."""
        return self.side // CELL


@dataclass(frozen=True, kw_only=True)
class Options:
    """What differs between presets. Margin and percentile are not given in the paper; the noise is of our features."""

    design: Design
    tuning: Tuning
    plan: Plan  # its batch is one volume
    push: Push = Push.TRIPLET
    noise: float = 0.3  # added to make features strange, in their standard deviations
    margin: float = 0.1  # between normal and strange, nats a channel: τ
    percentile: float = 0.05  # of normal log-likelihoods is the boundary: β


OPTIONS = MappingProxyType({
    Preset.TINY: Options(
        design=Design(side=64, layers=2, hidden=32, condition=8),
        tuning=Tuning(steps=2),
        plan=Plan(epochs=8, batch=1, rate=3e-3),
    ),
    Preset.SMALL: Options(
        design=Design(side=128, layers=8, hidden=128, condition=32),
        tuning=Tuning(steps=60),
        plan=Plan(epochs=10, batch=1, rate=1e-3),
    ),
    # Eight layers, Adam 1e-3 and slices of 192² are the paper's. Its 1024 channels are WIDTH here, and its hidden
    # layers shrink with them; steps, epochs and patience are not given.
    Preset.PAPER: Options(
        design=Design(side=192, layers=8, hidden=2 * WIDTH, condition=128),
        tuning=Tuning(steps=2000),
        plan=Plan(epochs=100, batch=1, rate=1e-3, patience=10),
    ),
})  # fmt: skip


class Likelihood(nn.Module):
    """Features of cells to their log-likelihood, given their places: standardised, then the flow."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.flow = Flow(WIDTH, condition=design.condition, hidden=design.hidden, layers=design.layers)
        self.places: torch.Tensor  # (grid², condition)
        self.mean: torch.Tensor  # (WIDTH,)
        self.spread: torch.Tensor
        self.usual: torch.Tensor  # mean and standard deviation of normal cells' log-likelihoods, (2,)
        self.register_buffer("places", positions(design.grid, design.condition))
        self.register_buffer("mean", torch.zeros(WIDTH))
        self.register_buffer("spread", torch.ones(WIDTH))
        self.register_buffer("usual", torch.tensor([0.0, 1.0]))

    def standardise(self, features: torch.Tensor) -> None:
        """Learn mean and standard deviation of some features (n, WIDTH)."""
        self.mean.copy_(features.mean(dim=0).half())  # rounded as `state.save` will
        self.spread.copy_((features.std(dim=0, correction=0) + FLOOR).half())

    def forward(self, features: torch.Tensor, places: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Log-likelihoods of standardised features (n, WIDTH), nats a channel; places: cells' numbers. (n,).

        `noise`: added to them, in their standard deviations.
        """
        x = (features - self.mean) / self.spread
        if noise is not None:
            x = x + noise
        return self.flow.log_density(x, self.places[places]) / WIDTH

    @torch.no_grad()
    def learn_usual(self, cells: Sequence["Cells"]) -> None:
        """Learn what log-likelihoods normal cells have."""
        found = torch.cat([self(each.features.float(), each.places) for each in cells])
        self.usual.copy_(torch.stack([found.mean(), found.std(correction=0) + FLOOR]))

    def raw(self, log_likelihoods: torch.Tensor) -> torch.Tensor:
        """Scores, above 0, in the order of 1 - exp(log p) (eq. 1), which is 1 in any precision for most cells."""
        mean, spread = self.usual
        return functional.softplus((mean - log_likelihoods) / spread)


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Those n cells of a volume that have some body."""

    features: torch.Tensor  # (n, WIDTH)
    places: torch.Tensor  # (n,) in the slice: row · grid + column
    inside: torch.Tensor  # (depth, grid²) bool, which they are


@dataclass(frozen=True, kw_only=True)
class Simpleslicenet(Detector):
    """A tuned network and a flow."""

    name: ClassVar[str] = "simpleslicenet"
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    network: Lite0
    likelihood: Likelihood
    design: Design

    @classmethod
    def fit(cls, volumes: Sequence[Array], *, preset: Preset, seed: int, say: Say) -> Self:
        """Tune the network, keep every volume's features, teach the flow. Raises ValueError below two volumes."""
        return cls.taught(volumes, OPTIONS[preset], seed=seed, say=say)

    @classmethod
    def taught(cls, volumes: Sequence[Array], options: Options, *, seed: int, say: Say) -> Self:
        """Fit with other options than a preset's."""
        design, where = options.design, device.best()
        seeded(seed)
        network = lite0(LEVELS, say=say).to(where)
        slices = Stack.of(volumes, side=design.side, filled=FILLED)
        network = tune(network, slices, options.tuning, seed=seed, say=say)
        cells = [halved(cells_of(network, volume, side=design.side)) for volume in volumes]
        cells = [each for each in cells if len(each.features)]
        say(f"{len(cells)} volumes have {sum(len(each.features) for each in cells)} cells with a body")
        likelihood = Likelihood(design).to(where)
        likelihood.standardise(torch.cat([each.features for each in cells]).float())

        def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
            return torch.stack([loss_of(likelihood, cells[row], options, rng) for row in rows]).mean()

        out = held_out(len(cells), share=HELD_OUT, seed=seed)
        rows, checked = np.flatnonzero(~out), np.flatnonzero(out)
        teach(likelihood, loss, taught=rows, held_out=checked, plan=options.plan, seed=seed, say=say)
        likelihood.learn_usual(cells)
        return cls(network=network, likelihood=likelihood, design=design)

    def score(self, volume: Array) -> Scores:
        """Voxels: how unlikely their cell is. The volume: its most unlikely cell's, the maximum over slices' maxima."""
        maps = self.maps(volume)
        return Scores(sample=float(maps.max()), voxels=to_voxels(maps, volume))

    @torch.no_grad()
    def maps(self, volume: Array) -> Array:
        """Raw scores of cells, 0 where there is no body. (depth, grid, grid)."""
        cells = cells_of(self.network, volume, side=self.design.side)
        raw = torch.zeros(cells.inside.shape, device=cells.features.device)
        raw[cells.inside] = self.likelihood.raw(self.likelihood(cells.features, cells.places))
        return device.array(raw).reshape(-1, self.design.grid, self.design.grid)

    def save(self, folder: Path) -> None:
        """Write the three files."""
        state.save(self.network, folder / BACKBONE)
        state.save(self.likelihood, folder / FLOW)
        (folder / DESIGN).write_text(json.dumps(asdict(self.design)), encoding="ascii")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read them."""
        design, where = Design(**json.loads((folder / DESIGN).read_text(encoding="ascii"))), device.best()
        return cls(
            network=frozen(state.load(Lite0(LEVELS), folder / BACKBONE, where)),
            likelihood=state.load(Likelihood(design), folder / FLOW, where),
            design=design,
        )

    def cost(self) -> Parameters:
        """The flow is trainable; the network is fixed, though tuned before, as the paper counts."""
        return state.count(self.likelihood, self.network)


def cells_of(network: Lite0, volume: Array, *, side: int) -> Cells:
    """The cells of a volume: the mean of its slices' features over windows of depth (eq. 5).

    A cell is as deep as it is wide, for voxels that are cubes; the windows share a slice where they share its voxels.
    """
    grid, count = side // CELL, volume.shape[2]
    depth = max(1, min(count, round(2 * count * grid / sum(volume.shape[:2]))))
    where = network.stem.weight.device
    weights = device.tensor(averaging(count, depth), where)
    features, first = torch.zeros(depth, WIDTH, grid, grid, device=where), 0
    for maps in of_volume(network, volume, side=side, patch=PATCH):
        features += torch.tensordot(weights[:, first : first + len(maps)], maps, dims=1)
        first += len(maps)
    body = resized((volume > BODY).astype(np.float32), (grid, grid, depth)) > 0
    inside = torch.from_numpy(np.moveaxis(body, 2, 0).reshape(depth, -1)).to(where)
    return Cells(
        features=features.flatten(start_dim=2).mT[inside],
        places=inside.nonzero()[:, 1],
        inside=inside,
    )


def halved(cells: Cells) -> Cells:
    """Features in half precision, to keep those of all volumes."""
    return replace(cells, features=cells.features.half())


def loss_of(likelihood: Likelihood, cells: Cells, options: Options, rng: np.random.Generator) -> torch.Tensor:
    """What is to be small for a volume's cells: the negative log-likelihood, and the push (eq. 11). A number.

    Eq. 8 prints the likelihood's terms with the sign of the determinant's turned; here they are as in eq. 6.
    """
    features = cells.features.float()
    noise = rng.normal(0, options.noise, features.shape)
    normal = likelihood(features, cells.places)
    strange = likelihood(features, cells.places, device.tensor(noise, features.device))
    return torch.sub(pushed(normal, strange, options, rng), normal.mean())


def pushed(normal: torch.Tensor, strange: torch.Tensor, options: Options, rng: np.random.Generator) -> torch.Tensor:
    """The semi-push-pull loss of log-likelihoods, nats a channel, both (n,): strange ones need a margin, no more."""
    margin = options.margin
    match options.push:
        case Push.TRIPLET:  # a normal one is nearer to another normal one than to a strange one
            other = normal[torch.from_numpy(rng.permutation(len(normal))).to(normal.device)]
            return functional.relu((normal - other).abs() - (normal - strange).abs() + margin).mean()
        case Push.RANKING:
            return functional.relu(strange - normal + margin).mean()
        case Push.BOUNDARY:
            boundary = normal.detach().quantile(options.percentile)
            return functional.relu(boundary - normal).mean() + functional.relu(strange - boundary + margin).mean()
        case Push.NONE:
            return normal.new_zeros(())
