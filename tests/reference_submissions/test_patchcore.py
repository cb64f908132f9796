import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from reference_submissions.kit.checks import phantom
from reference_submissions.kit.detector import Preset
from reference_submissions.kit.training import seeded
from reference_submissions.patchcore import detector
from reference_submissions.patchcore.detector import Patchcore, coreset, nearest, reweighted
from tests.reference_submissions.spheres import auroc, with_sphere


@pytest.fixture(scope="module")
def fitted() -> Patchcore:
    return Patchcore.fit([phantom(seed) for seed in range(10)], preset=Preset.TINY, seed=0, say=print)


def drawn(count: int, *, seed: int, channels: int = 12) -> torch.Tensor:
    return torch.randn(count, channels, generator=seeded(seed)) * 3 + 20


def test_nearest_neighbours_are_those_of_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "SEARCHED", 7)
    patches, bank = drawn(50, seed=1), drawn(300, seed=2)
    distances = cdist(patches.double(), bank.double())

    found = nearest(patches, bank)

    np.testing.assert_array_equal(found.rows, distances.argmin(axis=1))
    np.testing.assert_allclose(found.distances, distances.min(axis=1) / np.sqrt(12), rtol=1e-5)


def test_a_patch_of_the_bank_is_its_own_neighbour_at_no_distance() -> None:
    bank = drawn(40, seed=3)

    found = nearest(bank, bank)

    assert found.rows.tolist() == list(range(40))
    assert found.distances.max() == 0


def test_the_coreset_is_that_of_a_plain_greedy_search() -> None:
    points = drawn(80, seed=4, channels=5).double()
    rows = [int(np.linalg.norm(points - points.mean(dim=0), axis=1).argmax())]
    for _ in range(15):
        rows.append(int(cdist(points, points[rows]).min(axis=1).argmax()))

    assert coreset(points, 16).tolist() == rows


def test_the_coreset_covers_better_than_chance() -> None:
    points = drawn(500, seed=5)
    chosen, by_chance = points[coreset(points, 50)], points[:50]

    assert cdist(points, chosen).min(axis=1).max() < 0.9 * cdist(points, by_chance).min(axis=1).max()


def test_reweighting_by_hand() -> None:
    # On a line: the patch at 5, its neighbour at 2, the two nearest to that at 1 and 0.
    bank = torch.tensor([[0.0], [1.0], [2.0], [-50.0]])
    share = np.exp(3) / (np.exp(3) + np.exp(4) + np.exp(5))

    score = reweighted(torch.tensor([5.0]), 2, bank, 3)

    assert score == pytest.approx((1 - share) * 3, rel=1e-5)


def test_spheres_lie_far_from_the_bank(fitted: Patchcore) -> None:
    assert auroc(fitted) > 0.8


def test_a_volume_with_a_sphere_scores_higher_than_without(fitted: Patchcore) -> None:
    sick, _ = with_sphere(phantom(50), 50, value=1.0)

    assert fitted.score(sick).sample > fitted.score(phantom(50)).sample


def test_the_bank_is_a_share_of_what_was_drawn(fitted: Patchcore) -> None:
    assert fitted.bank.shape == (50, 152)
    assert fitted.cost().trainable == 50 * 152
