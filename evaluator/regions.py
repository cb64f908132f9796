"""What scoring keeps of each connected component of a label: how many of its voxels have each half-precision score.

Components of one size are kept together: the mean recall over components, which PRO needs, is a sum over sizes of
found voxels divided by the size. Regions add up as sketches do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from evaluator.kernels import ONE
from evaluator.sketch import MOST_VOXELS, VALUES

_CHUNK: Final = 1 << 16  # voxels counted at a time, and counts kept before those of one key are added up
_DTYPES: Final[Mapping[str, type[np.unsignedinteger]]] = {
    "sizes": np.uint64,
    "components": np.uint64,
    "group": np.uint32,
    "bins": np.uint16,
    "counts": np.uint64,
}

Part = tuple[NDArray[np.int64], NDArray[np.integer]]  # keys of groups and bins, and the count of each


@dataclass(frozen=True, kw_only=True, eq=False)
class Regions:
    """Voxels per component size and score; equal content has equal arrays.

    `sizes` uint64[s], strictly ascending sizes in voxels; `components` uint64[s], how many components have the
    size. `group` uint32[m], an index into `sizes`; `bins` uint16[m], a clamped half pattern; `counts` uint64[m],
    voxels with that score in all components of that size; strictly ascending by (group, bin), no count is 0.
    The counts of a size add up to the size times its components. Raises ValueError where it cannot be.
    """

    sizes: NDArray[np.uint64]
    components: NDArray[np.uint64]
    group: NDArray[np.uint32]
    bins: NDArray[np.uint16]
    counts: NDArray[np.uint64]

    def __post_init__(self) -> None:
        for name, array in self.arrays().items():
            if array.ndim != 1 or array.dtype != _DTYPES[name]:
                raise ValueError(f"regions' {name} are {array.dtype}{array.shape}, not flat {_DTYPES[name].__name__}")
        if self.sizes.size != self.components.size or not self.group.size == self.bins.size == self.counts.size:
            raise ValueError("regions' arrays are not of one length")
        if np.any(self.sizes[1:] <= self.sizes[:-1]) or np.any(self.sizes == 0) or np.any(self.components == 0):
            raise ValueError("regions' sizes do not ascend from 1, or one has no component")
        if self.group.size and (self.group.max() >= self.sizes.size or self.bins.max() > ONE):
            raise ValueError("regions count a size or a score that there is not")
        keys = _keys(self.group, self.bins)
        if np.any(keys[1:] <= keys[:-1]) or np.any(self.counts == 0):
            raise ValueError("regions' counts do not ascend by size and score, or one is 0")
        voxels = self.sizes.astype(np.float64) * self.components.astype(np.float64)
        counted = np.bincount(self.group, weights=self.counts.astype(np.float64), minlength=self.sizes.size)
        if voxels.sum() > MOST_VOXELS or not np.array_equal(counted, voxels):
            raise ValueError("regions' counts do not add up to their components, or are more than can be counted")

    @classmethod
    def of(cls, component: NDArray[np.integer], patterns: NDArray[np.uint16], sizes: NDArray[np.integer]) -> Self:
        """Count the anomalous voxels of a case.

        `component` int[k], from 0, and `patterns` uint16[k], clamped, have one entry a voxel, in any order; `sizes`
        int[c] are the components' voxels. Raises ValueError where they contradict each other.
        """
        if component.shape != patterns.shape:
            raise ValueError(f"components are {component.shape}, patterns are {patterns.shape}")
        if not np.array_equal(np.bincount(component, minlength=sizes.size), sizes):
            raise ValueError(f"the voxels of {sizes.size} components do not add up to their sizes")
        tally = RegionTally(sizes)
        tally.add(component, patterns)
        return cls.counted(tally)

    @classmethod
    def counted(cls, tally: "RegionTally") -> Self:
        """Take what was counted. Raises ValueError where voxels of a component were left out."""
        return cls._merged(tally.sizes, tally.components, tally.parts)

    @classmethod
    def zeros(cls, sizes: NDArray[np.integer]) -> Self:
        """Score 0 everywhere: what a missing prediction counts as. `sizes` int[c], voxels of each component."""
        distinct, components = np.unique(sizes, return_counts=True)
        keys = np.arange(distinct.size, dtype=np.int64) * VALUES
        return cls._merged(distinct, components, [(keys, distinct.astype(np.int64) * components)])

    @classmethod
    def total(cls, regions: Iterable["Regions"]) -> Self:
        """Add regions; of none, empty ones."""
        several = list(regions)
        found = np.concatenate([np.zeros(0, np.uint64), *(one.sizes for one in several)])
        distinct = np.unique(found)
        components = np.zeros(distinct.size, dtype=np.uint64)
        np.add.at(
            components,
            np.searchsorted(distinct, found),
            np.concatenate([np.zeros(0, np.uint64), *(one.components for one in several)]),
        )
        parts = [(_keys(np.searchsorted(distinct, one.sizes)[one.group], one.bins), one.counts) for one in several]
        return cls._merged(distinct, components, parts)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Read what `arrays` gave. Believes nothing; raises ValueError."""
        if set(arrays) != set(_DTYPES):
            raise ValueError(f"regions hold {sorted(arrays)[:8]}")
        for name, dtype in _DTYPES.items():
            if arrays[name].dtype != dtype:
                raise ValueError(f"regions' {name} are {arrays[name].dtype}, not {np.dtype(dtype)}")
        return cls(
            sizes=arrays["sizes"].astype(np.uint64),
            components=arrays["components"].astype(np.uint64),
            group=arrays["group"].astype(np.uint32),
            bins=arrays["bins"].astype(np.uint16),
            counts=arrays["counts"].astype(np.uint64),
        )

    @classmethod
    def _merged(
        cls,
        sizes: NDArray[np.integer],
        components: NDArray[np.integer],
        parts: Iterable[Part],
    ) -> Self:
        """Add counts by key."""
        keys, counts = _added(parts)
        group, bins = np.divmod(keys, VALUES)
        return cls(
            sizes=sizes.astype(np.uint64),
            components=components.astype(np.uint64),
            group=group.astype(np.uint32),
            bins=bins.astype(np.uint16),
            counts=counts,
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Give every array by its name, to be stored."""
        return {
            "sizes": self.sizes,
            "components": self.components,
            "group": self.group,
            "bins": self.bins,
            "counts": self.counts,
        }

    @property
    def n_components(self) -> int:
        """Connected components of the label."""
        return int(self.components.sum(dtype=np.uint64))

    @property
    def n_voxels(self) -> int:
        """Voxels of all components: the label's anomalous ones."""
        return int(self.counts.sum(dtype=np.uint64))


class RegionTally:
    """Voxels per component size and score, filled plane by plane: grows with its counts, not with the voxels.

    `sizes` int[c], the components' voxels.
    """

    def __init__(self, sizes: NDArray[np.integer]) -> None:
        self.sizes, self._group, self.components = np.unique(sizes, return_inverse=True, return_counts=True)
        self.parts: list[Part] = []
        self._merge_from = _CHUNK
        self._kept = 0

    def add(self, component: NDArray[np.integer], patterns: NDArray[np.uint16]) -> None:
        """Count voxels: `component` int[k], from 0, and `patterns` uint16[k], clamped."""
        for i in range(0, component.size, _CHUNK):
            keys = _keys(self._group[component[i : i + _CHUNK]], patterns[i : i + _CHUNK])
            self.parts.append(np.unique(keys, return_counts=True))
            self._kept += self.parts[-1][0].size
            if self._kept > self._merge_from:
                self._merge()

    def _merge(self) -> None:
        self.parts = [_added(self.parts)]
        self._kept = self.parts[0][0].size
        self._merge_from = max(_CHUNK, 2 * self._kept)


def _added(parts: Iterable[Part]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Add counts by key; keys ascend."""
    several = [(np.zeros(0, np.int64), np.zeros(0, np.uint64)), *parts]
    keys, place = np.unique(np.concatenate([keys for keys, _ in several]), return_inverse=True)
    counts = np.zeros(keys.size, dtype=np.uint64)
    np.add.at(counts, place, np.concatenate([counts.astype(np.uint64) for _, counts in several]))
    return keys, counts


def _keys(group: NDArray[np.integer], bins: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Number pairs of a group and a bin so that they sort by group, then by bin."""
    keys: NDArray[np.int64] = group.astype(np.int64) * VALUES + bins
    return keys
