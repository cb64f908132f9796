from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from reference_submissions.kit.calibration import BULK, HIGHEST, TOP, Calibration
from reference_submissions.kit.detector import Array, Scores

Numbers = npt.NDArray[np.floating]


def scores(voxels: Numbers, sample: float = 1.0) -> Scores:
    return Scores(sample=sample, voxels=np.asarray(voxels, dtype=np.float32).reshape(1, 1, -1))


def draw(seed: int) -> Scores:
    """Half background, the rest with a long tail."""
    rng = np.random.default_rng(seed)
    return scores(rng.gamma(2, size=4000) * (rng.random(4000) > 0.5), sample=1 + seed)


def of(calibration: Calibration, raw: Numbers) -> Array:
    return calibration.of_voxels(np.asarray(raw, dtype=np.float32).reshape(1, 1, -1)).ravel()


def levels(calibrated: Array) -> Array:
    return np.asarray(calibrated.astype(np.float16).view(np.uint16), dtype=np.float32)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return Calibration.fit((draw(seed) for seed in range(5)), seed=0)


def test_scores_rise_from_0_towards_1(calibration: Calibration) -> None:
    raw = np.geomspace(1e-30, 1e38, 5000)

    calibrated = of(calibration, raw)

    assert np.all(np.diff(calibrated) >= 0)
    assert 0 < calibrated[0] < calibrated[-1] < 1


def test_0_alone_becomes_0(calibration: Calibration) -> None:
    assert of(calibration, np.array([0.0, 1e-38]))[0] == 0
    assert of(calibration, np.array([0.0, 1e-38]))[1] > 0


def test_rounding_to_half_precision_changes_nothing(calibration: Calibration) -> None:
    calibrated = of(calibration, draw(9).voxels)

    assert calibrated.dtype == np.float32
    assert np.array_equal(calibrated, calibrated.astype(np.float16))


def test_normal_scores_are_spread_over_their_levels(calibration: Calibration) -> None:
    normal = np.sort(draw(9).voxels[draw(9).voxels > 0])

    found = levels(of(calibration, normal))

    assert len(np.unique(found)) > 0.6 * len(normal)  # 2,000 scores on 13,312 levels; at random 0.8 would stay apart
    assert found[round(0.45 * len(normal))] == pytest.approx(BULK / 2, rel=0.1)
    assert found[round(0.9 * len(normal))] == pytest.approx(BULK, rel=0.2)


def test_the_high_tail_stays_apart_over_many_orders(calibration: Calibration) -> None:
    highest = calibration.raw[-1]

    tail = levels(of(calibration, highest * np.geomspace(1, 1e6, 150)))

    assert np.all(np.diff(tail) > 0)
    assert tail[0] == HIGHEST
    assert tail[-1] < TOP


def test_eight_times_the_highest_normal_score_stands_half_way(calibration: Calibration) -> None:
    assert of(calibration, np.array([8 * calibration.raw[-1]]))[0] == pytest.approx(0.5, abs=1e-3)


def test_odd_raw_scores_stay_odd_or_are_clamped(calibration: Calibration) -> None:
    with np.errstate(all="raise"):
        calibrated = of(calibration, np.array([np.nan, np.inf, -1.0]))

    np.testing.assert_array_equal(calibrated, [np.nan, 1, 0])


def test_samples_are_halved_at_the_median_and_stay_apart(calibration: Calibration) -> None:
    raw = 3.0 * np.geomspace(1e-3, 1e6, 1000)

    calibrated = np.array([calibration.of_sample(one) for one in raw])

    assert calibration.of_sample(3.0) == 0.5  # of 1, 2, 3, 4, 5
    assert calibration.of_sample(0.0) == 0
    assert calibration.of_sample(np.inf) == 1
    assert np.isnan(calibration.of_sample(np.nan))
    assert np.all(np.diff(calibrated) > 0)
    assert calibrated.max() < 1


@pytest.mark.parametrize("normal", [[0.0, 0.0], [0.5, 0.5], [0.0, 7.0], [1e-30], [3e38, 3e38]])
def test_normal_scores_without_variety_will_do(normal: list[float]) -> None:
    calibration = Calibration.fit([scores(np.array(normal), sample=0.0)], seed=0)

    calibrated = of(calibration, np.array([0.0, 1e-3, 0.5, 7.0, 100.0]))

    assert np.all(np.diff(calibrated) >= 0)
    assert calibrated[0] == 0 < calibrated[1]
    assert calibrated[-1] < 1
    assert calibration.of_sample(0.0) == 0


def test_the_voxels_that_stand_for_a_volume_hold_its_highest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_submissions.kit.calibration.PER_VOLUME", 10)

    assert Calibration.fit([draw(0)], seed=0).raw[-1] == pytest.approx(draw(0).voxels.max())


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_raw_scores_that_are_none_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="must be finite and at least 0"):
        Calibration.fit([scores(np.array([0.0, wrong]))], seed=0)
    with pytest.raises(ValueError, match="must be finite and at least 0"):
        Calibration.fit([scores(np.array([0.0]), sample=wrong)], seed=0)


def test_it_survives_the_disk(calibration: Calibration, tmp_path: Path) -> None:
    calibration.save(tmp_path)

    assert Calibration.load(tmp_path) == calibration
