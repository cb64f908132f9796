from pathlib import Path

import numpy as np
import pytest

from reference_submissions.canon.detector import Canon
from reference_submissions.kit.checks import phantom
from reference_submissions.kit.detector import Preset
from reference_submissions.kit.slices import Stack
from reference_submissions.shapes import detector as shapes


@pytest.fixture(scope="module")
def canon() -> Canon:
    return Canon.fit([phantom(seed) for seed in range(4)], preset=Preset.TINY, seed=0, say=print)


def test_a_voxel_scores_half_of_each_part_and_a_volume_their_mean(canon: Canon) -> None:
    volume = phantom(9)
    odds = canon.shapes.score(volume).voxels

    scores = canon.score(volume)

    by_hand = 0.5 * np.minimum(canon.dae.score(volume).voxels, 1) + 0.5 * odds / (1 + odds)
    np.testing.assert_allclose(scores.voxels, by_hand, rtol=1e-4)
    assert scores.sample == pytest.approx(by_hand.mean(), rel=1e-4)
    assert scores.voxels.max() <= 1


def test_its_parts_are_the_methods_of_their_own(canon: Canon) -> None:
    options = shapes.OPTIONS[Preset.TINY]
    stack = Stack.of([phantom(seed) for seed in range(4)], side=options.side)

    alone = shapes.Shapes.learn(stack, options, shapes.PLANS[Preset.TINY], seed=0, say=print)

    np.testing.assert_allclose(alone.logits(phantom(9)), canon.shapes.logits(phantom(9)), rtol=1e-3, atol=1e-3)


def test_it_counts_and_keeps_both_parts(canon: Canon, tmp_path: Path) -> None:
    canon.save(tmp_path)

    again = Canon.load(tmp_path)

    assert again.cost() == canon.cost()
    assert canon.cost().trainable == canon.dae.cost().trainable + canon.shapes.cost().trainable
