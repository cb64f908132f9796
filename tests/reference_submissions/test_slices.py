import numpy as np
import pytest

from reference_submissions.kit.checks import phantom
from reference_submissions.kit.slices import (
    Stack,
    averaging,
    axial,
    batches,
    gaussian,
    interpolation,
    resized,
    smoothed,
    stacked,
)


def test_averaging_and_interpolation_by_hand() -> None:
    np.testing.assert_allclose(averaging(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(averaging(3, 2), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], atol=1e-6)
    np.testing.assert_allclose(interpolation(2, 4) * 4, [[4, 0], [3, 1], [1, 3], [0, 4]])


def test_smoothing_keeps_a_flat_grid_flat_and_other_axes_as_they_are() -> None:
    np.testing.assert_allclose(gaussian(9, 1.0).sum(axis=1), 1, rtol=1e-6)
    ramp = np.broadcast_to(np.arange(5, dtype=np.float32), (4, 4, 5))
    np.testing.assert_allclose(smoothed(ramp, 2.0, axes=(0, 1)), ramp, rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_of_the_same_size_come_back_as_they_were(axis: int) -> None:
    volume = phantom(0)

    slices = axial(volume, side=24, axis=axis)

    np.testing.assert_array_equal(slices[3], np.take(volume, 3, axis=axis))
    np.testing.assert_array_equal(stacked(slices, volume.shape, axis=axis), volume)


def test_slices_of_an_oblong_volume_come_back_in_its_shape() -> None:
    volume = phantom(0)[:20, :, 2:9]

    slices = axial(volume, side=12)

    assert slices.shape == (7, 12, 12)
    assert stacked(slices, volume.shape).shape == (20, 24, 7)
    np.testing.assert_allclose(resized(np.full((5, 6, 7), 3, np.float32), (9, 2, 7)), 3, rtol=1e-6)


def test_batches_hold_all_slices_in_order() -> None:
    slices = np.arange(7, dtype=np.float32)

    assert [len(batch) for batch in batches(slices, size=3)] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(list(batches(slices, size=3))), slices)


def test_a_stack_holds_the_slices_that_show_something() -> None:
    volumes = [phantom(0), phantom(1)[:, :, 4:16]]

    stack = Stack.of(volumes, side=12, filled=0.1)
    row = stack.at(1, 0.5)

    assert (stack.volume == 0).sum() < 24
    assert stack.volume[row] == 1
    assert stack.height[row] == pytest.approx(0.5, abs=1 / 12)
    number = round(stack.height[row] * 12 - 0.5)
    np.testing.assert_allclose(stack[np.array([row])][0], axial(volumes[1], side=12)[number], atol=1e-3)


def test_a_stack_is_split_by_volume() -> None:
    stack = Stack.of([phantom(seed) for seed in range(5)], side=8)

    taught, held_out = stack.split(share=0.4, seed=0)

    assert set(stack.volume[taught]) | set(stack.volume[held_out]) == set(range(5))
    assert len(set(stack.volume[held_out])) == 2
    assert len(taught) + len(held_out) == len(stack)


def test_volumes_without_anything_are_refused() -> None:
    with pytest.raises(ValueError, match="2 normal volumes: all their slices are empty"):
        Stack.of([np.zeros((4, 4, 4), np.float32)] * 2, side=4)
