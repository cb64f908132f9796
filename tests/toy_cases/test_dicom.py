from collections.abc import Mapping
from itertools import permutations, product
from pathlib import Path
from types import MappingProxyType

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset, FileMetaDataset, dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless, generate_uid

from toy_cases.dicom import DicomSource, find_series, read_series
from toy_cases.preprocess import Modality, Scan, examine, grid_of
from toy_cases.sources import open_source, read_scan

SIZE = 24
SPACING_MM = (2.0, 3.0, 2.5)
Volume = npt.NDArray[np.int16]
# Voxel axes (row index, column index, slice) as the body's axes and signs; all right-handed ones.
TURNS = [
    (axes, signs)
    for axes in permutations(range(3))
    for signs in product((1, -1), repeat=3)
    if np.linalg.det(np.eye(3)[list(axes)] * np.array(signs)[:, None]) < 0
]


def lopsided() -> Volume:
    """Give a trunk-like box in air (HU), x right, y front, z up, denser on the right, at the front and on top."""
    x, y, z = np.ogrid[:20, :16, :14]
    return np.pad(-100 + 20 * x + 10 * y + 5 * z, 3, constant_values=-1000).astype(np.int16)


def write_series(
    folder: Path,
    volume: Volume,
    *,
    axes: tuple[int, ...] = (1, 0, 2),
    signs: tuple[int, ...] = (-1, -1, 1),
    patient: str = "Doe^John",
    number: int = 1,
    fields: Mapping[str, object] = MappingProxyType({}),
) -> list[Path]:
    """Save a volume (x right, y front, z up, SPACING_MM) as slices; rows, columns and slices run along `axes`.

    The default is the usual axial way: rows to the back, columns to the left, slices up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored = np.transpose(volume, axes)[tuple(slice(None, None, sign) for sign in signs)]
    corner = [0.0, 0.0, 0.0]
    for axis, sign in zip(axes, signs, strict=True):
        corner[axis] = 0.0 if sign > 0 else (volume.shape[axis] - 1) * SPACING_MM[axis]
    to_lps = np.array([-1, -1, 1])
    along = [np.eye(3)[axis] * sign * to_lps for axis, sign in zip(axes, signs, strict=True)]
    series = generate_uid()
    rng = np.random.default_rng([number, len(list(folder.iterdir()))])
    paths = []
    for index in range(stored.shape[2]):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
        image.SeriesInstanceUID, image.SeriesNumber, image.PatientID, image.Modality = series, number, patient, "CT"
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.Rows, image.Columns = stored.shape[:2]
        image.PixelSpacing = [SPACING_MM[axes[0]], SPACING_MM[axes[1]]]
        image.ImageOrientationPatient = [*along[1], *along[0]]
        image.ImagePositionPatient = [*(np.array(corner) * to_lps + along[2] * SPACING_MM[axes[2]] * index)]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
        image.RescaleIntercept, image.RescaleSlope = -1024, 0.5
        image.PixelData = ((stored[:, :, index].astype(np.int32) + 1024) * 2).astype("<u2").tobytes()
        for name, value in fields.items():
            if value is None:
                delattr(image, name)
            else:
                setattr(image, name, value)
        path = folder / f"{rng.integers(2**40):x}.dcm"  # names say nothing about the order
        image.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def edit(path: Path, **fields: object) -> None:
    image = dcmread(path)
    for name, value in fields.items():
        setattr(image, name, value)
    image.save_as(path)


def read_one(folder: Path) -> Scan:
    source = open_source("dicom", dataset="abdom", size=SIZE, path=folder)
    (ref,) = source.names()
    source.verify(ref)
    return source.read(ref)


@pytest.fixture
def expected(tmp_path: Path) -> Scan:
    path = tmp_path / "expected.nii.gz"
    nib.save(nib.Nifti1Image(lopsided(), np.diag([*SPACING_MM, 1])), path)
    return read_scan(path, size=SIZE)


@pytest.mark.parametrize(("axes", "signs"), TURNS)
def test_a_series_becomes_the_same_volume_however_it_was_stored(
    tmp_path: Path, expected: Scan, axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    write_series(tmp_path / "series", lopsided(), axes=axes, signs=signs)

    scan = read_one(tmp_path / "series")

    np.testing.assert_allclose(scan.volume, expected.volume, atol=1e-5)
    np.testing.assert_allclose(scan.affine, expected.affine, atol=1e-4)
    assert (scan.modality, scan.window) == (Modality.CT, (-1000, 1000))


def test_stored_numbers_become_hu(tmp_path: Path) -> None:
    write_series(tmp_path, lopsided())

    (series,), _ = find_series(tmp_path)
    np.testing.assert_allclose(read_series(series).array, lopsided())


def test_a_folder_with_several_series_has_several_scans(tmp_path: Path) -> None:
    write_series(tmp_path / "a", lopsided(), patient="one")
    for number in (2, 3):
        write_series(tmp_path / "b", lopsided(), patient="other", number=number)
    (tmp_path / "notes.txt").write_text("no DICOM")

    refs = open_source("dicom", dataset="abdom", size=SIZE, path=tmp_path).names()

    assert [ref.name for ref in refs] == ["a", "b/series 2", "b/series 3"]
    assert refs[1].patient == refs[2].patient != refs[0].patient
    assert not any(word in repr(refs) for word in ("one", "other"))


def test_series_of_one_number_are_told_apart_and_without_an_id_each_is_a_patient(tmp_path: Path) -> None:
    write_series(tmp_path, lopsided(), patient="")
    write_series(tmp_path, lopsided() + np.int16(1), patient="", number=1)

    refs = open_source("dicom", dataset="abdom", size=SIZE, path=tmp_path).names()

    assert len({ref.name for ref in refs}) == len({ref.patient for ref in refs}) == 2


def test_a_list_of_patients_goes_before_the_headers(tmp_path: Path) -> None:
    for name in "ab":
        write_series(tmp_path / name, lopsided(), patient=name)
    (tmp_path / "patients.csv").write_text("scan,patient\na,same\nb,same\n")

    first, second = open_source("dicom", dataset="abdom", size=SIZE, path=tmp_path).names()
    assert first.patient == second.patient


def test_what_is_no_image_is_passed_over(tmp_path: Path) -> None:
    write_series(tmp_path / "series", lopsided())
    report = dcmread(next((tmp_path / "series").iterdir()))
    for name in ("Rows", "Columns", "PixelData", "PixelSpacing"):
        delattr(report, name)
    report.SeriesInstanceUID, report.Modality = generate_uid(), "SR"
    report.save_as(tmp_path / "report.dcm")

    assert len(open_source("dicom", dataset="abdom", size=SIZE, path=tmp_path).names()) == 1


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "odd: is a localizer"),
        ({"NumberOfFrames": 4}, "odd: is multi-frame"),
        ({"Modality": "PT"}, "odd: its modality is 'PT'; CT and MR are known"),
        ({"ImageOrientationPatient": None}, "no orientation or position, so left and right are unknown"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "its orientation .* is none"),
        ({"PixelSpacing": None}, "has no PixelSpacing"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "is not plain grey"),
        ({"RescaleIntercept": None}, "no rescale slope and intercept, so its CT values are not in HU"),
        ({"RescaleType": "MGML"}, "holds MGML, not HU"),
        ({"ImagePositionPatient": [0.0, 0.0, 0.0]}, "several slices at one place"),
    ],
)
def test_a_series_that_is_no_volume_is_refused_by_name(
    tmp_path: Path, fields: dict[str, object], complaint: str
) -> None:
    write_series(tmp_path / "fine", lopsided())
    write_series(tmp_path / "odd", lopsided(), number=2, fields=fields)

    with pytest.raises(ValueError, match=complaint) as refused:
        open_source("dicom", dataset="abdom", size=SIZE, path=tmp_path)
    assert "odd" in str(refused.value)
    assert "fine" not in str(refused.value)


def test_a_missing_slice_is_noticed(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "series", lopsided())
    paths[7].unlink()

    with pytest.raises(ValueError, match=r"slices are missing: 5\.00 mm lie between two at .*, 2\.50 mm elsewhere"):
        find_series(tmp_path)


def test_uneven_distances_are_noticed(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "series", lopsided())
    for index, path in enumerate(paths[10:]):
        edit(path, ImagePositionPatient=[*dcmread(path).ImagePositionPatient[:2], 25 + 3 * index])

    with pytest.raises(ValueError, match=r"its slices are 2\.50 to 3\.00 mm apart, unevenly"):
        find_series(tmp_path)


def test_a_tilted_gantry_is_noticed(tmp_path: Path) -> None:
    for index, path in enumerate(write_series(tmp_path / "series", lopsided())):
        x, y, z = dcmread(path).ImagePositionPatient
        edit(path, ImagePositionPatient=[x, y + 0.5 * index, z])

    with pytest.raises(ValueError, match=r"shifted by 0\.50 mm each, as a tilted gantry does"):
        find_series(tmp_path)


def test_few_slices_and_mixed_ones_are_noticed(tmp_path: Path) -> None:
    write_series(tmp_path / "few", lopsided()[:, :, :5])
    mixed = write_series(tmp_path / "mixed", lopsided())
    edit(mixed[3], PixelSpacing=[1.0, 1.0])
    turned = write_series(tmp_path / "turned", lopsided())
    edit(turned[3], ImageOrientationPatient=[0, 1, 0, 1, 0, 0])

    with pytest.raises(ValueError, match="few: has 5 slices") as refused:
        find_series(tmp_path)
    assert "mixed: its slices differ in size or pixel spacing" in str(refused.value)
    assert "turned: its slices are turned differently" in str(refused.value)


def test_compressed_slices_are_read_or_the_missing_decoder_is_named(tmp_path: Path, expected: Scan) -> None:
    paths = write_series(tmp_path / "series", lopsided())
    for path in paths:
        image = dcmread(path)
        image.compress(RLELossless)
        image.save_as(path)
    np.testing.assert_allclose(read_one(tmp_path / "series").volume, expected.volume, atol=1e-5)

    image = dcmread(paths[0])
    image.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    image.save_as(paths[0])
    with pytest.raises(ValueError, match=r"is compressed as JPEG Lossless.*install a decoder"):
        find_series(tmp_path)


def test_a_slice_cut_short_is_named_when_it_is_read(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "series", lopsided())
    paths[4].write_bytes(paths[4].read_bytes()[:-100])

    with pytest.raises(ValueError, match=rf"{paths[4].name} cannot be read"):
        read_one(tmp_path / "series")


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # it says what it makes of damaged values
def test_any_damage_to_a_header_is_a_complaint(tmp_path: Path) -> None:
    path = write_series(tmp_path, lopsided())[5]
    whole, rng = path.read_bytes(), np.random.default_rng(0)

    for _ in range(25):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole) - 2 * lopsided()[:, :, 0].size, 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            series, _ = find_series(tmp_path)
            for one in series:
                examine(read_series(one))
        except ValueError as error:
            assert str(error)  # noqa: PT017  it may also be read


def test_a_folder_without_series_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no DICOM image"):
        find_series(tmp_path)
    with pytest.raises(ValueError, match="absent: there is no such folder"):
        find_series(tmp_path / "absent")


def test_what_is_told_must_agree_with_the_header(tmp_path: Path) -> None:
    write_series(tmp_path, lopsided())
    source = open_source("dicom", dataset="brain", size=SIZE, path=tmp_path, modality=Modality.MR)

    with pytest.raises(ValueError, match="is ct by its header, but was told to be mr"):
        source.read(source.names()[0])


@pytest.mark.volumes
def test_a_real_ct_is_the_same_as_dicom_and_as_nifti(volumes: Path, tmp_path: Path) -> None:
    image = nib.Nifti1Image.from_filename(volumes / "ct" / "abdomen_totalseg_example.nii.gz")
    array = np.asarray(image.dataobj).astype(np.int16)
    trimmed = np.clip(array, -1024, 3000)
    nib.save(nib.Nifti1Image(trimmed, np.diag([*SPACING_MM, 1])), tmp_path / "a.nii.gz")
    write_series(tmp_path / "series", trimmed, axes=(2, 1, 0), signs=(-1, 1, -1))

    scan, as_nifti = read_one(tmp_path / "series"), read_scan(tmp_path / "a.nii.gz", size=SIZE)

    np.testing.assert_allclose(scan.volume, as_nifti.volume, atol=1e-5)


def test_a_source_knows_its_grid(tmp_path: Path) -> None:
    write_series(tmp_path, lopsided())

    source = open_source("dicom", dataset="abdom", size=(24, 20, 30), path=tmp_path)

    assert isinstance(source, DicomSource)
    assert source.grid == grid_of((24, 20, 30))
    assert source.read(source.names()[0]).volume.shape == (24, 20, 30)
