import numpy as np
import pytest

from reference_submissions.kit.checks import phantom
from reference_submissions.kit.slices import Stack
from reference_submissions.kit.training import Plan
from reference_submissions.shapes.detector import BODY, DRAWN, Options, Shapes, probability, with_shape
from tests.reference_submissions.small_sets import times_chance

SIDE = 24


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    normal = [phantom(seed) for seed in range(8)]
    plan = Plan(epochs=3, steps=60, batch=8, rate=4e-3)
    return Shapes.learn(Stack.of(normal, side=SIDE), Options(side=SIDE, width=8, depth=3), plan, seed=0, say=print)


def test_it_finds_balls_after_seconds(shapes: Shapes) -> None:
    assert times_chance(shapes, [phantom(seed) for seed in range(100, 106)]) > 3


def test_a_voxel_scores_odds_and_a_volume_the_mean_probability(shapes: Shapes) -> None:
    volume = phantom(200)

    scores = shapes.score(volume)

    assert scores.sample == pytest.approx((scores.voxels / (1 + scores.voxels)).mean(), rel=1e-4)
    np.testing.assert_allclose(probability(shapes.logits(volume)), scores.voxels / (1 + scores.voxels), rtol=1e-4)


def test_a_drawn_shape_has_one_of_the_slice_s_greys_and_is_labelled() -> None:
    normal = phantom(0)[12]
    drawn, labels = zip(*(with_shape(normal, np.random.default_rng(seed)) for seed in range(200)), strict=True)

    for slice_, label in zip(drawn, labels, strict=True):
        greys = np.unique(slice_[label == 1])
        assert len(greys) <= 1
        assert np.isin(greys, normal[normal > BODY]).all()
        np.testing.assert_array_equal(slice_[label == 0], normal[label == 0])
    assert np.mean([label.any() for label in labels]) == pytest.approx(DRAWN, abs=0.1)


def test_shapes_stay_on_the_body() -> None:
    normal = phantom(0)[12]

    labels = [with_shape(normal, np.random.default_rng(seed))[1] for seed in range(50)]

    assert np.max(np.array(labels)[:, normal <= BODY]) == 0


def test_an_empty_slice_stays_as_it_is() -> None:
    empty = np.zeros((8, 8), dtype=np.float32)

    slices, labels = zip(*(with_shape(empty, np.random.default_rng(seed)) for seed in range(5)), strict=True)

    assert not np.any(slices)
    assert not np.any(labels)
