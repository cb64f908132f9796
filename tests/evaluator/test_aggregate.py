import math

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluator import aggregate
from evaluator.metrics import voxels
from evaluator.regions import Regions
from evaluator.sketch import Sketch

PERFECT = Sketch.of(np.array([1.0, 0.5, 0.5]), np.array([True, False, False]))
CONSTANT = Sketch.zeros(positive=1, negative=3)
HEALTHY = Sketch.zeros(positive=0, negative=100)
FULL = Sketch.zeros(positive=5, negative=0)


def test_scans_of_one_class_are_left_out_and_counted() -> None:
    found = aggregate.compare(voxels.average_precision, [PERFECT, HEALTHY, CONSTANT, FULL, CONSTANT]).scans
    assert (found.n, found.left_out) == (3, 2)
    assert (found.mean, found.median) == (0.5, 0.25)


def test_both_levels_are_given() -> None:
    # the perfect scan's 2 normal voxels come before the constant scan's positive one: 1/2 · 1/1 + 1/2 · 2/7
    found = aggregate.compare(voxels.average_precision, [PERFECT, CONSTANT])
    assert found.dataset == pytest.approx(9 / 14, abs=1e-15)
    assert found.scans.mean == 5 / 8


def test_healthy_scans_count_at_data_set_level_alone() -> None:
    found = aggregate.compare(voxels.auroc, [PERFECT, HEALTHY])
    assert (found.scans.mean, found.scans.n, found.scans.left_out) == (1.0, 1, 1)
    assert found.dataset == 1.0


def test_histogram_covers_0_to_1_with_both_ends() -> None:
    found = aggregate.over_scans([0.0, 0.05, 0.5, 0.96, 1.0, math.nan])
    assert found.edges == pytest.approx([i / 20 for i in range(21)], abs=1e-15)
    assert {i: count for i, count in enumerate(found.counts) if count} == {0: 1, 1: 1, 10: 1, 19: 2}


@pytest.mark.parametrize("values", [[], [math.nan, math.nan]])
def test_nothing_defined_has_no_mean(values: list[float]) -> None:
    found = aggregate.over_scans(values)
    assert math.isnan(found.mean)
    assert math.isnan(found.median)
    assert (found.n, found.left_out, sum(found.counts)) == (0, len(values), 0)


def test_protocol_of_volumes_does_not_depend_on_their_ranges() -> None:
    rng = np.random.default_rng(6)
    scores = [rng.integers(0, 65, 200) / 64 for _ in range(4)]
    masks = [rng.random(200) < 0.1 for _ in range(3)] + [np.zeros(200, dtype=bool)]
    normalised = [(values - values.min()) / (values.max() - values.min()) for values in scores]
    squeezed = [values / 2 ** (i + 1) for i, values in enumerate(normalised)]

    def protocol(volumes: list[NDArray[np.float64]]) -> dict[str, aggregate.Scans]:
        kept = [
            Regions.of(
                np.arange(mask.sum()),
                values.astype(np.float16)[mask].view(np.uint16),
                np.ones(mask.sum(), np.int64),
            )
            for values, mask in zip(volumes, masks, strict=True)
        ]
        return aggregate.per_volume(list(map(Sketch.of, volumes, masks)), kept)

    found = protocol(normalised)
    assert protocol(squeezed) == found
    assert {(one.n, one.left_out) for one in found.values()} == {(3, 1)}


def test_protocol_has_the_mean_of_each_metric_over_volumes() -> None:
    components = [Regions.of(np.array([0]), np.array([1.0], np.float16).view(np.uint16), np.array([1]))]
    components.append(Regions.zeros(np.array([1])))
    found = {name: one.mean for name, one in aggregate.per_volume([PERFECT, CONSTANT], components).items()}
    assert found == {
        "auroc": (1 + 1 / 2) / 2,
        "auprc": (1 + 1 / 4) / 2,
        "pro": pytest.approx((1 + 0.15) / 2, abs=1e-15),
        "max_dice": (1 + 2 / 5) / 2,
        "accuracy": (1 + 1 / 4) / 2,
        "specificity": (1 + 0) / 2,
        "precision": (1 + 1 / 4) / 2,
    }


def test_protocol_needs_the_regions_of_every_volume() -> None:
    with pytest.raises(ValueError, match="2 scans, the regions of 1"):
        aggregate.per_volume([PERFECT, CONSTANT], [Regions.zeros(np.array([1]))])
