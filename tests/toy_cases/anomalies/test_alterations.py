import numpy as np
import pytest

from tests.toy_cases.anomalies import whole_scans
from toy_cases.anomalies import alterations
from toy_cases.anomalies.base import Category, Kind, NoPlaceError


@pytest.mark.parametrize("modality", ["mr", "ct"])
def test_there_are_enough_kinds_each_with_its_source(modality: str) -> None:
    whole_scans.check_kinds(alterations.KINDS, modality)
    assert {kind.category for kind in alterations.KINDS} == {Category.ALTERATIONS}


@pytest.mark.parametrize(("kind", "name"), whole_scans.cases(alterations.KINDS))
def test_a_spoilt_scan_is_still_a_scan(kind: Kind, name: str) -> None:
    whole_scans.check_the_contract(kind, name)


@pytest.mark.parametrize(("kind", "name"), whole_scans.cases(alterations.KINDS))
def test_the_seed_decides(kind: Kind, name: str) -> None:
    whole_scans.check_seeds(kind, name)


def test_another_process_makes_the_same_bytes() -> None:
    whole_scans.check_another_process("toy_cases.anomalies.alterations")


def test_thick_slices_are_the_means_of_thin_ones() -> None:
    normal, body = whole_scans.person("brain")

    volume, parameters = alterations.thick_sliced(normal, body, np.random.default_rng(1))

    axis = int(parameters["axis"])
    turned, before = np.moveaxis(volume, axis, 0), np.moveaxis(normal, axis, 0)
    middle = len(turned) // 2
    same = [i for i in range(len(turned)) if np.array_equal(turned[i], turned[middle])]
    assert len(same) == parameters["thick_voxels"]
    np.testing.assert_allclose(turned[middle], before[same].mean(axis=0), atol=1e-6)


def test_a_blurred_point_is_all_but_a_gaussian() -> None:
    point, body = np.zeros((41,) * 3, dtype=np.float32), np.ones((41,) * 3, dtype=np.bool_)
    point[20, 20, 20] = 1000

    volume, drawn = alterations.blurred(point, body, np.random.default_rng(0))

    line = volume[:, 20, 20].astype(np.float64) / volume[:, 20, 20].sum()
    variance = float((line * (np.arange(41) - 20) ** 2).sum())
    assert variance == pytest.approx(float(drawn["sigma_voxels"]) ** 2, rel=0.05)
    assert volume.sum(dtype=np.float64) == pytest.approx(1000, rel=0.01)


def test_posterised_scans_have_a_few_intensities() -> None:
    normal, body = whole_scans.person("abdom")

    volume, parameters = alterations.posterised(normal, body, np.random.default_rng(1))

    assert len(np.unique(volume)) <= int(parameters["levels"])


def test_upside_down_is_just_that() -> None:
    normal, body = whole_scans.person("abdom")

    assert np.array_equal(alterations.upside_down(normal, body, np.random.default_rng(0))[0][:, :, ::-1], normal)


def test_a_box_without_equal_sides_cannot_be_turned_by_a_right_angle() -> None:
    normal, body = whole_scans.person("abdom")

    with pytest.raises(NoPlaceError, match="no two sides"):
        alterations.lying_wrong(normal[:20, :24, :28], body[:20, :24, :28], np.random.default_rng(0))


def test_rings_run_about_one_axis() -> None:
    normal, body = np.zeros((40, 40, 6), dtype=np.float32), np.ones((40, 40, 6), dtype=np.bool_)

    volume, _ = alterations.ringed(normal, body, np.random.default_rng(2))

    first = volume[:, :, 0]
    for k in range(1, 6):  # the same rings in each slice, stronger or weaker
        assert np.corrcoef(first.ravel(), volume[:, :, k].ravel())[0, 1] > 0.999


def test_metal_is_white_and_streaks_reach_beyond_it() -> None:
    normal, body = whole_scans.person("abdom", 48)

    volume, parameters = alterations.metal_streaked(normal, body, np.random.default_rng(0))

    metal = (volume == 1) & (normal < 1)
    changed = np.abs(volume - normal) > 0.02
    streaked = np.flatnonzero(changed.any(axis=(0, 1)))
    assert metal.sum() >= parameters["rods"]
    assert changed.sum() > 10 * metal.sum()
    assert len(streaked) <= int(parameters["slices"])


def test_low_dose_is_noisier_where_the_body_is_wide() -> None:
    normal = np.full((48, 48, 20), 0.5, dtype=np.float32)
    body = np.zeros(normal.shape, dtype=np.bool_)
    body[4:44, 4:44, :10] = body[18:30, 4:44, 10:] = True

    volume, _ = alterations.starved(normal, body, np.random.default_rng(0))

    assert volume[:, :, :10].std() > 2 * volume[:, :, 10:].std()
