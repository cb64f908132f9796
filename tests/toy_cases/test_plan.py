import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.toy_cases.recipes import dataset, plan
from toy_cases.anomalies import Scope
from toy_cases.plan import PlannedCase, allocate
from toy_cases.recipe import RecipeError
from toy_cases.sets import Pool, SetName, Split
from toy_cases.sources import ScanRef

LARGE = dataset(
    training=7,
    test={"anomalous": {"images": 9, "destructions": 8}},
    analysis={"per_subcategory": 1},
    toyish={"count": 5},
    sweeps={},
)


def scans(*per_patient: int) -> list[ScanRef]:
    return [ScanRef(name=f"{p}-{s}", patient=str(p)) for p, count in enumerate(per_patient) for s in range(count)]


def dealt(needs: dict[Pool, int], *per_patient: int, reuse: bool = False) -> tuple[dict[Pool, list[ScanRef]], bool]:
    return allocate(needs, scans(*per_patient), np.random.default_rng(3), reuse=reuse)


def test_no_scan_serves_twice() -> None:
    cases = [case for case in plan(LARGE).cases if case.role.home is not SetName.SWEEPS]

    assert len({case.scan for case in cases}) == len(cases) > 100
    assert not any(case.moved for case in cases)


def test_sets_can_share_scans_and_a_normal_one_is_never_a_base() -> None:
    analysis, toyish = {"per_subcategory": 1, "scans": "test"}, {"count": 5, "scans": "test"}

    cases = plan(LARGE | {"analysis": analysis, "toyish": toyish}).cases

    uses = Counter((case.role.home, case.scan) for case in cases if case.role.home is not SetName.SWEEPS)
    normal = {case.scan for case in cases if case.role.scope is Scope.NORMAL and case.role.split is Split.TEST}
    assert set(uses.values()) == {1}
    assert not normal & {case.scan for case in cases if case.role.scope is not Scope.NORMAL} - sweep_scans(cases)
    assert len({case.scan for case in cases}) < len(cases) - 20


def sweep_scans(cases: tuple[PlannedCase, ...]) -> set[ScanRef]:
    return {case.scan for case in cases if case.role.home is SetName.SWEEPS}


def test_names_differ_and_say_nothing() -> None:
    (planned,) = plan(LARGE).datasets
    names = [case.name for case in planned.cases]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[0-9a-f]{12}\.nii\.gz", name) for name in names)
    assert names == sorted(names)  # the order in which files come to the disk says nothing either
    numbers = [case.number for case in planned.cases]
    assert abs(np.corrcoef(numbers, np.arange(len(numbers)))[0, 1]) < 0.3


def test_everything_follows_from_the_seed() -> None:
    assert plan(LARGE).fingerprint == plan(LARGE).fingerprint
    assert plan(LARGE).fingerprint != plan(LARGE, seed=6).fingerprint
    assert not {c.name for c in plan(LARGE).cases} & {c.name for c in plan(LARGE, seed=6).cases}


def test_another_data_set_changes_nothing_of_the_first() -> None:
    both = plan(dataset(), dataset(name="abdom"))

    assert both.datasets[0].cases == plan(dataset()).datasets[0].cases


def test_patients_are_not_split() -> None:
    needs = {Pool.TOY: 4, Pool.NORMAL: 20, Pool.ANOMALOUS: 20, Pool.TRAINING: 10}
    rng = np.random.default_rng(8)
    for _ in range(20):
        found, reused = dealt(needs, *(int(n) for n in rng.integers(1, 4, 60)))

        owners = {pool: {scan.patient for scan in given} for pool, given in found.items()}
        assert sum(map(len, owners.values())) == len(set().union(*owners.values()))
        assert all(len(found[pool]) >= count for pool, count in needs.items())
        assert not reused


def test_as_many_scans_as_are_needed_suffice() -> None:
    found, reused = dealt({Pool.NORMAL: 5, Pool.ANOMALOUS: 5, Pool.TRAINING: 3}, *[1] * 13)

    assert {pool: len(given) for pool, given in found.items()} == {
        Pool.NORMAL: 5,
        Pool.ANOMALOUS: 5,
        Pool.TRAINING: 3,
    }
    assert not reused


def test_too_few_scans_are_told_with_both_numbers() -> None:
    with pytest.raises(
        RecipeError,
        match=r"needs 8 normal scans \(5 normal test cases, 3 training\), found 7: add scans, .*reuse_scans: true",
    ):
        dealt({Pool.NORMAL: 5, Pool.TRAINING: 3}, *[1] * 7)


def test_patients_that_cannot_be_split_are_told() -> None:
    with pytest.raises(
        RecipeError, match=r"needs 4 normal scans .* found 5 of 1 patients, whose scans cannot be split"
    ):
        dealt({Pool.NORMAL: 2, Pool.TRAINING: 2}, 5)


def test_too_few_scans_that_may_be_reused_still_keep_pools_apart() -> None:
    found, reused = dealt({Pool.NORMAL: 20, Pool.ANOMALOUS: 20, Pool.TRAINING: 40}, *[1] * 40, reuse=True)

    assert {pool: len(given) for pool, given in found.items()} == {
        Pool.NORMAL: 10,
        Pool.ANOMALOUS: 10,
        Pool.TRAINING: 20,
    }
    assert len({scan for given in found.values() for scan in given}) == 40
    assert reused


def test_very_few_scans_serve_everywhere_or_whose_it_is_would_tell_normal_from_anomalous() -> None:
    found, reused = dealt({Pool.NORMAL: 20, Pool.ANOMALOUS: 20, Pool.TOY: 4}, *[1] * 20, reuse=True)

    assert all(len(set(given)) == 20 for given in found.values())
    assert reused


def test_no_scan_at_all_cannot_be_reused() -> None:
    with pytest.raises(RecipeError, match="found no normal scan at all"):
        dealt({Pool.NORMAL: 3}, reuse=True)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"test": {"anomalous": {"images": 0}, "normal": 3}}, "no anomalous test case, scores would be undefined"),
        ({"test": {"anomalous": {"destructions": 3}}}, "which needs a local anomaly, but there are 0: add local ones"),
        (
            {"test": {"anomalous": {"images": 1}, "normal": 40}},
            "41 cases of the pixel task make 3 batches of 20, each of which needs a local anomaly, but there are 1",
        ),
    ],
)
def test_a_task_that_would_lack_something_is_told_before_all_is_made(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecipeError, match=complaint):
        plan(dataset(**changes))


def test_without_masks_no_local_anomaly_is_needed() -> None:
    planned = plan(dataset(has_masks=False, test={"anomalous": {"destructions": 3}}))

    assert Counter(case.role.scope for case in planned.cases if case.role.split is Split.TEST)[Scope.GLOBAL] == 3
