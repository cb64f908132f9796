import numpy as np
import pytest

from toy_cases.anomalies import warps

CENTRE = (10.0, 10.0, 10.0)


def cube(low: int, high: int) -> np.typing.NDArray[np.float32]:
    volume = np.zeros((21, 21, 21), dtype=np.float32)
    volume[low:high, low:high, low:high] = 1
    return volume


def test_nothing_pulled_leaves_every_bit() -> None:
    volume = np.random.default_rng(0).random((9, 7, 8), dtype=np.float32)

    assert np.array_equal(warps.warp(volume, lambda place: place), volume)


def test_twice_as_large_is_eight_times_the_volume() -> None:
    warped = warps.warp(cube(8, 13), warps.scaling(CENTRE, (2, 2, 2)))

    assert warped.sum() == pytest.approx(8 * 125, rel=0.1)


def test_a_right_angle_turns_one_axis_into_another() -> None:
    volume = np.zeros((21, 21, 21), dtype=np.float32)
    volume[16, 10, 10] = 1

    turned = warps.warp(volume, warps.turning(CENTRE, 2, np.pi / 2))

    assert sorted(np.argwhere(turned > 0.99).tolist()) in ([[10, 4, 10]], [[10, 16, 10]])


def test_sliding_takes_from_further_along() -> None:
    volume = np.random.default_rng(0).random((9, 9, 9), dtype=np.float32)

    slid = warps.warp(volume, warps.sliding(1, lambda place: np.full_like(place[0], 2)))

    assert np.array_equal(slid[:, :7], volume[:, 2:])
    assert np.array_equal(slid[:, 7], volume[:, 8])  # the border goes on


def test_beyond_the_border_can_be_empty() -> None:
    volume = np.ones((9, 9, 9), dtype=np.float32)

    slid = warps.warp(volume, warps.sliding(1, lambda place: np.full_like(place[0], 2)), empty=True)

    assert slid[:, :7].min() == 1
    assert not slid[:, 7:].any()


@pytest.mark.parametrize(("strength", "grows"), [(0.5, True), (-0.6, False)])
def test_a_bulge_changes_the_size_inside_its_radius_and_nothing_outside(strength: float, grows: bool) -> None:  # noqa: FBT001  a table
    volume = cube(8, 13)
    far = np.random.default_rng(0).random(volume.shape, dtype=np.float32)

    warped = warps.warp(volume, warps.bulging(CENTRE, 8, strength))
    untouched = warps.warp(far, warps.bulging(CENTRE, 8, strength))

    assert bool(warped.sum() > volume.sum()) is grows
    assert np.array_equal(untouched[0], far[0])


@pytest.mark.parametrize("strength", [-1.2, -0.8, 0.6, 0.95])
def test_a_bulge_folds_nothing_over(strength: float) -> None:
    line = np.linspace(10, 20, 200, dtype=np.float32)
    still = np.full_like(line, 10)

    pulled = warps.bulging(CENTRE, 8, strength)([line, still, still])[0]

    assert np.all(np.diff(pulled) > 0)


def test_a_barrel_draws_the_outside_inwards() -> None:
    warped = warps.warp(cube(3, 18), warps.barrel(CENTRE, (7.5, 7.5, 7.5), 0.1))

    assert warped[10, 10, 10] == 1
    assert warped.sum() < cube(3, 18).sum()


def test_drift_is_linear_between_coarse_cells() -> None:
    volume = np.broadcast_to(np.arange(24, dtype=np.float32)[:, None, None], (24, 12, 8)).copy()
    still = np.zeros((6, 4, 4), dtype=np.float32)
    across = np.broadcast_to(np.linspace(0, 3, 4, dtype=np.float32)[None, :, None], still.shape).copy()

    drifted = warps.warp(volume, warps.drifting([across, still, still], volume.shape))

    np.testing.assert_allclose(drifted[5, :, 3], 5 + np.clip((np.arange(12) + 0.5) / 3 - 0.5, 0, 3), atol=1e-5)
