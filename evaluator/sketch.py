"""What scoring keeps of a prediction: how many positive and negative voxels have each half-precision score.

Every metric that counts voxels, over any set of cases, is a function of a sum of sketches, exactly: a clamped
half-precision score has one of 15,361 values, whose bit patterns 0x0000 to 0x3C00 sort as the scores do.
"""

import io
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from evaluator.kernels import INFINITY, ONE, PATTERNS, SIGN, Tally

VALUES: Final = ONE + 1  # 15,361 scores
MOST_VOXELS: Final = 1 << 53  # counts stay exact as doubles
MOST_BYTES: Final = 1 << 19  # of a sketch's file: 15,361 bins of 18 bytes, and the container round them
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # equal sketches have equal bytes
_COUNTERS: Final = ("nan", "posinf", "neginf", "below", "above")
_MEMBERS: Final = {"bins": "<u2", "positive": "<u8", "negative": "<u8", "counters": "<u8"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Sketch:
    """Voxels per score, and what was clamped on the way.

    `bins` uint16[k], strictly ascending half patterns of the scores that occur; `positive`, `negative`
    uint64[k], voxels with that score. The counters are of voxels that are counted in a bin too: `nan`,
    `neginf` and `below` in that of 0, `posinf` and `above` in that of 1. Raises ValueError where it cannot be.
    """

    bins: NDArray[np.uint16]
    positive: NDArray[np.uint64]
    negative: NDArray[np.uint64]
    nan: int = 0
    posinf: int = 0
    neginf: int = 0
    below: int = 0  # finite and under 0 after rounding
    above: int = 0  # finite and over 1 after rounding

    def __post_init__(self) -> None:
        if not self.bins.ndim == 1 or not self.bins.shape == self.positive.shape == self.negative.shape:
            raise ValueError("a sketch's bins and counts are not of one length")
        if self.bins.dtype != np.uint16 or {self.positive.dtype, self.negative.dtype} != {np.dtype(np.uint64)}:
            raise ValueError("a sketch's bins and counts are not of uint16 and uint64")
        if self.bins.size and (self.bins[-1] > ONE or np.any(self.bins[1:] <= self.bins[:-1])):
            raise ValueError("a sketch's bins do not ascend within 0 and 1")
        every = self.positive.astype(np.float64) + self.negative.astype(np.float64)
        if every.sum() > MOST_VOXELS or np.any(every == 0):
            raise ValueError("a sketch has an empty bin, or more voxels than can be counted")
        if min(self.counters) < 0 or sum(self.counters) > self.n_voxels:
            raise ValueError(f"a sketch's counters {self.counters} do not fit its {self.n_voxels} voxels")

    @classmethod
    def of(cls, scores: NDArray[np.generic], mask: NDArray[np.bool_]) -> Self:
        """Count scores of any real dtype; `mask` is of the same shape, true where a voxel is anomalous."""
        if scores.shape != mask.shape:
            raise ValueError(f"scores are {scores.shape}, the mask is {mask.shape}")
        tally = Tally()
        tally.add(scores.ravel(), mask.astype(bool, copy=False).ravel())
        return cls.folded(tally)

    @classmethod
    def folded(cls, tally: Tally) -> Self:
        """Clamp the counts of all patterns to [0, 1]; NaN counts 0."""
        every = tally.every
        positive = _fold(tally.positive)
        return cls._dense(
            positive,
            _fold(every) - positive,
            nan=int(every[INFINITY + 1 : SIGN].sum() + every[(SIGN | INFINITY) + 1 :].sum()),
            posinf=int(every[INFINITY]) - tally.overflowed_up,
            neginf=int(every[SIGN | INFINITY]) - tally.overflowed_down,
            below=int(every[SIGN + 1 : SIGN | INFINITY].sum()) + tally.overflowed_down,
            above=int(every[ONE + 1 : INFINITY].sum()) + tally.overflowed_up,
        )

    @classmethod
    def zeros(cls, *, positive: int, negative: int) -> Self:
        """Score 0 everywhere: what a missing prediction counts as."""
        dense = np.zeros((2, VALUES), dtype=np.int64)
        dense[:, 0] = positive, negative
        return cls._dense(dense[0], dense[1])

    @classmethod
    def total(cls, sketches: Iterable["Sketch"]) -> Self:
        """Add sketches; of none, an empty one."""
        dense = np.zeros((2, VALUES), dtype=np.int64)
        counters = [0] * len(_COUNTERS)
        for sketch in sketches:
            dense[0, sketch.bins] += sketch.positive.astype(np.int64)
            dense[1, sketch.bins] += sketch.negative.astype(np.int64)
            counters = [a + b for a, b in zip(counters, sketch.counters, strict=True)]
        return cls._dense(dense[0], dense[1], **dict(zip(_COUNTERS, counters, strict=True)))

    @classmethod
    def _dense(cls, positive: NDArray[np.int64], negative: NDArray[np.int64], **counters: int) -> Self:
        """Keep the bins that hold a voxel; both arrays are int64[VALUES]."""
        bins = np.flatnonzero(positive + negative)
        return cls(
            bins=bins.astype(np.uint16),
            positive=positive[bins].astype(np.uint64),
            negative=negative[bins].astype(np.uint64),
            **counters,
        )

    def __add__(self, other: "Sketch") -> "Sketch":
        return Sketch.total((self, other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    @property
    def counters(self) -> tuple[int, ...]:
        """nan, posinf, neginf, below, above."""
        return self.nan, self.posinf, self.neginf, self.below, self.above

    @property
    def n_positive(self) -> int:
        """Anomalous voxels."""
        return int(self.positive.sum(dtype=np.uint64))

    @property
    def n_negative(self) -> int:
        """Voxels that are not."""
        return int(self.negative.sum(dtype=np.uint64))

    @property
    def n_voxels(self) -> int:
        """All voxels."""
        return self.n_positive + self.n_negative

    @property
    def distinct(self) -> int:
        """How many different scores occur."""
        return int(self.bins.size)

    def to_bytes(self) -> bytes:
        """Write as .npz (numpy reads it too); equal sketches give equal bytes."""
        arrays: dict[str, NDArray[np.generic]] = {
            "bins": self.bins,
            "positive": self.positive,
            "negative": self.negative,
            "counters": np.array(self.counters),
        }
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, dtype in _MEMBERS.items():
                member = io.BytesIO()
                npy.write_array(member, arrays[name].astype(dtype), version=(1, 0), allow_pickle=False)
                archive.writestr(_entry(name), member.getvalue())
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote. Believes nothing; raises ValueError."""
        if len(content) > MOST_BYTES:
            raise ValueError(f"a sketch has {len(content)} bytes, more than {MOST_BYTES}")
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                if sorted(archive.namelist()) != sorted(f"{name}.npy" for name in _MEMBERS):
                    raise ValueError(f"a sketch holds {archive.namelist()[:8]}")
                arrays = {name: _read(archive, name, dtype) for name, dtype in _MEMBERS.items()}
        except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, zlib.error) as error:
            raise ValueError(f"a sketch is damaged: {error}") from error
        if arrays["counters"].size != len(_COUNTERS):
            raise ValueError(f"a sketch has {arrays['counters'].size} counters, not {len(_COUNTERS)}")
        counters = dict(zip(_COUNTERS, map(int, arrays["counters"]), strict=True))
        return cls(
            bins=arrays["bins"].astype(np.uint16),
            positive=arrays["positive"].astype(np.uint64),
            negative=arrays["negative"].astype(np.uint64),
            **counters,
        )


def _fold(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bring counts[PATTERNS] to counts[VALUES]: over 1 is 1; every sign bit, -0.0 and NaN is 0."""
    folded = counts[:VALUES].copy()
    folded[0] += counts[INFINITY + 1 : PATTERNS].sum()
    folded[ONE] += counts[VALUES : INFINITY + 1].sum()
    return folded


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _read(archive: zipfile.ZipFile, name: str, dtype: str) -> NDArray[np.generic]:
    """Read one flat array whose claimed size is looked at before anything is allocated."""
    size = archive.getinfo(f"{name}.npy").file_size
    if size > MOST_BYTES:
        raise ValueError(f"a sketch's {name} claims {size} bytes")
    with archive.open(f"{name}.npy") as member:
        stream = io.BytesIO(member.read(size))
    if npy.read_magic(stream) != (1, 0):
        raise ValueError(f"a sketch's {name} is of another format version")
    shape, _, found = npy.read_array_header_1_0(stream)
    body = stream.read()
    if found != np.dtype(dtype) or shape != (len(body) // found.itemsize,) or len(body) % found.itemsize:
        raise ValueError(f"a sketch's {name} is {found}{shape} in {len(body)} bytes")
    return np.frombuffer(body, dtype=found)
