"""The pure parts of benchmarks/methods.py: groups of cases, and what is written into the tables."""

import pytest

from benchmarks import methods
from evaluator.analysis.entries import CaseSet, Facts
from toy_cases.recipe import parse

NO_BREAK = methods.NO_BREAK


def local(shift: float | None, contrast: float | None = 0.2) -> Facts:
    parameters: dict[str, float | str] = {} if shift is None else {"shift": shift}
    return Facts(scope="local", category="images", subcategory="ring", contrast=contrast, parameters=parameters)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (local(0.2), "bright"),
        (local(-0.2), "dark"),
        (local(-0.1), "dark"),  # half of the change
        (local(0.09), ""),  # as much darker as brighter, nearly
        (local(None), ""),
        (local(0.2, contrast=None), ""),
    ],
)
def test_anomaly_is_bright_or_dark_where_most_of_its_change_goes_one_way(facts: Facts, expected: str) -> None:
    assert methods.tone(facts) == expected


def test_cases_without_a_group_are_left_out_and_normal_ones_stay() -> None:
    facts = {"a": local(0.2), "b": local(-0.2), "c": local(0.0), "d": Facts(scope="normal")}
    labels = {"a": 1, "b": 1, "c": 1, "d": 0}
    case_set = CaseSet(dataset="brain", name="toyish", task="pixel", labels=labels, facts=facts, deal=())

    found = methods.regrouped(case_set, methods.tone).facts

    assert {case: (one.scope, one.category) for case, one in found.items()} == {
        "a": ("local", "bright"),
        "b": ("local", "dark"),
        "d": ("normal", ""),
    }
    assert not found["a"].subcategory  # or each kind would be a group of its own


def test_interval_has_no_place_to_break_and_no_negative_zero() -> None:
    assert methods.interval(0.5, 0.25, 0.754) == "0.50 (0.25 to 0.75)".replace(" ", NO_BREAK)
    assert methods.interval(-0.001, -0.25, 0.75, sign="+") == "+0.00 (-0.25 to +0.75)".replace(" ", NO_BREAK)


def test_recipe_of_the_leaderboard_is_one_that_mood_data_takes() -> None:
    assert [dataset.name for dataset in parse(methods.RECIPE).datasets] == list(methods.DATASETS)
