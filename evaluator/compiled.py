"""The inner loops of scoring, compiled: see `evaluator.kernels`, which finds them where numba is installed.

Conversion is arithmetic on the bits, without branches, so that it becomes vector code on any processor; it
needs no half-precision instructions. What may be tuned is an argument: a cache of compiled code does not see that a
number of another module has changed. The layout of the formats is that of IEEE 754-2019, 3.4.
"""

from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from evaluator.kernels import BLOCK, INFINITY, ONE, SIGN, Blank, Indices, Loops, Mask, Patterns, Tables, Values

_FOUR_ZEROS: Final = 0x8000800080008000
_ROWS: Final = np.uint64(16)  # of a label that are looked at together
_ONES: Final = np.uint64(0x0101010101010101)  # eight voxels of a label that are 1
_NAN: Final = INFINITY + 0x200
_LEAST_NORMAL: Final = 0x0400


def _compiled(result: Any, *arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile at once, or load what an earlier process compiled; without a cache where none can be written."""
    signature = result(*arguments)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            found = numba.njit(signature, nogil=True, cache=True)(function)
        except (RuntimeError, OSError):
            found = numba.njit(signature, nogil=True)(function)
        return found  # type: ignore[no-any-return]  # numba has no types

    return decorate


def _read(element: Any) -> Any:
    return types.Array(element, 1, "C", readonly=True)


def _written(element: Any, dimensions: int = 1) -> Any:
    return types.Array(element, dimensions, "C")


@_compiled(types.boolean, _read(types.uint64), types.uint64, types.uint64)
def _is_zero(words: NDArray[np.uint64], start: np.uint64, stop: np.uint64) -> bool:
    """Tell of a range; a slice would take as long as the look. Unsigned numbers, or each could count from the end."""
    if words[start] | words[(start + stop) >> np.uint64(1)] | words[stop - np.uint64(1)]:
        return False
    held = np.uint64(0)
    for i in range(start, stop):
        held |= words[i]
    return bool(held == np.uint64(0))


@_compiled(types.boolean, _read(types.uint16))
def _has_tiny(patterns: Patterns) -> bool:
    """Tell whether one is above 0 and under the least normal half."""
    least = np.uint16(0xFFFF)
    for i in range(patterns.size):
        least = min(least, patterns[i])
    return bool(least < np.uint16(_LEAST_NORMAL))


@_compiled(types.uint32, _read(types.float32), _written(types.uint16))
def _round_singles(values: NDArray[np.float32], out: Patterns) -> np.uint32:
    """Convert float32: 8 bits of exponent with bias 127, 23 of fraction; a half has 5 with bias 15, and 10.

    Gives every bit that is set anywhere.
    """
    every = values.view(np.uint32)
    held = np.uint32(0)
    for i in range(every.size):
        bits = every[i]
        held |= bits
        size = np.uint32(bits & np.uint32(0x7FFFFFFF))
        # The exponent's bias changes by 112; then to nearest, ties to even.
        finite = min(size, np.uint32(0x477FE000))
        odd = np.uint32(np.uint32(finite >> np.uint32(13)) & np.uint32(1))
        normal = np.uint32(np.uint32(finite + np.uint32(0xC8000FFF) + odd) >> np.uint32(13))
        # Under 2^-14 a half's last place is 2^-24, as a single's is from 0.5 on: the addition rounds.
        shifted = np.float32(abs(values[i]) + np.float32(0.5))
        tiny = np.uint32(shifted.view(np.uint32) - np.uint32(0x3F000000))
        half = tiny if size < np.uint32(0x38800000) else normal
        half = np.uint32(INFINITY) if size == np.uint32(0x7F800000) else half
        half = np.uint32(_NAN) if size > np.uint32(0x7F800000) else half
        half = np.uint32(half | np.uint32(np.uint32(bits ^ size) >> np.uint32(16)))
        out[i] = np.uint16(np.uint32(SIGN) if bits == np.uint32(0) else half)
    return held


@_compiled(types.boolean, _read(types.float32))
def _singles_change(values: NDArray[np.float32]) -> bool:
    """Tell whether `_round_singles` changes a score within 0 and 1."""
    every = values.view(np.uint32)
    changed = np.uint32(0)
    for i in range(every.size):
        bits = every[i]
        tiny = np.float32(np.float32(values[i] + np.float32(0.5)) - np.float32(0.5))
        cut = (
            np.uint32(tiny.view(np.uint32) ^ bits) if bits < np.uint32(0x38800000) else np.uint32(bits << np.uint32(19))
        )
        changed |= cut if np.uint32(bits - np.uint32(1)) < np.uint32(0x3F7FFFFF) else np.uint32(0)
    return bool(changed)


@_compiled(types.uint64, _read(types.float64), _written(types.uint16))
def _round_doubles(values: NDArray[np.float64], out: Patterns) -> np.uint64:
    """Convert float64 directly (by way of float32 it would be rounded twice): 11 bits, bias 1023, and 52."""
    every = values.view(np.uint64)
    held = np.uint64(0)
    for i in range(every.size):
        bits = every[i]
        held |= bits
        size = bits & np.uint64(0x7FFFFFFFFFFFFFFF)
        finite = min(size, np.uint64(0x40EFFC0000000000))
        odd = (finite >> np.uint64(42)) & np.uint64(1)
        normal = (finite + np.uint64(0xC10001FFFFFFFFFF) + odd) >> np.uint64(42)
        # As above: from 2^28 on a double's last place is 2^-24.
        shifted = np.float64(abs(values[i]) + np.float64(1 << 28))
        tiny = shifted.view(np.uint64) - np.uint64(0x41B0000000000000)
        half = tiny if size < np.uint64(0x3F10000000000000) else normal
        half = np.uint64(INFINITY) if size == np.uint64(0x7FF0000000000000) else half
        half = np.uint64(_NAN) if size > np.uint64(0x7FF0000000000000) else half
        half |= (bits ^ size) >> np.uint64(48)
        out[i] = np.uint16(np.uint64(SIGN) if bits == np.uint64(0) else half)
    return held


@_compiled(types.boolean, _read(types.float64))
def _doubles_change(values: NDArray[np.float64]) -> bool:
    """Tell whether `_round_doubles` changes a score within 0 and 1."""
    every = values.view(np.uint64)
    changed = np.uint64(0)
    for i in range(every.size):
        bits = every[i]
        tiny = np.float64(np.float64(values[i] + np.float64(1 << 28)) - np.float64(1 << 28))
        cut = tiny.view(np.uint64) ^ bits if bits < np.uint64(0x3F10000000000000) else bits << np.uint64(22)
        changed |= cut if bits - np.uint64(1) < np.uint64(0x3FEFFFFFFFFFFFFF) else np.uint64(0)
    return bool(changed)


@_compiled(types.boolean, _read(types.float32), _written(types.uint16), _written(types.boolean), types.int64)
def _singles(values: NDArray[np.float32], out: Patterns, blank: Blank, size: int) -> bool:
    """Round block by block, and tell whether that changes a score."""
    changed = False
    whole = values.size // size
    words, each = values[: whole * size].view(np.uint64), np.uint64(size >> 1)
    for number in range(blank.size):
        first = np.uint64(number) * each
        is_blank = number < whole and _is_zero(words, first, first + each)
        if is_blank and blank[number]:
            continue
        blank[number] = is_blank
        start, stop = number * size, min((number + 1) * size, values.size)
        block, rounded = values[start:stop], out[start:stop]
        if is_blank:
            rounded[:] = SIGN
            continue
        held = _round_singles(block, rounded)
        # Normal halves lose nothing that has no bit where theirs end: the closer look is for the other blocks.
        if not changed and (held & np.uint32(0x1FFF) or _has_tiny(rounded)):
            changed = _singles_change(block)
    return changed


@_compiled(types.boolean, _read(types.float64), _written(types.uint16), _written(types.boolean), types.int64)
def _doubles(values: NDArray[np.float64], out: Patterns, blank: Blank, size: int) -> bool:
    """Do the same for float64."""
    changed = False
    whole = values.size // size
    words, each = values[: whole * size].view(np.uint64), np.uint64(size)
    for number in range(blank.size):
        first = np.uint64(number) * each
        is_blank = number < whole and _is_zero(words, first, first + each)
        if is_blank and blank[number]:
            continue
        blank[number] = is_blank
        start, stop = number * size, min((number + 1) * size, values.size)
        block, rounded = values[start:stop], out[start:stop]
        if is_blank:
            rounded[:] = SIGN
            continue
        held = _round_doubles(block, rounded)
        if not changed and (held & np.uint64(0x3FFFFFFFFFF) or _has_tiny(rounded)):
            changed = _doubles_change(block)
    return changed


@_compiled(types.void, _read(types.uint16), _read(types.boolean), types.int64, _written(types.uint32, 2))
def _count(patterns: Patterns, blank: Blank, size: int, tables: Tables) -> None:
    """Count each pattern in the table whose turn it is; four zeros at once, and whole blocks of them."""
    zeros = np.uint32(0)
    for number in range(blank.size):
        start, stop = number * size, min((number + 1) * size, patterns.size)
        if blank[number]:
            zeros += np.uint32(stop - start)
            continue
        block = patterns[start:stop]
        whole = block.size & ~3
        fours = block[:whole].view(np.uint64)
        for four in range(fours.size):
            if fours[four] == np.uint64(_FOUR_ZEROS):
                zeros += np.uint32(4)
                continue
            i = 4 * four
            tables[0, block[i]] += np.uint32(1)
            tables[1, block[i + 1]] += np.uint32(1)
            tables[2, block[i + 2]] += np.uint32(1)
            tables[3, block[i + 3]] += np.uint32(1)
        for i in range(whole, block.size):
            tables[0, block[i]] += np.uint32(1)
    tables[0, SIGN] += zeros


@_compiled(types.void, _read(types.uint16), _read(types.int64), _read(types.int64), _written(types.uint32, 2))
def _count_runs(patterns: Patterns, starts: Indices, lengths: Indices, tables: Tables) -> None:
    for run in range(starts.size):
        for i in range(np.uint64(starts[run]), np.uint64(starts[run] + lengths[run])):
            tables[i & np.uint64(3), patterns[i]] += np.uint32(1)


@_compiled(types.int64, _read(types.uint8), types.int64, _written(types.int64), _written(types.int64))
def _find_runs(mask: NDArray[np.uint8], row: int, starts: Indices, lengths: Indices) -> int:
    """Write the runs of what is not 0 within rows, and give their number; words and rows all alike are passed by."""
    found = 0
    every, line, step = np.uint64(mask.size), np.uint64(row), np.uint64(8)
    words = mask[: mask.size & ~7].view(np.uint64)
    has_words = line % step == np.uint64(0)  # each within one row
    for group in range(np.uint64(0), every, _ROWS * line):
        beyond = min(group + _ROWS * line, every)
        if beyond < every and _is_zero(words, group // step, beyond // step):
            continue
        for first in range(group, beyond, line):
            before = False
            for start in range(first, first + line, step):
                if has_words and words[start // step] == (_ONES if before else np.uint64(0)):
                    continue
                for i in range(start, min(start + step, first + line)):
                    if (mask[i] != 0) == before:
                        continue
                    if before:
                        lengths[found] = np.int64(i) - starts[found]
                        found += 1
                    else:
                        starts[found] = i
                    before = not before
            if before:
                lengths[found] = np.int64(first + line) - starts[found]
                found += 1
    return found


@_compiled(types.uint16, _read(types.uint16))
def _highest(patterns: Patterns) -> np.uint16:
    found = np.uint16(0)
    for i in range(patterns.size):
        pattern = min(patterns[i], np.uint16(ONE))
        found = max(found, np.uint16(0) if patterns[i] > np.uint16(INFINITY) else pattern)
    return found


def _patterns(values: Values, out: Patterns, blank: Blank) -> bool:
    return bool((_singles if values.dtype == np.float32 else _doubles)(values, out, blank, BLOCK))


def _runs(mask: Mask, row: int) -> tuple[Indices, Indices]:
    most = mask.size // row * ((row + 1) // 2)
    starts, lengths = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    found = _find_runs(mask.view(np.uint8), row, starts, lengths)
    return starts[:found].copy(), lengths[:found].copy()


COMPILED: Final = Loops(
    name="numba",
    patterns=_patterns,
    count=lambda patterns, blank, tables: _count(patterns, blank, BLOCK, tables),
    count_runs=_count_runs,
    highest=lambda patterns: int(_highest(patterns)),
    runs=_runs,
)
