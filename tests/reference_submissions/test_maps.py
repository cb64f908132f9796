import numpy as np

from reference_submissions.nets.maps import hull, smooth, to_voxels


def test_the_hull_keeps_a_hole_and_drops_the_air() -> None:
    volume = np.zeros((7, 7, 7), np.float32)
    volume[1:6, 1:6, 1:6] = 0.5
    volume[3, 3, 3] = 0

    inside = hull(volume)

    assert inside[3, 3, 3]
    assert inside.sum() == 125


def test_nothing_is_scored_outside_the_body() -> None:
    volume = np.zeros((8, 6, 4), np.float32)
    volume[2:5, 1:3, 1:3] = 1

    voxels = to_voxels(np.full((4, 2, 2), 3, np.float32), volume)

    np.testing.assert_allclose(voxels, 3 * volume)


def test_smoothing_keeps_a_flat_map_flat_and_lowers_a_peak() -> None:
    peak = np.zeros((64, 16, 16), np.float32)
    peak[32, 8, 8] = 1

    assert smooth(peak).max() < 0.5
    np.testing.assert_allclose(smooth(np.ones_like(peak)), 1, rtol=1e-5)
