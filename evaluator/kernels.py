"""The inner loops of scoring: values to half-precision patterns, patterns to counts.

The one place to put faster loops in: whatever stands here must count the same to the last voxel.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PATTERNS = 1 << 16  # of a half-precision number
ONE = 0x3C00  # the pattern of 1.0; non-negative halves sort as their patterns do
INFINITY = 0x7C00
SIGN = 0x8000

Counts = NDArray[np.int64]


def half_patterns(values: NDArray[np.generic]) -> NDArray[np.uint16]:
    """Round to half precision once and give the bit patterns.

    `values` has any real dtype. Doubles and singles are rounded directly, to nearest, ties to even; integers
    go through the float type that holds them, as nibabel's `get_fdata(dtype=float16)` lets them.
    """
    between = np.promote_types(values.dtype, np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(between, copy=False).astype(np.float16, copy=False).view(np.uint16)


@dataclass(kw_only=True)
class Tally:
    """Voxels per half-precision pattern, filled slab by slab."""

    every: Counts = field(default_factory=lambda: np.zeros(PATTERNS, dtype=np.int64))
    positive: Counts = field(default_factory=lambda: np.zeros(PATTERNS, dtype=np.int64))
    overflowed_up: int = 0  # finite values that became +inf in half precision
    overflowed_down: int = 0

    def add(self, values: NDArray[np.generic], positive: NDArray[np.bool_]) -> None:
        """Count one slab; both are flat and of one length."""
        patterns = half_patterns(values)
        counts = np.bincount(patterns, minlength=PATTERNS)
        self.every += counts
        if positive.any():
            self.positive += np.bincount(patterns[positive], minlength=PATTERNS)
        if counts[INFINITY] or counts[INFINITY | SIGN]:
            self.overflowed_up += int(counts[INFINITY]) - int(np.count_nonzero(values == np.inf))
            self.overflowed_down += int(counts[INFINITY | SIGN]) - int(np.count_nonzero(values == -np.inf))
