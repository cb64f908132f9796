import numpy as np
import pytest
from scipy import ndimage

from toy_cases.anomalies.base import Array
from toy_cases.anomalies.spots import Spot
from toy_cases.anomalies.textures import blob, grain, resampled, smooth_field, soft, specks
from toy_cases.body import Places

SIDE = 48


def spot(volume: Array, *, radius: float = 12) -> Spot:
    """Give the middle of a volume that is all body."""
    body = np.ones(volume.shape, dtype=np.bool_)
    middle, reach = SIDE // 2, round(1.5 * radius)
    side = slice(middle - reach, middle + reach + 1)
    return Spot(
        scan=volume,
        places=Places.of(body),
        body=body,
        centre=(middle, middle, middle),
        radius=radius,
        box=(side, side, side),
    )


def noisy(strength: float, coarseness: float, *, seed: int = 0) -> Array:
    """Give two tissues with a sharp border and noise of a given strength over both."""
    noise = np.random.default_rng(seed).standard_normal((SIDE,) * 3).astype(np.float32)
    if coarseness:
        noise = ndimage.gaussian_filter(noise, coarseness)
    volume = np.full((SIDE,) * 3, 0.4, dtype=np.float32)
    volume[: SIDE // 2] = 0.7
    return np.asarray(volume + noise / noise.std() * np.float32(strength), dtype=np.float32)


@pytest.mark.parametrize("strength", [0.005, 0.02])
@pytest.mark.parametrize("coarseness", [0.0, 0.6, 0.9])
def test_grain_is_as_strong_and_as_coarse_as_the_scans_noise(strength: float, coarseness: float) -> None:
    made = grain(spot(noisy(strength, coarseness)), np.random.default_rng(1))

    original = noisy(strength, coarseness)[:20]
    expected = np.corrcoef(original[:, :, 1:].ravel(), original[:, :, :-1].ravel())[0, 1]
    assert made.std() == pytest.approx(strength, rel=0.25)
    assert np.corrcoef(made[:, :, 1:].ravel(), made[:, :, :-1].ravel())[0, 1] == pytest.approx(expected, abs=0.15)


def test_a_scan_without_noise_has_no_grain() -> None:
    assert not grain(spot(np.full((SIDE,) * 3, 0.5, dtype=np.float32)), np.random.default_rng(0)).any()


@pytest.mark.parametrize("seed", range(10))
def test_the_roughest_outline_is_of_one_piece_and_within_its_box(seed: int) -> None:
    depth = blob(spot(noisy(0.01, 0)), np.random.default_rng(seed), rough=0.35, stretch=0.25)

    assert ndimage.label(depth > 0)[1] == 1
    for axis in range(3):
        assert (depth.take([0, -1], axis=axis) <= 0).all()


def test_outlines_differ_and_a_smooth_one_is_an_ellipsoid() -> None:
    here = spot(noisy(0.01, 0))

    first, other = (blob(here, np.random.default_rng(seed)) for seed in (0, 1))
    ball = blob(here, np.random.default_rng(0), rough=0, stretch=0)

    assert np.mean((first > 0) != (other > 0)) > 0.01
    np.testing.assert_allclose(ball, 1 - here.distance(), atol=1e-5)


def test_a_smooth_field_is_standard_normal_and_of_one_form_at_every_size() -> None:
    small, large = (smooth_field((side,) * 3, np.random.default_rng(4), 6) for side in (21, 41))

    assert abs(small.mean()) < 0.3
    assert 0.6 < small.std() < 1.4
    np.testing.assert_allclose(large[::2, ::2, ::2], small, atol=1e-4)


def test_an_edge_is_a_ramp_of_its_width() -> None:
    assert soft(np.array([-1, -0.1, 0, 0.1, 1]), 0.4).tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_specks_may_lie_across_the_boxs_border_or_beyond_it() -> None:
    here = spot(noisy(0.01, 0), radius=4)
    middle, corner, away = np.array([6.0, 6, 6]), np.array([0.0, 0, 0]), np.array([40.0, 6, 6])

    cover = specks(here, [middle, corner, away], [2.0, 2.0, 2.0])

    assert cover[6, 6, 6] == cover[0, 0, 0] == 1
    assert np.count_nonzero(cover[:4, :4, :4]) < np.count_nonzero(cover[4:9, 4:9, 4:9])
    assert not cover[10:].any()


def test_resampling_at_its_own_places_gives_the_scan_back() -> None:
    here = spot(noisy(0.02, 0))

    np.testing.assert_allclose(resampled(here, here.axes), here.before, atol=1e-4)
