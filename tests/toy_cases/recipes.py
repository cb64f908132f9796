"""Small recipes for tests."""

from typing import Any

from toy_cases.plan import Plan, make_plan
from toy_cases.recipe import Recipe

SIDE = 24


def dataset(**changes: Any) -> dict[str, Any]:
    """A data set of phantoms with five anomalous cases."""
    plain = {
        "name": "brain",
        "source": {"kind": "phantoms"},
        "size": SIDE,
        "training": 2,
        "test": {"anomalous": {"images": 2, "pathologies": {"bright tumour": 1}, "destructions": 2}},
    }
    return plain | changes


def recipe(*datasets: dict[str, Any], **changes: Any) -> Recipe:
    """A recipe of these data sets, or of one."""
    plain = {"slug": "small", "title": "Small", "seed": 5, "datasets": list(datasets) or [dataset()]}
    return Recipe.model_validate(plain | changes)


def plan(*datasets: dict[str, Any], **changes: Any) -> Plan:
    """What such a recipe comes to."""
    made = recipe(*datasets, **changes)
    return make_plan(made, made.to_yaml())
