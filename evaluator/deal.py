"""The deal: a fixed arrangement of cases into batches of about 20."""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

Deal = tuple[tuple[str, ...], ...]

BATCH_SIZE = 20  # cases; MOOD's
_DRAWS = 1_000  # before one anomalous case is set into each batch; a half-normal set needs one draw


class ImpossibleDealError(ValueError):
    """Fewer anomalous cases than batches."""


def deal(
    cases: Sequence[str], anomalous: AbstractSet[str], *, batch_size: int = BATCH_SIZE, rng: np.random.Generator
) -> Deal:
    """Deal cases into ⌈n / batch_size⌉ batches of sizes as equal as possible, each case once.

    Redrawn until each batch holds an anomalous case: without one it has no average precision. Where they
    are so rare that no draw succeeds, each batch is given one at random first. Within a batch, cases stand
    sorted. Raises ImpossibleDealError where there are fewer anomalous cases than batches.
    """
    if not cases:
        return ()
    names = sorted(cases)
    if len(set(names)) < len(names):
        raise ValueError("a case is dealt twice")
    batches = math.ceil(len(names) / batch_size)
    hits = len(anomalous & set(names))
    if hits < batches:
        raise ImpossibleDealError(
            f"{len(names)} cases make {batches} batches of {batch_size}, but only {hits} of the cases are "
            "anomalous: each batch needs one. Add anomalous cases or choose a larger batch size."
        )
    for _ in range(_DRAWS):
        drawn = _cut([names[i] for i in rng.permutation(len(names))], batches)
        if all(anomalous & set(batch) for batch in drawn):
            return drawn
    return _one_each(names, anomalous, batches, rng)


def _cut(order: Sequence[str], batches: int) -> Deal:
    """Cut into parts of sizes as equal as possible, the larger ones first."""
    size, larger = divmod(len(order), batches)
    ends = [size * (i + 1) + min(i + 1, larger) for i in range(batches)]
    starts = [0, *ends[:-1]]
    return tuple(tuple(sorted(order[start:end])) for start, end in zip(starts, ends, strict=True))


def _one_each(names: Sequence[str], anomalous: AbstractSet[str], batches: int, rng: np.random.Generator) -> Deal:
    """Deal one anomalous case to each batch, then the others."""
    hits = [name for name in names if name in anomalous]
    first = [hits[i] for i in rng.permutation(len(hits))[:batches]]
    others = [name for name in names if name not in set(first)]
    rest = _cut([others[i] for i in rng.permutation(len(others))], batches)
    return tuple(tuple(sorted((name, *batch))) for name, batch in zip(first, rest, strict=True))
