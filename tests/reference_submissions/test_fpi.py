import numpy as np
import pytest
import torch
from scipy.signal import savgol_filter

from reference_submissions.fpi.detector import (
    Fpi,
    Options,
    WideNet,
    foreign,
    interpolated,
    of_volume,
    savitzky_golay,
)
from reference_submissions.kit.checks import phantom
from reference_submissions.kit.slices import Stack
from reference_submissions.kit.training import Plan
from tests.reference_submissions.small_sets import times_chance

SIDE = 24


@pytest.fixture(scope="module")
def stack() -> Stack:
    return Stack.of([phantom(seed) for seed in range(8)], side=SIDE)


@pytest.fixture(scope="module")
def fpi(stack: Stack) -> Fpi:
    plan = Plan(epochs=3, steps=40, batch=8, rate=4e-3)
    return Fpi.learn(stack, Options(side=SIDE, depth=10, widening=1), plan, seed=0, say=print)


def test_it_finds_balls_after_seconds(fpi: Fpi) -> None:
    assert times_chance(fpi, [phantom(seed) for seed in range(100, 106)]) > 2


def test_a_volume_too_thin_to_smooth_over_is_scored(fpi: Fpi) -> None:
    scores = fpi.score(phantom(9)[:, :, 10:12])

    assert np.isfinite(scores.sample)
    assert scores.voxels.shape == (24, 24, 2)


def test_a_foreign_slice_is_the_same_place_of_another_volume(stack: Stack) -> None:
    rng = np.random.default_rng(0)
    others = [foreign(stack, 30, rng) for _ in range(40)]

    assert {int(stack.volume[other]) for other in others} == set(range(8)) - {int(stack.volume[30])}
    assert np.max(np.abs(stack.height[others] - stack.height[30])) < 2 / SIDE


def test_a_patch_lies_between_both_slices_and_its_label_says_where() -> None:
    x, y = np.zeros((40, 40), dtype=np.float32), np.ones((40, 40), dtype=np.float32)
    y[:20] = 0  # nothing to see there

    for seed in range(50):
        mixed, label = interpolated(x, y, np.random.default_rng(seed))

        np.testing.assert_allclose(mixed, label)
        assert len(np.unique(label[label > 0])) <= 1
        assert label.max() <= 0.95
        assert not label[:20].any()
    assert not x.any()


def test_a_wide_net_has_the_layers_its_depth_says() -> None:
    network = WideNet(depth=16, widening=2)
    convolutions = [each for each in network.down.modules() if isinstance(each, torch.nn.Conv2d)]

    assert network(torch.zeros(2, 1, 16, 24)).shape == (2, 1, 16, 24)
    # 16 = 12 in the blocks, 3 shortcuts that change the width, and the first.
    assert len(convolutions) + 1 == 16


@pytest.mark.parametrize(("count", "window"), [(20, 5), (64, 7), (11, 11)])
def test_smoothing_is_scipy_s(count: int, window: int) -> None:
    values = np.random.default_rng(0).normal(size=count)

    np.testing.assert_allclose(savitzky_golay(values, window=window, order=3), savgol_filter(values, window, 3))


def test_a_volume_scores_the_mean_of_its_highest_quarter() -> None:
    assert of_volume(np.array([0.0, 0.1, 0.4, 0.2])) == pytest.approx(0.4)  # four slices are too few to smooth
    assert of_volume(np.linspace(0, 1, 41)) == pytest.approx(np.mean(np.linspace(0, 1, 41)[-10:]))
