from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from tests.toy_cases.test_dicom import SPACING_MM, lopsided, write_series
from toy_cases.conditions import Category, read_condition, read_conditions, verify_condition
from toy_cases.preprocess import Modality
from toy_cases.sources import open_source

HEAD = "scan,patient,category,subcategory,difficulty,mask\n"
AFFINE = np.diag([2.0, 2, 2, 1])


def save(path: Path, array: npt.NDArray[np.generic], affine: npt.NDArray[np.float64] = AFFINE) -> None:
    nib.save(nib.Nifti1Image(array, affine), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give two heads; a lesion on the right of the first."""
    head = np.zeros((30, 36, 30), dtype=np.float32)
    head[4:26, 4:32, 4:26] = 60
    head[4:26, 4:32, 4:8] = 50
    lesion = np.zeros(head.shape, dtype=np.uint8)
    lesion[18:23, 10:15, 12:17] = 3
    save(tmp_path / "healthy.nii.gz", head)
    save(tmp_path / "lesion.nii.gz", lesion)
    head[lesion > 0] = 100
    save(tmp_path / "tumour.nii.gz", head)
    (tmp_path / "conditions.csv").write_text(
        HEAD + "tumour.nii.gz,P1,pathologies,glioma,2,lesion.nii.gz\nhealthy.nii.gz,,medical conditions,atrophy,4,\n"
    )
    return tmp_path


def test_a_file_names_conditions(folder: Path) -> None:
    tumour, atrophy = read_conditions(folder / "conditions.csv")

    assert (tumour.category, tumour.subcategory, tumour.difficulty) == (Category.PATHOLOGIES, "glioma", 2)
    assert (atrophy.category, atrophy.subcategory, atrophy.mask) == (Category.MEDICAL_CONDITIONS, "atrophy", None)
    assert tumour.patient != atrophy.patient
    assert "P1" not in repr(tumour)


def test_a_patient_of_normal_scans_is_known_again(folder: Path) -> None:
    (folder / "patients.csv").write_text("scan,patient\nhealthy.nii.gz,P1\nlesion.nii.gz,x\ntumour.nii.gz,x\n")

    normal = open_source("folder", dataset="brain", size=24, path=folder).names()[0]

    assert normal.patient == read_conditions(folder / "conditions.csv")[0].patient


@pytest.mark.parametrize("size", [20, 40, (30, 36, 32)])
def test_a_mask_stays_on_its_lesion(folder: Path, size: int | tuple[int, int, int]) -> None:
    labelled = read_condition(read_conditions(folder / "conditions.csv")[0], size)

    assert labelled.mask is not None
    assert labelled.mask.shape == labelled.scan.volume.shape
    assert labelled.scan.volume[labelled.mask].min() > labelled.scan.volume[~labelled.mask].max() * 0.79
    assert np.argwhere(labelled.mask).mean(axis=0)[0] > labelled.mask.shape[0] / 2  # right stays right
    volume_mm3 = np.count_nonzero(labelled.mask) * np.abs(np.linalg.det(labelled.scan.affine[:3, :3]))
    assert volume_mm3 == pytest.approx(1000, rel=0.45)


def test_a_mask_stored_another_way_is_the_same(folder: Path) -> None:
    tumour = read_conditions(folder / "conditions.csv")[0]
    expected = read_condition(tumour, 32).mask
    lesion = nib.Nifti1Image.from_filename(folder / "lesion.nii.gz")
    save(folder / "lesion.nii.gz", np.asarray(lesion.dataobj)[::-1], AFFINE @ np.diag([-1.0, 1, 1, 1]) + _shift(58))

    mask = read_condition(tumour, 32).mask
    assert mask is not None
    assert expected is not None
    assert np.array_equal(mask, expected)


def _shift(x_mm: float) -> npt.NDArray[np.float64]:
    shift = np.zeros((4, 4))
    shift[0, 3] = x_mm
    return shift


def test_a_condition_without_a_mask_has_none(folder: Path) -> None:
    assert read_condition(read_conditions(folder / "conditions.csv")[1], 24).mask is None


def test_a_series_is_a_scan_too(folder: Path) -> None:
    write_series(folder / "series", lopsided(), patient="P1")
    mask = np.zeros(lopsided().shape, dtype=np.uint8)
    mask[8:14, 8:12, 8:12] = 1
    save(folder / "series.nii.gz", mask, np.diag([*SPACING_MM, 1]))
    (folder / "more.csv").write_text(HEAD + "series,,pathologies,stone,3,series.nii.gz\n")

    (stone,) = read_conditions(folder / "more.csv")
    labelled = read_condition(stone, 24)

    assert stone.patient == read_conditions(folder / "conditions.csv")[0].patient  # the header's own word
    assert labelled.scan.modality is Modality.CT
    assert labelled.mask is not None


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("gone.nii.gz,,pathologies,x,1,lesion.nii.gz", "there is no scan 'gone.nii.gz'"),
        (",,pathologies,x,1,lesion.nii.gz", "names no scan"),
        ("tumour.nii.gz,,tumours,x,1,lesion.nii.gz", "category 'tumours' is not pathologies or medical conditions"),
        ("tumour.nii.gz,,pathologies,,1,lesion.nii.gz", "has no subcategory"),
        ("tumour.nii.gz,,pathologies,x,hard,lesion.nii.gz", "difficulty 'hard' is not one of 1"),
        ("tumour.nii.gz,,pathologies,x,6,lesion.nii.gz", "difficulty '6' is not one of 1"),
        ("tumour.nii.gz,,pathologies,x,1,gone.nii.gz", "there is no mask 'gone.nii.gz'"),
        ("tumour.nii.gz,,pathologies,x,1,", "is a pathology without a mask"),
        ("tumour.nii.gz,,medical conditions,x,1,lesion.nii.gz", "is a medical condition with a mask"),
        ("tumour.nii.gz,,pathologies", "has not as many fields as the header"),
        ("healthy.nii.gz,,medical conditions,x,1,", "'healthy.nii.gz' is listed twice"),
    ],
)
def test_a_line_that_cannot_be_is_named(folder: Path, line: str, complaint: str) -> None:
    path = folder / "conditions.csv"
    path.write_text(HEAD + "healthy.nii.gz,,medical conditions,atrophy,4,\n" + line + "\n")

    with pytest.raises(ValueError, match=f"conditions.csv, line 3: .*{complaint}"):
        read_conditions(path)


def test_a_file_that_is_no_list_is_named(folder: Path) -> None:
    (folder / "short.csv").write_text("scan,patient\n")
    (folder / "none.csv").write_text(HEAD)

    with pytest.raises(ValueError, match=r"short\.csv, line 1: has no column 'category'"):
        read_conditions(folder / "short.csv")
    with pytest.raises(ValueError, match=r"none\.csv: lists no scan"):
        read_conditions(folder / "none.csv")
    with pytest.raises(ValueError, match=r"absent\.csv: cannot be read"):
        read_conditions(folder / "absent.csv")


@pytest.mark.parametrize(
    ("mask", "affine", "complaint"),
    [
        (np.zeros((30, 36, 30), np.uint8), AFFINE, "should hold 0 and one other value, but holds only 0"),
        (np.eye(36)[:30, :, None] * np.arange(30), AFFINE, "holds 30 values from 0"),
        (np.ones((30, 36, 20), np.uint8), AFFINE, r"is \(30, 36, 20\), its scan \(30, 36, 30\)"),
        (np.ones((30, 36, 30), np.uint8), np.diag([2.0, 2, 3, 1]), "lies elsewhere than its scan"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(
    folder: Path, mask: npt.NDArray[np.generic], affine: npt.NDArray[np.float64], complaint: str
) -> None:
    save(folder / "lesion.nii.gz", mask.astype(np.float32), affine)
    tumour = read_conditions(folder / "conditions.csv")[0]

    for read in (lambda: read_condition(tumour, 24), lambda: verify_condition(tumour)):
        with pytest.raises(ValueError, match=rf"lesion\.nii\.gz: .*{complaint}"):
            read()


def test_a_mask_that_vanishes_is_an_error(folder: Path) -> None:
    speck = np.zeros((30, 36, 30), dtype=np.uint8)
    speck[15, 15, 15] = 1
    save(folder / "lesion.nii.gz", speck)

    with pytest.raises(ValueError, match="nothing of its 1 voxels is left in a grid of 12"):
        read_condition(read_conditions(folder / "conditions.csv")[0], 12)


@pytest.mark.volumes
def test_a_real_stroke_is_bright_in_its_mask(volumes: Path, tmp_path: Path) -> None:
    home = volumes / "brain"
    path = tmp_path / "conditions.csv"
    for name in ("stroke_rorden_T2.nii.gz", "stroke_rorden_lesionT2.nii.gz"):
        (tmp_path / name).symlink_to(home / name)
    path.write_text(HEAD + "stroke_rorden_T2.nii.gz,,pathologies,stroke,4,stroke_rorden_lesionT2.nii.gz\n")

    labelled = read_condition(read_conditions(path)[0], 72)

    assert labelled.mask is not None
    body = labelled.scan.volume > 0.1
    assert np.median(labelled.scan.volume[labelled.mask]) > np.median(labelled.scan.volume[body]) + 0.1
