import numpy as np
import pytest

from toy_cases.anomalies import tomography
from toy_cases.anomalies.base import Array


@pytest.fixture
def disc() -> Array:
    x, y = np.ogrid[:64, :64]
    return (np.hypot(x - 31.5, y - 31.5) < 20).astype(np.float32)


@pytest.fixture
def plane() -> tomography.Plane:
    return tomography.Plane(side=64, shape=(64, 64, 3), angles=90)


def test_a_discs_projections_are_its_chords(plane: tomography.Plane, disc: Array) -> None:
    chords = 2 * np.sqrt(np.maximum(20**2 - (np.arange(64) - 31.5) ** 2, 0))

    for projection in plane.project(disc):
        assert np.abs(projection - chords).max() < 2.5  # of 40


def test_what_is_projected_is_reconstructed(plane: tomography.Plane, disc: Array) -> None:
    image = plane.reconstruct(plane.project(disc))

    x, y = np.ogrid[:64, :64]
    distance = np.hypot(x - 31.5, y - 31.5)
    assert image[distance < 17].mean() == pytest.approx(1, abs=0.05)
    assert abs(image[(distance > 24) & (distance < 31)].mean()) < 0.06


def test_the_first_projection_looks_along_the_first_axis(plane: tomography.Plane) -> None:
    image = np.random.default_rng(0).random((64, 64), dtype=np.float32)

    np.testing.assert_allclose(plane.project(image)[0], image.sum(axis=0), rtol=1e-4)


def test_errors_reach_the_slices_between() -> None:
    plane = tomography.Plane(side=8, shape=(16, 16, 5), angles=8)
    errors = np.stack([np.zeros((8, 8)), np.ones((8, 8))]).astype(np.float32)

    spread = plane.spread(errors, [1, 3])

    assert spread.shape == (16, 16, 5)
    np.testing.assert_allclose(spread[8, 8], [0, 0, 0.5, 1, 1])


def test_a_plane_wider_than_the_volume_is_empty_beside_it() -> None:
    plane = tomography.Plane(side=8, shape=(16, 8, 2), angles=8)

    sampled = plane.slice_of(np.ones((16, 8, 2), dtype=np.float32), 0)

    assert sampled.sum(axis=0).tolist() == [0, 0, 8, 8, 8, 8, 0, 0]


def test_air_hardens_nothing() -> None:
    assert not tomography.hardening(np.zeros((16, 16, 4), dtype=np.float32)).any()


def test_a_reconstructions_noise_is_fine_not_coarse() -> None:
    noise = tomography.grain((64, 64), 8, np.random.default_rng(0))

    assert noise.std() == pytest.approx(1, abs=0.01)
    power = (np.abs(np.fft.fft2(noise, axes=(0, 1))) ** 2).mean(axis=2)
    assert power[1, 1] < 0.5 * power[6, 6]  # rises with the frequency
    assert power[0, 16] > 3 * power[16, 0]  # streaks along x


def test_ways_are_as_wide_as_the_body() -> None:
    body = np.zeros((20, 20, 3), dtype=np.bool_)
    body[5:15, 5:15, 0] = body[0:20, 5:15, 1] = True

    assert tomography.ways(body).tolist() == [0.5, 1, 0]
