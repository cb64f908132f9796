"""Anomalies of every published category, put into normal scans."""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import overload

from toy_cases.anomalies import alterations, corruptions, destructions, images, local_corruptions, pathologies
from toy_cases.anomalies.base import (
    VISIBLE,
    Array,
    Category,
    Draw,
    Drawn,
    Kind,
    Mask,
    NoPlaceError,
    Scope,
    measured,
    settle,
)
from toy_cases.anomalies.shapes import SHAPES, Shape, cube, cube_at, fixed_place, sphere, sphere_at
from toy_cases.body import body_of

__all__ = [
    "KINDS",
    "PLAIN",
    "SHAPES",
    "VISIBLE",
    "Array",
    "Category",
    "Draw",
    "Drawn",
    "Kind",
    "Mask",
    "NoPlaceError",
    "Scope",
    "Shape",
    "body_of",
    "by_name",
    "cube",
    "cube_at",
    "fixed_place",
    "measured",
    "settle",
    "sphere",
    "sphere_at",
]

# What numpy and scipy alone can draw.
PLAIN: tuple[Kind, ...] = (
    *images.KINDS,
    *pathologies.KINDS,
    *local_corruptions.KINDS,
    *corruptions.KINDS,
    *alterations.KINDS,
    *destructions.KINDS,
)


class _Kinds(Sequence[Kind]):
    """All kinds that can be drawn here, looked up when first asked for: TorchIO takes seconds to load."""

    @overload
    def __getitem__(self, index: int) -> Kind: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Kind]: ...
    def __getitem__(self, index: int | slice) -> Kind | Sequence[Kind]:
        return (PLAIN + _artefacts())[index]

    def __len__(self) -> int:
        return len(PLAIN) + len(_artefacts())

    def __iter__(self) -> Iterator[Kind]:
        yield from PLAIN
        yield from _artefacts()


KINDS: Sequence[Kind] = _Kinds()  # PLAIN, and where TorchIO is installed its artefacts


def by_name(name: str) -> Kind:
    """Find a kind by `category/subcategory`, toy shapes too; loads TorchIO only for an artefact of its own.

    Raises KeyError where there is none, or none that can be drawn here.
    """
    for kinds in (SHAPES, PLAIN):
        for kind in kinds:
            if kind.name == name:
                return kind
    return {kind.name: kind for kind in _artefacts()}[name]


@cache
def _artefacts() -> tuple[Kind, ...]:
    if find_spec("torchio") is None:
        return ()
    kinds: tuple[Kind, ...] = import_module("toy_cases.anomalies.artefacts").KINDS
    return kinds
