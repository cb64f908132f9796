import numpy as np

from toy_cases import phantoms, rigid


def test_a_move_is_small_but_a_move() -> None:
    volume = phantoms.brain(32, np.random.default_rng(0))

    moved = rigid.move(volume, np.random.default_rng(1))

    assert moved.dtype == np.float32
    assert not np.array_equal(moved, volume)
    assert np.corrcoef(moved.ravel(), volume.ravel())[0, 1] > 0.8
    assert 0 <= moved.min() <= moved.max() <= 1


def test_a_move_keeps_sides_apart() -> None:
    volume = np.zeros((32, 32, 32), dtype=np.float32)
    volume[4:12, 10:22, 10:22] = 1  # on the left

    for seed in range(20):
        moved = rigid.move(volume, np.random.default_rng(seed))
        assert moved[:16].sum() > 20 * moved[16:].sum()


def test_the_centre_of_mass_moves_no_further_than_is_said() -> None:
    volume = np.zeros((32, 32, 32), dtype=np.float32)
    volume[13:19, 13:19, 13:19] = 1

    for seed in range(20):
        moved = rigid.move(volume, np.random.default_rng(seed))
        centre = np.array([(moved * axis).sum() for axis in np.ogrid[:32, :32, :32]]) / moved.sum()
        assert np.abs(centre - 15.5).max() <= rigid.MAX_SHIFT * 32 * 1.2
