import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.spatial.distance import mahalanobis

from reference_submissions.kit.checks import phantom
from reference_submissions.kit.detector import Preset
from reference_submissions.kit.training import seeded
from reference_submissions.padim.detector import FLOOR, REGULARISATION, Moments, Padim, band_of, of_slices, ridge_of
from tests.reference_submissions.spheres import auroc, with_sphere


@pytest.fixture(scope="module")
def fitted() -> Padim:
    return Padim.fit([phantom(seed) for seed in range(10)], preset=Preset.TINY, seed=0, say=print)


def test_moments_learnt_in_portions_are_those_of_all() -> None:
    noise = seeded(0)
    slices = torch.randn(3, 20, 4, generator=noise) * 2 + 5
    moments = Moments.none(3, 4, torch.device("cpu"))

    for portion in slices.split((1, 12, 7), dim=1):
        moments.add(portion)

    for place in range(3):
        torch.testing.assert_close(moments.mean[place], slices[place].mean(dim=0))
        torch.testing.assert_close(moments.scatter[place] / 19, torch.cov(slices[place].T), rtol=1e-4, atol=1e-4)


def test_whitened_length_is_scipys_mahalanobis_distance() -> None:
    noise = seeded(1)
    slices = torch.randn(2, 30, 5, generator=noise) @ torch.randn(5, 5, generator=noise)
    moments = Moments.none(2, 5, torch.device("cpu"))
    moments.add(slices)

    ridge = ridge_of([moments])
    whitening = moments.whitening(shared=0, ridge=ridge)

    covariances = np.stack([np.cov(place.numpy().T) for place in slices])
    assert ridge == pytest.approx(REGULARISATION * np.mean([np.diag(each) for each in covariances]) + FLOOR)
    for place, covariance in enumerate(covariances):
        x = slices[place, 0]
        theirs = mahalanobis(x.numpy(), moments.mean[place].numpy(), np.linalg.inv(covariance + ridge * np.eye(5)))
        assert (whitening[place] @ (x - moments.mean[place])).norm().item() == pytest.approx(theirs, rel=1e-3)


def test_slices_are_dealt_to_bands_by_height() -> None:
    assert band_of(5, 2).tolist() == [0, 0, 0, 1, 1]
    assert band_of(1, 4).tolist() == [0]


def test_a_volume_scores_the_mean_of_its_highest_slices() -> None:
    assert of_slices(np.array([1, 8, 3, 4, 7, 2, 5, 6], dtype=np.float32)) == 7.5
    assert of_slices(np.array([2, 3], dtype=np.float32)) == 3


def test_a_band_of_air_is_no_strict_measure_for_a_body_that_reaches_into_it() -> None:
    def in_air(seed: int, *, below: int) -> npt.NDArray[np.float32]:
        return np.pad(phantom(seed), ((0, 0), (0, 0), (below, 48 - below)))  # 24 slices of a body in 72, two bands

    fitted = Padim.fit([in_air(seed, below=0) for seed in range(10)], preset=Preset.TINY, seed=0, say=print)

    where_taught, into_the_air = (fitted.score(in_air(50, below=below)).sample for below in (0, 24))

    assert where_taught < into_the_air < 20 * where_taught


def test_spheres_lie_far_from_the_gaussians(fitted: Padim) -> None:
    assert auroc(fitted) > 0.9


def test_a_volume_with_a_sphere_scores_higher_than_without(fitted: Padim) -> None:
    sick, _ = with_sphere(phantom(50), 50, value=1.0)

    assert fitted.score(sick).sample > fitted.score(phantom(50)).sample


def test_what_is_learnt_is_counted(fitted: Padim) -> None:
    places, bands, channels = 16 * 16, 2, 8

    assert fitted.cost().trainable == bands * places * (channels + channels**2)
    assert fitted.cost().fixed == 692_688
