import pickle
import sys

import numpy as np
import pytest
from scipy import ndimage

from toy_cases import sources
from toy_cases.fields import Grid
from toy_cases.preprocess import Modality
from toy_cases.sources import open_source
from toy_cases.template import HALF_MM, Person, draw

SIDE = 40


def test_a_person_is_a_brain_of_float32_between_0_and_1() -> None:
    source = open_source("template", dataset="brain", size=SIDE, count=1)

    scan = source.read(source.names()[0])

    assert scan.volume.shape == (SIDE, SIDE, SIDE)
    assert scan.volume.dtype == np.float32
    assert scan.volume.min() == 0
    assert 0.5 < scan.volume.max() <= 1
    assert scan.modality is Modality.MR
    parts, _ = ndimage.label(scan.volume > 0)
    assert np.bincount(parts.ravel())[1:].max() > 0.98 * np.count_nonzero(scan.volume)
    assert not any(np.moveaxis(scan.volume, axis, 0)[[0, -1]].any() for axis in range(3))


def test_the_front_is_at_the_front_and_up_is_up() -> None:
    volume = draw((48, 48, 48), np.random.default_rng(0))[0]

    # The stem leaves below and behind the middle, and the fissure runs from front to back: left and right are alike.
    lowest = np.argwhere(volume[:, :, : np.flatnonzero(volume.any(axis=(0, 1)))[0] + 3] > 0).mean(axis=0)
    assert abs(lowest[0] - 23.5) < 4
    assert lowest[1] < 23.5
    mirrored = np.corrcoef(volume.ravel(), volume[::-1].ravel())[0, 1]
    assert mirrored > np.corrcoef(volume.ravel(), volume[:, ::-1].ravel())[0, 1]


def test_the_same_seed_draws_the_same_person_and_another_number_another() -> None:
    source, again, other = (open_source("template", dataset="brain", size=SIDE, count=2, seed=(n,)) for n in (1, 1, 2))
    first, second = source.names()

    assert np.array_equal(source.read(first).volume, pickle.loads(pickle.dumps(again)).read(first).volume)  # noqa: S301  our own
    for volume in (source.read(second).volume, other.read(first).volume):
        both = (volume > 0) & (source.read(first).volume > 0)
        assert np.mean(np.abs(volume - source.read(first).volume)[both] > 0.02) > 0.3


@pytest.mark.parametrize("seed", range(5))
def test_nothing_folds_over(seed: int) -> None:
    line = np.linspace(-0.9, 0.9, 46, dtype=np.float32)
    places = Person.draw(np.random.default_rng(seed)).place(Grid(x=line, y=line, z=line, step=0.04))

    slopes = np.array([[np.gradient(place, line, axis=axis) for axis in range(3)] for place in places])

    assert np.linalg.det(np.moveaxis(slopes, (0, 1), (-2, -1))).min() > 0.2


def test_a_head_keeps_its_size_in_a_box() -> None:
    volume, affine = draw((36, 44, 40), np.random.default_rng(3))

    sides_mm = [
        np.count_nonzero(volume.any(axis=tuple(b for b in range(3) if b != a))) * affine[0, 0] for a in range(3)
    ]
    assert 120 < sides_mm[0] < 175
    assert 150 < sides_mm[1] < 2 * HALF_MM


def test_it_is_a_brain_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="the template is a brain's: it cannot be the source of 'abdom'"):
        open_source("template", dataset="abdom", size=SIDE, count=1)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "toy_cases.template")
    monkeypatch.setitem(sys.modules, "nilearn", None)
    monkeypatch.setitem(sys.modules, "nilearn.datasets", None)

    with pytest.raises(ValueError, match=r"nilearn is not installed.*pip install \"mood-challenge\[template\]\""):
        sources.open_source("template", dataset="brain", size=SIDE, count=1)
