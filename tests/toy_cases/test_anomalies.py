import subprocess
import sys

import numpy as np
import pytest

from toy_cases import anomalies
from toy_cases.anomalies import whole
from toy_cases.phantoms import PHANTOMS

SIDE = 40


@pytest.fixture(params=["brain", "abdom"])
def normal(request: pytest.FixtureRequest) -> anomalies.Array:
    return PHANTOMS[request.param](SIDE, np.random.default_rng(3))


def test_every_category_has_six_kinds_that_need_no_extra_but_medical_conditions_which_are_real() -> None:
    counted = {category: sum(kind.category is category for kind in anomalies.PLAIN) for category in anomalies.Category}

    assert counted.pop(anomalies.Category.MEDICAL_CONDITIONS) == 0
    assert min(counted.values()) >= 6
    assert not any(kind.needs for kind in anomalies.PLAIN)


def test_names_are_unique_and_find_their_kind() -> None:
    names = [kind.name for kind in (*anomalies.SHAPES, *anomalies.PLAIN)]

    assert len(set(names)) == len(names)
    assert all(anomalies.by_name(name).name == name for name in names)
    with pytest.raises(KeyError, match="nonsense"):
        anomalies.by_name("images/nonsense")


def test_all_kinds_are_the_plain_ones_and_then_those_that_need_an_extra() -> None:
    kinds = list(anomalies.KINDS)

    assert tuple(kinds[: len(anomalies.PLAIN)]) == anomalies.PLAIN
    assert all(kind.needs == "toy" for kind in kinds[len(anomalies.PLAIN) :])
    assert len(anomalies.KINDS) == len(kinds)
    assert anomalies.KINDS[0] is kinds[0]


def test_plain_kinds_load_no_torch() -> None:
    code = (
        "import sys; from toy_cases import anomalies; anomalies.by_name('images/gorilla'); "
        "print([name for name in ('torch', 'torchio', 'nilearn') if name in sys.modules])"
    )

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert told.stdout.strip() == "[]"


def test_the_normal_volume_itself_is_left_alone(normal: anomalies.Array) -> None:
    before = normal.copy()

    for kind in anomalies.GLOBALS:
        kind.apply(normal, np.random.default_rng(0))

    assert np.array_equal(normal, before)


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
