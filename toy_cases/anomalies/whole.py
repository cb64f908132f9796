"""Two anomalies that spoil a whole scan, as the demo's challenge has them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from toy_cases.anomalies.base import Array


def blur(normal: Array, rng: np.random.Generator) -> Array:
    """The whole scan out of focus."""
    sigma = float(rng.uniform(0.015, 0.03)) * min(normal.shape)
    blurred = np.empty_like(normal)
    ndimage.gaussian_filter(normal, sigma, output=blurred, mode="constant")
    return np.where(blurred > 1e-3, np.clip(blurred, 0, 1), 0).astype(np.float32)  # noqa: PLR2004  tails


def missing_slices(normal: Array, rng: np.random.Generator) -> Array:
    """A slab of slices across the body is gone (zero)."""
    axis = int(rng.integers(3))
    filled = np.flatnonzero(normal.any(axis=tuple(a for a in range(3) if a != axis)))
    if filled.size == 0:
        raise ValueError(f"no body in a volume of shape {normal.shape}: no slice that could be missing")
    width = max(1, int(filled.size * rng.uniform(0.06, 0.15)))
    first = int(rng.choice(filled[filled.size // 5 : max(filled.size * 4 // 5 - width, filled.size // 5 + 1)]))
    spoilt = normal.copy()
    np.moveaxis(spoilt, axis, 0)[first : first + width] = 0
    return spoilt


@dataclass(frozen=True, kw_only=True)
class Global:
    """A kind of anomaly that has no place in the scan, in the published taxonomy's words."""

    category: str
    subcategory: str
    apply: Callable[[Array, np.random.Generator], Array]


GLOBALS = (
    Global(category="alterations", subcategory="blur", apply=blur),
    Global(category="destructions", subcategory="missing slices", apply=missing_slices),
)
