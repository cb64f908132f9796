import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluator.kernels import ONE
from evaluator.regions import Regions, RegionTally

HALF = 0x3800  # the pattern of 0.5

some_components = st.lists(st.lists(st.integers(0, ONE), min_size=1, max_size=6), max_size=6)
GOOD: dict[str, NDArray[np.generic]] = {
    "sizes": np.array([1, 3], np.uint64),
    "components": np.array([2, 1], np.uint64),
    "group": np.array([0, 0, 1], np.uint32),
    "bins": np.array([0, HALF, ONE], np.uint16),
    "counts": np.array([1, 1, 3], np.uint64),
}


def regions(components: list[list[int]]) -> Regions:
    """Each component is the patterns of its voxels."""
    component = np.repeat(np.arange(len(components)), [len(patterns) for patterns in components])
    patterns = np.array([pattern for patterns in components for pattern in patterns], dtype=np.uint16)
    return Regions.of(component, patterns, np.array([len(patterns) for patterns in components], dtype=np.int64))


def content(found: Regions) -> dict[str, list[int]]:
    return {name: array.tolist() for name, array in found.arrays().items()}


def test_components_of_one_size_are_counted_together() -> None:
    found = regions([[HALF], [ONE, ONE, ONE], [0]])
    assert content(found) == {name: array.tolist() for name, array in GOOD.items()}
    assert (found.n_components, found.n_voxels) == (3, 5)


def test_voxels_may_come_in_any_order() -> None:
    sorted_by_component = regions([[HALF, ONE], [0], [HALF]])
    mixed = Regions.of(
        np.array([2, 0, 1, 0], np.uint32), np.array([HALF, ONE, 0, HALF], np.uint16), np.array([2, 1, 1])
    )
    assert content(mixed) == content(sorted_by_component)


def test_many_voxels_are_all_counted() -> None:
    rng = np.random.default_rng(1)
    component, patterns = rng.integers(0, 3, 700_000), rng.integers(0, 4, 700_000).astype(np.uint16)
    found = Regions.of(component, patterns, np.bincount(component))
    expected = np.histogram2d(component, patterns, bins=(3, 4))[0][np.argsort(np.bincount(component))]
    assert found.counts.tolist() == expected.ravel().tolist()


def test_memory_grows_with_the_counts_and_not_with_the_voxels() -> None:
    rng = np.random.default_rng(2)
    planes, voxels = 300, 10_000
    patterns = rng.permutation(ONE + 1)[:voxels].astype(np.uint16)
    tally = RegionTally(np.array([planes * voxels]))
    tracemalloc.start()
    try:
        for _ in range(planes):
            tally.add(np.zeros(voxels, np.int64), patterns)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert Regions.counted(tally).counts.tolist() == [planes] * voxels
    assert peak < 16 << 20  # a count for each voxel would take 48 MB


def test_component_that_is_not_wholly_counted_is_refused() -> None:
    tally = RegionTally(np.array([2]))
    tally.add(np.array([0]), np.array([HALF], np.uint16))
    with pytest.raises(ValueError, match="do not add up"):
        Regions.counted(tally)


def test_missing_prediction_is_zero_everywhere() -> None:
    assert content(Regions.zeros(np.array([3, 1, 3]))) == content(regions([[0, 0, 0], [0], [0, 0, 0]]))


def test_normal_case_has_no_component() -> None:
    nothing = Regions.zeros(np.zeros(0, np.int64))
    assert content(nothing) == content(Regions.total([])) == content(regions([]))
    assert (nothing.n_components, nothing.n_voxels) == (0, 0)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(some_components, max_size=4))
def test_sum_is_that_of_all_components_at_once_in_any_order(cases: list[list[list[int]]]) -> None:
    parts = [regions(case) for case in cases]
    at_once = content(regions([component for case in cases for component in case]))
    assert content(Regions.total(parts)) == at_once
    nested = Regions.total([])
    for part in sorted(parts, key=lambda part: part.n_voxels):
        nested = Regions.total([part, nested])
    assert content(nested) == at_once


@settings(deadline=None, max_examples=50, derandomize=True)
@given(some_components)
def test_arrays_are_read_back(components: list[list[int]]) -> None:
    found = regions(components)
    assert content(Regions.from_arrays(found.arrays())) == content(found)


@pytest.mark.parametrize(
    ("component", "patterns", "sizes"),
    [([0, 0], [1], [2]), ([0, 1], [1, 1], [2]), ([0, 2], [1, 1], [1, 1]), ([0], [ONE + 1], [1]), ([], [], [0])],
    ids=["lengths", "sizes", "no such component", "over 1", "empty component"],
)
def test_voxels_that_contradict_the_components_are_refused(
    component: list[int], patterns: list[int], sizes: list[int]
) -> None:
    with pytest.raises(ValueError, match=r"components|regions"):
        Regions.of(np.array(component, np.int64), np.array(patterns, np.uint16), np.array(sizes, np.int64))


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": np.array([3, 1], np.uint64)},
        {"sizes": np.array([0, 3], np.uint64)},
        {"sizes": np.array([1, 3], np.int64)},
        {"sizes": np.array([[1], [3]], np.uint64)},
        {"sizes": np.array([1, 3, 4], np.uint64)},
        {"sizes": np.array([1, 2**63], np.uint64), "components": np.array([2, 2], np.uint64)},
        {"components": np.array([2, 0], np.uint64)},
        {"components": np.array([2, 2], np.uint64)},
        {"group": np.array([0, 0, 2], np.uint32)},
        {"group": np.array([0, 1, 0], np.uint32)},
        {"bins": np.array([0, HALF, ONE + 1], np.uint16)},
        {"bins": np.array([HALF, HALF, ONE], np.uint16)},
        {"bins": np.array([HALF, ONE], np.uint16)},
        {"counts": np.array([2, 0, 3], np.uint64)},
        {"counts": np.array([1, 1, 4], np.uint64)},
        {"counts": np.array([1, 2**64 - 1, 3], np.uint64)},
        {
            "sizes": np.array([1, 2**53], np.uint64),
            "components": np.array([2, 1], np.uint64),
            "counts": np.array([1, 1, 2**53], np.uint64),
        },
        {"more": np.array([1], np.uint64)},
    ],
)
def test_arrays_that_cannot_be_are_refused(change: dict[str, NDArray[np.generic]]) -> None:
    with pytest.raises(ValueError, match="regions"):
        Regions.from_arrays(GOOD | change)


def test_absent_array_is_refused() -> None:
    with pytest.raises(ValueError, match="regions hold"):
        Regions.from_arrays({name: array for name, array in GOOD.items() if name != "group"})
