import numpy as np
import pytest

from toy_cases.anomalies.base import Array, Category, Mask, Scope, measured, settle


def row(*values: float) -> Array:
    return np.array(values, dtype=np.float32)


def where(*places: int, size: int = 4) -> Mask:
    mask = np.zeros(size, dtype=np.bool_)
    mask[list(places)] = True
    return mask


def test_what_does_not_show_keeps_its_bits() -> None:
    normal = row(0.5, 0.5, 0.5, 0.5)

    settled = settle(normal, row(0.9, 0.51, 0.4, 0.5), where(0, 1, 2), where(0, 1, 2, 3))

    assert settled is not None
    volume, mask = settled
    assert volume.tolist() == row(0.9, 0.5, 0.4, 0.5).tolist()
    assert mask.tolist() == [True, False, True, False]


def test_what_lies_outside_the_body_or_was_not_drawn_on_is_undone() -> None:
    settled = settle(row(0, 0.5, 0.5, 0.5), row(1, 1, 1, 1), where(0, 1, 2), where(1, 2, 3))

    assert settled is not None
    assert settled[0].tolist() == [0, 1, 1, 0.5]
    assert settled[1].tolist() == [False, True, True, False]


def test_half_of_what_was_drawn_on_must_be_left() -> None:
    normal, everywhere = row(0.5, 0.5, 0.5, 0.5), where(0, 1, 2, 3)

    assert settle(normal, row(1, 1, 0.5, 0.5), everywhere, everywhere) is not None
    assert settle(normal, row(1, 0.5, 0.5, 0.5), everywhere, everywhere) is None
    assert settle(normal, normal, where(), everywhere) is None


def test_a_proposal_is_brought_into_range_first() -> None:
    settled = settle(row(0.99, 0, 0.5, 0.5), row(3, -1, 3, -1), where(0, 1, 2, 3), where(0, 1, 2, 3))

    assert settled is not None
    assert settled[0].tolist() == row(0.99, 0, 1, 0).tolist()
    assert settled[0].dtype == np.float32


def test_an_anomaly_is_measured_within_its_mask() -> None:
    before = np.full((5, 5, 5), 0.5, dtype=np.float32)
    after = before.copy()
    after[1:4, 2, 2] = 0.9
    after[1, 2, 3] = 0.3

    parameters = measured(before, after, after != before)

    assert parameters["size_voxels"] == 4
    assert parameters["diameter_voxels"] == 3
    assert parameters["contrast"] == pytest.approx((3 * 0.4 + 0.2) / 4)
    assert parameters["shift"] == pytest.approx((3 * 0.4 - 0.2) / 4)


def test_three_categories_are_local_and_four_global() -> None:
    assert [category for category in Category if category.scope is Scope.LOCAL] == [
        "images", "pathologies", "local corruptions",
    ]  # fmt: skip
    assert sum(category.scope is Scope.GLOBAL for category in Category) == 4
