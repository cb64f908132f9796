"""Variational autoencoder, with every score that Zimmerer's thesis takes from one (sections 3.1 and 4.2, irVAE).

A slice x becomes a normal distribution q(z|x) over latent variables; draws of it are decoded to g(z). Training
minimises the negative evidence lower bound, in sums over latent variables and pixels (equation 3.4):

    L(x) = KL(x) + Rec(x)      KL(x) = KL(q(z|x) || N(0, 1))      Rec(x) = E_q |x - g(z)|^2 / 2c^2

A volume scores the highest L of its slices. A voxel scores what `Score` names; read this file from there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from reference_submissions.kit import device
from reference_submissions.kit.detector import Array, Preset, Scores
from reference_submissions.kit.slices import Rows, Stack, axial, batches, smoothed
from reference_submissions.kit.training import Loss, Plan
from reference_submissions.nets import convs
from reference_submissions.nets.maps import to_voxels
from reference_submissions.nets.sliced import Sliced

BODY = 0.01  # darker pixels are background
TURN, BRIGHTEN = np.pi / 12, 0.1  # augmentation: up to 15 degrees, up to a tenth; neither is published
SOFT = 1.0  # pixels, standard deviation: the published Gaussian with a kernel of 5
BATCH = 64  # slices that are scored at a time
SEED = 0  # of the draws while scoring: a scan's scores are always the same


class Score(StrEnum):
    """What a voxel scores. Gradients are SmoothGrads: means over noisy copies of the slice, then made soft."""

    REC = "rec"  # |x - g(mu(x))|, equation 3.6
    SMOOTHED_REC = "smoothed-rec"  # the same, made soft
    VARIANCE = "variance"  # the standard deviation of g(z) over draws of z
    ELBO_GRAD = "elbo-grad"  # |dL/dx|, equation 3.7: the direction towards normality
    KL_GRAD = "kl-grad"  # |dKL/dx|, equation 3.8
    REC_GRAD = "rec-grad"  # |dRec/dx|, equation 3.9
    COMBI = "combi"  # |x - g(mu(x))| * |dKL/dx|, equation 3.10
    RESTORATION = "restoration"  # |x_hat - x|, x_hat the likelier slice nearby, equations 4.4 and 4.5


@dataclass(frozen=True, kw_only=True)
class Design:
    """The network's shape, what it takes a slice to be, and how voxels are scored."""

    side: int  # of the slices, pixels
    widths: Sequence[int]  # channels after each halving
    latent: int  # variables
    score: Score
    grids: bool = False  # convolutions know where they are (CoordConv)
    c: float = 1.0  # the standard deviation of p(x|z), in those of the body's intensities
    laplace: bool = False  # p(x|z) is a Laplace distribution of scale c instead: Rec = |x - g(z)| / c
    clip: float = 3.0  # standard deviations that a pixel may lie from its body's mean
    draws: int = 10  # noisy copies of a slice to a SmoothGrad, draws of z to a variance
    noise: float = 0.3  # of those copies, standard deviation
    steps: int = 40  # of restoration
    rate: float = 0.1  # of restoration's steps
    variation: float = 0.1  # lambda of equation 4.4
    augmented: bool = False  # slices were mirrored, turned and brightened while they taught

    def __post_init__(self) -> None:
        """Know the score by its name, as a file has it."""
        object.__setattr__(self, "score", Score(self.score))


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """q(z|x) = N(mean, exp(log_sigma)^2) of n slices, k latent variables: both (n, k)."""

    mean: torch.Tensor
    log_sigma: torch.Tensor

    def drawn(self, noise: torch.Tensor) -> torch.Tensor:
        """A draw of z from standard normal noise (n, k): the reparameterisation trick."""
        return self.mean + self.log_sigma.exp() * noise

    def kl(self) -> torch.Tensor:
        """KL(q || N(0, 1)) of each slice, in nats. (n,)."""
        each = (2 * self.log_sigma).exp() + self.mean**2 - 1 - 2 * self.log_sigma
        return each.sum(dim=1) / 2


class Network(nn.Module):
    """Encoder, with one last layer for both mu and log sigma, and decoder. Slices are (n, 1, side, side)."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        side, widths, latent, grids = design.side, design.widths, design.latent, design.grids
        self.design = design
        self.encoder = convs.encoder(side=side, widths=widths, out=2 * latent, grids=grids)
        self.decoder = convs.decoder(side=side, widths=widths, latent=latent, grids=grids)

    def posterior(self, x: torch.Tensor) -> Posterior:
        """Encode slices."""
        mean, log_sigma = self.encoder(x).chunk(2, dim=1)
        return Posterior(mean=mean, log_sigma=log_sigma)

    def reconstructed(self, x: torch.Tensor) -> torch.Tensor:
        """Decode the mean of what is encoded: g(mu(x))."""
        return self.decoded(self.posterior(x).mean)

    def decoded(self, z: torch.Tensor) -> torch.Tensor:
        """Decode latent variables (n, latent): g(z)."""
        slices: torch.Tensor = self.decoder(z)
        return slices

    def rec(self, x: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
        """-log p(x|z) of each slice without its constant, in nats. (n,)."""
        off = (x - decoded).flatten(1)
        if self.design.laplace:
            return off.abs().sum(dim=1) / self.design.c
        return (off**2).sum(dim=1) / 2 / self.design.c**2

    def terms(self, x: torch.Tensor, noise: torch.Tensor) -> "Terms":
        """Both terms of the loss, the expectation by one draw of z from noise (n, latent); noise 0: at its mean."""
        posterior = self.posterior(x)
        return Terms(kl=posterior.kl(), rec=self.rec(x, self.decoded(posterior.drawn(noise))))


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The two terms of L, (n,) each, in nats."""

    kl: torch.Tensor
    rec: torch.Tensor

    def elbo(self) -> torch.Tensor:
        """L, the negative evidence lower bound. (n,)."""
        return self.kl + self.rec


# ---- Gradients ----

Term = Callable[[Terms], torch.Tensor]


def gradient(network: Network, x: torch.Tensor, noise: torch.Tensor, term: Term) -> torch.Tensor:
    """Differentiate a term by x, with z drawn from given noise. (n, 1, side, side)."""
    x = x.detach().requires_grad_(True)
    (found,) = torch.autograd.grad(term(network.terms(x, noise)).sum(), x)
    return found


def smooth_gradient(network: Network, x: torch.Tensor, term: Term, rng: np.random.Generator) -> torch.Tensor:
    """SmoothGrad: the mean of `gradient` over noisy copies of x, each with its own draw of z (Smilkov et al. 2017)."""
    design = network.design
    total = torch.zeros_like(x)
    for _ in range(design.draws):
        copy = x + design.noise * normal(rng, x.shape, x.device)
        total += gradient(network, copy, normal(rng, (len(x), design.latent), x.device), term)
    return total / design.draws


def restored(network: Network, y: torch.Tensor) -> torch.Tensor:
    """Go down L(x) + lambda TV(x - y) from x = y: the likelier slice nearby (You et al. 2019), z at its mean."""
    design, x = network.design, y
    for _ in range(design.steps):
        x = x.detach().requires_grad_(True)
        zero = torch.zeros(len(x), design.latent, device=x.device)
        loss = network.terms(x, zero).elbo().sum() + design.variation * total_variation(x - y).sum()
        (slope,) = torch.autograd.grad(loss, x)
        x = x - design.rate * slope
    return x.detach()


def total_variation(x: torch.Tensor) -> torch.Tensor:
    """The sum of differences between neighbours. (n,)."""
    return x.diff(dim=2).abs().sum(dim=(1, 2, 3)) + x.diff(dim=3).abs().sum(dim=(1, 2, 3))


# ---- Scores of pixels: slices (n, 1, side, side) and a generator to (n, side, side) ----

Localizer = Callable[[Network, torch.Tensor, np.random.Generator], Array]


def rec_error(network: Network, x: torch.Tensor, rng: np.random.Generator) -> Array:
    """|x - g(mu(x))|."""
    del rng  # nothing is drawn
    with torch.inference_mode():
        return device.array((x - network.reconstructed(x)).abs()[:, 0])


def smoothed_rec_error(network: Network, x: torch.Tensor, rng: np.random.Generator) -> Array:
    """`rec_error` made soft."""
    return soft(rec_error(network, x, rng))


def sampling_deviation(network: Network, x: torch.Tensor, rng: np.random.Generator) -> Array:
    """The standard deviation of g(z) over draws of z."""
    with torch.inference_mode():
        posterior = network.posterior(x)
        noises = [normal(rng, posterior.mean.shape, x.device) for _ in range(network.design.draws)]
        decoded = torch.stack([network.decoded(posterior.drawn(noise)) for noise in noises])
        return device.array(decoded.std(dim=0, correction=0)[:, 0])


def gradient_of(term: Term) -> Localizer:
    """|d term / dx| made soft, against the checkerboard of strided convolutions."""

    def localizer(network: Network, x: torch.Tensor, rng: np.random.Generator) -> Array:
        return soft(device.array(smooth_gradient(network, x, term, rng).abs()[:, 0]))

    return localizer


def combi(network: Network, x: torch.Tensor, rng: np.random.Generator) -> Array:
    """`rec_error` times the gradient of KL."""
    return rec_error(network, x, rng) * LOCALIZERS[Score.KL_GRAD](network, x, rng)


def restoration(network: Network, x: torch.Tensor, rng: np.random.Generator) -> Array:
    """How far x is from what is `restored`."""
    del rng  # nothing is drawn
    return device.array((restored(network, x) - x).abs()[:, 0])


def soft(maps: Array) -> Array:
    """A Gaussian over each map of (n, side, side)."""
    return smoothed(maps, SOFT, axes=(1, 2))


LOCALIZERS: Mapping[Score, Localizer] = MappingProxyType({
    Score.REC: rec_error,
    Score.SMOOTHED_REC: smoothed_rec_error,
    Score.VARIANCE: sampling_deviation,
    Score.ELBO_GRAD: gradient_of(Terms.elbo),
    Score.KL_GRAD: gradient_of(lambda terms: terms.kl),
    Score.REC_GRAD: gradient_of(lambda terms: terms.rec),
    Score.COMBI: combi,
    Score.RESTORATION: restoration,
})  # fmt: skip


# ---- What the network sees ----


@dataclass(frozen=True, kw_only=True)
class Body:
    """The intensities of a volume's body, which a pixel is put in relation to."""

    mean: float
    spread: float  # standard deviation, above 0

    @classmethod
    def of(cls, slices: Array) -> "Body":
        """Measure slices (n, side, side) of one volume. Where all is empty, all is far below the mean."""
        inside = slices[slices > BODY].astype(np.float64)
        return (
            cls(mean=float(inside.mean()), spread=max(float(inside.std()), BODY))
            if inside.size
            else cls(mean=1, spread=BODY)
        )


def standardised(slices: torch.Tensor, mean: torch.Tensor, spread: torch.Tensor, clip: float) -> torch.Tensor:
    """Slices in [0, 1] in standard deviations of their body, within +-clip. (n, 1, side, side)."""
    return ((slices - mean) / spread).clamp(-clip, clip)


def augmented(slices: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Mirror half of the slices (n, 1, side, side) in [0, 1], turn all, make all brighter or darker."""
    count = len(slices)
    angle = rng.uniform(-TURN, TURN, count)
    mirror = rng.choice([-1, 1], count)
    rows = [[mirror * np.cos(angle), -np.sin(angle), 0 * angle], [mirror * np.sin(angle), np.cos(angle), 0 * angle]]
    turns = device.tensor(np.moveaxis(np.array(rows), -1, 0), slices.device)  # (n, 2, 3)
    places = functional.affine_grid(turns, list(slices.shape), align_corners=False)
    brightness = device.tensor(rng.uniform(1 - BRIGHTEN, 1 + BRIGHTEN, (count, 1, 1, 1)), slices.device)
    return functional.grid_sample(slices, places, align_corners=False) * brightness


def normal(rng: np.random.Generator, shape: Sequence[int], where: torch.device) -> torch.Tensor:
    """Standard normal numbers, the same ones on every device."""
    return device.tensor(rng.standard_normal(tuple(shape), dtype=np.float32), where)


# ---- The detector ----

DESIGNS: Mapping[Preset, Design] = MappingProxyType({
    Preset.TINY: Design(side=16, widths=(8, 16), latent=8, score=Score.ELBO_GRAD, draws=2),
    Preset.SMALL: Design(side=64, widths=(16, 32, 64, 128), latent=64, score=Score.ELBO_GRAD),
    Preset.PAPER: Design(
        side=64, widths=(16, 32, 64, 256), latent=256, score=Score.ELBO_GRAD, draws=50, augmented=True
    ),
})  # fmt: skip
PLANS: Mapping[Preset, Plan] = MappingProxyType({
    Preset.TINY: Plan(epochs=2, batch=16, rate=1e-3),
    Preset.SMALL: Plan(epochs=20, batch=32, rate=1e-3, patience=3, wait=2),
    Preset.PAPER: Plan(epochs=100, batch=64, rate=1e-4, patience=3, wait=2),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Vae(Sliced[Design]):
    """A variational autoencoder of axial slices; `scored_by` gives it another score."""

    name: ClassVar[str] = "vae"
    kind: ClassVar[type[Design]] = Design
    presets: ClassVar[Mapping[Preset, Design]] = DESIGNS
    plans: ClassVar[Mapping[Preset, Plan]] = PLANS
    filled: ClassVar[float] = -1.0  # empty slices teach too: a scan has them
    network: Network

    @classmethod
    def made(cls, options: Design) -> Network:
        """Encoder and decoder."""
        return Network(options)

    def lesson(self, stack: Stack, where: torch.device) -> Loss:
        """`loss` of slices as `standardised` gives them."""
        design, volumes = self.options, range(stack.volume.max() + 1)
        bodies = [Body.of(stack[np.flatnonzero(stack.volume == number)]) for number in volumes]

        def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
            slices = device.tensor(stack[rows][:, None], where)  # (b, 1, side, side)
            if design.augmented and self.network.training:
                with torch.autocast(where.type, enabled=False):  # half precision would move pixels
                    slices = augmented(slices, rng)
            theirs = np.array([[bodies[number].mean, bodies[number].spread] for number in stack.volume[rows]])
            mean, spread = device.tensor(theirs.T[..., None, None, None], where)  # (b, 1, 1, 1) each
            return self.loss(standardised(slices, mean, spread, design.clip), rng)

        return loss

    def loss(self, x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """L, the mean over slices (b, 1, side, side)."""
        return self.network.terms(x, normal(rng, (len(x), self.options.latent), x.device)).elbo().mean()

    def scored_by(self, score: Score) -> Self:
        """The same network, with another score of voxels."""
        return replace(self, options=replace(self.options, score=score))

    def score(self, volume: Array) -> Scores:
        """Voxels: as the design says, 0 outside the body. The volume: the highest L of a slice, z at its mean."""
        design, where, rng = self.options, next(self.network.parameters()).device, np.random.default_rng(SEED)
        slices = axial(volume, side=design.side)
        body = Body.of(slices)
        mean, spread = torch.tensor([body.mean, body.spread], dtype=torch.float32, device=where)
        maps, losses = [], []
        for batch in batches(slices, size=BATCH):
            x = standardised(device.tensor(batch[:, None], where), mean, spread, design.clip)
            maps.append(LOCALIZERS[design.score](self.network, x, rng))
            with torch.inference_mode():
                losses.append(self.network.terms(x, torch.zeros(len(x), design.latent, device=where)).elbo())
        return Scores(sample=float(torch.cat(losses).max()), voxels=to_voxels(np.concatenate(maps), volume))
