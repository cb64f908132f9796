import numpy as np
import pytest

from toy_cases import anomalies
from toy_cases.anomalies import whole
from toy_cases.phantoms import PHANTOMS

SIDE = 40


@pytest.fixture(params=["brain", "abdom"])
def normal(request: pytest.FixtureRequest) -> anomalies.Array:
    return PHANTOMS[request.param](SIDE, np.random.default_rng(3))


@pytest.mark.parametrize("seed", range(12))
def test_the_mask_is_exactly_the_voxels_that_changed_visibly(normal: anomalies.Array, seed: int) -> None:
    made = anomalies.sphere(normal, np.random.default_rng(seed))

    assert np.array_equal(made.mask, np.abs(made.volume - normal) >= np.float32(0.02))


@pytest.mark.parametrize("seed", range(12))
def test_every_other_voxel_keeps_its_bits(normal: anomalies.Array, seed: int) -> None:
    made = anomalies.sphere(normal, np.random.default_rng(seed))

    before, after = normal.view(np.uint32)[~made.mask], made.volume.view(np.uint32)[~made.mask]
    assert np.array_equal(before, after)


def test_a_sphere_has_one_intensity_and_lies_within_its_radius(normal: anomalies.Array) -> None:
    made = anomalies.sphere(normal, np.random.default_rng(8))

    distance = np.linalg.norm(np.argwhere(made.mask) - np.array(made.centre), axis=1)
    assert set(made.volume[made.mask].tolist()) == {made.intensity}
    assert distance.max() <= made.radius_voxels


def test_more_than_half_of_a_sphere_is_seen(normal: anomalies.Array) -> None:
    for seed in range(20):
        made = anomalies.sphere(normal, np.random.default_rng(seed))
        axes = np.ogrid[:SIDE, :SIDE, :SIDE]
        ball = sum(((a - c) ** 2 for a, c in zip(axes, made.centre, strict=True)), np.zeros(()))
        assert 2 * made.mask.sum() >= np.count_nonzero(ball <= made.radius_voxels**2)


def test_a_sphere_of_the_tissues_own_intensity_is_drawn_again() -> None:
    uniform = np.full((SIDE,) * 3, 0.5, dtype=np.float32)

    seen = [anomalies.sphere(uniform, np.random.default_rng(seed)).intensity for seed in range(100)]

    assert all(abs(value - 0.5) >= 0.02 for value in seen)


def test_the_same_seed_gives_the_same_sphere(normal: anomalies.Array) -> None:
    first, again = (anomalies.sphere(normal, np.random.default_rng(5)) for _ in range(2))

    assert np.array_equal(first.volume, again.volume)


def test_the_normal_volume_itself_is_left_alone(normal: anomalies.Array) -> None:
    before = normal.copy()

    anomalies.sphere(normal, np.random.default_rng(0))
    for kind in anomalies.GLOBALS:
        kind.apply(normal, np.random.default_rng(0))

    assert np.array_equal(normal, before)


def test_an_empty_volume_is_refused() -> None:
    with pytest.raises(ValueError, match="no body"):
        anomalies.sphere(np.zeros((SIDE,) * 3, dtype=np.float32), np.random.default_rng(0))


def test_gas_inside_belongs_to_the_body_and_air_around_it_does_not() -> None:
    volume = np.zeros((SIDE,) * 3, dtype=np.float32)
    volume[8:32, 8:32, 8:32] = 0.5
    volume[15:25, 15:25, 15:25] = 0

    body = anomalies.body_of(volume)

    assert body[20, 20, 20]
    assert not body[3, 3, 3]


@pytest.mark.parametrize("kind", anomalies.GLOBALS, ids=lambda kind: kind.subcategory)
def test_a_global_anomaly_stays_in_range_and_changes_the_scan(kind: anomalies.Global, normal: anomalies.Array) -> None:
    spoilt = kind.apply(normal, np.random.default_rng(1))

    assert spoilt.dtype == np.float32
    assert 0 <= spoilt.min() <= spoilt.max() <= 1
    assert np.count_nonzero(np.abs(spoilt - normal) >= 0.02) > normal.size * 0.005


def test_missing_slices_are_whole_slices_and_nothing_else(normal: anomalies.Array) -> None:
    spoilt = whole.missing_slices(normal, np.random.default_rng(2))

    changed = np.argwhere(spoilt != normal)
    gone = [axis for axis in range(3) if len(set(changed[:, axis])) < SIDE // 3]
    assert any(not spoilt.take(sorted(set(changed[:, axis])), axis=axis).any() for axis in gone)
