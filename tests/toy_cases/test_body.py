import numpy as np
import pytest

from toy_cases.body import Array, Mask, Places, body_of, body_side
from toy_cases.phantoms import PHANTOMS

SIDE = 40


def cube(side: int = SIDE, *, gas: float = 0.5) -> Array:
    """Give a cube of tissue 24 wide with a cube of gas 10 wide inside, air around."""
    volume = np.zeros((side,) * 3, dtype=np.float32)
    volume[8:32, 8:32, 8:32] = 0.5
    volume[15:25, 15:25, 15:25] = gas
    return volume


def test_gas_inside_belongs_to_the_body_and_air_around_it_does_not() -> None:
    body = body_of(cube(gas=0))

    assert body[20, 20, 20]
    assert np.count_nonzero(body) == 24**3
    assert body[8:32, 8:32, 8:32].all()


def test_a_body_has_the_shape_of_its_volume_and_follows_the_outline_on_a_coarse_grid() -> None:
    volume = np.zeros((131, 150, 97), dtype=np.float32)
    x, y, z = np.ogrid[:131, :150, :97]
    volume[((x - 65) / 50) ** 2 + ((y - 75) / 60) ** 2 + ((z - 48) / 40) ** 2 <= 1] = 0.5

    body = body_of(volume)

    assert body.shape == volume.shape
    assert not body[volume == 0].any()
    assert body[volume > 0].mean() > 0.999


def test_an_empty_volume_has_no_body() -> None:
    body = body_of(np.zeros((SIDE,) * 3, dtype=np.float32))

    assert not body.any()
    assert body_side(body) == 0
    assert Places.of(body).deepest() is None
    assert Places.of(body).draw(np.random.default_rng(0), 0) is None


def test_a_table_below_the_patient_is_no_part_of_the_body() -> None:
    volume = np.zeros((64,) * 3, dtype=np.float32)
    volume[12:52, 16:50, 4:60] = 0.5
    volume[4:60, 12:14, :] = 0.4  # two voxels of air between

    body = body_of(volume)

    assert not body[:12].any()
    assert not body[:, 12:14].any()
    assert body[12:52, 16:50, 4:60].all()


@pytest.mark.parametrize("name", PHANTOMS)
@pytest.mark.parametrize("side", [16, 24, 48, 80])
def test_nearly_all_of_a_phantom_is_body_and_hardly_anything_else(name: str, side: int) -> None:
    volume = PHANTOMS[name](side, np.random.default_rng(side))

    body = body_of(volume)

    assert body[volume > 0.2].mean() > 0.98
    assert (volume[body] > 0).mean() > 0.95


def test_places_are_as_deep_as_asked() -> None:
    body = body_of(cube())
    places, rng = Places.of(body), np.random.default_rng(0)

    drawn = [places.draw(rng, 8) for _ in range(50)]

    assert all(place is not None and all(8 + 7 <= c <= 31 - 7 for c in place) for place in drawn)
    assert len(set(drawn)) > 10
    assert places.draw(rng, 13) is None


def test_the_volumes_border_counts_as_the_outline() -> None:
    body: Mask = np.ones((20, 20, 20), dtype=np.bool_)

    place = Places.of(body).draw(np.random.default_rng(0), 8)

    assert place is not None
    assert all(7 <= c <= 12 for c in place)


def test_places_in_a_large_volume_fall_between_the_points_of_the_grid() -> None:
    body: Mask = np.ones((200, 130, 130), dtype=np.bool_)
    places, rng = Places.of(body), np.random.default_rng(0)

    drawn = [places.draw(rng, 0) for _ in range(200)]

    assert places.step == 4
    assert {place[0] % 4 for place in drawn if place} == {0, 1, 2, 3}
    assert all(place and place[0] < 200 and place[1] < 130 and place[2] < 130 for place in drawn)


def test_a_bodys_side_is_that_of_a_cube_as_large() -> None:
    assert body_side(body_of(cube())) == pytest.approx(24)
