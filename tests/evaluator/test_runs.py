import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.runs import Runs


def plane(text: str) -> Runs:
    """Rows of # and . one below the other."""
    rows = text.split()
    return Runs.of_plane(np.array([c == "#" for c in "".join(rows)]), row=len(rows[0]), offset=0)


def test_runs_are_found_in_flat_order() -> None:
    found = plane(".##.# ##..# .....")
    assert found.starts.tolist() == [1, 4, 5, 9]
    assert found.lengths.tolist() == [2, 1, 2, 1]
    assert found.indices().tolist() == [1, 2, 4, 5, 6, 9]
    assert found.n_voxels == 6


def test_run_ends_with_its_row() -> None:
    found = plane("..## ####")
    assert found.starts.tolist() == [2, 4]
    assert found.lengths.tolist() == [2, 4]


def test_rows_of_one_voxel_give_a_run_each() -> None:
    found = plane("# # . #")
    assert found.starts.tolist() == [0, 1, 3]
    assert found.lengths.tolist() == [1, 1, 1]


def test_empty_plane_has_no_runs() -> None:
    found = plane("... ...")
    assert (found.starts.size, found.n_voxels, found.indices().size) == (0, 0, 0)
    assert found.starts.dtype == found.lengths.dtype == found.indices().dtype == np.int64


def test_planes_are_joined_in_order() -> None:
    first = Runs.of_plane(np.array([0, 1, 1, 0], bool), row=2, offset=0)
    second = Runs.of_plane(np.array([1, 0, 0, 0], bool), row=2, offset=4)
    assert Runs.joined([first, Runs.joined([]), second]).indices().tolist() == [1, 2, 4]
    with pytest.raises(ValueError, match="do not ascend"):
        Runs.joined([second, first])


def test_half_a_row_is_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        Runs.of_plane(np.ones(5, bool), row=2, offset=0)


@pytest.mark.parametrize(
    ("starts", "lengths"), [([0, 2], [3, 1]), ([3, 0], [1, 1]), ([1], [0]), ([1], [-1]), ([1, 2], [1])]
)
def test_runs_that_cannot_be_are_refused(starts: list[int], lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="runs"):
        Runs(np.array(starts), np.array(lengths))


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32), st.floats(0, 1), st.integers(0, 1 << 40))
def test_indices_are_the_voxels_of_the_mask(row: int, rows: int, seed: int, density: float, offset: int) -> None:
    mask = np.random.default_rng(seed).random(row * rows) < density
    found = Runs.of_plane(mask, row=row, offset=offset)
    np.testing.assert_array_equal(found.indices(), np.flatnonzero(mask) + offset)
    within = found.starts - offset
    assert np.array_equal(within // row, (within + found.lengths - 1) // row)
