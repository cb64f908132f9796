import numpy as np
import pytest
from scipy import ndimage

from toy_cases import phantoms


@pytest.mark.parametrize("name", phantoms.PHANTOMS)
@pytest.mark.parametrize("size", [24, 49])
def test_a_phantom_is_a_cube_of_float32_between_0_and_1(name: str, size: int) -> None:
    volume = phantoms.PHANTOMS[name](size, np.random.default_rng(0))

    assert volume.shape == (size, size, size)
    assert volume.dtype == np.float32
    assert volume.min() == 0
    assert 0.5 < volume.max() <= 1


@pytest.mark.parametrize("name", phantoms.PHANTOMS)
def test_the_same_seed_draws_the_same_person(name: str) -> None:
    first, again = (phantoms.PHANTOMS[name](32, np.random.default_rng(4)) for _ in range(2))

    assert np.array_equal(first, again)


@pytest.mark.parametrize("name", phantoms.PHANTOMS)
def test_people_differ(name: str) -> None:
    first, other = (phantoms.PHANTOMS[name](32, np.random.default_rng(seed)) for seed in (1, 2))

    body = (first > 0) & (other > 0)
    assert np.mean(np.abs(first - other)[body] > 0.02) > 0.2
    assert np.count_nonzero((first > 0) != (other > 0)) > 0


@pytest.mark.parametrize("name", phantoms.PHANTOMS)
def test_one_person_looks_the_same_at_two_sizes(name: str) -> None:
    small, large = (phantoms.PHANTOMS[name](size, np.random.default_rng(6)) for size in (32, 64))

    averaged = large.reshape(32, 2, 32, 2, 32, 2).mean(axis=(1, 3, 5))
    assert np.corrcoef(small.ravel(), averaged.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("name", phantoms.PHANTOMS)
def test_the_drawing_does_not_depend_on_the_slab(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = phantoms.PHANTOMS[name](24, np.random.default_rng(7))
    monkeypatch.setattr(phantoms, "SLAB_VOXELS", 24**2 * 5)
    in_slabs = phantoms.PHANTOMS[name](24, np.random.default_rng(7))

    # The grain is drawn slab by slab; the anatomy below it is the same.
    assert np.array_equal(whole > 0, in_slabs > 0)
    assert np.abs(whole - in_slabs).mean() < 0.02


def test_a_brain_stands_free_and_has_dark_ventricles_in_bright_matter() -> None:
    volume = phantoms.brain(48, np.random.default_rng(9))

    assert not any(volume[face].any() for face in (0, -1))
    assert not volume[:, [0, -1]].any()
    assert not volume[:, :, [0, -1]].any()
    parts, _ = ndimage.label(volume > 0)
    assert np.bincount(parts.ravel())[1:].max() > 0.99 * np.count_nonzero(volume)
    assert 0.6 < np.median(volume[volume > 0.4]) < 0.85


def test_the_middle_slice_of_a_brain_shows_a_brain() -> None:
    above = [phantoms.brain(64, np.random.default_rng(seed))[:, :, 36:] for seed in range(4)]

    # The fissure once lay in it as one dark sheet: a third was tissue, in a slice through a hemisphere four fifths.
    middle, hemisphere = (
        np.mean([np.mean(plane[plane > 0] > 0.4) for plane in (volume[part] for volume in above)])
        for part in (slice(31, 33), slice(18, 20))
    )
    assert middle > 0.55
    assert hemisphere > 0.7
    callosum = np.mean([volume[31:33, 20:44, :12].max() for volume in above])
    assert callosum > 0.75  # an arch of white matter


@pytest.mark.parametrize("name", phantoms.PHANTOMS)
def test_people_differ_in_shape_texture_and_noise(name: str) -> None:
    people = [phantoms.PHANTOMS[name](32, np.random.default_rng(seed)) for seed in range(8)]

    sizes = [np.count_nonzero(volume) for volume in people]
    means = [volume[volume > 0].mean() for volume in people]
    assert np.std(sizes) / np.mean(sizes) > 0.03
    assert np.ptp(means) > 0.01


def test_an_abdomen_has_gas_inside_fat_soft_tissue_and_bone() -> None:
    volume = phantoms.abdomen(48, np.random.default_rng(9))

    inside = ndimage.binary_fill_holes(volume[:, :, 24] > 0.3)
    shares = [np.mean((volume > low) & (volume <= high)) for low, high in ((0.35, 0.47), (0.5, 0.66), (0.75, 1.0))]
    assert inside[volume[:, :, 24] > 0].mean() > 0.98
    assert min(shares) > 0.01
    assert np.count_nonzero((volume > 0) & (volume < 0.1)) > 50
