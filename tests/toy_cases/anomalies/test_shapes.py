import numpy as np
import pytest
from scipy import ndimage

from toy_cases.anomalies import (
    SHAPES,
    VISIBLE,
    Array,
    Kind,
    NoPlaceError,
    body_of,
    cube,
    cube_at,
    fixed_place,
    sphere,
    sphere_at,
)
from toy_cases.phantoms import PHANTOMS

SIDE = 40
PUT = {"sphere": sphere, "cube": cube}


@pytest.fixture(params=["brain", "abdom"])
def normal(request: pytest.FixtureRequest) -> Array:
    return PHANTOMS[request.param](SIDE, np.random.default_rng(3))


@pytest.mark.parametrize("put", PUT)
@pytest.mark.parametrize("seed", range(5))
def test_the_mask_is_what_changed_visibly_and_all_else_keeps_its_bits(normal: Array, put: str, seed: int) -> None:
    made = PUT[put](normal, np.random.default_rng(seed))

    assert np.array_equal(made.mask, np.abs(made.volume - normal) >= VISIBLE)
    assert np.array_equal(normal.view(np.uint32)[~made.mask], made.volume.view(np.uint32)[~made.mask])
    assert set(made.volume[made.mask].tolist()) == {made.intensity}


@pytest.mark.parametrize("put", PUT)
@pytest.mark.parametrize("side", [24, 64])
def test_a_shape_stays_clear_of_the_outline(put: str, side: int) -> None:
    for name, phantom in PHANTOMS.items():
        normal = phantom(side, np.random.default_rng(1))
        body = body_of(normal)
        inner = ndimage.binary_erosion(body, border_value=0)
        for seed in range(5):
            made = PUT[put](normal, np.random.default_rng(seed), body=body)
            assert inner[made.mask].all(), (name, seed)


def test_a_sphere_lies_within_its_radius_and_a_cube_fills_its_corners(normal: Array) -> None:
    ball, block = (PUT[name](normal, np.random.default_rng(8)) for name in ("sphere", "cube"))

    assert np.linalg.norm(np.argwhere(ball.mask) - np.array(ball.centre), axis=1).max() <= ball.radius_voxels
    offsets = np.abs(np.argwhere(block.mask) - np.array(block.centre))
    assert offsets.max() <= block.radius_voxels
    assert np.linalg.norm(offsets, axis=1).max() > block.radius_voxels


def test_more_than_half_of_a_sphere_is_seen(normal: Array) -> None:
    for seed in range(10):
        made = sphere(normal, np.random.default_rng(seed))
        axes = np.ogrid[:SIDE, :SIDE, :SIDE]
        ball = sum(((a - c) ** 2 for a, c in zip(axes, made.centre, strict=True)), np.zeros(()))
        assert 2 * made.mask.sum() >= np.count_nonzero(ball <= made.radius_voxels**2)


def test_a_sphere_of_the_tissues_own_intensity_is_drawn_again() -> None:
    uniform = np.zeros((SIDE,) * 3, dtype=np.float32)
    uniform[4:-4, 4:-4, 4:-4] = 0.5

    seen = [sphere(uniform, np.random.default_rng(seed)).intensity for seed in range(30)]

    assert all(abs(value - 0.5) >= 0.02 for value in seen)
    assert min(seen) < 0.2
    assert max(seen) > 0.8


def test_the_same_seed_gives_the_same_shape_and_the_normal_volume_is_left_alone(normal: Array) -> None:
    before = normal.copy()

    first, again, other = (sphere(normal, np.random.default_rng(seed)) for seed in (5, 5, 6))

    assert first.volume.tobytes() == again.volume.tobytes() != other.volume.tobytes()
    assert np.array_equal(normal, before)


def test_an_empty_volume_is_refused() -> None:
    empty = np.zeros((SIDE,) * 3, dtype=np.float32)

    with pytest.raises(NoPlaceError, match="no body"):
        sphere(empty, np.random.default_rng(0))
    with pytest.raises(NoPlaceError, match="no body"):
        fixed_place(body_of(empty))


def test_a_body_too_thin_for_any_sphere_is_refused() -> None:
    sheet = np.zeros((SIDE,) * 3, dtype=np.float32)
    sheet[4:-4, 4:-4, 20] = 0.5

    with pytest.raises(NoPlaceError, match="no"):
        sphere(sheet, np.random.default_rng(0))


def test_a_sweep_over_the_radius_grows_at_one_place(normal: Array) -> None:
    body = body_of(normal)
    place = fixed_place(body)

    sizes = [np.count_nonzero(sphere_at(normal, body, place, radius, 1.0).mask) for radius in (0, 1, 2, 4, 8)]

    assert place == fixed_place(body)
    assert body[place]
    assert sizes[0] == 1
    assert sizes == sorted(set(sizes))


def test_a_sweep_over_the_intensity_keeps_to_the_sphere_and_to_the_body(normal: Array) -> None:
    body = body_of(normal)
    place, radius = fixed_place(body), 0.45 * SIDE  # wider than either body is deep
    axes = np.ogrid[:SIDE, :SIDE, :SIDE]
    ball = sum(((a - c) ** 2 for a, c in zip(axes, place, strict=True)), np.zeros(())) <= radius**2

    for intensity in np.linspace(0, 1, 6):
        made = sphere_at(normal, body, place, radius, float(intensity))
        shows = np.abs(normal - np.float32(intensity)) >= VISIBLE
        assert np.array_equal(made.mask, ball & body & shows)
        assert (made.volume[made.mask] == np.float32(intensity)).all()


def test_a_sphere_that_changes_nothing_is_said_to() -> None:
    normal = np.zeros((SIDE,) * 3, dtype=np.float32)
    normal[4:-4, 4:-4, 4:-4] = 0.5

    with pytest.raises(NoPlaceError, match="changes nothing"):
        cube_at(normal, body_of(normal), (20, 20, 20), 5, 0.51)


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.subcategory)
def test_shapes_are_kinds_too(kind: Kind, normal: Array) -> None:
    drawn = kind.draw(normal, body_of(normal), np.random.default_rng(0))

    assert kind.name == f"images/{kind.subcategory}"
    assert drawn.mask is not None
    assert drawn.parameters["size_voxels"] == np.count_nonzero(drawn.mask)
    assert {"diameter_voxels", "contrast", "shift", "centre", "radius_voxels", "intensity"} <= set(drawn.parameters)
