"""Labels as runs, against the arrays they came from."""

import io

import numpy as np
import pytest

from evaluator.formats import SLAB_VOXELS, LabelError
from evaluator.truth import Truth
from tests.evaluator.files import Array, packed, volume

RNG = np.random.default_rng(5)


def truth(label: Array, dtype: str = "u1") -> Truth:
    return Truth.read(io.BytesIO(volume(label, dtype=dtype, version=2)), label.shape)


@pytest.mark.parametrize("shape", [(7, 5, 3), (9, 8, 1), (1, 1, 1), (SLAB_VOXELS + 5, 2, 1), (700, 300, 2)])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.6, 1.0])
def test_anomalous_voxels_are_where_the_label_has_them(shape: tuple[int, ...], share: float) -> None:
    mask = RNG.random(shape) < share
    flat = mask.ravel(order="F")
    found = truth(mask)
    assert (found.n_voxels, found.n_positive) == (mask.size, int(mask.sum()))
    np.testing.assert_array_equal(found.runs.indices(), np.flatnonzero(flat))
    plane = shape[0] * shape[1]
    for start in range(0, mask.size, plane):
        np.testing.assert_array_equal(
            found.positives(start, start + plane), np.flatnonzero(flat[start : start + plane])
        )


def test_positive_is_above_one_half() -> None:
    label = np.array([0.5, 0.500001, 1.0, 2.0, -1.0, np.nan, np.inf]).reshape(7, 1, 1)
    assert truth(label, "f8").runs.indices().tolist() == [1, 2, 3, 6]


def test_voxel_volume_is_the_headers() -> None:
    label = np.ones((2, 2, 2))
    content = volume(label, dtype="u1", pixdim=[1, 0.5, 2, 3, 0, 0, 0, 0])
    assert Truth.read(io.BytesIO(content), label.shape).voxel_mm3 == 3.0


def test_label_that_ends_early_says_where() -> None:
    content = packed(b"\0" * 20)
    with pytest.raises(LabelError, match=r"cannot be read: neither NIfTI|cannot be read: the stream ends"):
        Truth.read(io.BytesIO(content), (2, 2, 2))


def test_label_of_one_axis_is_refused() -> None:
    with pytest.raises(LabelError, match=r"has the shape \(9,\): neither a volume nor an image"):
        truth(np.ones(9))
