import numpy as np
import pytest

from tests.toy_cases.anomalies import whole_scans
from toy_cases.anomalies import alterations, corruptions, destructions, spoiling
from toy_cases.anomalies.base import Array, Kind, Mask, NoPlaceError
from toy_cases.body import body_of

KINDS = (*corruptions.KINDS, *alterations.KINDS, *destructions.KINDS)


def test_a_scan_that_hardly_changes_is_given_up() -> None:
    normal, body = whole_scans.person("brain")
    idle = spoiling.Spoiler(spoil=lambda volume, _body, _rng: (volume.copy(), {}), floor=0.01, everywhere=True)

    with pytest.raises(NoPlaceError, match=r"by less than 0\.01 on average, 8 draws in a row"):
        idle(normal, body, np.random.default_rng(0))


def test_a_change_too_small_is_drawn_again() -> None:
    normal, body = whole_scans.person("brain")
    tried: list[int] = []

    def lazy(volume: Array, _body: Mask, _rng: np.random.Generator) -> tuple[Array, spoiling.Parameters]:
        tried.append(len(tried))
        return volume * np.float32(0.5 if len(tried) == 3 else 1), {"try": len(tried)}

    made = spoiling.Spoiler(spoil=lazy, floor=0.01, everywhere=True)(normal, body, np.random.default_rng(0))

    assert made.parameters["try"] == 3


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_empty_volume_is_refused(kind: Kind) -> None:
    empty = np.zeros((24,) * 3, dtype=np.float32)

    with pytest.raises(NoPlaceError, match="no body"):
        kind.draw(empty, body_of(empty), np.random.default_rng(0))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_tiny_scan_or_a_box_is_spoilt_or_refused(kind: Kind) -> None:
    (name, *_) = whole_scans.people(kind)
    tiny, (larger, _) = whole_scans.person(name, 16)[0], whole_scans.person(name)

    for volume in (tiny, np.ascontiguousarray(larger[3:30, 2:31, 4:29])):
        try:
            made = kind.draw(volume, body_of(volume), np.random.default_rng(0))
        except NoPlaceError:
            continue
        assert made.volume.shape == volume.shape
        assert 0 <= made.volume.min() <= made.volume.max() <= 1


def test_clefts_are_air_and_gas_inside_is_not() -> None:
    normal = np.zeros((40,) * 3, dtype=np.float32)
    normal[8:32, 8:32, 8:32] = 0.3
    normal[18:22, 18:22, 18:22] = 0  # gas
    normal[19:21, 19:21, 26:] = 0  # a cleft, two voxels wide
    body = body_of(normal)
    assert body[20, 20, 28]
    invert = spoiling.Spoiler(spoil=lambda volume, _body, _rng: (1 - volume, {}), floor=0.01, everywhere=False)

    volume = invert(normal, body, np.random.default_rng(0)).volume

    assert volume[20, 20, 20] == 1
    assert not volume[20, 20, 28:].any()
    assert not volume[:6].any()


def test_gas_at_the_scans_end_is_no_air_around() -> None:
    normal = np.zeros((40,) * 3, dtype=np.float32)
    normal[8:32, 8:32] = 0.3
    normal[16:24, 16:24, :10] = 0  # gas
    body = body_of(normal)
    assert body[20, 20, 0]
    invert = spoiling.Spoiler(spoil=lambda volume, _body, _rng: (1 - volume, {}), floor=0.01, everywhere=False)

    volume = invert(normal, body, np.random.default_rng(0)).volume

    assert volume[17:23, 17:23, :9].min() == 1
    assert not volume[:6].any()


def test_a_body_is_cut_where_its_last_slice_is_large() -> None:
    body = np.zeros((30, 30, 30), dtype=np.bool_)
    x, y, z = np.ogrid[:30, :30, :30]
    body |= (x - 15) ** 2 + (y - 12) ** 2 < 50
    body &= z < 25

    frame = spoiling.Frame.of(body)

    assert frame.cut == (False, False, True)
    assert frame.first == (8, 5, 0)
    assert frame.sides == (15, 15, 25)
    assert frame.centre == (15, 12, 12)


def test_a_run_of_slices_lies_within_the_body() -> None:
    body = np.zeros((30, 30, 30), dtype=np.bool_)
    body[5:25, 8:12, 3:4] = True
    frame = spoiling.Frame.of(body)

    for seed in range(30):
        rng = np.random.default_rng(seed)
        for axis, (first, last) in enumerate([(5, 25), (8, 12), (3, 4)]):
            run = frame.run(rng, axis, 0.1, 1.0)
            assert first <= run.start < run.stop <= last


def test_a_kind_must_name_its_source() -> None:
    def unsourced(normal: Array, _body: Mask, _rng: np.random.Generator) -> tuple[Array, spoiling.Parameters]:
        """Spoil it."""
        return normal.copy(), {}

    with pytest.raises(TypeError, match="unsourced: its docstring names no source"):
        spoiling.global_kind(corruptions.KINDS[0].category, "unsourced", unsourced, difficulty=1, floor=0.1)


def test_work_in_slabs_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    normal, body = whole_scans.person("brain")
    twisted = corruptions.twisted(normal, body, np.random.default_rng(0))[0]
    noisy = corruptions.grainy(normal, body, np.random.default_rng(0))[0]

    monkeypatch.setattr(spoiling, "SLAB_VOXELS", 3 * 32**2)

    assert np.array_equal(corruptions.twisted(normal, body, np.random.default_rng(0))[0], twisted)
    assert np.array_equal(corruptions.grainy(normal, body, np.random.default_rng(0))[0], noisy)
