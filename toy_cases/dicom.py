"""Scans that lie in a folder as DICOM slices: which series there are, and one series as voxels.

Headers are read and judged once, when the folder is opened: a series that is no volume (a localizer, a missing
slice, uneven distances, a tilted gantry, several phases in one) is refused by its name and nothing is guessed.
The place of every voxel comes from ImagePositionPatient and ImageOrientationPatient alone, never from file
names or instance numbers. Objects without an image (reports, presentation states) are passed over.
A patient's id is used to keep scans of one person together, as a hash, and is written nowhere.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from os.path import commonpath
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import UID, MediaStorageDirectoryStorage

from toy_cases.preprocess import MOST_VOXELS, SMALLEST_SIDE, Grid, Modality, Scan, Voxels, examine, oriented, prepare
from toy_cases.sources import ScanRef, with_patients

Vector = npt.NDArray[np.float64]
TAGS = [
    "SOPClassUID", "SeriesInstanceUID", "SeriesNumber", "PatientID", "Modality", "ImageType", "NumberOfFrames", "Rows",
    "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PixelSpacing", "ImageOrientationPatient",
    "ImagePositionPatient", "RescaleSlope", "RescaleIntercept", "RescaleType",
]  # fmt: skip
MODALITIES = {"CT": Modality.CT, "MR": Modality.MR}
HU = ("", "HU", "US")  # RescaleType of CT; US: not said
TURNED = 1e-3  # difference of direction cosines within a series; rounding in headers is smaller
SAME_PLACE_MM = 1e-3
UNEVEN = 0.05  # of the usual distance between slices; scanners round to hundredths of a mm
TILTED = 0.01  # shift aside, of the distance between slices
GAP = 1.5  # times the usual distance: a slice is missing
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])  # DICOM's x runs to the left and its y to the back
MOST_COMPLAINTS = 10
# What pydicom raises, beside ValueError, when it comes upon a damaged element: as late as the element is asked for.
DAMAGE = (BytesLengthException, OSError, EOFError, AttributeError, TypeError, LookupError, RuntimeError)


@dataclass(frozen=True, kw_only=True)
class Series:
    """A series that is a volume."""

    name: str
    paths: tuple[Path, ...]  # in the order of their places
    shape: tuple[int, int, int]  # slices, rows, columns
    affine: Vector  # (4, 4) from slice, row and column to mm: right, front, up
    modality: Modality


@dataclass(frozen=True, kw_only=True)
class DicomSource:
    """The series of a folder and of the folders in it."""

    series: Mapping[str, Series]
    refs: tuple[ScanRef, ...]
    grid: Grid
    modality: Modality | None = None
    window: tuple[float, float] | None = None

    def names(self) -> list[ScanRef]:
        """List them by name."""
        return list(self.refs)

    def verify(self, ref: ScanRef) -> None:
        """Read a series' voxels and look for a body in them."""
        examine(read_series(self.series[ref.name]), modality=self.modality, window=self.window)

    def read(self, ref: ScanRef) -> Scan:
        """Read a series into the grid."""
        return prepare(read_series(self.series[ref.name]), self.grid, modality=self.modality, window=self.window)


def open_folder(
    folder: Path, *, grid: Grid, modality: Modality | None = None, window: tuple[float, float] | None = None
) -> DicomSource:
    """Read every header below a folder. Raises ValueError naming each series that is no volume, and why."""
    series, owners = find_series(folder)
    return DicomSource(
        series={one.name: one for one in series},
        refs=tuple(with_patients(folder, [one.name for one in series], owners)),
        grid=grid,
        modality=modality,
        window=window,
    )


def find_series(folder: Path) -> tuple[list[Series], dict[str, str]]:
    """Give a folder's series, and the patient's id of those that have one, by name."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder; it should hold DICOM series")
    groups: dict[str, dict[Path, Dataset]] = defaultdict(dict)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        header = _header(path)
        if header is not None:
            groups[str(header.get("SeriesInstanceUID", path.parent))][path] = header
    if not groups:
        raise ValueError(f"{folder}: holds no DICOM image")
    found, owners, complaints = [], {}, []
    for name, headers in sorted(zip(_names(folder, groups), groups.values(), strict=True)):
        try:
            found.append(_series(f"{folder}, {name}", name, headers))
        except ValueError as error:
            complaints.append(str(error))
        except DAMAGE as error:
            complaints.append(f"{folder}, {name}: its headers are damaged: {error}")
        patient = str(next(iter(headers.values())).get("PatientID") or "").strip()
        if patient:
            owners[name] = patient
    if complaints:
        more = len(complaints) - MOST_COMPLAINTS
        said = "; ".join(complaints[:MOST_COMPLAINTS]) + (f"; and {more} series more" if more > 0 else "")
        raise ValueError(f"{said}. Move what is no scan out of the folder")
    return found, owners


def read_series(series: Series) -> Voxels:
    """Read a series with its axes turned to right, front, up; CT in HU. Raises ValueError naming it and the file."""
    array = np.empty(series.shape, dtype=np.float32)
    for number, path in enumerate(series.paths):
        try:
            image = dcmread(path)
            array[number] = apply_modality_lut(image.pixel_array, image)
        except (InvalidDicomError, ValueError, *DAMAGE) as error:
            raise ValueError(f"{series.name}: {path} cannot be read: {error}") from error
    return oriented(series.name, array, series.affine, series.modality)


def _header(path: Path) -> Dataset | None:
    """Give the header of an image; None for anything else."""
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=TAGS)
        for part in (header, header.file_meta):
            list(part)  # every element is parsed here, where the file can be named
    except InvalidDicomError:
        return None
    except (ValueError, *DAMAGE) as error:
        raise ValueError(f"{path}: its DICOM header cannot be read: {error}") from error
    if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage or "Rows" not in header:
        return None
    return header


def _names(folder: Path, groups: Mapping[str, Mapping[Path, Dataset]]) -> list[str]:
    """Name each series by its folder, and by its number where it shares the folder."""
    homes = [
        Path(commonpath([path.parent for path in group])).relative_to(folder).as_posix() for group in groups.values()
    ]
    numbers = [next(iter(group.values())).get("SeriesNumber", "without a number") for group in groups.values()]
    shared = Counter(homes)
    names = [
        home if shared[home] == 1 and home != "." else f"{'' if home == '.' else f'{home}/'}series {number}"
        for home, number in zip(homes, numbers, strict=True)
    ]
    twice = Counter(names)
    by_uid = sorted(range(len(names)), key=lambda index: list(groups)[index])
    for rank, index in enumerate(by_uid):
        if twice[names[index]] > 1:
            names[index] += f" ({rank + 1})"
    return names


def _series(said: str, name: str, headers: Mapping[Path, Dataset]) -> Series:
    """Put slices in order, or say why they are no volume (ValueError)."""
    modality = _verify_kind(said, headers)
    _verify_values(said, headers, modality)
    first = next(iter(headers.values()))
    along_row, along_column = _directions(said, headers)
    normal = np.cross(along_row, along_column)
    places = {path: np.array(header.ImagePositionPatient, dtype=np.float64) for path, header in headers.items()}
    ordered = sorted(places, key=lambda path: float(places[path] @ normal))
    step = _step(said, np.array([places[path] for path in ordered]), normal)
    row_mm, column_mm = (float(value) for value in first.PixelSpacing)
    affine = np.eye(4)
    # A row's index runs along the column, at the distance between rows.
    affine[:3, :3] = LPS_TO_RAS @ np.column_stack([step, along_column * row_mm, along_row * column_mm])
    affine[:3, 3] = LPS_TO_RAS @ places[ordered[0]]
    shape = (len(ordered), int(first.Rows), int(first.Columns))
    if prod(shape) > MOST_VOXELS:
        raise ValueError(f"{said}: {' × '.join(map(str, shape))} voxels are more than {MOST_VOXELS}: crop it first")
    return Series(name=name, paths=tuple(ordered), shape=shape, affine=affine, modality=modality)


def _verify_kind(said: str, headers: Mapping[Path, Dataset]) -> Modality:
    first = next(iter(headers.values()))
    if any("LOCALIZER" in (header.get("ImageType") or ()) for header in headers.values()):
        raise ValueError(f"{said}: is a localizer")
    if any(int(header.get("NumberOfFrames") or 1) > 1 for header in headers.values()):
        raise ValueError(f"{said}: is multi-frame DICOM; convert it to NIfTI, with dcm2niix for example")
    modality = MODALITIES.get(str(first.get("Modality", "")))
    if modality is None:
        raise ValueError(f"{said}: its modality is {first.get('Modality')!r}; {' and '.join(MODALITIES)} are known")
    if len(headers) < SMALLEST_SIDE:
        raise ValueError(f"{said}: has {len(headers)} slices, {SMALLEST_SIDE} at least make a volume")
    return modality


def _verify_values(said: str, headers: Mapping[Path, Dataset], modality: Modality) -> None:
    for path, header in headers.items():
        if header.get("PixelSpacing") is None:
            raise ValueError(f"{said}: {path.name} has no PixelSpacing")
        if (header.get("SamplesPerPixel"), header.get("PhotometricInterpretation")) != (1, "MONOCHROME2"):
            raise ValueError(f"{said}: {path.name} is not plain grey (MONOCHROME2)")
        syntax: UID = header.file_meta.TransferSyntaxUID
        if syntax.is_compressed and not _can_decode(syntax):
            raise ValueError(
                f"{said}: {path.name} is compressed as {syntax.name}: install a decoder that pydicom knows, "
                "python-gdcm for example"
            )
        if modality is Modality.CT and ("RescaleSlope" not in header or "RescaleIntercept" not in header):
            raise ValueError(f"{said}: {path.name} has no rescale slope and intercept, so its CT values are not in HU")
        if modality is Modality.CT and str(header.get("RescaleType") or "").strip() not in HU:
            raise ValueError(f"{said}: {path.name} holds {header.RescaleType}, not HU")
    if (
        len({(one.Rows, one.Columns, *(round(float(mm), 6) for mm in one.PixelSpacing)) for one in headers.values()})
        > 1
    ):
        raise ValueError(f"{said}: its slices differ in size or pixel spacing")


def _can_decode(syntax: UID) -> bool:
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False


def _directions(said: str, headers: Mapping[Path, Dataset]) -> tuple[Vector, Vector]:
    """Give the unit vectors along a row and along a column."""
    for path, header in headers.items():
        if header.get("ImageOrientationPatient") is None or header.get("ImagePositionPatient") is None:
            raise ValueError(f"{said}: {path.name} has no orientation or position, so left and right are unknown")
    turns = np.array([header.ImageOrientationPatient for header in headers.values()], dtype=np.float64)
    if np.abs(turns - turns[0]).max() > TURNED:
        raise ValueError(f"{said}: its slices are turned differently, as a localizer's")
    along_row, along_column = turns[0, :3], turns[0, 3:]
    if abs(along_row @ along_column) > TURNED or abs(np.linalg.norm(turns[0]) - np.sqrt(2)) > TURNED:
        raise ValueError(f"{said}: its orientation {turns[0].tolist()} is none")
    return along_row, along_column


def _step(said: str, places: Vector, normal: Vector) -> Vector:
    """Give the vector from slice to slice; `places` (n, 3) are in order."""
    distances = np.diff(places @ normal)
    usual = float(np.median(distances))
    if distances.min() < SAME_PLACE_MM:
        raise ValueError(f"{said}: has several slices at one place: several phases or echoes, or a slice twice")
    gaps = np.flatnonzero(distances > GAP * usual)
    if gaps.size:
        x, y, z = places[gaps[0]]
        raise ValueError(
            f"{said}: slices are missing: {distances[gaps[0]]:.2f} mm lie between two at ({x:.1f}, {y:.1f}, {z:.1f}), "
            f"{usual:.2f} mm elsewhere" + (f"; {gaps.size} such gaps" if gaps.size > 1 else "")
        )
    if np.abs(distances - usual).max() > UNEVEN * usual:
        raise ValueError(f"{said}: its slices are {distances.min():.2f} to {distances.max():.2f} mm apart, unevenly")
    step = (places[-1] - places[0]) / (len(places) - 1)
    aside = float(np.linalg.norm(step - normal * (step @ normal)))
    if aside > TILTED * usual:
        raise ValueError(f"{said}: its slices are shifted by {aside:.2f} mm each, as a tilted gantry does")
    return np.asarray(step)
