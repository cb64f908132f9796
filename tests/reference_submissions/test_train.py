from pathlib import Path

import numpy as np
import pytest

from reference_submissions.pca import train
from toy_cases.build import write_training


def test_a_fit_on_tiny_volumes(tmp_path: Path) -> None:
    write_training(tmp_path, sizes={"brain": 16}, count=8)

    weights = train.fit(tmp_path / "brain", side=8)

    assert weights.mean.shape == weights.spread.shape == weights.usual.shape == (8, 8, 8)
    np.testing.assert_allclose(weights.components @ weights.components.T, np.eye(len(weights.components)), atol=1e-5)
    assert len(weights.components) < 6  # of six scans taught, two held out
    assert weights.spread.min() >= train.SPREAD_FLOOR
    assert weights.usual.min() > 0
    assert weights.usual_norm > 0


def test_the_same_scans_give_the_same_weights(tmp_path: Path) -> None:
    write_training(tmp_path, sizes={"brain": 16}, count=8)

    first, again = (train.fit(tmp_path / "brain", side=8) for _ in range(2))

    assert np.array_equal(first.components, again.components)


def test_too_few_scans_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 training scans"):
        train.fit(tmp_path)
