import gzip
import pickle
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from toy_cases.preprocess import Modality
from toy_cases.sources import Source, open_source, read_scan, scan_paths

SIZE = 24


def lopsided(shape: tuple[int, int, int] = (20, 24, 16)) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Give a head-like box, x right, y front, z up, brighter on the right, at the front and on top."""
    x, y, z = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return np.pad(100 + 4 * x + 2 * y + 1 * z, 3).astype(np.float32)


def saved(path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.float32]], affine: object = None) -> Path:
    nib.save(nib.Nifti1Image(array, np.diag([2.0, 2, 2, 1]) if affine is None else affine), path)
    return path


def turned(path: Path, codes: str) -> Path:
    """Save the same anatomy with its voxels stored in another order, as its header says."""
    image = nib.Nifti1Image(lopsided(), np.diag([2.0, 2, 2, 1]))
    to = ornt_transform(io_orientation(image.affine), axcodes2ornt(codes))
    nib.save(image.as_reoriented(to), path)
    assert "".join(nib.aff2axcodes(nib.Nifti1Image.from_filename(path).affine)) == codes
    assert inv_ornt_aff(to, image.shape).shape == (4, 4)
    return path


@pytest.mark.parametrize("codes", ["LAS", "LPS", "RAI", "PIR", "ASL", "SRA"])
def test_orientation_follows_the_header(tmp_path: Path, codes: str) -> None:
    expected = read_scan(saved(tmp_path / "ras.nii.gz", lopsided()), size=SIZE)

    scan = read_scan(turned(tmp_path / "turned.nii.gz", codes), size=SIZE)

    np.testing.assert_allclose(scan.volume, expected.volume, atol=1e-5)
    np.testing.assert_allclose(scan.affine, expected.affine, atol=1e-4)


def test_right_stays_right_and_up_stays_up(tmp_path: Path) -> None:
    volume = read_scan(turned(tmp_path / "turned.nii.gz", "LPI"), size=SIZE).volume

    filled = [np.flatnonzero(volume.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    middle = [int(f[len(f) // 2]) for f in filled]
    for axis in range(3):
        low, high = list(middle), list(middle)
        low[axis], high[axis] = int(filled[axis][2]), int(filled[axis][-3])
        assert volume[tuple(high)] > volume[tuple(low)]


def test_a_cubes_affine_leads_back_to_the_same_place(tmp_path: Path) -> None:
    array = np.zeros((30, 30, 30), dtype=np.float32)
    array[5:25, 5:25, 5:25] = 50
    array[16:21, 7:12, 18:23] = 100
    affine = np.array([[2.0, 0, 0, -31], [0, 2, 0, 7], [0, 0, 2, 100], [0, 0, 0, 1]])

    scan = read_scan(saved(tmp_path / "a.nii.gz", array, affine), size=60)

    brightest = np.argwhere(scan.volume > 0.99).mean(axis=0)
    np.testing.assert_allclose((scan.affine @ [*brightest, 1])[:3], (affine @ [18, 9, 20, 1])[:3], atol=1.0)


def test_aspect_is_kept_and_the_rest_is_padding(tmp_path: Path) -> None:
    affine = np.diag([1.0, 1, 4, 1])
    array = np.broadcast_to(np.linspace(8, 9, 40, dtype=np.float32)[:, None, None], (40, 20, 10))
    scan = read_scan(saved(tmp_path / "a.nii.gz", np.pad(array, 2), affine), size=40)

    sides = [np.count_nonzero(scan.volume.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    assert scan.volume.shape == (40, 40, 40)
    assert sides[0] == pytest.approx(sides[2], abs=2)  # 40 mm and 40 mm
    assert sides[1] == pytest.approx(sides[0] / 2, abs=2)  # 20 mm
    assert scan.affine[0, 0] == scan.affine[2, 2] == pytest.approx(1.06)


def test_values_below_air_make_it_ct_and_its_window_is_said(tmp_path: Path) -> None:
    array = np.full((24, 24, 24), -1000, dtype=np.float32)
    array[4:20, 4:20, 4:20] = 0  # water
    array[10:14, 10:14, 10:14] = 1500  # past the window

    scan = read_scan(saved(tmp_path / "a.nii", array), size=SIZE)

    assert scan.modality is Modality.CT
    assert scan.window == (-1000, 1000)
    assert scan.volume[12, 12, 12] == 1
    assert scan.volume[5, 5, 5] == pytest.approx(0.5)
    assert scan.volume[0, 0, 0] < 0.1  # a corner: air, but for what linear interpolation brings in


def test_a_few_negative_values_do_not_make_it_ct(tmp_path: Path) -> None:
    array = lopsided()
    array[0, 0, 0] = -1024

    assert read_scan(saved(tmp_path / "a.nii.gz", array), size=SIZE).modality is Modality.MR


def test_the_modality_can_be_told(tmp_path: Path) -> None:
    scan = read_scan(saved(tmp_path / "a.nii.gz", lopsided()), size=SIZE, modality=Modality.CT)

    assert scan.window == (-1000, 1000)


def test_one_bright_voxel_does_not_darken_the_rest_of_an_mr(tmp_path: Path) -> None:
    array = lopsided((40, 40, 40))
    array[20, 20, 20] = 1e6

    volume = read_scan(saved(tmp_path / "a.nii.gz", array), size=SIZE).volume

    assert np.median(volume[volume > 0]) > 0.4
    assert volume.max() <= 1


def test_an_enlarged_edge_does_not_overshoot(tmp_path: Path) -> None:
    array = np.zeros((12, 12, 12), dtype=np.float32)
    array[2:10, 2:10, 2:10] = 100
    array[4:8, 4:8, 4:8] = 200

    volume = read_scan(saved(tmp_path / "a.nii.gz", array, np.diag([5.0, 5, 5, 1])), size=64).volume

    assert volume[32, 32, 32] == pytest.approx(1)
    assert volume[10, 32, 32] == pytest.approx(0.5, abs=1e-3)
    assert np.all(np.diff(volume[:32, 32, 32]) >= -1e-6)


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.zeros((12, 12, 12), np.float32), r"every voxel is 0\.0: nothing to see"),
        (np.ones((12, 12), np.float32), "is not one 3D volume"),
        (np.ones((12, 12, 12, 3), np.float32), "is not one 3D volume"),
        (np.full((12, 12, 12), np.nan, np.float32), "are not finite"),
    ],
)
def test_what_is_no_scan_is_refused_by_name(
    tmp_path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.float32]], complaint: str
) -> None:
    path = saved(tmp_path / "odd.nii.gz", array)

    with pytest.raises(ValueError, match=complaint) as refused:
        read_scan(path, size=SIZE)
    assert str(path) in str(refused.value)


def test_a_header_without_orientation_is_refused(tmp_path: Path) -> None:
    image = nib.Nifti1Image(lopsided(), None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    nib.save(image, tmp_path / "unknown.nii.gz")

    with pytest.raises(ValueError, match=r"unknown\.nii\.gz.*left and right are unknown"):
        read_scan(tmp_path / "unknown.nii.gz", size=SIZE)


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.nii.gz", lopsided()).read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.nii.gz").write_bytes(gzip.compress(b"not a volume"))
    (tmp_path / "plain.nii").write_bytes(b"not a volume")

    for name in ("cut.nii.gz", "text.nii.gz", "plain.nii"):
        with pytest.raises(ValueError, match=name):
            read_scan(tmp_path / name, size=SIZE)


def test_scans_are_listed_by_name_and_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    for name in ("b.nii.gz", "a.nii", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()

    assert [path.name for path in scan_paths(tmp_path)] == ["a.nii", "b.nii.gz"]
    with pytest.raises(ValueError, match="holds no"):
        scan_paths(tmp_path / "empty")
    with pytest.raises(ValueError, match="no such folder"):
        scan_paths(tmp_path / "absent")


@pytest.mark.parametrize(("unit", "said"), [("micron", "micron"), ("meter", "metre")])
def test_a_header_in_other_units_is_refused(tmp_path: Path, unit: str, said: str) -> None:
    image = nib.Nifti1Image(lopsided(), np.diag([2.0, 2, 2, 1]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "odd.nii.gz")

    with pytest.raises(ValueError, match=rf"odd\.nii\.gz: its header gives voxel sizes in {said}; convert it to mm"):
        read_scan(tmp_path / "odd.nii.gz", size=SIZE)


def test_a_header_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    image = nib.Nifti1Image(lopsided(), np.diag([2.0, 2, 2, 1]))
    image.set_qform(np.diag([-2.0, 2, 2, 1]), code=1)
    nib.save(image, tmp_path / "odd.nii.gz")

    with pytest.raises(ValueError, match=r"odd\.nii\.gz: its sform and qform disagree"):
        read_scan(tmp_path / "odd.nii.gz", size=SIZE)


def test_any_damage_to_a_header_is_a_complaint_that_names_the_file(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.nii", lopsided()).read_bytes()
    path, rng = tmp_path / "damaged.nii", np.random.default_rng(0)

    for _ in range(100):
        damaged = bytearray(whole)
        for place in rng.integers(0, 352, 4):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_scan(path, size=SIZE)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017  it may also be read


def folder_source(folder: Path) -> Source:
    return open_source("folder", dataset="brain", size=SIZE, path=folder)


def test_a_folder_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    saved(tmp_path / "b.nii.gz", lopsided())
    saved(tmp_path / "sub" / "a.nii", lopsided())

    source = pickle.loads(pickle.dumps(folder_source(tmp_path)))  # noqa: S301  our own
    first, second = source.names()

    assert [first.name, second.name] == ["b.nii.gz", "sub/a.nii"]
    assert first.patient != second.patient
    source.verify(second)
    expected = read_scan(tmp_path / "sub" / "a.nii", size=SIZE)
    assert np.array_equal(source.read(second).volume, expected.volume)


def test_a_header_of_no_use_stops_the_listing_and_voxels_of_no_use_the_verifying(tmp_path: Path) -> None:
    saved(tmp_path / "a.nii.gz", lopsided())
    saved(tmp_path / "empty.nii.gz", np.zeros((12, 12, 12), np.float32))
    source = folder_source(tmp_path)
    with pytest.raises(ValueError, match=r"empty\.nii\.gz: every voxel is 0"):
        source.verify(source.names()[1])

    saved(tmp_path / "film.nii.gz", np.ones((12, 12, 12, 3), np.float32))
    with pytest.raises(ValueError, match=r"film\.nii\.gz: shape \(12, 12, 12, 3\) is not one 3D volume"):
        source.names()


@pytest.mark.parametrize("place", [".", ".."])
def test_patients_are_listed_in_the_folder_or_beside_it(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "brain"
    folder.mkdir()
    for name in "abc":
        saved(folder / f"{name}.nii", lopsided())
    (folder / place / "patients.csv").write_text("scan,patient\nc.nii,Jane\na.nii,John\nb.nii,Jane\n")

    a, b, c = folder_source(folder).names()

    assert b.patient == c.patient != a.patient
    assert "Jane" not in repr((a, b, c))


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("scan,person\na.nii,1", "line 1: has no column 'patient'"),
        ("scan,patient\na.nii,1\nb.nii,", "line 3: 'b.nii' has no patient"),
        ("scan,patient\na.nii,1\na.nii,2", "line 3: 'a.nii' is listed twice"),
        ("scan,patient\na.nii,1\nx.nii,2", "line 3: there is no scan 'x.nii'"),
        ("scan,patient\na.nii,1", "has no line for 'b.nii'; every scan needs one"),
        ("scan,patient\na.nii,1,2", "line 2: has not as many fields as the header"),
    ],
)
def test_a_list_of_patients_that_cannot_be_is_refused(tmp_path: Path, lines: str, complaint: str) -> None:
    for name in "ab":
        saved(tmp_path / f"{name}.nii", lopsided())
    (tmp_path / "patients.csv").write_text(lines + "\n")

    with pytest.raises(ValueError, match=f"patients.csv.*{complaint}"):
        folder_source(tmp_path).names()


@pytest.mark.parametrize("dataset", ["brain", "abdom"])
def test_phantoms_are_a_source(dataset: str) -> None:
    source = open_source("phantoms", dataset=dataset, size=16, seed=(3, 1), count=3)
    refs = source.names()

    scans = [source.read(ref) for ref in refs]

    assert [ref.name for ref in refs] == [f"{dataset} phantom {number}" for number in range(3)]
    assert len({ref.patient for ref in refs}) == 3
    assert np.array_equal(scans[1].volume, source.read(refs[1]).volume)
    assert not np.array_equal(scans[1].volume, scans[2].volume)
    assert scans[0].modality is (Modality.MR if dataset == "brain" else Modality.CT)
    assert scans[0].affine[0, 0] * 16 in {220, 420}


@pytest.mark.parametrize(
    ("kind", "dataset", "size", "complaint"),
    [
        ("cloud", "brain", 16, "source 'cloud' is not known; there are phantoms, folder, dicom, template"),
        ("phantoms", "knee", 16, "there are no phantoms for 'knee'"),
        ("phantoms", "brain", (16, 16, 20), "phantoms are drawn in cubes, not in 16 × 16 × 20 voxels"),
        ("folder", "brain", 16, "brain: a folder source needs the path of its folder"),
        ("dicom", "abdom", 16, "abdom: a dicom source needs the path of its folder"),
    ],
)
def test_a_source_that_cannot_be_is_refused(
    kind: str, dataset: str, size: int | tuple[int, int, int], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        open_source(kind, dataset=dataset, size=size, count=1)


def test_sizes_are_the_published_ones_where_none_is_told() -> None:
    assert open_source("phantoms", dataset="brain") == open_source("phantoms", dataset="brain", size=256)
    assert open_source("phantoms", dataset="abdom") == open_source("phantoms", dataset="abdom", size=512)
    with pytest.raises(ValueError, match="knee: how many voxels a side"):
        open_source("folder", dataset="knee")


def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "toy_cases.dicom", raising=False)
    monkeypatch.setitem(sys.modules, "pydicom", None)

    with pytest.raises(ValueError, match=r"pydicom is not installed.*mood-challenge\[dicom\]"):
        open_source("dicom", dataset="abdom", size=16, path=tmp_path)


@pytest.mark.volumes
@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("brain/t1_fnndsc_eun.nii.gz", Modality.MR),
        ("brain/t1_brainchop_256.nii.gz", Modality.MR),
        ("ct/abdomen_totalseg_example.nii.gz", Modality.CT),
        ("ct/chest_upperabdomen_fnndsc_half.nii.gz", Modality.CT),
    ],
)
def test_real_scans_come_out_in_the_challenges_form(volumes: Path, name: str, modality: Modality) -> None:
    scan = read_scan(volumes / name, size=64)

    assert scan.modality is modality
    assert scan.volume.shape == (64, 64, 64)
    assert scan.volume.dtype == np.float32
    assert scan.volume.min() == 0
    assert 0.5 < scan.volume.max() <= 1
    assert "".join(nib.aff2axcodes(scan.affine)) == "RAS"


@pytest.mark.volumes
def test_a_stroke_on_the_left_stays_on_the_left(volumes: Path) -> None:
    lesion = nib.Nifti1Image.from_filename(volumes / "brain" / "stroke_rorden_lesionT2.nii.gz")
    centre = np.argwhere(np.asarray(lesion.dataobj) > 0).mean(axis=0)
    place_mm = nib.affines.apply_affine(lesion.affine, centre)

    scan = read_scan(volumes / "brain" / "stroke_rorden_T2.nii.gz", size=96)

    x, y, z = np.round(nib.affines.apply_affine(np.linalg.inv(scan.affine), place_mm)).astype(int)
    mirrored = scan.volume[::-1]
    here, there = (v[x - 2 : x + 3, y - 2 : y + 3, z - 2 : z + 3].mean() for v in (scan.volume, mirrored))
    assert here > there + 0.1  # a stroke is bright in T2
