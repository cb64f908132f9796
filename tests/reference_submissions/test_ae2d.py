import numpy as np
import pytest

from reference_submissions.ae2d.detector import Ae2d, Options
from reference_submissions.kit import device
from reference_submissions.kit.checks import phantom
from reference_submissions.kit.slices import Stack, axial, stacked
from reference_submissions.kit.training import Plan
from tests.reference_submissions.spheres import auroc, with_sphere

OPTIONS = Options(side=24, widths=(8, 16, 32), latent=16)


@pytest.fixture(scope="module")
def taught() -> Ae2d:
    plan = Plan(epochs=6, batch=16, rate=3e-3)
    stack = Stack.of([phantom(seed) for seed in range(8)], side=OPTIONS.side)
    return Ae2d.learn(stack, OPTIONS, plan, seed=0, say=print)


def test_spheres_are_decoded_badly(taught: Ae2d) -> None:
    assert auroc(taught) > 0.9


def test_a_volume_with_a_sphere_scores_higher_than_without(taught: Ae2d) -> None:
    sick, _ = with_sphere(phantom(50), 50, value=1.0)

    assert taught.score(sick).sample > taught.score(phantom(50)).sample


def test_scores_are_squared_errors_and_their_worst_slice(taught: Ae2d) -> None:
    volume = phantom(60)
    slices = axial(volume, side=24)
    decoded = device.array(taught.network(device.tensor(slices[:, None], device.best())))[:, 0]

    scores = taught.score(volume)

    np.testing.assert_allclose(scores.voxels, stacked((slices - decoded) ** 2, volume.shape), atol=1e-6)
    assert scores.sample == pytest.approx(((slices - decoded) ** 2).mean(axis=(1, 2)).max(), rel=1e-4)


def test_an_empty_scan_scores_0(taught: Ae2d) -> None:
    scores = taught.score(np.zeros((20, 22, 5), np.float32))

    assert scores.sample == 0
    assert scores.voxels.max() == 0


def test_the_papers_network_has_its_widths() -> None:
    network = Ae2d.made(Options(side=128, widths=(16, 64, 256, 1024), latent=128))

    # Kernels of 3 x 3 in, of 4 x 4 out, and the 8 x 8 that is left, twice.
    pairs = 1 * 16 + 16 * 64 + 64 * 256 + 256 * 1024
    assert sum(each.numel() for each in network.parameters()) == (9 + 16) * pairs + 2 * 64 * 1024 * 128
