"""One axial slice of a case to look at: the image, its label and a prediction, as small as a page shows them.

The prediction's slice is kept while the parser's child reads the file; image and label are cut from our own.
"""

import math
from dataclasses import dataclass
from typing import BinaryIO, Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from evaluator.formats import Patterns, Shape, UnreadableError, Volume
from evaluator.kernels import ONE, clamped
from evaluator.packing import Arrays, pack, unpack
from evaluator.truth import Truth

MOST_SIDE: Final = 512  # pixels; of a larger slice every second one is kept, or every third, …
MOST_PLANE_BYTES: Final = 2 * MOST_SIDE**2
MOST_BYTES: Final = 1 << 21  # of a file: 4 bytes a pixel, and the container round them
_DTYPES: Final = {"place": "<i8", "image": "|u1", "label": "|u1", "prediction": "<u2"}
_PLACE: Final = 3  # numbers: z, and the two sides

Plane = NDArray[np.float16]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, kw_only=True, eq=False)
class Slices:
    """The same slice three times, each [x, y], at most MOST_SIDE either way. Raises ValueError where it cannot be."""

    z: int  # index of the slice in the volume
    image: NDArray[np.uint8]  # 255 is 1.0
    label: NDArray[np.bool_]
    prediction: Plane  # scores in [0, 1]; 0 everywhere where there was none to read

    def __post_init__(self) -> None:
        shape = self.image.shape
        if len(shape) != 2 or not 0 < min(shape) <= max(shape) <= MOST_SIDE:  # noqa: PLR2004  axes
            raise ValueError(f"a slice is {shape}")
        if not shape == self.label.shape == self.prediction.shape or self.z < 0:
            raise ValueError(f"image, label and prediction are {shape}, {self.label.shape}, {self.prediction.shape}")
        dtypes = [str(array.dtype) for array in (self.image, self.label, self.prediction)]
        if dtypes != ["uint8", "bool", "float16"]:
            raise ValueError(f"image, label and prediction are of {dtypes}")
        if not np.all(self.prediction.view(np.uint16) <= ONE):
            raise ValueError("a score of a slice lies outside 0 and 1")

    def to_bytes(self) -> bytes:
        """Write as .npz; equal slices give equal bytes."""
        arrays: Arrays = {
            "place": np.array([self.z, *self.image.shape], dtype=np.int64),
            "image": self.image.ravel(),
            "label": self.label.ravel().view(np.uint8),
            "prediction": self.prediction.ravel().view(np.uint16),
        }
        return pack({name: array.astype(_DTYPES[name]) for name, array in arrays.items()})

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote. Believes nothing; raises ValueError."""
        arrays = unpack("a slice", content, _DTYPES, most_bytes=MOST_BYTES)
        place = [int(number) for number in arrays["place"].tolist()]
        if len(place) != _PLACE or not 0 <= place[0] <= 1 << 31:
            raise ValueError(f"a slice's place is {place[:8]}")
        z, *sides = place
        if not all(0 < side <= MOST_SIDE for side in sides):
            raise ValueError(f"a slice is {sides}")
        image, label, prediction = (arrays[name] for name in ("image", "label", "prediction"))
        if {array.size for array in (image, label, prediction)} != {math.prod(sides)} or np.any(label.astype(int) > 1):
            raise ValueError(f"a slice is {sides} of {image.size}, {label.size}, {prediction.size} pixels")
        return cls(
            z=z,
            image=image.astype(np.uint8).reshape(sides),
            label=label.astype(bool).reshape(sides),
            prediction=prediction.astype(np.uint16).view(np.float16).reshape(sides),
        )


class PlaneKeeper:
    """Keeps the slice to show of a prediction while its planes go by; `plane` is None until it has."""

    def __init__(self, truth: Truth) -> None:
        self._shape = truth.shape[:2]
        self._first = _to_show(truth) * math.prod(self._shape)
        self.plane: Plane | None = None

    def see(self, start: int, patterns: Patterns) -> None:
        """See whole planes, as `evaluator.counting.Watcher` does."""
        first = self._first - start
        if 0 <= first < patterns.size:
            plane = clamped(patterns[first : first + math.prod(self._shape)]).view(np.float16)
            self.plane = _thinned(plane.reshape(self._shape, order="F"))


def plane_bytes(plane: Plane | None) -> bytes:
    """Give what `plane_of` reads; no plane, no byte."""
    return b"" if plane is None else plane.astype("<f2").tobytes()


def plane_of(content: bytes, shape: Shape) -> Plane | None:
    """Read the plane of a case of this shape; None where there is none. Believes nothing; raises ValueError."""
    if not content:
        return None
    sides = _thinned(np.broadcast_to(np.uint8(0), shape[:2])).shape
    patterns = np.frombuffer(content, dtype="<u2") if len(content) % 2 == 0 else np.zeros(0)
    if patterns.size != math.prod(sides) or np.any(patterns > ONE):
        raise ValueError(f"{len(content)} bytes are no slice of {shape}")
    return patterns.astype(np.uint16).view(np.float16).reshape(sides)


def cut(image: BinaryIO, label: BinaryIO, shape: Shape, prediction: Plane | None) -> Slices:
    """Put our own image and label beside a prediction's plane; None counts 0 everywhere.

    Raises UnreadableError where image or label cannot be read or are not of `shape`.
    """
    truth = Truth.read(label, shape)
    volume = Volume.open(image)
    if volume.shape != shape:
        raise UnreadableError(f"an image is {volume.shape}, its label {shape}")
    z, plane = _to_show(truth), math.prod(shape[:2])
    mask = np.zeros(plane, dtype=bool)
    mask[truth.positives(z * plane, (z + 1) * plane)] = True
    values = _thinned(_plane(volume, z).reshape(shape[:2], order="F"))
    grey = np.rint(255 * np.clip(np.nan_to_num(values.astype(np.float64)), 0, 1))
    return Slices(
        z=z,
        image=grey.astype(np.uint8),
        label=_thinned(mask.reshape(shape[:2], order="F")),
        prediction=np.zeros(grey.shape, dtype=np.float16) if prediction is None else prediction,
    )


def _to_show(truth: Truth) -> int:
    """Give the axial slice with the most anomalous voxels, of several the first; the middle one where there is none."""
    if not truth.n_positive:
        return math.prod(truth.shape[2:]) // 2
    of_run = truth.runs.starts // math.prod(truth.shape[:2])
    return int(np.bincount(of_run, weights=truth.runs.lengths).argmax())


def _thinned(plane: NDArray[T]) -> NDArray[T]:
    """Keep every k-th row and column, k the least that leaves no more than MOST_SIDE."""
    step = math.ceil(max(plane.shape) / MOST_SIDE)
    return np.ascontiguousarray(plane[::step, ::step])


def _plane(volume: Volume, z: int) -> NDArray[np.generic]:
    """Read one plane, flat. Raises UnreadableError."""
    size = math.prod(volume.shape[:2])
    first, start = z * size, 0
    parts = []
    for slab in volume.slabs():
        parts.append(slab[max(0, first - start) : max(0, first + size - start)])
        start += slab.size
        if start >= first + size:
            break
    return np.concatenate(parts)
