from dataclasses import replace

import numpy as np
import pytest
import torch

from reference_submissions.kit.checks import phantom
from reference_submissions.kit.detector import Preset
from reference_submissions.kit.training import seeded
from reference_submissions.nets.features import lite0
from reference_submissions.simpleslicenet.detector import (
    LEVELS,
    OPTIONS,
    WIDTH,
    Likelihood,
    Push,
    Simpleslicenet,
    cells_of,
    pushed,
)
from tests.reference_submissions.spheres import auroc, with_sphere

OPTION = OPTIONS[Preset.TINY]
NORMAL = [phantom(seed) for seed in range(10)]


@pytest.fixture(scope="module")
def fitted() -> Simpleslicenet:
    return Simpleslicenet.fit(NORMAL, preset=Preset.TINY, seed=0, say=print)


def test_slices_are_aggregated_over_windows_in_any_order() -> None:
    network, volume = lite0(LEVELS, say=str), phantom(0)
    order = np.arange(24).reshape(8, 3)[:, [2, 0, 1]].ravel()  # within windows of three slices

    cells = cells_of(network, volume, side=64)

    assert cells.inside.shape == (8, 64)
    shuffled = cells_of(network, volume[:, :, order], side=64)
    torch.testing.assert_close(shuffled.features, cells.features, rtol=1e-3, atol=1e-3)


def test_a_cell_is_as_deep_as_it_is_wide() -> None:
    network = lite0(LEVELS, say=str)

    assert len(cells_of(network, np.ones((24, 24, 12), np.float32), side=64).inside) == 4
    assert len(cells_of(network, np.ones((8, 8, 3), np.float32), side=64).inside) == 3


def test_cells_without_a_body_are_left_out() -> None:
    volume = np.zeros((24, 24, 24), np.float32)
    volume[3:6, 6:9, 9:12] = 1

    cells = cells_of(lite0(LEVELS, say=str), volume, side=64)

    assert cells.inside.nonzero().tolist() == [[3, 1 * 8 + 2]]
    assert cells.places.tolist() == [1 * 8 + 2]
    assert cells.features.shape == (1, WIDTH)


@pytest.mark.parametrize(
    ("push", "expected"),
    [
        (Push.NONE, 0),
        # Each differs by 0.4 from the other normal one, by 1 and 0.2 from its strange one.
        (Push.TRIPLET, (max(0, 0.4 - 1 + 0.1) + (0.4 - 0.2 + 0.1)) / 2),
        (Push.RANKING, (max(0, -1 + 0.1) + (0.2 + 0.1)) / 2),
        # The boundary is the lower normal one, -1.4; strange ones are at -2 and -1.2.
        (Push.BOUNDARY, 0 + (max(0, -2 + 1.4 + 0.1) + (-1.2 + 1.4 + 0.1)) / 2),
    ],
)
def test_pushes_by_hand(push: Push, expected: float) -> None:
    normal, strange = torch.tensor([-1.0, -1.4]), torch.tensor([-2.0, -1.2])
    assert np.random.default_rng(3).permutation(2).tolist() == [1, 0]

    loss = pushed(normal, strange, replace(OPTION, push=push, percentile=0), np.random.default_rng(3))

    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_raw_scores_are_in_the_order_of_the_papers() -> None:
    likelihood = Likelihood(OPTION.design)
    log_likelihoods = torch.linspace(-8, 0, 20, dtype=torch.float64)

    raw = likelihood.raw(log_likelihoods)

    assert torch.equal(raw.argsort(), (1 - log_likelihoods.exp()).argsort())
    assert raw.min() > 0


def test_the_likelihood_of_a_fresh_flow_is_the_standard_normals() -> None:
    seeded(0)
    likelihood = Likelihood(OPTION.design)
    features = torch.randn(50, WIDTH) * 5 + 2
    likelihood.standardise(features)
    standard = (features - features.mean(dim=0)) / features.std(dim=0, correction=0)

    found = likelihood(features, torch.arange(50))

    expected = torch.distributions.Normal(0, 1).log_prob(standard).mean(dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)


def test_spheres_are_unlikely(fitted: Simpleslicenet) -> None:
    assert auroc(fitted) > 0.8


def test_a_volume_with_a_sphere_scores_higher_than_without(fitted: Simpleslicenet) -> None:
    sick, _ = with_sphere(phantom(50), 50, value=1.0)

    assert fitted.score(sick).sample > fitted.score(phantom(50)).sample


@pytest.mark.parametrize("push", [Push.RANKING, Push.BOUNDARY])
def test_other_pushes_teach_too(push: Push) -> None:
    options = replace(OPTION, push=push, tuning=replace(OPTION.tuning, steps=1), plan=replace(OPTION.plan, epochs=3))

    assert auroc(Simpleslicenet.taught(NORMAL[:5], options, seed=0, say=str), count=2) > 0.7


def test_a_volume_without_a_body_scores_0(fitted: Simpleslicenet) -> None:
    scores = fitted.score(np.zeros((20, 22, 7), np.float32))

    assert scores.sample == 0
    assert scores.voxels.max() == 0


def test_the_flow_is_trainable_and_the_network_fixed(fitted: Simpleslicenet) -> None:
    a_layer = (76 + 8) * 32 + 32 + 32 * 2 * 76 + 2 * 76

    assert fitted.cost().trainable == 2 * a_layer
    assert fitted.cost().fixed == 692_688
