"""What scoring keeps of a prediction: how many positive and negative voxels have each half-precision score.

Every metric that counts voxels, over any set of cases, is a function of a sum of sketches, exactly: a clamped
half-precision score has one of 15,361 values, whose bit patterns 0x0000 to 0x3C00 sort as the scores do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from evaluator.kernels import INFINITY, ONE, PATTERNS, SIGN, Tally
from evaluator.packing import Arrays, pack, unpack

VALUES: Final = ONE + 1  # 15,361 scores
MOST_VOXELS: Final = 1 << 53  # counts stay exact as doubles
MOST_BYTES: Final = 1 << 19  # of a sketch's file: 15,361 bins of 18 bytes, and the container round them
DTYPES: Final[Mapping[str, str]] = {"bins": "<u2", "positive": "<u8", "negative": "<u8", "counters": "<u8"}
_CLAMPED: Final = ("nan", "posinf", "neginf", "below", "above")
_COUNTERS: Final = (*_CLAMPED, "tiny_positive", "tiny_negative", "rounded")


@dataclass(frozen=True, kw_only=True, eq=False)
class Sketch:
    """Voxels per score, what was clamped on the way, and what half precision could not tell apart.

    `bins` uint16[k], strictly ascending half patterns of the scores that occur; `positive`, `negative`
    uint64[k], voxels with that score. The counters are of voxels that are counted in a bin too: `nan`,
    `neginf`, `below` and both `tiny` in that of 0, `posinf` and `above` in that of 1. Raises ValueError where
    it cannot be.
    """

    bins: NDArray[np.uint16]
    positive: NDArray[np.uint64]
    negative: NDArray[np.uint64]
    nan: int = 0
    posinf: int = 0
    neginf: int = 0
    below: int = 0  # finite and under 0 after rounding
    above: int = 0  # finite and over 1 after rounding
    tiny_positive: int = 0  # above 0, rounded to 0; all other voxels of that bin are 0 exactly, once clamped
    tiny_negative: int = 0
    rounded: int = 0  # predictions in which rounding changed a score within [0, 1]

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
        if not self._counters_fit():
            raise ValueError(f"a sketch's counters {self.counters} do not fit its {self.n_voxels} voxels")

    def _counters_fit(self) -> bool:
        has_zero = bool(self.bins.size) and self.bins[0] == 0
        zeros = (int(self.positive[0]), int(self.negative[0])) if has_zero else (0, 0)
        clamped = sum(getattr(self, name) for name in _CLAMPED)
        few = (self.tiny_positive <= zeros[0], self.tiny_negative <= zeros[1], self.rounded <= self.n_voxels)
        return min(self.counters) >= 0 and clamped <= self.n_voxels and all(few)

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
        every, of_positives = tally.every, tally.positive
        positive = _fold(of_positives)
        return cls._dense(
            positive,
            _fold(every) - positive,
            nan=int(every[INFINITY + 1 : SIGN].sum() + every[(SIGN | INFINITY) + 1 :].sum()),
            posinf=int(every[INFINITY]),
            neginf=int(every[SIGN | INFINITY]),
            below=int(every[SIGN + 1 : SIGN | INFINITY].sum()),
            above=int(every[ONE + 1 : INFINITY].sum()),
            tiny_positive=int(of_positives[0]),
            tiny_negative=int(every[0] - of_positives[0]),
            rounded=int(tally.rounded),
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
        """Every counter, in the order of the fields."""
        return tuple(int(getattr(self, name)) for name in _COUNTERS)

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

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Give what a file holds, by name: see `DTYPES`."""
        found: Arrays = {"bins": self.bins, "positive": self.positive, "negative": self.negative}
        return {name: array.astype(DTYPES[name]) for name, array in found.items()} | {
            "counters": np.array(self.counters, dtype=DTYPES["counters"])
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what `arrays` gave. Believes nothing; raises ValueError."""
        if arrays["counters"].size != len(_COUNTERS):
            raise ValueError(f"a sketch has {arrays['counters'].size} counters, not {len(_COUNTERS)}")
        counters = dict(zip(_COUNTERS, map(int, arrays["counters"]), strict=True))
        return cls(
            bins=arrays["bins"].astype(np.uint16),
            positive=arrays["positive"].astype(np.uint64),
            negative=arrays["negative"].astype(np.uint64),
            **counters,
        )

    def to_bytes(self, *, compressed: bool = True) -> bytes:
        """Write as .npz (numpy reads it too); equal sketches give equal bytes."""
        return pack(self.arrays(), compressed=compressed)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote. Believes nothing; raises ValueError."""
        return cls.from_arrays(unpack("a sketch", content, DTYPES, most_bytes=MOST_BYTES))


def _fold(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bring counts[PATTERNS] to counts[VALUES]: over 1 is 1; every sign bit, -0.0 and NaN is 0."""
    folded = counts[:VALUES].copy()
    folded[0] += counts[INFINITY + 1 : PATTERNS].sum()
    folded[ONE] += counts[VALUES : INFINITY + 1].sum()
    return folded
