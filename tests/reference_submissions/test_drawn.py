import numpy as np
import pytest

from reference_submissions.nets import drawn

RNG = np.random.default_rng
U, V = (np.indices((200, 200), dtype=np.float32) + np.float32(0.5)) / np.float32(100) - np.float32(1)


def test_there_are_a_disc_and_thirteen_other_kinds() -> None:
    assert len(set(drawn.OTHERS) | {drawn.disc}) == 14


@pytest.mark.parametrize("kind", [drawn.disc, *drawn.OTHERS])
def test_a_kind_fills_some_of_its_disc_and_little_beyond(kind: drawn.Kind) -> None:
    inside = [kind(U, V, RNG(seed)) for seed in range(8)]

    assert all(0.03 < mask.mean() < 0.8 for mask in inside)  # the disc itself has pi / 4
    assert all((mask & (np.hypot(U, V) > 1.02)).mean() < 0.1 for mask in inside)


@pytest.mark.parametrize(("corners", "area"), [(3, 1.299), (4, 2.0), (6, 2.598)])
def test_a_regular_polygon_has_its_area(corners: int, area: float) -> None:
    assert drawn.regular(U, V, corners=corners).mean() * 4 == pytest.approx(area, rel=0.01)


def test_a_disc_has_the_radius_and_the_centre_that_were_asked_for() -> None:
    discs = [mask for mask in (shape(seed, 0.2) for seed in range(40)) if is_round(mask)]

    centres = np.array([np.argwhere(mask).mean(axis=0) / 128 for mask in discs])
    assert len(discs) > 10
    assert all(mask.sum() == pytest.approx(np.pi * 25.6**2, rel=0.02) for mask in discs)
    assert centres.min() > 0.24
    assert centres.max() < 0.76


def shape(seed: int, radius: float) -> drawn.Mask:
    return drawn.shape(128, RNG(seed), radius=(radius, radius), middle=0.5)


def is_round(mask: drawn.Mask) -> bool:
    return bool(mask.sum() > np.pi * 25**2)


def test_a_shape_follows_from_its_seed() -> None:
    assert np.array_equal(shape(3, 0.1), shape(3, 0.1))
    assert not np.array_equal(shape(3, 0.1), shape(4, 0.1))


def test_a_patch_has_the_size_and_the_place_that_were_asked_for() -> None:
    patches = [drawn.patch(100, RNG(seed), half=(0.05, 0.2), middle=0.5) for seed in range(200)]

    lengths = np.array([[axis.stop - axis.start for axis in patch] for patch in patches])
    middles = np.array([[(axis.stop + axis.start) / 2 for axis in patch] for patch in patches])
    assert 9 <= lengths.min() < 13
    assert 37 < lengths.max() <= 41
    assert 24 < middles.min() < 30
    assert 70 < middles.max() < 76


def test_a_patch_is_cut_at_the_border_and_never_empty() -> None:
    for seed in range(50):
        for axis in drawn.patch(16, RNG(seed), half=(0.001, 0.3), middle=1.0):
            assert 0 <= axis.start < axis.stop <= 16
