from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.toy_cases.recipes import dataset, recipe
from toy_cases.anomalies import PLAIN, Scope
from toy_cases.recipe import RecipeError
from toy_cases.sets import Role, SetName, Split, roles_of, spread


def roles(**changes: Any) -> list[Role]:
    return roles_of(recipe(dataset(**changes)).datasets[0], [], np.random.default_rng(1), torchio=False)


def of_set(home: SetName, found: list[Role]) -> list[Role]:
    return [role for role in found if (role.home, role.split) == (home, Split.TEST)]


def test_a_test_set_is_half_normal() -> None:
    found = of_set(SetName.CHALLENGE, roles())

    assert Counter(role.scope for role in found) == {Scope.NORMAL: 5, Scope.LOCAL: 3, Scope.GLOBAL: 2}


def test_the_normal_cases_can_be_counted_out() -> None:
    found = of_set(SetName.CHALLENGE, roles(test={"normal": 7, "anomalous": {"images": 2}}))

    assert [role.scope for role in found].count(Scope.NORMAL) == 7


def test_a_number_is_spread_over_the_subcategories() -> None:
    known = [kind for kind in PLAIN if kind.category == "images" and "mr" in kind.modalities]

    found = of_set(SetName.CHALLENGE, roles(test={"anomalous": {"images": 2 * len(known) + 1}}))

    counted = Counter(role.subcategory for role in found if role.scope is Scope.LOCAL)
    assert set(counted) == {kind.subcategory for kind in known}
    assert sorted(counted.values()) == [2] * (len(known) - 1) + [3]


def test_a_kind_that_was_named_has_no_substitute() -> None:
    tumour, image = (
        next(role for role in of_set(SetName.CHALLENGE, roles()) if role.category == category)
        for category in ("pathologies", "images")
    )

    assert tumour.alternatives == ()
    assert set(image.alternatives) | {image.kind} == {kind.name for kind in PLAIN if kind.category == "images"}


def test_spreading_loses_nothing() -> None:
    assert sorted(spread(11, 4, np.random.default_rng(0))) == [2, 3, 3, 3]


def test_toy_cases_are_three_spheres_and_a_normal_scan() -> None:
    toy = [role for role in roles() if role.split is Split.TOY]

    assert [role.subcategory for role in toy] == ["", "sphere", "sphere", "sphere"]


def test_an_analysis_set_has_as_many_of_each_and_is_half_normal() -> None:
    found = of_set(SetName.ANALYSIS, roles(analysis={"per_subcategory": 2}))

    counted = Counter((role.category, role.subcategory) for role in found)
    normal = counted.pop(("", ""))
    assert set(counted.values()) == {2}
    assert normal == sum(counted.values())


def test_a_toyish_set_has_spheres_and_cubes() -> None:
    found = of_set(SetName.TOYISH, roles(toyish={"count": 6}))

    assert Counter(role.subcategory for role in found) == {"": 6, "sphere": 3, "cube": 3}


def test_sweeps_have_the_published_ranges() -> None:
    found = of_set(SetName.SWEEPS, roles(size=256, sweeps={}))

    radii = [role.given["radius_voxels"] for role in found if role.subcategory == "radius sweep"]
    shades = [role.given["intensity"] for role in found if role.subcategory == "intensity sweep"]
    assert (radii[0], radii[-1], len(radii)) == (4, 80, 20)
    assert shades == [round(0.05 * step, 4) for step in range(21)]


@pytest.mark.parametrize(
    ("anomalous", "complaint"),
    [
        ({"images": {"unicorn": 1}}, "brain: test.anomalous.images: unicorn cannot be made here: there are "),
        ({"medical conditions": 2}, "these come from scans that have them"),
        ({"alterations": {"metal streaks": 1}}, r"metal streaks cannot be made here \(metal streaks is for ct\)"),
    ],
)
def test_a_kind_that_cannot_be_drawn_is_refused(anomalous: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecipeError, match=complaint):
        roles(test={"anomalous": anomalous})


def test_torchio_must_be_there_to_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toy_cases.sets.KINDS", PLAIN)

    with pytest.raises(RecipeError, match=r"torchio: true, but TorchIO is not installed: pip install"):
        roles_of(recipe().datasets[0], [], np.random.default_rng(1), torchio=True)
