import subprocess
import sys

import pytest

from toy_cases import anomalies


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
