import numpy as np
import pytest

from tests.toy_cases.anomalies import whole_scans
from toy_cases.anomalies import alterations, corruptions, destructions
from toy_cases.anomalies.base import Category, Kind
from toy_cases.anomalies.spoiling import Spoil


@pytest.mark.parametrize("modality", ["mr", "ct"])
def test_there_are_enough_kinds_each_with_its_source(modality: str) -> None:
    whole_scans.check_kinds(corruptions.KINDS, modality)
    assert {kind.category for kind in corruptions.KINDS} == {Category.CORRUPTIONS}


@pytest.mark.parametrize(("kind", "name"), whole_scans.cases(corruptions.KINDS))
def test_a_spoilt_scan_is_still_a_scan(kind: Kind, name: str) -> None:
    whole_scans.check_the_contract(kind, name)


@pytest.mark.parametrize(("kind", "name"), whole_scans.cases(corruptions.KINDS))
def test_the_seed_decides(kind: Kind, name: str) -> None:
    whole_scans.check_seeds(kind, name)


def test_another_process_makes_the_same_bytes() -> None:
    whole_scans.check_another_process("toy_cases.anomalies.corruptions")


def test_mild_kinds_change_less_than_strong_ones_on_average() -> None:
    mild, strong, fatal = (
        whole_scans.mean_contrast(module.KINDS) for module in (corruptions, alterations, destructions)
    )

    assert mild < 0.6 * strong
    assert mild < 0.6 * fatal


@pytest.mark.parametrize("spoil", [corruptions.swollen, corruptions.shrunken])
def test_organs_may_swell_or_shrink_but_the_outline_stays(spoil: Spoil) -> None:
    normal, body = np.zeros((40,) * 3, dtype=np.float32), np.zeros((40,) * 3, dtype=np.bool_)
    body[4:36, 4:36, 4:36] = True
    normal[body] = 0.5

    for seed in range(8):
        volume, _ = spoil(normal, body, np.random.default_rng(seed))
        assert np.count_nonzero(np.abs(volume - normal) > 0.02) < 0.02 * body.sum()


def test_a_mirrored_scan_is_mirrored() -> None:
    normal, body = whole_scans.person("abdom")

    volume, _ = corruptions.mirrored(normal, body, np.random.default_rng(0))

    assert np.array_equal(volume[::-1], normal)


def test_a_body_that_the_scan_cuts_off_is_stretched_not_squeezed_along_that_axis() -> None:
    normal, body = whole_scans.person("abdom")  # ends at both faces of z
    drawn = [corruptions.squeezed(normal, body, np.random.default_rng(seed))[1] for seed in range(20)]

    assert {float(one["factor"]) > 1 for one in drawn if one["axis"] == 2} == {True}
    assert {float(one["factor"]) < 1 for one in drawn if one["axis"] != 2} == {True}


def test_a_body_that_the_scan_cuts_off_turns_about_its_own_axis_only() -> None:
    normal, body = whole_scans.person("abdom")

    assert {corruptions.turned(normal, body, np.random.default_rng(seed))[1]["axis"] for seed in range(8)} == {2}


def test_beam_hardening_darkens_the_middle_more_than_the_skin() -> None:
    normal = np.zeros((48, 48, 8), dtype=np.float32)
    x, y = np.ogrid[:48, :48]
    disc = np.hypot(x - 23.5, y - 23.5)
    normal[disc < 20] = 0.5

    volume, parameters = corruptions.cupped(normal, normal > 0, np.random.default_rng(0))

    loss = normal - volume
    assert loss[disc < 4].mean() > 2 * loss[(disc > 16) & (disc < 19)].mean() > 0
    assert loss.max() == pytest.approx(float(parameters["depth"]), rel=0.05)
