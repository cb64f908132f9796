import numpy as np
import pytest
import torch

from reference_submissions.cevae.detector import DESIGNS, PLANS, SIDES, SQUARES, CeVae, painted_over
from reference_submissions.kit.checks import phantom
from reference_submissions.kit.detector import Preset
from reference_submissions.kit.slices import Stack
from reference_submissions.kit.training import Plan
from reference_submissions.vae.detector import Design, Network, Score, Vae, normal
from tests.reference_submissions.spheres import auroc

DESIGN = Design(side=24, widths=(8, 16, 32), latent=16, score=Score.COMBI, grids=True, laplace=True, clip=3, draws=4)


@pytest.fixture(scope="module")
def taught() -> Vae:
    stack = Stack.of([phantom(seed) for seed in range(8)], side=24, filled=CeVae.filled)
    return CeVae.learn(stack, DESIGN, Plan(epochs=6, batch=16, rate=3e-3), seed=0, say=print)


def test_spheres_stand_out(taught: Vae) -> None:
    assert auroc(taught) > 0.75


def test_another_score_leaves_it_what_it_is(taught: Vae) -> None:
    assert type(taught.scored_by(Score.REC)) is CeVae


def test_slices_are_painted_over_with_one_to_three_squares() -> None:
    x = torch.full((200, 1, 32, 32), 9.0)

    painted = painted_over(x, 1.5, np.random.default_rng(0))

    values = [each[each != 9].unique() for each in painted]
    shares = (painted != 9).float().mean(dim=(1, 2, 3))
    assert x.min() == 9  # what was given is left alone
    assert {len(found) for found in values} == {1, 2, 3}
    assert max(float(found.abs().max()) for found in values) <= 1.5
    assert shares.min() >= (SIDES[0] * 0.9) ** 2
    assert shares.max() <= SQUARES * SIDES[1] ** 2


def test_the_loss_is_that_of_a_vae_and_of_a_repair_from_the_mean_alone() -> None:
    torch.manual_seed(0)
    network, rng = Network(DESIGN), np.random.default_rng(0)
    x = torch.rand(4, 1, 24, 24)

    loss = CeVae(network=network, options=DESIGN).loss(x, rng)

    again = np.random.default_rng(0)
    posterior = network.posterior(x)
    z = posterior.mean + posterior.log_sigma.exp() * normal(again, (4, 16), x.device)
    mean = network.posterior(painted_over(x, 3, again)).mean
    errors = (x - network.decoded(z)).abs() + (x - network.decoded(mean)).abs()
    torch.testing.assert_close(loss, (posterior.kl() + errors.sum(dim=(1, 2, 3))).mean())


def test_the_papers_network_is_the_papers() -> None:
    design, plan = DESIGNS[Preset.PAPER], PLANS[Preset.PAPER]

    assert (design.latent, tuple(design.widths)) == (1024, (16, 64, 256, 1024))
    assert (plan.epochs, plan.batch, plan.rate) == (60, 64, 2e-4)
    assert Network(design).reconstructed(torch.zeros(1, 1, 64, 64)).shape == (1, 1, 64, 64)
