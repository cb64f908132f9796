"""Images of 256² with lesions, and maps of them, as the published package of Proportion Localised takes them."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
SIDE = 256  # the only one the package knows


def specks(*pixels: tuple[int, int], shape: tuple[int, int] = (SIDE, SIDE)) -> Mask:
    """Lesions of single pixels (row, column)."""
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(np.transpose(pixels))] = True
    return mask


def ellipses(seed: int) -> Mask:
    """Draw up to 14 lesions of all sizes and angles; some run into each other or over the edge."""
    rng = np.random.default_rng(seed)
    image = np.zeros((SIDE, SIDE), dtype=np.uint8)
    for _ in range(rng.integers(1, 15)):
        centre, axes = rng.integers(0, SIDE, 2).tolist(), rng.integers(0, (30, 12)).tolist()
        cv2.ellipse(image, centre, axes, int(rng.integers(180)), 0, 360, 1, -1)
    return image.astype(bool)


def heat_map(mask: Mask, seed: int) -> NDArray[np.float64]:
    """A blurred, noisy map of the lesions whose scores are half-precision numbers in [0, 1]."""
    rng = np.random.default_rng(seed)
    near = cv2.GaussianBlur(mask.astype(np.float64), (0, 0), float(rng.uniform(2, 8)))
    noisy = near / near.max() * rng.uniform(0.3, 1) + rng.uniform(0, 0.1) * rng.normal(size=mask.shape)
    return np.asarray(np.clip(noisy, 0, 1), dtype=np.float16).astype(np.float64)


def patterns(scores: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Give a map in [0, 1] as its patterns, flat in Fortran order."""
    return scores.astype(np.float16).view(np.uint16).ravel(order="F")


def stacked(images: Sequence[NDArray[np.generic]]) -> NDArray[np.float64]:
    """Images as the package takes them, in doubles."""
    return np.stack(images).astype(np.float64)
