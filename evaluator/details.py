"""What a pass keeps beside the sketch of voxels: slices, lesions, boxes, objects. All of it adds up."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from evaluator.localised import Localised
from evaluator.objects import Detection, Detections
from evaluator.packing import Arrays, pack, unpack
from evaluator.regions import Regions
from evaluator.sketch import VALUES, Sketch

MOST_BYTES: Final = 1 << 26  # of a file of details: a label of thousands of lesions
_NOT_ASKED_FOR: Final = (-1, -1, -1)
_AXES: Final = 3


@dataclass(frozen=True, kw_only=True)
class Details:
    """Of one prediction or, added up, of several.

    `slices` counts axial slices as a sketch counts voxels: a slice's score is its highest, and it is positive
    where its label holds an anomalous voxel.
    """

    slices: Sketch
    regions: Regions
    localised: Localised
    objects: Detections | None = None  # None: no threshold was given

    @classmethod
    def total(cls, details: Iterable["Details"]) -> Self:
        """Add up; objects only where all have them."""
        found = list(details)
        objects = [one.objects for one in found if one.objects is not None]
        return cls(
            slices=Sketch.total(one.slices for one in found),
            regions=Regions.total(one.regions for one in found),
            localised=Localised.total(one.localised for one in found),
            objects=Detections.total(objects) if len(objects) == len(found) else None,
        )

    def fit(self, sketch: Sketch, shape: tuple[int, ...]) -> bool:
        """Tell whether they count the slices of one case of this shape, and the anomalous voxels of its sketch."""
        found = np.bincount(self.regions.bins, weights=self.regions.counts, minlength=VALUES)
        return (
            self.slices.n_voxels == math.prod(shape[2:])
            and np.array_equal(found[sketch.bins], sketch.positive)
            and (self.regions.n_voxels == sketch.n_positive)
        )

    def to_bytes(self, *, compressed: bool = True) -> bytes:
        """Write as .npz; equal details give equal bytes."""
        arrays = {f"{part}.{name}": array for part, found in _parts(self).items() for name, array in found.items()}
        return pack(arrays, compressed=compressed)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote. Believes nothing; raises ValueError."""
        arrays = unpack("details", content, _dtypes(), most_bytes=MOST_BYTES)
        parts: dict[str, dict[str, NDArray[np.generic]]] = {}
        for path, array in arrays.items():
            part, name = path.split(".")
            parts.setdefault(part, {})[name] = array
        return cls(
            slices=Sketch.from_arrays(parts["slices"]),
            regions=Regions.from_arrays(parts["regions"]),
            localised=Localised.from_arrays(parts["localised"]),
            objects=_detections(parts["objects"]),
        )


def _parts(details: Details) -> dict[str, Arrays]:
    found = details.objects
    counts = (found.objects, found.detections, found.true_positives) if found else _NOT_ASKED_FOR
    return {
        "slices": details.slices.arrays(),
        "regions": details.regions.arrays(),
        "localised": details.localised.arrays(),
        "objects": {"detections": np.array(counts, dtype=np.int64), **_listed(found.largest if found else ())},
    }


def _listed(largest: Sequence[Detection]) -> Arrays:
    """Give volumes float64[k], centres int32[3 k] and whether each is matched uint8[k]."""
    return {
        "volumes_mm3": np.array([one.volume_mm3 for one in largest], dtype=np.float64),
        "centres": np.array([one.centre for one in largest], dtype=np.int32).ravel(),
        "matched": np.array([one.matched for one in largest], dtype=np.uint8),
    }


@cache
def _dtypes() -> dict[str, str]:
    """Give the type of each array of a file, from details of nothing."""
    empty = _parts(Details.total(()))
    return {f"{part}.{name}": array.dtype.str for part, found in empty.items() for name, array in found.items()}


def _detections(arrays: Arrays) -> Detections | None:
    found = tuple(int(count) for count in arrays["detections"].tolist())
    if len(found) != len(_NOT_ASKED_FOR):
        raise ValueError(f"details count {len(found)} of objects, detections and true positives")
    volumes, centres, matched = (arrays[name].tolist() for name in ("volumes_mm3", "centres", "matched"))
    if found == _NOT_ASKED_FOR and not volumes:
        return None
    if len(centres) != _AXES * len(volumes) or len(matched) != len(volumes):
        raise ValueError(f"details list {len(volumes)} detections with {len(centres)} coordinates")
    largest = tuple(
        Detection(volume_mm3=volume, centre=(x, y, z), matched=bool(is_matched))
        for volume, x, y, z, is_matched in zip(
            volumes, centres[::_AXES], centres[1::_AXES], centres[2::_AXES], matched, strict=True
        )
    )
    return Detections(objects=found[0], detections=found[1], true_positives=found[2], largest=largest)
