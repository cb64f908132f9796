"""Every local kind keeps the rules of a mask, whatever the seed, the scan and its size."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from toy_cases.anomalies import PLAIN, VISIBLE, Array, Category, Drawn, Kind, Mask, NoPlaceError, Scope, body_of
from toy_cases.anomalies.spots import Implant, Painted, Spot
from toy_cases.phantoms import PHANTOMS
from toy_cases.sources import read_scan

SIDE = 32
SEEDS = range(4)
LOCAL = [kind for kind in PLAIN if kind.scope is Scope.LOCAL]
MODALITIES = {"brain": "mr", "abdom": "ct"}
REAL = {
    "brain/t1_fnndsc_eun.nii.gz": "mr",
    "brain/openms_p07_FLAIR.nii.gz": "mr",
    "ct/abdomen_totalseg_example.nii.gz": "ct",
}

on_each_phantom = pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(kind, name, id=f"{kind.name}-{name}")
        for kind in LOCAL
        for name, modality in MODALITIES.items()
        if modality in kind.modalities
    ],
)


@cache
def person(name: str, side: int = SIDE) -> tuple[Array, Mask]:
    return locked(PHANTOMS[name](side, np.random.default_rng(3)))


def locked(volume: Array) -> tuple[Array, Mask]:
    body = body_of(volume)
    volume.flags.writeable = body.flags.writeable = False  # a kind that writes to its scan fails
    return volume, body


def assert_keeps_the_rules(normal: Array, body: Mask, drawn: Drawn) -> None:
    volume, mask = drawn.volume, drawn.mask
    assert mask is not None
    assert mask.any()
    assert mask.dtype == np.bool_
    assert volume.dtype == np.float32
    assert volume.shape == mask.shape == normal.shape
    assert 0 <= volume.min() <= volume.max() <= 1
    assert not mask[~body].any()
    assert np.array_equal(volume.view(np.uint32) != normal.view(np.uint32), mask)
    assert (np.abs(volume - normal)[mask] >= VISIBLE).all()


@on_each_phantom
def test_the_mask_is_what_changed_visibly_inside_the_body(kind: Kind, name: str) -> None:
    normal, body = person(name)

    for seed in SEEDS:
        assert_keeps_the_rules(normal, body, kind.draw(normal, body, np.random.default_rng(seed)))


@on_each_phantom
def test_at_least_half_of_what_was_drawn_on_is_kept(kind: Kind, name: str) -> None:
    normal, body = person(name)
    assert isinstance(kind.draw, Implant)
    draw, painted = watched(kind.draw)

    for seed in SEEDS:
        made = draw(normal, body, np.random.default_rng(seed))
        assert made.mask is not None
        assert np.count_nonzero(made.mask) >= 0.5 * np.count_nonzero(painted[-1].drawn_on)


def watched(draw: Implant) -> tuple[Implant, list[Painted]]:
    """Give the same drawing, and a list that everything it paints is added to."""
    seen: list[Painted] = []

    def paint(spot: Spot, rng: np.random.Generator) -> Painted | None:
        painted = draw.paint(spot, rng)
        if painted is not None:
            seen.append(painted)
        return painted

    return replace(draw, paint=paint), seen


@on_each_phantom
def test_what_is_recorded_is_what_was_made(kind: Kind, name: str) -> None:
    normal, body = person(name)

    drawn = kind.draw(normal, body, np.random.default_rng(1))

    mask = drawn.mask
    assert mask is not None
    change = (drawn.volume - normal)[mask]
    assert drawn.parameters["size_voxels"] == np.count_nonzero(mask)
    assert drawn.parameters["contrast"] == pytest.approx(np.abs(change).mean(), abs=1e-4)
    assert drawn.parameters["shift"] == pytest.approx(change.mean(), abs=1e-4)
    centre = [int(c) for c in str(drawn.parameters["centre"]).split()]
    assert body[tuple(centre)]
    assert np.abs(np.argwhere(mask) - centre).max() <= 1.5 * float(drawn.parameters["radius_voxels"]) + 1
    assert all(isinstance(value, int | float | str) for value in drawn.parameters.values())


@pytest.mark.parametrize("kind", LOCAL, ids=lambda kind: kind.name)
def test_the_seed_decides(kind: Kind) -> None:
    normal, body = person("abdom")

    first, again, other = (kind.draw(normal, body, np.random.default_rng(seed)).volume for seed in (5, 5, 6))

    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_another_process_makes_the_same_bytes() -> None:
    code = "import json; from tests.toy_cases.anomalies.test_local import digests; print(json.dumps(digests()))"

    told = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )

    assert json.loads(told.stdout) == digests()


def digests() -> dict[str, str]:
    normal, body = person("abdom", 24)
    return {
        kind.name: hashlib.sha256(kind.draw(normal, body, np.random.default_rng(2)).volume.tobytes()).hexdigest()
        for kind in LOCAL
    }


@pytest.mark.parametrize("kind", LOCAL, ids=lambda kind: kind.name)
def test_an_empty_scan_has_no_place(kind: Kind) -> None:
    empty = np.zeros((24,) * 3, dtype=np.float32)

    with pytest.raises(NoPlaceError, match=f"no place for {kind.subcategory}"):
        kind.draw(empty, body_of(empty), np.random.default_rng(0))


@pytest.mark.parametrize("kind", LOCAL, ids=lambda kind: kind.name)
def test_a_tiny_scan_works_or_has_no_place(kind: Kind) -> None:
    for name in PHANTOMS:
        normal, body = person(name, 16)
        for drawn in attempts(kind, normal, body):
            assert_keeps_the_rules(normal, body, drawn)


def attempts(kind: Kind, normal: Array, body: Mask) -> Iterator[Drawn]:
    for seed in range(2):
        try:
            yield kind.draw(normal, body, np.random.default_rng(seed))
        except NoPlaceError:
            continue


@pytest.mark.parametrize("kind", LOCAL, ids=lambda kind: kind.name)
def test_a_scan_need_not_be_a_cube(kind: Kind) -> None:
    normal, body = locked(PHANTOMS["abdom"](40, np.random.default_rng(2))[:, 4:36, 3:31].copy())

    assert_keeps_the_rules(normal, body, kind.draw(normal, body, np.random.default_rng(3)))


def test_even_tissue_without_structure_takes_a_tumour_but_no_blur() -> None:
    even = np.zeros((SIDE,) * 3, dtype=np.float32)
    even[3:-3, 3:-3, 3:-3] = 0.5
    kinds = {kind.name: kind for kind in LOCAL}

    assert kinds["pathologies/bright tumour"].draw(even, even > 0, np.random.default_rng(0)).mask is not None
    deep_blur = replace(draw_of(kinds["local corruptions/blur"]), clearance=2.0)
    with pytest.raises(NoPlaceError, match="no place for blur"):
        deep_blur(even, even > 0, np.random.default_rng(0))


def draw_of(kind: Kind) -> Implant:
    assert isinstance(kind.draw, Implant)
    return kind.draw


@pytest.mark.parametrize("category", [c for c in Category if c.scope is Scope.LOCAL])
def test_a_local_category_has_six_kinds_for_either_modality_and_every_difficulty(category: Category) -> None:
    kinds = [kind for kind in LOCAL if kind.category is category]

    assert all(sum(modality in kind.modalities for kind in kinds) >= 6 for modality in MODALITIES.values())
    assert {kind.difficulty for kind in kinds} == {1, 2, 3, 4, 5}
    assert len({kind.subcategory for kind in kinds}) == len(kinds)
    assert all(len(kind.source) > 15 and kind.origin == "artificial" and kind.needs is None for kind in kinds)


def test_kinds_travel_to_other_processes() -> None:
    assert [pickle.loads(pickle.dumps(kind)).name for kind in LOCAL] == [kind.name for kind in LOCAL]  # noqa: S301  ours


def test_plain_kinds_change_more_than_hard_ones() -> None:
    def salience(kind: Kind) -> float:
        """Give the summed change in parts of the body, its root: size counts less than contrast."""
        normal, body = person("abdom")
        made = [kind.draw(normal, body, np.random.default_rng(seed)).parameters for seed in range(3)]
        return float(np.mean([float(m["contrast"]) * float(m["size_voxels"]) ** 0.5 for m in made]))

    by_difficulty = [np.mean([salience(kind) for kind in LOCAL if kind.difficulty == d]) for d in range(1, 6)]

    assert by_difficulty == sorted(by_difficulty)


@pytest.mark.volumes
@pytest.mark.parametrize(("name", "modality"), REAL.items())
def test_real_scans_take_every_kind(volumes: Path, name: str, modality: str) -> None:
    normal, body = locked(read_scan(volumes / name, size=48).volume)

    for kind in LOCAL:
        if modality in kind.modalities:
            assert_keeps_the_rules(normal, body, kind.draw(normal, body, np.random.default_rng(11)))
