"""The scores of a VAE, its gradients against finite differences among them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Independent, Normal, kl_divergence

from reference_submissions.kit.checks import phantom
from reference_submissions.kit.detector import Preset
from reference_submissions.kit.slices import Stack, axial
from reference_submissions.kit.training import Plan
from reference_submissions.vae.detector import (
    DESIGNS,
    Body,
    Design,
    Network,
    Posterior,
    Score,
    Term,
    Terms,
    Vae,
    augmented,
    combi,
    gradient,
    gradient_of,
    rec_error,
    restored,
    sampling_deviation,
    smooth_gradient,
    smoothed_rec_error,
    soft,
    standardised,
    total_variation,
)
from tests.reference_submissions.spheres import auroc, with_sphere

DESIGN = Design(side=8, widths=(4, 6), latent=5, score=Score.REC, draws=3, c=0.7)
TERMS: tuple[Term, ...] = (Terms.elbo, lambda terms: terms.kl, lambda terms: terms.rec)


def network(design: Design = DESIGN) -> Network:
    torch.manual_seed(0)
    return Network(design).double().eval()


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def differences(of: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, step: float = 1e-6) -> torch.Tensor:
    """The central differences of a number by each element of x."""
    found = torch.empty_like(x)
    for index in np.ndindex(*x.shape):
        high, low = x.clone(), x.clone()
        high[index] += step
        low[index] -= step
        found[index] = (of(high) - of(low)).detach() / (2 * step)
    return found


@pytest.fixture(scope="module")
def taught() -> Vae:
    design = Design(side=24, widths=(8, 16, 32), latent=16, score=Score.ELBO_GRAD, c=0.5, clip=3, draws=4, steps=20)
    stack = Stack.of([phantom(seed) for seed in range(8)], side=24, filled=Vae.filled)
    return Vae.learn(stack, design, Plan(epochs=6, batch=16, rate=3e-3), seed=0, say=print)


@pytest.mark.parametrize("term", TERMS, ids=["elbo", "kl", "rec"])
@pytest.mark.parametrize("laplace", [False, True], ids=["normal", "laplace"])
@pytest.mark.parametrize("drawing", [0.0, 1.0], ids=["mean", "draw"])
def test_gradients_are_finite_differences(term: Term, laplace: bool, drawing: float) -> None:  # noqa: FBT001  pytest's
    ours = network(replace(DESIGN, laplace=laplace, grids=laplace))
    x, noise = drawn(2, 1, 8, 8), drawing * drawn(2, 5, seed=1)

    found = gradient(ours, x, noise, term)

    expected = differences(lambda each: term(ours.terms(each, noise)).sum(), x)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_a_restoration_step_goes_down_its_objective() -> None:
    design = replace(DESIGN, steps=2, rate=0.01, variation=0.3)
    ours, y = network(design), drawn(1, 1, 8, 8)
    zero = torch.zeros(1, 5, dtype=y.dtype)

    def objective(x: torch.Tensor) -> torch.Tensor:
        return (ours.terms(x, zero).elbo() + 0.3 * total_variation(x - y)).sum()

    once = y - 0.01 * differences(objective, y)  # variation has no slope where x = y, and central differences say so

    torch.testing.assert_close(restored(ours, y), once - 0.01 * differences(objective, once), rtol=1e-4, atol=1e-6)


def test_kl_and_reconstruction_are_those_of_other_programs() -> None:
    posterior = Posterior(mean=drawn(3, 5), log_sigma=drawn(3, 5, seed=1))
    q = Independent(Normal(posterior.mean, posterior.log_sigma.exp()), 1)
    prior = Independent(Normal(torch.zeros(5), torch.ones(5)), 1)
    x, other = drawn(3, 1, 8, 8), drawn(3, 1, 8, 8, seed=1)

    torch.testing.assert_close(posterior.kl(), kl_divergence(q, prior))
    for laplace, theirs in ((False, stats.norm), (True, stats.laplace)):
        density = theirs.logpdf(x, loc=other, scale=0.7) - theirs.logpdf(0, scale=0.7)  # less its constant
        found = network(replace(DESIGN, laplace=laplace)).rec(x, other)
        np.testing.assert_allclose(found, -density.sum(axis=(1, 2, 3)))


def test_total_variation_by_hand() -> None:
    assert total_variation(torch.tensor([[[[0.0, 1.0], [3.0, 3.0]]]])).tolist() == [1 + 0 + 3 + 2]


def test_smoothgrad_without_noise_and_uncertainty_is_the_gradient() -> None:
    ours, x = network(replace(DESIGN, noise=0.0)).float(), drawn(2, 1, 8, 8).float()

    found = smooth_gradient(ours, x, lambda terms: terms.kl, np.random.default_rng(0))

    torch.testing.assert_close(found, gradient(ours, x, torch.zeros(2, 5), lambda terms: terms.kl))


def test_smoothgrad_is_a_mean_over_noisy_copies() -> None:
    ours, x = network().float(), drawn(2, 1, 8, 8).float()
    rng, again = np.random.default_rng(0), np.random.default_rng(0)

    found = smooth_gradient(ours, x, Terms.elbo, rng)

    copies = []
    for _ in range(3):
        copy = x + 0.3 * torch.from_numpy(again.standard_normal(x.shape, dtype=np.float32))
        copies.append(
            gradient(ours, copy, torch.from_numpy(again.standard_normal((2, 5), dtype=np.float32)), Terms.elbo)
        )
    torch.testing.assert_close(found, torch.stack(copies).mean(dim=0))


def test_scores_of_pixels_are_what_their_equations_say() -> None:
    ours, x = network(replace(DESIGN, draws=200)).float(), drawn(2, 1, 8, 8).float()
    rec = (x - ours.decoded(ours.posterior(x).mean)).abs().detach().numpy()[:, 0]
    kl = gradient_of(lambda terms: terms.kl)(ours, x, np.random.default_rng(0))
    posterior = ours.posterior(x)
    many = torch.stack([ours.decoded(posterior.drawn(drawn(2, 5, seed=seed).float())) for seed in range(200)])

    rng = np.random.default_rng(0)
    np.testing.assert_allclose(rec_error(ours, x, rng), rec, rtol=1e-5)
    np.testing.assert_allclose(smoothed_rec_error(ours, x, rng), soft(rec), rtol=1e-5)
    np.testing.assert_allclose(combi(ours, x, np.random.default_rng(0)), rec * kl, rtol=1e-4)
    np.testing.assert_allclose(sampling_deviation(ours, x, rng), many.std(dim=0).detach().numpy()[:, 0], rtol=0.4)


# What a network is uncertain of, and the gradient of KL alone, point elsewhere after a few seconds of training.
@pytest.mark.parametrize("score", [each for each in Score if each not in {Score.VARIANCE, Score.KL_GRAD}])
def test_spheres_stand_out_by_scores_with_a_reconstruction(taught: Vae, score: Score) -> None:
    assert auroc(taught.scored_by(score)) > 0.75


@pytest.mark.parametrize("score", [Score.VARIANCE, Score.KL_GRAD])
def test_the_other_scores_are_finite_and_above_0(taught: Vae, score: Score) -> None:
    voxels = taught.scored_by(score).score(phantom(40)).voxels

    assert np.isfinite(voxels).all()
    assert voxels.max() > 0


def test_a_volume_scores_the_highest_loss_of_its_slices(taught: Vae) -> None:
    sick, _ = with_sphere(phantom(50), 50, value=1.0)
    slices = axial(sick, side=24)
    body = Body.of(slices)
    x = torch.from_numpy(np.clip((slices - body.mean) / body.spread, -3, 3)[:, None])
    losses = taught.network.terms(x, torch.zeros(len(x), 16)).elbo().detach()

    assert taught.score(sick).sample == pytest.approx(float(losses.max()), rel=1e-4)
    assert taught.score(sick).sample > taught.score(phantom(50)).sample


def test_every_score_is_finite_on_an_empty_scan_and_the_same_each_time(taught: Vae) -> None:
    empty = np.zeros((20, 26, 9), np.float32)
    for score in Score:
        method = taught.scored_by(score)
        scores = method.score(empty)

        assert np.isfinite(scores.voxels).all()
        assert scores.voxels.min() >= 0
        assert np.array_equal(scores.voxels, method.score(empty).voxels)


def test_air_scores_0_and_a_dark_hole_in_a_body_does_not(taught: Vae) -> None:
    volume = np.zeros((24, 24, 24), dtype=np.float32)
    volume[4:20, 4:20, 4:20] = 0.6
    volume[10:14, 10:14, 10:14] = 0

    voxels = taught.score(volume).voxels

    assert voxels[:4].max() == 0
    assert voxels[10:14, 10:14, 10:14].min() > 0


def test_the_score_is_saved_with_the_network(taught: Vae, tmp_path: Path) -> None:
    taught.scored_by(Score.COMBI).save(tmp_path)

    loaded = Vae.load(tmp_path)

    assert loaded.options.score is Score.COMBI
    found, expected = (each.score(phantom(60)).voxels for each in (loaded, taught.scored_by(Score.COMBI)))
    np.testing.assert_allclose(found, expected, atol=0.05 * expected.max())  # weights are kept in half precision


def test_a_body_is_measured_without_background_and_clipped() -> None:
    slices = np.array([[[0.0, 0.005], [0.4, 0.6]]], dtype=np.float32)
    body = Body.of(slices)

    seen = standardised(torch.from_numpy(slices), torch.tensor(body.mean), torch.tensor(body.spread), 1.5)

    assert (body.mean, body.spread) == pytest.approx((0.5, 0.1))
    np.testing.assert_allclose(seen, np.array([[[-1.5, -1.5], [-1, 1]]]), atol=1e-5)


def test_augmented_slices_are_mirrored_turned_and_brightened() -> None:
    slices = torch.zeros(64, 1, 16, 16)
    slices[:, :, 7:9, 10:12] = 0.5  # right of the middle

    made = augmented(slices, np.random.default_rng(0))

    left = made[:, :, :, :8].flatten(1).sum(dim=1) > made[:, :, :, 8:].flatten(1).sum(dim=1)
    assert 16 < int(left.sum()) < 48
    assert made.flatten(1).sum(dim=1).numpy() == pytest.approx(2, rel=0.25)


def test_the_papers_network_is_the_papers() -> None:
    design = DESIGNS[Preset.PAPER]

    ours = Network(design)

    assert (design.side, design.latent, design.c, tuple(design.widths)) == (64, 256, 1, (16, 32, 64, 256))
    assert ours.posterior(torch.zeros(1, 1, 64, 64)).mean.shape == (1, 256)
    assert ours.reconstructed(torch.zeros(1, 1, 64, 64)).shape == (1, 1, 64, 64)
