"""The examples of docstrings give what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("cli", "evaluator", "reference_submissions", "server", "toy_cases", "worker")
WITH_EXAMPLES = [
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=str)
def test_examples_give_what_they_say(path: Path) -> None:
    found = doctest.testmod(import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__")))
    assert found.attempted
    assert not found.failed


def test_there_are_examples() -> None:
    assert len(WITH_EXAMPLES) > 20
