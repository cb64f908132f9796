"""Average precision against scikit-learn, bit for bit, and batches by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from evaluator.metrics import samples, voxels
from evaluator.sketch import Sketch


@pytest.mark.parametrize("seed", range(60))
def test_equals_scikit_learn_bit_for_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 4000))
    levels = int(rng.choice([1, 2, 9, 300, 20_000]))  # from a constant to nearly no ties
    scores = rng.integers(0, levels, count) / levels * rng.choice([0.001, 1.0, 1.6]) - rng.choice([0.0, 0.3])
    mask = rng.random(count) < rng.choice([0.01, 0.5, 0.99])
    mask[0] = True
    in_half = np.clip(scores.astype(np.float16), 0, 1)
    assert voxels.average_precision(Sketch.of(scores, mask)) == average_precision_score(mask, in_half)
    of_samples = samples.average_precision(scores.tolist(), mask.astype(int).tolist())
    assert of_samples == average_precision_score(mask, np.clip(scores, 0, 1))


def test_sketches_summed_equal_scikit_learn_on_all_voxels() -> None:
    rng = np.random.default_rng(5)
    scores = [rng.random(1000).astype(np.float16) for _ in range(4)]
    masks = [rng.random(1000) < 0.1 for _ in range(4)]
    total = Sketch.total(map(Sketch.of, scores, masks))
    assert voxels.average_precision(total) == average_precision_score(np.concatenate(masks), np.concatenate(scores))


def test_samples_are_not_rounded_to_half_precision() -> None:
    assert samples.average_precision([0.50001, 0.50002], [0, 1]) == 1.0


def test_samples_need_as_many_labels() -> None:
    with pytest.raises(ValueError, match="2 scores, 1 labels"):
        samples.average_precision([0.1, 0.2], [1])


def test_batches_count_alike_whatever_their_size() -> None:
    perfect = Sketch.of(np.array([1.0, 0.0]), np.array([True, False]))
    constant = Sketch.zeros(positive=250, negative=750)
    assert voxels.batched_average_precision([perfect, constant]) == (1 + 0.25) / 2


def test_batch_without_an_anomalous_voxel_counts_zero() -> None:
    perfect = Sketch.of(np.array([1.0, 0.0]), np.array([True, False]))
    assert voxels.batched_average_precision([perfect, Sketch.zeros(positive=0, negative=9)]) == 0.5
