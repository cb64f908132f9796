"""The loops against numpy's own half precision, and the compiled ones against the plain ones."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluator.compiled import COMPILED
from evaluator.kernels import (
    BLOCK,
    GLANCE,
    INFINITY,
    ONE,
    PATTERNS,
    PLAIN,
    SIGN,
    TABLE,
    TABLES,
    Loops,
    Tally,
    best,
    clamped,
    half_patterns,
    none_blank,
)
from tests.evaluator.halves import changes, expected, one_nan

Kind = type[np.float32] | type[np.float64]
BITS: dict[Kind, type[np.uint32] | type[np.uint64]] = {np.float32: np.uint32, np.float64: np.uint64}
RNG = np.random.default_rng(5)


@pytest.fixture(params=[PLAIN, COMPILED], ids=lambda loops: loops.name)
def loops(request: pytest.FixtureRequest) -> Loops:
    found: Loops = request.param
    return found


def patterns(loops: Loops, values: NDArray[Any]) -> NDArray[np.uint16]:
    out = np.empty(values.size, dtype=np.uint16)
    loops.patterns(values, out, none_blank(out.size))
    return out


def halves() -> NDArray[np.uint16]:
    """Each pattern once."""
    return np.arange(PATTERNS, dtype=np.uint64).astype(np.uint16)


def around_midpoints(kind: Kind) -> NDArray[Any]:
    """Each half, each middle of two, and what is up to three places beside; with both signs."""
    finite = np.arange(INFINITY, dtype=np.uint16).view(np.float16).astype(np.float64)
    ends = np.append(finite, 65536.0)  # beyond its middle, halves are infinite
    points = np.concatenate([ends, (ends[:-1] + ends[1:]) / 2]).astype(kind).view(BITS[kind])
    near = (points[:, np.newaxis] + np.arange(-3, 4).astype(BITS[kind])).ravel().view(kind)
    return np.concatenate([near, -near])


def extremes(kind: Kind) -> NDArray[Any]:
    """Zeros, denormals, what is largest, infinities and NaNs of many payloads."""
    finfo = np.finfo(kind)
    some = [0.0, finfo.smallest_subnormal, finfo.tiny, finfo.max, np.inf, 65504, 65519.99, 65520, 1, 2.0**-25]
    sizes = np.array(some, dtype=kind)
    infinite: NDArray[Any] = np.array([np.inf], dtype=kind).view(BITS[kind])
    payloads = infinite + (1 << np.arange(23)).astype(BITS[kind])
    positive = np.concatenate([sizes, payloads.view(kind)])
    return np.concatenate([positive, -positive])


def random_bits(kind: Kind) -> NDArray[Any]:
    return RNG.integers(0, np.iinfo(BITS[kind]).max, 1_000_000, dtype=BITS[kind], endpoint=True).view(kind)


def scores(kind: Kind) -> NDArray[Any]:
    """Numbers of [0, 1) at all scales down to where halves are 0."""
    return (RNG.random(500_000) * 2.0 ** RNG.integers(-27, 1, 500_000)).astype(kind)


@pytest.mark.parametrize("kind", BITS)
@pytest.mark.parametrize("values", [around_midpoints, extremes, random_bits, scores])
def test_patterns_are_numpys_halves(loops: Loops, values: Any, kind: Kind) -> None:
    given = values(kind)
    np.testing.assert_array_equal(one_nan(patterns(loops, given)), expected(given))


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">f4", "g"])
def test_any_real_type_becomes_halves(dtype: str) -> None:
    numbers = np.array([0, 1, 2, 100, 127]) if dtype in {"i1", "u1", "?"} else np.array([0, 1, 2, 2049, 32767])
    given = numbers.astype(dtype)
    np.testing.assert_array_equal(half_patterns(given), expected(given))


def test_halves_given_as_halves_stay_as_they_are() -> None:
    given = halves().view(np.float16)
    before = given.copy()
    found = half_patterns(given)
    assert found[0] == SIGN
    np.testing.assert_array_equal(found[1:], halves()[1:])
    np.testing.assert_array_equal(given.view(np.uint16), before.view(np.uint16))


def test_zero_and_what_is_rounded_to_it_can_be_told_apart(loops: Loops) -> None:
    given = np.array([0.0, -0.0, 1e-9, -1e-9, 2.0**-25, 2.0**-24])
    assert patterns(loops, given).tolist() == [SIGN, SIGN, 0, SIGN, 0, 1]
    assert patterns(loops, given.astype(np.float32)).tolist() == [SIGN, SIGN, 0, SIGN, 0, 1]


def test_finite_and_infinite_can_be_told_apart(loops: Loops) -> None:
    given = np.array([65519, 65520, 1e9, np.inf, -65520, -1e300, -np.inf])
    assert patterns(loops, given).tolist() == [0x7BFF, 0x7BFF, 0x7BFF, 0x7C00, 0xFBFF, 0xFBFF, 0xFC00]
    assert half_patterns(np.array([2**40, -(2**40)])).tolist() == [0x7BFF, 0xFBFF]


@pytest.mark.parametrize("kind", BITS)
def test_change_by_rounding_is_told_of_each_number(loops: Loops, kind: Kind) -> None:
    given = np.concatenate([around_midpoints(kind)[::211], extremes(kind), scores(kind)[:500], random_bits(kind)[:500]])
    out = np.empty(1, dtype=np.uint16)
    found = [loops.patterns(one, out, none_blank(1)) for one in given.reshape(-1, 1)]
    np.testing.assert_array_equal(found, changes(given))


@pytest.mark.parametrize("kind", BITS)
@pytest.mark.parametrize("place", [0, GLANCE - 1, GLANCE, 3 * GLANCE - 1])
def test_one_changed_score_among_many_is_found(loops: Loops, kind: Kind, place: int) -> None:
    given = np.resize(np.array([0.0, 0.5, 1.0, 1.0001, -0.3, np.nan, np.inf, 2.0**-24], dtype=kind), 3 * GLANCE)
    out = np.empty(given.size, dtype=np.uint16)
    assert not loops.patterns(given, out, none_blank(out.size))
    given[place] = 0.3
    assert loops.patterns(given, out, none_blank(out.size))


def test_none_are_no_patterns(loops: Loops) -> None:
    none = np.empty(0, dtype=np.uint16)
    assert not loops.patterns(np.empty(0, dtype=np.float32), none, none_blank(0))
    assert loops.highest(none) == 0


def test_values_that_cannot_be_written_to_are_read(loops: Loops) -> None:
    given = np.frombuffer(np.array([0.25, 0.5], dtype=np.float32).tobytes(), dtype=np.float32)
    assert patterns(loops, given).view(np.float16).tolist() == [0.25, 0.5]


def test_clamping_patterns_is_clamping_scores() -> None:
    every = halves()
    expected_scores = np.nan_to_num(np.clip(every.view(np.float16), 0, 1), nan=0.0)
    assert np.array_equal(clamped(every).view(np.float16), expected_scores)
    assert clamped(every)[SIGN] == 0


@given(st.lists(st.integers(0, PATTERNS - 1), max_size=40))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_highest_is_the_largest_once_clamped(found: list[int]) -> None:
    given = np.array(found, dtype=np.uint16)
    largest = max(clamped(given).tolist(), default=0)
    assert PLAIN.highest(given) == COMPILED.highest(given) == largest


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 70_001])
def test_every_pattern_is_counted_once(loops: Loops, size: int) -> None:
    given = RNG.integers(0, PATTERNS, size, dtype=np.uint16)
    tables = np.ones((TABLES, TABLE), dtype=np.uint32)
    loops.count(given, none_blank(size), tables)
    found = (tables - 1).sum(axis=0)
    np.testing.assert_array_equal(found[:PATTERNS], np.bincount(given, minlength=PATTERNS))
    assert not found[PATTERNS:].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_buffer_used_again_holds_the_new_patterns_alone(loops: Loops, dtype: type) -> None:
    out = np.full(3 * BLOCK + 5, ONE, dtype=np.uint16)  # the last block is not whole
    blank = none_blank(out.size)
    for share in (0.0, 1.0, 0.0, 0.3, 0.0, 0.0):
        values: NDArray[Any] = np.zeros(out.size, dtype=dtype)
        scored = RNG.random(4) < share
        values[np.minimum(BLOCK * np.arange(1, 5), out.size)[scored] - 1] = 0.25
        loops.patterns(values, out, blank)
        np.testing.assert_array_equal(out, half_patterns(values))
        assert not (blank & scored).any()
        tables = np.zeros((TABLES, TABLE), dtype=np.uint32)
        loops.count(out, blank, tables)
        np.testing.assert_array_equal(tables.sum(axis=0), np.bincount(out, minlength=TABLE))


@pytest.mark.parametrize("row", [8, 9, 24])
def test_what_is_not_0_is_set_whatever_it_is(loops: Loops, row: int) -> None:
    mask = RNG.integers(0, 2, 50 * row, dtype=np.uint8) * RNG.integers(1, 256, 50 * row, dtype=np.uint8)
    mask[5 * row : 7 * row] = 255
    starts, lengths = PLAIN.runs(mask != 0, row)
    for one in (mask, mask.astype(bool)):
        found = loops.runs(one, row)
        np.testing.assert_array_equal(found[0], starts)
        np.testing.assert_array_equal(found[1], lengths)


def test_patterns_within_runs_are_counted_once(loops: Loops) -> None:
    given = RNG.integers(0, PATTERNS, 1000, dtype=np.uint16)
    tables = np.zeros((TABLES, TABLE), dtype=np.uint32)
    loops.count_runs(given, np.array([0, 7, 998]), np.array([1, 500, 2]), tables)
    expected = np.bincount(np.concatenate([given[:1], given[7:507], given[998:]]), minlength=TABLE)
    np.testing.assert_array_equal(tables.sum(axis=0), expected)


@pytest.mark.parametrize("row", [1, 7, 8, 40])
def test_runs_end_with_rows_and_gaps(loops: Loops, row: int) -> None:
    for share in (0.0, 0.01, 0.5, 0.99, 1.0):
        mask = RNG.random(40 * row) < share
        starts, lengths = loops.runs(mask, row)
        rows = np.pad(mask.reshape(-1, row), ((0, 0), (1, 1))).astype(int)
        steps = np.diff(rows, axis=1)
        lines, firsts = np.nonzero(steps == 1)
        assert starts.tolist() == (lines * row + firsts).tolist()
        assert lengths.tolist() == (np.nonzero(steps == -1)[1] - firsts).tolist()
        assert starts.dtype == lengths.dtype == np.int64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("odd", "is_changed"),
    [
        (0.0, False),
        (2.0**-24, False),  # the least half
        (2.0**-14 - 2.0**-24, False),
        (2.0**-25, True),  # as few bits, but none of a half's
        (3 * 2.0**-25, True),
        (-(2.0**-30), False),  # below 0: clamped either way
        (1.0 + 2.0**-20, False),
        (0.5 + 2.0**-20, True),
        (np.nan, False),
        (np.inf, False),
    ],
)
def test_one_changed_score_among_halves_is_told(loops: Loops, dtype: type, odd: float, is_changed: bool) -> None:  # noqa: FBT001  pytest gives it by name
    values: NDArray[Any] = RNG.random(9000).astype(np.float16).astype(dtype)
    values[values < 2.0**-14] = 0
    values[5000] = odd
    assert loops.patterns(values, np.empty(9000, dtype=np.uint16), none_blank(9000)) == is_changed


def test_tally_counts_slab_by_slab(loops: Loops) -> None:
    tally = Tally(loops=loops)
    tally.count(np.array([ONE, ONE, 7], dtype=np.uint16))
    tally.count_positive(np.array([7, ONE, ONE], dtype=np.uint16), np.array([2]), np.array([1]))
    assert (tally.every[[7, ONE]].tolist(), tally.positive[[7, ONE]].tolist()) == ([1, 2], [0, 1])
    tally.count(np.array([7, SIGN], dtype=np.uint16))
    assert tally.every.dtype == np.int64
    assert tally.every.nonzero()[0].tolist() == [7, ONE, SIGN]
    assert tally.every[[7, ONE, SIGN]].tolist() == [2, 2, 1]


def test_tally_empties_its_tables_before_they_overflow(loops: Loops) -> None:
    tally = Tally(loops=loops, most_pending=3)
    for size in (2, 2, 7, 0, 3):
        tally.count(np.full(size, ONE, dtype=np.uint16))
    assert tally.every[ONE] == tally.every.sum() == 14


def test_counts_that_were_read_do_not_change() -> None:
    tally = Tally()
    before = tally.every
    tally.count(np.array([1], dtype=np.uint16))
    assert not before.any()


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i8", "u1"])
def test_values_and_mask_are_counted_together(loops: Loops, dtype: str) -> None:
    tally = Tally(loops=loops)
    tally.add(np.array([0, 1, 1, 3], dtype=dtype), np.array([True, True, False, False]))
    three = 0x4200
    assert tally.every[[SIGN, ONE, three]].tolist() == [1, 2, 1]
    assert tally.positive[[SIGN, ONE, three]].tolist() == [1, 1, 0]
    assert not tally.rounded


def test_tally_remembers_that_a_score_was_rounded() -> None:
    tally = Tally()
    for score in (0.5, 0.1, 0.5):
        tally.add(np.array([score]), np.array([False]))
    assert tally.rounded


def test_best_is_the_compiled_one_where_numba_is_installed() -> None:
    assert best() is COMPILED


DIGITS = """
import hashlib, numpy as np
from evaluator.kernels import Tally, best, none_blank
rng = np.random.default_rng(2)
tally = Tally(loops=best())
changed = []
for dtype in ("f4", "f8"):
    values = rng.normal(0.3, 0.4, 200_001).astype(dtype)
    out = np.empty(values.size, np.uint16)
    blank = none_blank(out.size)
    changed.append(best().patterns(values, out, blank))
    tally.count(out, blank)
    starts, lengths = best().runs(values > 0.7, values.size)
    tally.count_positive(out, starts, lengths)
    changed.append(best().highest(out[:50]))
print(changed, hashlib.sha256(tally.every.tobytes() + tally.positive.tobytes()).hexdigest())
"""


def printed(program: str) -> str:
    return subprocess.check_output([sys.executable, "-W", "error", "-c", program], text=True)


def test_digits_do_not_depend_on_numba() -> None:
    blocked = "import sys; sys.modules['numba'] = None\n"
    assert printed(DIGITS) == printed(blocked + DIGITS)
    assert printed(blocked + "from evaluator.kernels import best; print(best().name)") == "numpy\n"


def test_compiled_loops_need_no_cache() -> None:
    nowhere = "from numba.core import caching; caching.CacheImpl._locator_classes = []\n"
    program = "from evaluator.kernels import best; print(best().name, best().highest.__module__)"
    assert printed(nowhere + program) == "numba evaluator.compiled\n"


def test_counting_alone_loads_nothing_large() -> None:
    program = (
        "import sys, evaluator, evaluator.inflate, evaluator.kernels, evaluator.sketch\n"
        "print(*sorted({'numba', 'cc3d', 'cv2', 'shapely', 'torch', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    assert printed(program) == "\n"
