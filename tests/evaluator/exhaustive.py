"""All 2^32 single-precision numbers through all loops: `python -m tests.evaluator.exhaustive`, a quarter of an hour."""

import sys

import numpy as np

from evaluator.kernels import PLAIN, best, none_blank
from tests.evaluator.halves import changes, expected, one_nan

STEP = 1 << 22


def wrong(start: int) -> int:
    """Count the numbers, of a stretch of patterns, of which a loop has a wrong half."""
    values = np.arange(start, start + STEP, dtype=np.uint64).astype(np.uint32).view(np.float32)
    halves, found = expected(values), np.empty(STEP, dtype=np.uint16)
    count = 0
    for loops in (PLAIN, best()):
        changed = loops.patterns(values, found, none_blank(found.size))
        count += int(np.count_nonzero(one_nan(found) != halves)) + (changed != changes(values).any())
    return count


def main() -> str:
    """Give what to say: nothing where all is right."""
    count = sum(wrong(start) for start in range(0, 1 << 32, STEP))
    return f"{count} of 2^32 single-precision numbers are converted wrongly" if count else ""


if __name__ == "__main__":
    sys.exit(main() or None)
