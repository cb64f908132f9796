"""What an anomaly is: a scan made abnormal, where, of which kind, and how hard it is to see.

A local anomaly has a mask: exactly the voxels that changed, each by at least `VISIBLE` and inside the body;
every other voxel keeps its very bits. A global anomaly has none: it belongs to the sample task only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
VISIBLE = np.float32(0.02)  # a smaller change of intensity is none
KEPT = 0.5  # share of the voxels drawn on that must show, or it is drawn again
PLAINEST = 5  # difficulty; 1 is the hardest
Draw = Callable[[Array, Mask, np.random.Generator], "Drawn"]


class NoPlaceError(ValueError):
    """A scan has no room for an anomaly: no body, too small a one, or nothing in it that would show."""


class Scope(StrEnum):
    """How much of a scan is abnormal."""

    NORMAL = "normal"
    LOCAL = "local"  # a part; has a mask
    GLOBAL = "global"  # the whole; sample label only


class Category(StrEnum):
    """The seven published categories; the global ones from mild to strong."""

    IMAGES = "images"
    PATHOLOGIES = "pathologies"
    LOCAL_CORRUPTIONS = "local corruptions"
    CORRUPTIONS = "corruptions"
    MEDICAL_CONDITIONS = "medical conditions"
    ALTERATIONS = "alterations"
    DESTRUCTIONS = "destructions"

    @property
    def scope(self) -> Scope:
        """Local for the first three."""
        return Scope.LOCAL if self in _LOCAL else Scope.GLOBAL


_LOCAL = frozenset({Category.IMAGES, Category.PATHOLOGIES, Category.LOCAL_CORRUPTIONS})


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A scan with an anomaly in it."""

    volume: Array  # as the normal one: same shape, [0, 1]
    mask: Mask | None  # the voxels that changed; None for a global anomaly
    parameters: Mapping[str, float | str]  # what was drawn, for cases.csv; a local one has those of `measured`


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A subcategory of anomalies and how one of it is drawn."""

    scope: Scope
    category: Category
    subcategory: str
    difficulty: int  # 1 (hardest to see) to 5 (plain)
    source: str  # paper or reason
    draw: Draw  # (normal volume, its body, rng); NoPlaceError where the scan has no room for it
    origin: str = "artificial"  # or natural
    modalities: frozenset[str] = frozenset({"mr", "ct"})  # where it makes sense
    needs: str | None = None  # the extra without which it cannot be drawn

    @property
    def name(self) -> str:
        """The way a recipe calls it: `category/subcategory`."""
        return f"{self.category}/{self.subcategory}"


def settle(normal: Array, proposed: Array, drawn_on: Mask, body: Mask) -> tuple[Array, Mask] | None:
    """Undo what does not show or lies outside the body; gives the volume and its mask, all of one shape.

    None where less than `KEPT` of the voxels drawn on are left, or none at all: draw again.
    """
    after = np.clip(proposed, 0, 1).astype(np.float32, copy=False)
    mask = drawn_on & body & (np.abs(after - normal) >= VISIBLE)
    kept = np.count_nonzero(mask)
    if kept == 0 or kept < KEPT * np.count_nonzero(drawn_on):
        return None
    return np.where(mask, after, normal), mask


def measured(before: Array, after: Array, mask: Mask) -> dict[str, float | str]:
    """Measure an anomaly for cases.csv; the arrays may be a box around it.

    `size_voxels`; `diameter_voxels`, the longest side of its bounding box; `contrast`, the mean absolute
    change within the mask; `shift`, the mean change with its sign (below 0: darker).
    """
    change = (after - before)[mask].astype(np.float64)
    sides = [int(np.ptp(where)) + 1 for where in np.nonzero(mask)]
    return {
        "size_voxels": int(np.count_nonzero(mask)),
        "diameter_voxels": max(sides),
        "contrast": round(float(np.abs(change).mean()), 4),
        "shift": round(float(change.mean()), 4) + 0.0,  # no -0.0
    }
