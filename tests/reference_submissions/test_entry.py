"""Methods as their images run them, without an engine."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.reference_submissions.conftest import SIDE, SMALL_TORCH, Installed, install


@pytest.mark.parametrize("dataset", ["brain", "abdom"])
def test_a_score_in_0_to_1_for_each_scan(installed: Installed, data: Path, pred: Path, dataset: str) -> None:
    done = installed.run("sample", dataset, data, pred)

    assert done.returncode == 0, done.stderr
    assert {path.name for path in pred.iterdir()} == {f"{path.name}.txt" for path in data.iterdir()}
    assert all(0 <= float(path.read_text()) <= 1 for path in pred.iterdir())


@pytest.mark.parametrize("dataset", ["brain", "abdom"])
def test_a_float32_map_in_0_to_1_where_each_scan_lies(
    installed: Installed, data: Path, pred: Path, dataset: str
) -> None:
    done = installed.run("pixel", dataset, data, pred)

    assert done.returncode == 0, done.stderr
    assert {path.name for path in pred.iterdir()} == {path.name for path in data.iterdir()}
    for path in pred.iterdir():
        scores, scan = (nib.Nifti1Image.from_filename(place) for place in (path, data / path.name))
        values = np.asarray(scores.dataobj)
        assert scores.get_data_dtype() == np.float32
        assert values.shape == (SIDE,) * 3
        assert 0 <= values.min() <= values.max() <= 1
        assert np.array_equal(scores.affine, scan.affine)
        assert scores.header.get_slope_inter() in ((None, None), (1, 0))


def test_a_method_on_torch_predicts_too(weights: Path, data: Path, pred: Path, tmp_path: Path) -> None:
    done = install(str(SMALL_TORCH), weights, tmp_path).run("pixel", "brain", data, pred)

    assert done.returncode == 0, done.stderr
    assert {path.name for path in pred.iterdir()} == {path.name for path in data.iterdir()}


def test_a_missing_folder_ends_with_an_error(installed: Installed, tmp_path: Path, data: Path) -> None:
    done = installed.run("sample", "brain", data, tmp_path / "absent")

    assert done.returncode != 0
    assert "absent" in done.stderr


def test_the_log_says_what_each_scan_and_all_of_them_took(installed: Installed, data: Path, pred: Path) -> None:
    said = installed.run("sample", "brain", data, pred).stdout.splitlines()

    assert [line.split(":")[0] for line in said[:3]] == ["1/3 0b.nii.gz", "2/3 a1.nii.gz", "3/3 c0.nii.gz"]
    assert said[3].startswith("3 volumes: ")


def test_a_folder_without_scans_is_no_error(installed: Installed, tmp_path: Path, pred: Path) -> None:
    assert installed.run("pixel", "brain", tmp_path, pred).returncode == 0


def test_a_map_that_cannot_be_written_ends_with_an_error(installed: Installed, data: Path, pred: Path) -> None:
    (pred / "0b.nii.gz").mkdir()

    done = installed.run("pixel", "brain", data, pred)

    assert done.returncode != 0
    assert "0b.nii.gz" in done.stderr
