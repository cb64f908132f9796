"""The inner loops of scoring: values to half-precision patterns, patterns to counts.

`PLAIN` is numpy's; `best` gives the compiled ones of `evaluator.compiled` where numba is installed. They give
the same patterns and counts to the last voxel, and leave aside only which of the patterns of NaN a NaN gets.

Two rules go beyond rounding to half precision, and change no clamped score:

- what is 0 exactly has the pattern `SIGN` (that of -0.0), so that 0x0000 is that of scores above 0 that were
  rounded to 0;
- what is finite stays finite, at ±65504, so that the patterns of ±inf are those of what was infinite.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PATTERNS: Final = 1 << 16  # of a half-precision number
ONE: Final = 0x3C00  # the pattern of 1.0; non-negative halves sort as their patterns do
INFINITY: Final = 0x7C00  # above it are the patterns of NaN, then every pattern with a sign
SIGN: Final = 0x8000
TABLES: Final = 4  # neighbours are counted in different ones: equal ones need not wait for each other
BLOCK: Final = 1024  # patterns that are looked at together, whether all of them are SIGN
TABLE: Final = PATTERNS + 144  # no power of two apart: rows whose addresses end alike wait for each other too
COMPILED_FROM_VOXELS: Final = 50_000_000  # of all that is read: below, compiled loops save less than they take to load
GLANCE: Final = 1 << 12  # values that mostly suffice to tell that rounding changed one

_LEAST_NORMAL: Final = 2.0**-14  # halves under it are multiples of 2^-24
_LAST_PLACE_2_24: Final[dict[np.dtype[Any], Any]] = {  # numbers round which the last place is 2^-24: adding one rounds
    np.dtype(np.float32): np.float32(0.75),
    np.dtype(np.float64): np.float64(1.5 * (1 << 28)),
}

Values = NDArray[np.generic]
Patterns = NDArray[np.uint16]
Blank = NDArray[np.bool_]
Counts = NDArray[np.int64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_] | NDArray[np.uint8]  # what is not 0 is set
Tables = NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True)
class Loops:
    """What is done to every voxel. Arrays are flat, contiguous, and in the machine's byte order.

    Most maps are full of zeros, so a slab of patterns uint16[n] goes with `blank` bool[ceil(n / BLOCK)]: true where
    a block of patterns is known to be all SIGN; it is then neither written nor counted one by one.

    `patterns(values, out, blank)` makes `out` uint16[n] hold the patterns of float32 or float64 `values`[n], and
    tells whether rounding changed a score within 0 and 1; `blank` says what `out` holds, before and after.
    `count(patterns, blank, tables)` adds 1 for each of uint16[n] in any row of `tables` uint32[TABLES, TABLE];
    `count_runs(patterns, starts, lengths, tables)` does so for those within runs, int64[r] each. `highest(patterns)`
    is the largest clamped pattern of uint16[n]; of none, 0. `runs(mask, row)` gives starts and lengths, int64[r]
    each, of the runs of what is set in `mask`[n] within rows of `row`.
    """

    name: str
    patterns: Callable[[Values, Patterns, Blank], bool]
    count: Callable[[Patterns, Blank, Tables], None]
    count_runs: Callable[[Patterns, Indices, Indices, Tables], None]
    highest: Callable[[Patterns], int]
    runs: Callable[[Mask, int], tuple[Indices, Indices]]


def half_patterns(values: Values) -> Patterns:
    """Round to half precision once and give the bit patterns, by the rules above; uint16 of the shape of `values`.

    `values` has any real dtype. Doubles and singles are rounded directly, to nearest, ties to even; integers
    go through the float type that holds them, as nibabel's `get_fdata(dtype=float16)` lets them.
    """
    between = np.promote_types(values.dtype, np.float16)
    zero = values == 0
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        patterns = _with_tiny_rounded(values.astype(between, copy=False), zero).astype(np.float16).view(np.uint16)
    infinite = (patterns & ~np.uint16(SIGN)) == INFINITY
    if infinite.any():
        patterns -= infinite & np.isfinite(values)
    np.putmask(patterns, zero, SIGN)
    return patterns


def _with_tiny_rounded(values: Values, zero: NDArray[np.bool_]) -> Values:
    """Bring what is under 2^-14 to the multiples of 2^-24 that halves have there.

    numpy gives the same, but takes some 250 ns over each number that it has to round there.
    """
    if values.dtype not in _LAST_PLACE_2_24:
        return values
    tiny = (np.abs(values) < _LEAST_NORMAL) & ~zero
    if not tiny.any():
        return values
    found, shift = values[tiny], _LAST_PLACE_2_24[values.dtype]
    result = values.copy()
    result[tiny] = np.copysign((found + shift) - shift, found)
    return result


def clamped(patterns: Patterns) -> Patterns:
    """Bring patterns to 0…ONE: NaN and what has a sign to 0, what is over 1 to ONE; uint16 of the same shape.

    >>> scores = np.array([-1.0, 0.25, 7.0, np.inf, np.nan])
    >>> clamped(half_patterns(scores)).view(np.float16).tolist()
    [0.0, 0.25, 1.0, 1.0, 0.0]
    """
    found: Patterns = np.minimum(patterns, np.uint16(ONE)) * (patterns <= INFINITY)
    return found


def none_blank(size: int) -> Blank:
    """Say of `size` patterns that nothing is known of any."""
    return np.zeros(-(-size // BLOCK), dtype=bool)


def _patterns(values: Values, out: Patterns, blank: Blank) -> bool:
    blank[:] = False
    out[:] = half_patterns(values)
    return _rounded(values[:GLANCE], out[:GLANCE]) or _rounded(values[GLANCE:], out[GLANCE:])


def _rounded(values: Values, patterns: Patterns) -> bool:
    """Tell whether a score within 0 and 1 differs from its half."""
    changed = values[values != patterns.view(np.float16)]
    return bool(np.any((changed > 0) & (changed < 1)))


def _count(patterns: Patterns, _blank: Blank, tables: Tables) -> None:
    found = np.bincount(patterns)
    tables[0, : found.size] += found.astype(np.uint32)


def _highest(patterns: Patterns) -> int:
    return int(clamped(patterns).max(initial=0))


def _count_runs(patterns: Patterns, starts: Indices, lengths: Indices, tables: Tables) -> None:
    found = patterns[indices_of(starts, lengths)]
    _count(found, none_blank(found.size), tables)


def _runs(mask: Mask, row: int) -> tuple[Indices, Indices]:
    rows = mask.astype(bool, copy=False).reshape(-1, row)
    held = np.flatnonzero(rows.any(axis=1))
    rows = rows[held]
    firsts, lasts = rows.copy(), rows.copy()
    firsts[:, 1:] &= ~rows[:, :-1]
    lasts[:, :-1] &= ~rows[:, 1:]
    line, start = np.divmod(np.flatnonzero(firsts), row)
    return held[line] * row + start, np.flatnonzero(lasts) % row - start + 1


def indices_of(starts: Indices, lengths: Indices) -> Indices:
    """Give the flat index of every voxel of some runs, ascending; `starts` and `lengths` int64[r]."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1] if ends.size else 0)


PLAIN: Final = Loops(
    name="numpy", patterns=_patterns, count=_count, count_runs=_count_runs, highest=_highest, runs=_runs
)


@cache
def best() -> Loops:
    """Give the quickest loops there are; the first call compiles or loads them."""
    try:
        compiled: Loops = import_module("evaluator.compiled").COMPILED
    except ImportError:
        return PLAIN
    return compiled


class _Counter:
    """Counts patterns in tables that are small enough for a core's cache, and empties those before they overflow."""

    def __init__(self, loops: Loops, most_pending: int) -> None:
        self._loops = loops
        self._most_pending = most_pending
        self._pending = 0
        self._tables: Tables = np.zeros((TABLES, TABLE), dtype=np.uint32)
        self._emptied: Counts | None = None  # what the tables held when they were emptied

    def add(self, patterns: Patterns, blank: Blank) -> None:
        if patterns.size <= self._most_pending:
            self._loops.count(patterns, blank, self._room_for(patterns.size))
            return
        for start in range(0, patterns.size, self._most_pending):
            part = patterns[start : start + self._most_pending]
            self._loops.count(part, none_blank(part.size), self._room_for(part.size))

    def add_runs(self, patterns: Patterns, starts: Indices, lengths: Indices) -> None:
        self._loops.count_runs(patterns, starts, lengths, self._room_for(int(lengths.sum())))

    def counts(self) -> Counts:
        found = self._tables[:, :PATTERNS].sum(axis=0, dtype=np.uint32)  # as many as are pending, at most
        counts: Counts = found.astype(np.int64)
        return counts if self._emptied is None else counts + self._emptied

    def _room_for(self, count: int) -> Tables:
        if self._pending + count > self._most_pending:
            self._empty()
        self._pending += count
        return self._tables

    def _empty(self) -> None:
        self._emptied = self.counts()
        self._tables[:] = 0
        self._pending = 0


class Tally:
    """Voxels per half-precision pattern, filled slab by slab."""

    def __init__(self, *, loops: Loops = PLAIN, most_pending: int = (1 << 32) - 1) -> None:
        self.loops = loops
        self.rounded = False  # rounding changed a score within 0 and 1; `count` cannot know, `add` does
        self._every = _Counter(loops, most_pending)
        self._positive = _Counter(loops, most_pending)

    @property
    def every(self) -> Counts:
        """All voxels, int64[PATTERNS]."""
        return self._every.counts()

    @property
    def positive(self) -> Counts:
        """The positive ones among them, int64[PATTERNS]."""
        return self._positive.counts()

    def count(self, patterns: Patterns, blank: Blank | None = None) -> None:
        """Count voxels, positive or not; `blank` as `Loops` has it, where something is known."""
        self._every.add(patterns, none_blank(patterns.size) if blank is None else blank)

    def count_positive(self, patterns: Patterns, starts: Indices, lengths: Indices) -> None:
        """Say which of the voxels that were counted, or will be, are positive: those of `patterns` within runs."""
        self._positive.add_runs(patterns, starts, lengths)

    def add(self, values: Values, positive: NDArray[np.bool_]) -> None:
        """Count one slab of any real dtype; both are flat and of one length."""
        patterns = half_patterns(values)
        self.rounded |= _rounded(values, patterns)
        self.count(patterns)
        of_positives = patterns[positive]
        self._positive.add(of_positives, none_blank(of_positives.size))
