from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from reference_submissions.kit.volumes import Files, Part, split


def test_scans_of_a_folder_are_read_by_name_when_asked_for(data: Path) -> None:
    files = Files.of(data)

    assert [path.name for path in files.paths] == ["0b.nii.gz", "a1.nii.gz", "c0.nii.gz"]
    assert files[0].shape == (28, 28, 28)
    assert files[-1].max() == 0
    assert files[0].dtype == np.float32
    assert [path.name for path in files[1:].paths] == ["a1.nii.gz", "c0.nii.gz"]


def test_a_scan_with_what_is_no_number_is_named(tmp_path: Path) -> None:
    voxels = np.zeros((4, 4, 4), dtype=np.float32)
    voxels[0, 0, :2] = np.nan, np.inf
    nib.Nifti1Image(voxels, np.eye(4)).to_filename(tmp_path / "holed.nii.gz")

    with pytest.raises(ValueError, match=r"holed\.nii\.gz: 2 of 64 voxels are not finite"):
        Files.of(tmp_path)[0]


def test_what_is_no_volume_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"no")
    nib.Nifti1Image(np.zeros((4, 4, 4, 2), dtype=np.float32), np.eye(4)).to_filename(tmp_path / "b.nii.gz")

    with pytest.raises(ValueError, match=r"a\.nii\.gz cannot be read: Not a gzipped file"):
        Files.of(tmp_path)[0]
    with pytest.raises(ValueError, match=r"b\.nii\.gz: 4 dimensions"):
        Files.of(tmp_path)[1]


def test_a_part_of_a_part_reads_the_right_volumes() -> None:
    volumes = [np.full((1, 1, 1), number, np.float32) for number in range(6)]

    part = Part(volumes, (1, 3, 5))

    assert [float(volume.item()) for volume in part[1:]] == [3, 5]
    assert len(part) == 3


def test_a_split_deals_every_volume_once_and_keeps_their_order() -> None:
    volumes = [np.zeros((1, 1, 1), np.float32)] * 10

    taught, held_out = split(volumes, share=0.2, seed=3)

    assert sorted(taught.rows + held_out.rows) == list(range(10))
    assert len(held_out) == 2
    assert list(taught.rows) == sorted(taught.rows)
    assert split(volumes, share=0.2, seed=3)[1].rows == held_out.rows


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_volumes_to_hold_one_out_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} normal volumes to learn from: too few"):
        split([np.zeros((1, 1, 1), np.float32)] * count, share=0.2, seed=0)
