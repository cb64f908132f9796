from functools import partial

import numpy as np
import pytest

from tests.toy_cases.anomalies import whole_scans
from toy_cases.anomalies.base import Category, Kind

torch = pytest.importorskip("torch")
pytest.importorskip("torchio")
artefacts = pytest.importorskip("toy_cases.anomalies.artefacts")


def test_each_says_which_extra_it_needs() -> None:
    assert {kind.needs for kind in artefacts.KINDS} == {"toy"}
    assert {kind.category for kind in artefacts.KINDS} == {
        Category.CORRUPTIONS,
        Category.ALTERATIONS,
        Category.DESTRUCTIONS,
    }
    assert len({kind.name for kind in artefacts.KINDS}) == len(artefacts.KINDS)


@pytest.mark.parametrize(("kind", "name"), whole_scans.cases(artefacts.KINDS))
def test_a_spoilt_scan_is_still_a_scan(kind: Kind, name: str) -> None:
    whole_scans.check_the_contract(kind, name)


@pytest.mark.parametrize(("kind", "name"), whole_scans.cases(artefacts.KINDS))
def test_the_seed_decides(kind: Kind, name: str) -> None:
    whole_scans.check_seeds(kind, name)


def test_another_process_with_other_threads_makes_the_same_bytes() -> None:
    whole_scans.check_another_process("toy_cases.anomalies.artefacts")


@pytest.mark.parametrize("kind", artefacts.KINDS, ids=lambda kind: kind.name)
def test_torchs_own_generator_and_threads_are_left_alone(kind: Kind) -> None:
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()

    kind.draw(*whole_scans.person("brain"), np.random.default_rng(0))

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("subcategory", ["bias field", "motion", "ghosting"])
def test_the_strong_form_changes_more_than_the_mild_one(subcategory: str) -> None:
    contrast = partial(_contrast, subcategory)

    assert contrast(Category.ALTERATIONS) > 1.5 * contrast(Category.CORRUPTIONS)


def test_an_elastic_deformation_leaves_the_border_where_it_is() -> None:
    normal = np.random.default_rng(0).random((32,) * 3, dtype=np.float32)

    volume, _ = artefacts.elastic(normal, normal >= 0, np.random.default_rng(0))

    assert np.abs(volume[0] - normal[0]).max() < 5e-3
    assert np.abs(volume[16] - normal[16]).mean() > 0.05


def test_spikes_are_waves_all_over() -> None:
    normal = np.full((32,) * 3, 0.5, dtype=np.float32)

    volume, drawn = artefacts.spiked(normal, normal > 0, np.random.default_rng(1))

    spectrum = np.abs(np.fft.fftn(volume - normal))
    strongest = np.sort(spectrum, axis=None)[::-1]
    waves = 2 * int(drawn["spikes"])  # each of them and its mirror
    assert strongest[waves - 1] > 100 * strongest[waves]


def _contrast(subcategory: str, category: Category) -> float:
    (kind,) = (k for k in artefacts.KINDS if k.category is category and k.subcategory == subcategory)
    return whole_scans.mean_contrast([kind])
