import numpy as np
import pytest

from tests.toy_cases.anomalies import whole_scans
from toy_cases.anomalies import destructions
from toy_cases.anomalies.base import Array, Category, Kind, NoPlaceError


@pytest.mark.parametrize("modality", ["mr", "ct"])
def test_there_are_enough_kinds_each_with_its_source(modality: str) -> None:
    whole_scans.check_kinds(destructions.KINDS, modality)
    assert {kind.category for kind in destructions.KINDS} == {Category.DESTRUCTIONS}


@pytest.mark.parametrize(("kind", "name"), whole_scans.cases(destructions.KINDS))
def test_a_spoilt_scan_is_still_a_scan(kind: Kind, name: str) -> None:
    whole_scans.check_the_contract(kind, name)


@pytest.mark.parametrize(("kind", "name"), whole_scans.cases(destructions.KINDS))
def test_the_seed_decides(kind: Kind, name: str) -> None:
    whole_scans.check_seeds(kind, name)


def test_another_process_makes_the_same_bytes() -> None:
    whole_scans.check_another_process("toy_cases.anomalies.destructions")


def slices(volume: Array, axis: object) -> Array:
    return np.moveaxis(volume, int(str(axis)), 0)


@pytest.mark.parametrize("seed", range(6))
def test_missing_slices_are_whole_slices_and_nothing_else(seed: int) -> None:
    normal, body = whole_scans.person("brain")

    volume, drawn = destructions.missing_slices(normal, body, np.random.default_rng(seed))

    before, after = slices(normal, drawn["axis"]), slices(volume, drawn["axis"])
    gone = [i for i in range(len(after)) if not np.array_equal(before[i], after[i])]
    assert len(gone) == drawn["slices"]
    assert gone == list(range(gone[0], gone[0] + len(gone)))
    assert not after[gone].any()


def test_repeated_slices_are_all_the_first_of_them() -> None:
    normal, body = whole_scans.person("abdom")

    volume, drawn = destructions.repeated_slices(normal, body, np.random.default_rng(1))

    after = slices(volume, drawn["axis"])
    same = [i for i in range(1, len(after)) if after[i].any() and np.array_equal(after[i], after[i - 1])]
    assert len(same) >= int(drawn["slices"]) - 1


def test_shuffled_slices_are_the_same_slices() -> None:
    normal, body = whole_scans.person("brain")

    volume, drawn = destructions.shuffled_slices(normal, body, np.random.default_rng(1))

    before, after = slices(normal, drawn["axis"]), slices(volume, drawn["axis"])
    assert sorted(one.tobytes() for one in before) == sorted(one.tobytes() for one in after)


@pytest.mark.parametrize("spoil", [destructions.shuffled_blocks, destructions.swapped_octants])
def test_shuffled_blocks_keep_every_voxel(spoil: object) -> None:
    normal, body = whole_scans.person("brain")
    assert callable(spoil)

    volume, _ = spoil(normal, body, np.random.default_rng(1))

    assert np.array_equal(np.sort(volume, axis=None), np.sort(normal, axis=None))


def test_a_chequerboard_takes_away_half() -> None:
    normal, body = np.ones((40,) * 3, dtype=np.float32), np.ones((40,) * 3, dtype=np.bool_)

    volume, _ = destructions.chequered(normal, body, np.random.default_rng(0))

    assert volume.mean() == pytest.approx(0.5, abs=0.1)


def test_salt_and_pepper_are_as_many_as_drawn() -> None:
    normal, body = np.full((40,) * 3, 0.5, dtype=np.float32), np.ones((40,) * 3, dtype=np.bool_)

    volume, drawn = destructions.salted(normal, body, np.random.default_rng(0))

    assert np.mean(volume == 0) == pytest.approx(float(drawn["share"]) / 2, abs=0.01)
    assert np.mean(volume == 1) == pytest.approx(float(drawn["share"]) / 2, abs=0.01)


def test_what_lies_outside_a_small_field_of_view_folds_over_and_nothing_is_lost() -> None:
    normal, body = whole_scans.person("brain")

    volume, _ = destructions.folded_over(normal, body, np.random.default_rng(0))

    assert volume.sum(dtype=np.float64) == pytest.approx(normal.sum(dtype=np.float64), rel=1e-5)
    assert np.count_nonzero(volume) < np.count_nonzero(normal)


def test_overflown_intensities_start_again() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(4, 4, 4)

    volume, drawn = destructions.overflown(ramp, ramp > 0, np.random.default_rng(0))

    falls = np.count_nonzero(np.diff(volume.ravel()) < 0)
    assert falls == int(float(drawn["factor"]))


def test_bytes_in_the_wrong_order_are_undone_by_swapping_again() -> None:
    normal, body = whole_scans.person("brain")

    volume, drawn = destructions.byte_swapped(normal, body, np.random.default_rng(0))

    stored = np.rint(volume * 65535).astype(np.uint16).byteswap()
    np.testing.assert_allclose(stored / int(drawn["full_scale"]), normal, atol=1 / int(drawn["full_scale"]))


def test_a_body_too_small_for_blocks_is_refused() -> None:
    normal = np.ones((1, 8, 8), dtype=np.float32)

    with pytest.raises(NoPlaceError, match="cannot be cut into"):
        destructions.swapped_octants(normal, normal > 0, np.random.default_rng(0))
