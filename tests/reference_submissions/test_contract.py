"""What every reference submission has to do; a new one is picked up by its folder."""

from pathlib import Path

import pytest

from reference_submissions.kit.checks import check, phantom
from reference_submissions.kit.skeleton.detector import Skeleton
from reference_submissions.method import HERE, METHODS, Method
from tests.reference_submissions.conftest import SMALL_TORCH


@pytest.mark.parametrize("given", [*METHODS, str(SMALL_TORCH)])
def test_a_method_fits_scores_saves_and_loads(given: str, tmp_path: Path) -> None:
    check(Method.find(given).detector(), [phantom(seed) for seed in range(8)], tmp_path)


def test_the_skeleton_is_a_method(tmp_path: Path) -> None:
    check(Skeleton, [phantom(seed) for seed in range(8)], tmp_path)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_the_name_of_its_folder_and_a_readme(name: str) -> None:
    assert Method.find(name).detector().name == name
    assert (HERE / name / "README.md").stat().st_size > 500
