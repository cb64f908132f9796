"""What this method is to do. What every method has to do is tested by `check`."""

from pathlib import Path

import numpy as np

from reference_submissions.kit.checks import check, phantom
from reference_submissions.kit.detector import Preset
from reference_submissions.kit.skeleton.detector import Skeleton

NORMAL = [phantom(seed) for seed in range(6)]


def test_it_does_what_every_method_has_to(tmp_path: Path) -> None:
    check(Skeleton, NORMAL, tmp_path)


def test_a_bright_spot_stands_out() -> None:
    method = Skeleton.fit(NORMAL, preset=Preset.TINY, seed=0, say=print)
    sick = phantom(99)
    spot = np.s_[10:14, 10:14, 10:14]
    sick[spot] = 1

    scores = method.score(sick)

    assert scores.voxels[spot].min() > np.quantile(scores.voxels, 0.95)
    assert scores.sample > method.score(phantom(99)).sample
