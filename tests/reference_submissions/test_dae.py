import numpy as np
import pytest
import torch

from reference_submissions.dae.detector import CELL, OPTIONS, Dae, Options, local_deviation, noisy
from reference_submissions.kit.detector import Preset
from reference_submissions.kit.slices import Stack
from reference_submissions.kit.training import Plan
from tests.reference_submissions.small_sets import SIDE, brains, times_chance

OWN = Options(side=SIDE, width=8, depth=3, sigma=0.2, passes=2)


@pytest.fixture(scope="module")
def dae() -> Dae:
    plan = Plan(epochs=2, steps=30, batch=8, rate=3e-3)
    return Dae.learn(Stack.of(brains(8), side=SIDE), OWN, plan, seed=0, say=print)


def test_it_finds_bright_balls_after_seconds(dae: Dae) -> None:
    assert times_chance(dae, brains(4, first=100)) > 20


def test_a_ball_raises_the_score_of_a_volume(dae: Dae) -> None:
    (volume,) = brains(1, first=50)
    sick = volume.copy()
    sick[12:18, 12:18, 12:18] = 1

    assert dae.score(sick).sample > dae.score(volume).sample


def test_air_scores_0(dae: Dae) -> None:
    (volume,) = brains(1, first=51)

    assert dae.score(volume).voxels[volume <= 0.01].max() == 0
    assert dae.score(np.zeros((9, 8, 7), dtype=np.float32)).sample == 0


def test_a_scan_always_meets_the_same_noise(dae: Dae) -> None:
    (volume,) = brains(1, first=52)

    np.testing.assert_array_equal(dae.score(volume).voxels, dae.score(volume).voxels)


def test_a_network_that_changes_nothing_scores_the_mean_of_the_noise() -> None:
    unchanged = torch.nn.Conv2d(1, 1, 1, bias=False)
    torch.nn.init.ones_(unchanged.weight)
    flat = np.full((16, 16, 16), 0.5, dtype=np.float32)
    options = Options(side=16, width=1, depth=1, sigma=0.05, passes=2)
    rng = np.random.default_rng(0)
    noise = noisy(np.stack([flat[0]] * 16), 0.05, rng) + noisy(np.stack([flat[0]] * 16), 0.05, rng) - 1

    scores = Dae(network=unchanged, options=options).score(flat)

    by_hand = np.abs(noise / 2) / 0.1 / 1.5  # no deviation between neighbours: the floor alone
    halved = by_hand.reshape(16, 8, 2, 8, 2).mean(axis=(2, 4))
    assert scores.sample == pytest.approx(halved.mean(), rel=0.02)


def test_noise_is_coarse_of_the_given_strength_and_on_the_body_alone() -> None:
    slices = np.zeros((200, 32, 32), dtype=np.float32)
    slices[:, :, :16] = 0.5

    noise = noisy(slices, 0.1, np.random.default_rng(0)) - slices

    centres = noise[:, CELL // 2 :: CELL, CELL // 2 : 16 : CELL]  # half a pixel from where the grid's values are
    neighbours = noise[:, 8:24, 1:16] - noise[:, 8:24, :15]
    assert centres.std() == pytest.approx(0.1, rel=0.15)
    assert np.abs(neighbours).max() < 0.1
    assert np.abs(noise[:, :, 16:]).max() == 0


def test_local_deviation_is_numpy_s() -> None:
    x = torch.rand(1, 5, 6, generator=torch.Generator().manual_seed(0))

    found = local_deviation(x)

    assert found[0, 2, 3].item() == pytest.approx(x[0, 1:4, 2:5].std(correction=0).item(), abs=1e-5)
    assert found[0, 0, 0].item() == pytest.approx(x[0, :2, :2].std(correction=0).item(), abs=1e-5)


def test_the_paper_s_numbers() -> None:
    assert OPTIONS[Preset.PAPER] == Options(side=128, width=256, depth=3, sigma=0.05, passes=10)
