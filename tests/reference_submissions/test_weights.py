"""The weights that the repository has."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from reference_submissions.kit.costs import Cost
from reference_submissions.kit.detector import Preset
from reference_submissions.kit.fitted import Fitted
from reference_submissions.method import HERE, Method
from toy_cases.phantoms import PHANTOMS

SHIPPED = sorted(path.parent for path in HERE.glob("weights/*/*/cost.json"))
SIDES = {"brain": 64, "abdom": 80}
RADIUS = 0.1  # of the side


def test_four_methods_have_weights_for_both_data_sets() -> None:
    assert [folder.relative_to(HERE / "weights").as_posix() for folder in SHIPPED] == [
        f"{method}/{dataset}" for method in ("canon", "dae", "fpi", "shapes") for dataset in ("abdom", "brain")
    ]


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: "-".join(folder.parts[-2:]))
def test_they_are_those_of_the_method_as_it_is_and_find_a_dark_sphere(folder: Path) -> None:
    cost = Cost.load(folder)
    model = Fitted.load(Method.find(folder.parent.name).detector(), folder)
    side = SIDES[folder.name]
    normal = PHANTOMS[folder.name](side, np.random.default_rng(8))
    off = np.moveaxis(np.indices(normal.shape), 0, -1) - side / 2
    inside = np.sum(off**2, axis=-1) < (RADIUS * side) ** 2

    scores = model.score(np.where(inside, np.float32(0.15), normal))

    assert (cost.method, cost.preset, cost.seed) == (folder.parent.name, Preset.SMALL, 2020)
    assert model.detector.cost().trainable == cost.trainable_parameters
    assert roc_auc_score(inside.ravel(), scores.voxels.ravel()) > 0.9
