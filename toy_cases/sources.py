"""Where normal scans come from: a folder of NIfTI or of DICOM series, phantoms, or a template's population.

A source lists its scans, each with its patient, and reads one at a time; it can be pickled and sent to another
process. Libraries of an extra are loaded only for the source that needs them. How a scan is brought into
the challenge's form is `preprocess`'s.
"""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Protocol

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import io_orientation
from nibabel.spatialimages import HeaderDataError

from toy_cases.phantoms import PHANTOMS
from toy_cases.preprocess import GRIDS, MOST_VOXELS, Grid, Modality, Scan, Voxels, examine, grid_of, oriented, prepare

PATIENTS = "patients.csv"
MODALITIES = {"brain": Modality.MR, "abdom": Modality.CT}  # of what is drawn
SIDE_MM = {"brain": 220.0, "abdom": 420.0}  # of a phantom's whole cube
SPATIAL_UNITS = {0: "mm", 1: "metre", 2: "mm", 3: "micron"}  # NIfTI's codes; 0: not said
KNOWN_UNITS = 0b111  # the bits of xyzt_units that speak of space


class Kind(StrEnum):
    """What a source is made of."""

    PHANTOMS = "phantoms"  # drawn from formulas
    FOLDER = "folder"  # .nii and .nii.gz, at any depth
    DICOM = "dicom"  # series of slices, at any depth; extra "dicom"
    TEMPLATE = "template"  # MNI152 deformed; extra "template"


@dataclass(frozen=True, kw_only=True)
class ScanRef:
    """One scan of a source."""

    name: str  # what its organizer calls it; no other scan of the source has it
    patient: str  # opaque; scans of one person have the same, whatever source they are in


class Source(Protocol):
    """Normal scans of one data set; can be pickled."""

    def names(self) -> list[ScanRef]:
        """List the scans, always in the same order. Raises ValueError where a header tells that one is of no use."""

    def verify(self, ref: ScanRef) -> None:
        """Read a scan's voxels without resampling them. Raises ValueError naming the file and the complaint."""

    def read(self, ref: ScanRef) -> Scan:
        """Read one in the challenge's form; the caller may write to it. Raises ValueError as `verify` does."""


def open_source(
    kind: str,
    *,
    dataset: str,
    size: int | Grid | None = None,
    path: Path | None = None,
    modality: Modality | None = None,
    window: tuple[float, float] | None = None,
    seed: tuple[int, ...] = (0,),
    count: int = 0,
) -> Source:
    """Open a source for a data set ("brain" or "abdom" where it is drawn, any name where it is read).

    size: voxels a side, or a box (x, y, z); phantoms are cubes; by default the published 256 and 512.
    path: the folder, for folder and dicom.
    modality, window: of scans that are read; without a modality header or values decide, without a window CT takes
    -1000 to 1000 HU and MR its percentiles. seed, count: phantoms and template draw `count` people from the seed.
    Raises ValueError saying what is missing or wrong, also where an extra is not installed.
    """
    made = Kind(kind) if kind in set(Kind) else None
    if made is None:
        raise ValueError(f"source {kind!r} is not known; there are {', '.join(Kind)}")
    if size is None and dataset not in GRIDS:
        raise ValueError(f"{dataset}: how many voxels a side? Only for {' and '.join(GRIDS)} is a size published")
    grid = grid_of(GRIDS[dataset] if size is None else size)
    if made in {Kind.FOLDER, Kind.DICOM} and path is None:
        raise ValueError(f"{dataset}: a {made} source needs the path of its folder")
    source: Source
    match made:
        case Kind.FOLDER if path is not None:
            source = FolderSource(folder=path, grid=grid, modality=modality, window=window)
        case Kind.DICOM:
            source = load_extra("dicom", "pydicom").open_folder(path, grid=grid, modality=modality, window=window)
        case Kind.TEMPLATE:
            source = load_extra("template", "nilearn").open_population(dataset, grid, seed=seed, count=count)
        case _:
            source = PhantomSource.open(dataset, grid, seed=seed, count=count)
    return source


@dataclass(frozen=True, kw_only=True)
class FolderSource:
    """The NIfTI files of a folder and of the folders in it."""

    folder: Path
    grid: Grid
    modality: Modality | None = None
    window: tuple[float, float] | None = None

    def names(self) -> list[ScanRef]:
        """List them by path; a header that cannot be right is refused, no voxel is read."""
        paths = scan_paths(self.folder)
        for path in paths:
            _opened(path)
        return with_patients(self.folder, [path.relative_to(self.folder).as_posix() for path in paths])

    def verify(self, ref: ScanRef) -> None:
        """Read a file's voxels and look for a body in them."""
        examine(read_voxels(self.folder / ref.name), modality=self.modality, window=self.window)

    def read(self, ref: ScanRef) -> Scan:
        """Read a file into the grid."""
        return prepare(read_voxels(self.folder / ref.name), self.grid, modality=self.modality, window=self.window)


@dataclass(frozen=True, kw_only=True)
class PhantomSource:
    """As many drawn people as are asked for."""

    dataset: str
    side: int
    seed: tuple[int, ...]
    count: int

    @classmethod
    def open(cls, dataset: str, grid: Grid, *, seed: tuple[int, ...], count: int) -> "PhantomSource":
        """Say which people. Raises ValueError for an anatomy that cannot be drawn, or in a box."""
        if dataset not in PHANTOMS:
            raise ValueError(f"there are no phantoms for {dataset!r}, only for {', '.join(PHANTOMS)}")
        if len(set(grid)) > 1:
            raise ValueError(f"{dataset}: phantoms are drawn in cubes, not in {' × '.join(map(str, grid))} voxels")
        return cls(dataset=dataset, side=grid[0], seed=seed, count=count)

    def names(self) -> list[ScanRef]:
        """Number them."""
        return numbered(f"{self.dataset} phantom", self.count, self.seed)

    def verify(self, ref: ScanRef) -> None:
        """Drawn scans are as they should be."""

    def read(self, ref: ScanRef) -> Scan:
        """Draw one."""
        number = int(ref.name.rsplit(" ", 1)[1])
        spacing_mm = SIDE_MM[self.dataset] / self.side
        return Scan(
            volume=PHANTOMS[self.dataset](self.side, np.random.default_rng([*self.seed, number])),
            affine=np.diag([spacing_mm] * 3 + [1.0]),
            modality=MODALITIES[self.dataset],
            window=(0.0, 1.0),
        )


def numbered(what: str, count: int, seed: tuple[int, ...]) -> list[ScanRef]:
    """Name drawn people `what 0`, `what 1`, …; each is a patient."""
    return [
        ScanRef(name=f"{what} {number}", patient=patient_token(f"{what} {number} of {seed}")) for number in range(count)
    ]


def read_scan(
    path: Path,
    *,
    size: int | Grid,
    modality: Modality | None = None,
    window: tuple[float, float] | None = None,
) -> Scan:
    """Read a NIfTI file into a grid; the modality is looked up in the values if not given.

    Raises ValueError naming the file and what is wrong with it.
    """
    return prepare(read_voxels(path), size, modality=modality, window=window)


def scan_paths(folder: Path) -> list[Path]:
    """List a folder's volumes by path, at any depth. Raises ValueError naming the folder where there are none."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder; it should hold normal scans as .nii or .nii.gz")
    paths = sorted(p for p in folder.rglob("*") if p.name.endswith((".nii", ".nii.gz")) and p.is_file())
    if not paths:
        raise ValueError(f"{folder}: holds no .nii or .nii.gz file")
    return paths


def read_voxels(path: Path) -> Voxels:
    """Read a NIfTI file with its axes turned to right, front, up. Raises ValueError naming it and the complaint."""
    image = _opened(path)
    try:
        # What does not fit into float32 becomes infinite, and is refused as that.
        with np.errstate(over="ignore", invalid="ignore"):
            array = np.asarray(nib.funcs.squeeze_image(image).dataobj, dtype=np.float32)
    except (OSError, EOFError, OverflowError, ValueError) as error:
        raise ValueError(f"{path}: its voxels cannot be read: {error}") from error
    return oriented(str(path), array, image.affine)


def with_patients(folder: Path, names: list[str], owners: dict[str, str] | None = None) -> list[ScanRef]:
    """Give each scan its patient: by patients.csv in the folder or beside it, else its owner, else itself.

    owners: a file's own word about its patient, by scan. Where there is a list, a scan that it leaves out is an
    error: two scans of one person must never be taken for two people by an oversight.
    Raises ValueError naming the list, the line and the complaint.
    """
    listed = _patients(folder, names)
    if listed is None:
        listed = owners or {}
    return [ScanRef(name=name, patient=patient_token(listed.get(name, f"scan:{folder.name}/{name}"))) for name in names]


def patient_token(patient: str) -> str:
    """Hide a patient's id, so that it is in no message, no file and no other process's memory."""
    return hashlib.sha256(f"patient:{patient}".encode()).hexdigest()[:16]


def load_extra(module: str, library: str) -> ModuleType:
    """Load the module of ours that needs an extra."""
    try:
        return import_module(f"toy_cases.{module}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != library:
            raise
        raise ValueError(
            f'{library} is not installed, which a {module} source needs: pip install "mood-challenge[{module}]"'
        ) from error


def _opened(path: Path) -> nib.Nifti1Image:
    """Open a file and believe its header, or say why not."""
    try:
        image = nib.load(path)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as NIfTI: {error}") from error
    if not isinstance(image, nib.Nifti1Image):
        raise ValueError(f"{path}: is {type(image).__name__}, not NIfTI")  # noqa: TRY004  theirs, not a wrong call
    if sum(side > 1 for side in image.shape) != 3:  # noqa: PLR2004  a volume
        raise ValueError(f"{path}: shape {image.shape} is not one 3D volume")
    if prod(image.shape) > MOST_VOXELS:
        raise ValueError(f"{path}: shape {image.shape} is more than {MOST_VOXELS} voxels: resample or crop it first")
    if image.get_data_dtype().kind not in "iuf":
        raise ValueError(f"{path}: its voxels are {image.get_data_dtype()}, not plain numbers")
    header = image.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        raise ValueError(
            f"{path}: its header has neither sform nor qform, so left and right are unknown; set one of them"
        )
    forms = [form for form in (image.get_sform(coded=True)[0], image.get_qform(coded=True)[0]) if form is not None]
    if any((io_orientation(form) != io_orientation(forms[0])).any() for form in forms):
        raise ValueError(f"{path}: its sform and qform disagree about which side is which; correct one of them")
    unit = SPATIAL_UNITS.get(int(header["xyzt_units"]) & KNOWN_UNITS, "an unknown unit")
    if unit != "mm":
        raise ValueError(f"{path}: its header gives voxel sizes in {unit}; convert it to mm")
    return image


def _patients(folder: Path, names: list[str]) -> dict[str, str] | None:
    """Read who is in which scan; None where there is no list."""
    inside, beside = folder / PATIENTS, folder.parent / PATIENTS
    path = inside if inside.is_file() else beside
    if not path.is_file():
        return None
    found: dict[str, str] = {}
    for line, row in csv_rows(path, ("scan", "patient")):
        if not row["patient"]:
            raise ValueError(f"{path}, line {line}: {row['scan']!r} has no patient")
        if row["scan"] in found:
            raise ValueError(f"{path}, line {line}: {row['scan']!r} is listed twice")
        # A list beside the folder may speak of other folders too.
        if path == inside and row["scan"] not in names:
            raise ValueError(f"{path}, line {line}: there is no scan {row['scan']!r} in {folder}")
        found[row["scan"]] = row["patient"]
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"{path}: has no line for {missing[0]!r}{_more(len(missing) - 1)}; every scan needs one")
    return found


def csv_rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a CSV with a header: (line, values without spaces around them). Raises ValueError naming file and line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(f"{path}, line 1: has no column {missing[0]!r}; needed are {', '.join(needed)}")
            for row in reader:
                if None in row or None in row.values():
                    raise ValueError(f"{path}, line {reader.line_num}: has not as many fields as the header")
                yield reader.line_num, {name: value.strip() for name, value in row.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read as CSV: {error}") from error


def _more(count: int) -> str:
    return f" and {count} more" if count else ""
