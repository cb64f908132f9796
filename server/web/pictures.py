"""Slices as pictures: a scan with the truth outlined, and the same scan under its scores as a heat map.

Axial slices as a radiologist holds them: the face up, the patient's right at the left.
"""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

Grey = npt.NDArray[np.uint8]  # [x, y]
Mask = npt.NDArray[np.bool_]  # [x, y]
Scores = npt.NDArray[np.float16]  # [x, y], in [0, 1]
Pixels = npt.NDArray[np.float64]  # [row, column, 3], in [0, 255]
Plane = TypeVar("Plane", bound=np.generic)

SIDE: Final = 256  # pixels that a small slice is enlarged to, by whole steps
GAP: Final = 6  # pixels between the two pictures of a pair
BETWEEN: Final = 85  # grey, apart from the black round a scan, on a light page and on a dark one
THUMB: Final = 256  # pixels, the longest side
QUALITY: Final = 88  # of JPEG, where its marks are not seen
# Lighter where a score is higher, so that it reads in grey too; the outline's blue stays apart from it for
# everybody (Okabe and Ito). `.ramp` in toy.css and report.css has the same stops.
STOPS: Final = ((0.0, (74, 12, 30)), (0.35, (190, 60, 10)), (0.7, (240, 160, 20)), (1.0, (255, 245, 150)))
OUTLINE: Final = (86, 180, 233)
FAINT: Final = 0.12  # of a colour over the scan where scores are just above the lowest; the highest hides it


@dataclass(frozen=True, kw_only=True)
class Window:
    """Scores between which colours run; nothing is coloured where both are equal."""

    low: float
    high: float

    @classmethod
    def of(cls, scores: Iterable[Scores]) -> Self:
        """From the lowest to the highest score of several slices, so that they compare."""
        found = [(float(plane.min()), float(plane.max())) for plane in scores if plane.size]
        return cls(low=min((low for low, _ in found), default=0.0), high=max((high for _, high in found), default=0.0))


def scan(image: Grey) -> Pixels:
    """Draw a scan as it is."""
    return np.stack([_enlarged(_upright(image), _step(image)).astype(float)] * 3, axis=-1)


def truth(image: Grey, label: Mask) -> Pixels:
    """Draw a scan with its anomaly outlined."""
    return _outlined(scan(image), _enlarged(_upright(label), _step(image)))


def heat(image: Grey, label: Mask, scores: Scores, window: Window) -> Pixels:
    """Draw a scan under its scores, the anomaly outlined."""
    step = _step(image)
    below = scan(image)
    if window.high > window.low:
        share = (_upright(scores).astype(float) - window.low) / (window.high - window.low)
        share = _enlarged(np.clip(share, 0.0, 1.0), step)
        opacity = np.where(share > 0, FAINT + (1 - FAINT) * np.sqrt(share), 0.0)[..., None]
        below = below * (1 - opacity) + _coloured(share) * opacity
    return _outlined(below, _enlarged(_upright(label), step))


def pair(image: Grey, label: Mask, scores: Scores, window: Window) -> Pixels:
    """Draw truth and scores side by side."""
    left = truth(image, label)
    gap = np.full((left.shape[0], GAP, 3), BETWEEN, dtype=float)
    return np.hstack([left, gap, heat(image, label, scores, window)])


def png(pixels: Pixels) -> bytes:
    """Encode a picture as it is."""
    out = io.BytesIO()
    _image(pixels).save(out, "PNG")
    return out.getvalue()


def thumbnail(pixels: Pixels) -> str:
    """Encode a picture, small where many stand side by side, into an address: for pages that need no other file."""
    out = io.BytesIO()
    image = _image(pixels)
    image.thumbnail((THUMB, THUMB))
    image.save(out, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def address(content: bytes) -> str:
    """Put a PNG into an address."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def outline(mask: Mask) -> Mask:
    """Give the pixels that touch a mask from outside, so that all of what it covers stays visible."""
    wide = np.pad(mask, 1)
    near = wide[2:, 1:-1] | wide[:-2, 1:-1] | wide[1:-1, 2:] | wide[1:-1, :-2]
    return np.asarray(near & ~mask)


def _coloured(share: npt.NDArray[np.float64]) -> Pixels:
    places = [place for place, _ in STOPS]
    return np.stack([np.interp(share, places, [colour[band] for _, colour in STOPS]) for band in range(3)], axis=-1)


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(np.asarray(np.rint(pixels), dtype=np.uint8))


def _outlined(pixels: Pixels, mask: Mask) -> Pixels:
    """Draw a line of two pixels: bright, with a dark one round it that keeps it apart from what is bright itself."""
    inner = outline(mask)
    middle = outline(mask | inner)
    outer = outline(mask | inner | middle)
    drawn = pixels.copy()
    drawn[outer] *= 0.35
    drawn[inner | middle] = OUTLINE
    return drawn


def _upright(plane: npt.NDArray[Plane]) -> npt.NDArray[Plane]:
    """Turn [x, y], x to the right and y to the front, to rows from the top, the right at the left."""
    return plane.T[::-1, ::-1]


def _step(image: Grey) -> int:
    longest: int = max(image.shape)
    return max(1, SIDE // max(1, longest))


def _enlarged(plane: npt.NDArray[Plane], step: int) -> npt.NDArray[Plane]:
    return plane.repeat(step, axis=0).repeat(step, axis=1)
