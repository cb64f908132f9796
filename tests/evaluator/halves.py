"""What numpy says of half precision: the oracle of the loops."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

NAN = 0x7E00  # stands for every pattern of NaN, with or without a sign


def expected(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Patterns of `values.astype(np.float16)`; 0 exactly has the sign, and what is finite stays finite."""
    with np.errstate(all="ignore"):
        halves = values.astype(np.float16)
    halves = np.where(np.isinf(halves) & np.isfinite(values), np.copysign(np.float16(65504), halves), halves)
    return one_nan(np.where(values == 0, np.float16(-0.0), halves).view(np.uint16))


def one_nan(patterns: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Give every NaN the same pattern."""
    return np.where((patterns & 0x7FFF) > 0x7C00, np.uint16(NAN), patterns)


def changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the scores that half precision changes, once clamped to [0, 1]."""
    with np.errstate(all="ignore"):
        rounded = np.clip(values.astype(np.float16).astype(values.dtype), 0, 1)
        changed: NDArray[np.bool_] = (rounded != np.clip(values, 0, 1)) & ~np.isnan(values)
    return changed
