"""Scans with a naturally occurring condition, named in a CSV: what they show, how hard it is to see, and where.

The file stands beside its scans. Each line names a scan (a NIfTI file, or a folder with one DICOM series), its
patient, the category, a subcategory in the organizer's words, and a difficulty. A pathology has a mask, which
makes it local and puts it into the pixel task; a medical condition has none and is the sample task's alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toy_cases.preprocess import Grid, Modality, Scan, Voxels, examine, frame_of, resampled, windowed
from toy_cases.sources import csv_rows, load_extra, patient_token, read_voxels

Mask = npt.NDArray[np.bool_]
COLUMNS = ("scan", "patient", "category", "subcategory", "difficulty")  # and "mask", which may be absent
DIFFICULTIES = ("1", "2", "3", "4", "5")
SAME_PLACE_MM = 0.01  # how far a mask's affine may be from its scan's
SHOWN = 0.5  # a voxel of the grid belongs to a mask that covers half of it


class Category(StrEnum):
    """What occurs naturally, in the published words."""

    PATHOLOGIES = "pathologies"  # local: with a mask
    MEDICAL_CONDITIONS = "medical conditions"  # global


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One labelled scan."""

    name: str  # as the file has it
    path: Path  # a NIfTI file, or the folder of a series
    patient: str  # opaque; the same as a normal scan's of that person
    category: Category
    subcategory: str
    difficulty: int
    mask: Path | None  # None: the whole scan is what it is about


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A scan in the challenge's form, with its label there."""

    scan: Scan
    mask: Mask | None  # of the volume's shape; None where the condition has none


def read_conditions(path: Path) -> tuple[Condition, ...]:
    """Read the file and the headers that it names, no voxel. Raises ValueError with file, line and complaint."""
    found: dict[str, Condition] = {}
    for line, row in csv_rows(path, COLUMNS):
        try:
            condition = _condition(path.parent, row)
        except ValueError as error:
            raise ValueError(f"{path}, line {line}: {error}") from error
        if condition.name in found:
            raise ValueError(f"{path}, line {line}: {condition.name!r} is listed twice")
        found[condition.name] = condition
    if not found:
        raise ValueError(f"{path}: lists no scan")
    return tuple(found.values())


def read_condition(
    condition: Condition,
    size: int | Grid,
    *,
    modality: Modality | None = None,
    window: tuple[float, float] | None = None,
) -> Labelled:
    """Bring a scan and its mask into the grid, together. Raises ValueError naming the file and the complaint."""
    voxels = _voxels(condition.path)
    reading = examine(voxels, modality=modality, window=window)
    frame = frame_of(voxels, reading.box, size)
    volume = resampled(windowed(voxels.array[frame.box], reading.window), frame)
    scan = Scan(volume=volume, affine=frame.affine, modality=reading.modality, window=reading.window)
    if condition.mask is None:
        return Labelled(scan=scan, mask=None)
    shown = _mask(condition.mask, voxels)
    mask = resampled(shown[frame.box].astype(np.float32), frame) >= SHOWN
    if not mask.any():
        raise ValueError(
            f"{condition.mask}: nothing of its {np.count_nonzero(shown)} voxels is left in a grid of {size}"
        )
    return Labelled(scan=scan, mask=mask)


def verify_condition(
    condition: Condition, *, modality: Modality | None = None, window: tuple[float, float] | None = None
) -> None:
    """Read scan and mask without resampling them. Raises ValueError naming the file and the complaint."""
    voxels = _voxels(condition.path)
    examine(voxels, modality=modality, window=window)
    if condition.mask is not None:
        _mask(condition.mask, voxels)


def _condition(folder: Path, row: dict[str, str]) -> Condition:
    name = row["scan"]
    if not name:
        raise ValueError("names no scan")
    path = folder / name
    if not path.exists():
        raise ValueError(f"there is no scan {name!r} in {folder}")
    if row["category"] not in set(Category):
        raise ValueError(f"category {row['category']!r} is not {' or '.join(Category)}")
    category = Category(row["category"])
    mask = folder / row["mask"] if row.get("mask") else None
    if mask is not None and not mask.is_file():
        raise ValueError(f"there is no mask {row['mask']!r} in {folder}")
    if mask is None and category is Category.PATHOLOGIES:
        raise ValueError(f"{name!r} is a pathology without a mask: name one, or call it a medical condition")
    if mask is not None and category is Category.MEDICAL_CONDITIONS:
        raise ValueError(f"{name!r} is a medical condition with a mask: leave the mask out, or call it a pathology")
    if not row["subcategory"]:
        raise ValueError(f"{name!r} has no subcategory")
    if row["difficulty"] not in DIFFICULTIES:
        raise ValueError(f"difficulty {row['difficulty']!r} is not one of 1 (hardest) to 5 (plain)")
    return Condition(
        name=name,
        path=path,
        patient=patient_token(row["patient"] or _owner(path) or f"scan:{folder.name}/{name}"),
        category=category,
        subcategory=row["subcategory"],
        difficulty=int(row["difficulty"]),
        mask=mask,
    )


def _owner(path: Path) -> str | None:
    """Give a series' own word about its patient."""
    if not path.is_dir():
        return None
    return next(iter(load_extra("dicom", "pydicom").find_series(path)[1].values()), None)


def _voxels(path: Path) -> Voxels:
    if not path.is_dir():
        return read_voxels(path)
    dicom = load_extra("dicom", "pydicom")
    series, _ = dicom.find_series(path)
    if len(series) != 1:
        raise ValueError(f"{path}: holds {len(series)} series; a line speaks of one")
    voxels: Voxels = dicom.read_series(series[0])
    return voxels


def _mask(path: Path, of: Voxels) -> Mask:
    """Read a mask that lies on its scan's own voxels."""
    mask = read_voxels(path)
    if mask.array.shape != of.array.shape:
        raise ValueError(f"{path}: is {mask.array.shape}, its scan {of.array.shape} (right, front, up)")
    if np.abs(mask.affine - of.affine).max() > SAME_PLACE_MM:
        raise ValueError(f"{path}: lies elsewhere than its scan: its affine differs")
    values = np.unique(mask.array)
    if values.size != 2 or values[0] != 0:  # noqa: PLR2004  inside and outside
        raise ValueError(f"{path}: should hold 0 and one other value, but holds {_said(values)}")
    return np.asarray(mask.array != 0)


def _said(values: npt.NDArray[np.float32]) -> str:
    return f"{values.size} values from {values[0]} to {values[-1]}" if values.size > 1 else f"only {values[0]}"
