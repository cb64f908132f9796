"""Components against SciPy's `ndimage.label` (named oracle) on whole volumes, in slabs of every size."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from evaluator.components import SLAB_VOXELS, label
from evaluator.runs import Components, Runs

Mask = NDArray[np.bool_]


def runs(mask: Mask) -> Runs:
    """Cut a volume as its reader does, plane by plane."""
    flat, voxels = mask.ravel(order="F"), mask.shape[0] * mask.shape[1]
    planes = (Runs.of_plane(flat[at : at + voxels], row=mask.shape[0], offset=at) for at in range(0, flat.size, voxels))
    return Runs.joined(list(planes))


def labelled(mask: Mask, *, slab_voxels: int = SLAB_VOXELS) -> Components:
    return label(runs(mask), mask.shape, slab_voxels=slab_voxels)


def volume(shape: tuple[int, ...], *voxels: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, bool)
    mask[tuple(np.transpose(voxels))] = True
    return mask


def assert_is_scipys(found: Components, mask: Mask) -> None:
    """Same voxels together, numbered by first voxel, of the right size."""
    labels, n = ndimage.label(mask, np.ones((3,) * mask.ndim))
    of_voxel = labels.ravel(order="F")[mask.ravel(order="F")]
    _, first = np.unique(of_voxel, return_index=True)
    number = np.empty(n, int)
    number[np.argsort(first)] = np.arange(n)
    np.testing.assert_array_equal(np.repeat(found.of_run, found.runs.lengths), number[of_voxel - 1])
    np.testing.assert_array_equal(found.sizes, np.bincount(number[of_voxel - 1], minlength=n))
    assert found.of_run.dtype == found.sizes.dtype == np.int64


@pytest.mark.parametrize("slab_voxels", [1, 300, 1000, SLAB_VOXELS])
@pytest.mark.parametrize("density", [0.001, 0.01, 0.03, 0.05, 0.1, 0.3, 0.7, 1.0])
def test_components_of_a_random_volume(density: float, slab_voxels: int) -> None:
    mask = np.random.default_rng(round(1000 * density)).random((13, 11, 17)) < density
    assert_is_scipys(labelled(mask, slab_voxels=slab_voxels), mask)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 9)),
    st.integers(0, 2**32),
    st.floats(0, 1),
    st.integers(1, 120),
)
def test_components_of_any_small_volume(
    shape: tuple[int, int, int], seed: int, density: float, slab_voxels: int
) -> None:
    # cc3d 4.1.1 fails on some of these where it is given bools: 1 voxel wide, with a gap
    mask = np.random.default_rng(seed).random(shape) < density
    assert_is_scipys(labelled(mask, slab_voxels=slab_voxels), mask)


@pytest.mark.parametrize("density", [0.02, 0.1, 0.4])
def test_image_is_a_volume_of_one_plane(density: float) -> None:
    mask = np.random.default_rng(5).random((40, 30)) < density
    assert_is_scipys(labelled(mask), mask)
    np.testing.assert_array_equal(labelled(mask[..., np.newaxis]).of_run, labelled(mask).of_run)


@pytest.mark.parametrize("slab_voxels", [1, SLAB_VOXELS])
def test_corners_connect(slab_voxels: int) -> None:
    mask = volume((3, 3, 3), (0, 2, 0), (1, 1, 1), (2, 0, 2))
    assert labelled(mask, slab_voxels=slab_voxels).sizes.tolist() == [3]


@pytest.mark.parametrize("slab_voxels", [1, SLAB_VOXELS])
def test_an_empty_plane_parts(slab_voxels: int) -> None:
    mask = volume((2, 2, 9), (0, 0, 0), (0, 0, 2), (0, 0, 3), (0, 0, 8))
    assert labelled(mask, slab_voxels=slab_voxels).sizes.tolist() == [1, 2, 1]


def test_end_of_a_row_does_not_touch_the_start_of_the_next() -> None:
    assert labelled(volume((4, 3, 1), (3, 0, 0), (0, 1, 0))).sizes.tolist() == [1, 1]
    assert labelled(volume((4, 3, 2), (3, 2, 0), (0, 0, 1))).sizes.tolist() == [1, 1]


@pytest.mark.parametrize("slab_voxels", [1, SLAB_VOXELS])
def test_two_arms_that_meet_in_the_last_plane_are_one(slab_voxels: int) -> None:
    mask = np.zeros((7, 1, 20), bool)
    mask[0], mask[6], mask[:, :, 19] = True, True, True
    assert labelled(mask, slab_voxels=slab_voxels).sizes.tolist() == [45]


def test_components_are_numbered_by_first_voxel() -> None:
    mask = np.zeros((7, 1, 5), bool)
    mask[5, 0, 0] = mask[0, 0, 1] = True  # later in its row, earlier in the file
    mask[3, 0, 1:] = True
    found = labelled(mask, slab_voxels=1)
    assert found.sizes.tolist() == [1, 1, 4]
    assert found.of_run.tolist() == [0, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("shape", [(4, 3, 2), (1, 1, 1), (5, 5)])
def test_nothing_has_no_component(shape: tuple[int, ...]) -> None:
    found = labelled(np.zeros(shape, bool))
    assert (found.of_run.size, found.sizes.size) == (0, 0)


def test_volume_of_one_voxel() -> None:
    found = labelled(np.ones((1, 1, 1), bool))
    assert (found.of_run.tolist(), found.sizes.tolist()) == ([0], [1])


def test_axes_after_the_second_are_planes_in_a_row() -> None:
    mask = volume((2, 2, 3, 2), (0, 0, 2, 0), (1, 1, 0, 1), (0, 0, 2, 1))
    assert labelled(mask).sizes.tolist() == [2, 1]


def test_line_is_a_volume_of_one_row() -> None:
    assert label(Runs(np.array([0, 2]), np.array([1, 3])), (5,)).sizes.tolist() == [1, 3]


def test_planes_far_apart_need_no_memory_between_them() -> None:
    shape = (1 << 12, 1 << 12, 1 << 20)
    ends = Runs(np.array([5, math.prod(shape) - (1 << 12)]), np.array([3, 2]))
    assert label(ends, shape).sizes.tolist() == [3, 2]


def test_memory_is_that_of_a_slab() -> None:
    pillars = np.zeros((64, 64, 512), bool, order="F")  # 2 Mi voxels, all within the box
    pillars[[0, 63], [0, 63]] = True
    voxels = runs(pillars)
    tracemalloc.start()
    try:
        found = label(voxels, pillars.shape, slab_voxels=1 << 14)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.sizes.tolist() == [512, 512]
    assert peak < 1 << 20


@pytest.mark.parametrize(("start", "length"), [(-1, 1), (7, 2), (8, 1)])
def test_runs_outside_the_volume_are_refused(start: int, length: int) -> None:
    with pytest.raises(ValueError, match=r"outside a volume of \(2, 2, 2\)"):
        label(Runs(np.array([start]), np.array([length])), (2, 2, 2))
