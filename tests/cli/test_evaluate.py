import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cli.evaluate import app
from tests.evaluator.files import volume, write


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Hold case [b]a, found perfectly, and case lost, with no prediction."""
    mask = np.zeros((6, 5, 4), dtype=bool)
    mask[1:4, 1:4, 1:3] = True
    for name in ("[b]a", "lost"):
        write(tmp_path / "labels" / f"{name}.nii.gz", volume(mask, dtype="u1"))
    write(tmp_path / "predictions/[b]a.nii.gz", volume(np.where(mask, 0.75, 0.25)))
    return tmp_path


def run(folders: Path, *options: str, task: str = "pixel") -> Result:
    places = ["--predictions", str(folders / "predictions"), "--labels", str(folders / "labels")]
    return CliRunner().invoke(app, ["--task", task, *places, *options])


def test_standard_output_carries_only_json(folders: Path) -> None:
    done = run(folders, "--json", "-", "--workers", "2")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["cases"]["[b]a.nii.gz"]["ap"] == 1.0
    assert found["cases"]["lost.nii.gz"]["missing"] is True


def test_table_and_file_are_written(folders: Path) -> None:
    done = run(folders, "--json", str(folders / "out.json"), "--threshold", "0.5", "--object-threshold", "0.5")
    assert done.exit_code == 0
    found = json.loads((folders / "out.json").read_text(encoding="utf-8"))
    assert found["objects"]["true_positives"] == 1
    for shown in ("2 cases, 2 anomalous, 1 batch", f"{found['ap']:.6f}", "AUPRO", "Dice at 0.5", "recall 0.500000"):
        assert shown in done.stdout
    assert "lost.nii.gz: no prediction: counts 0" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_deal_is_read_and_what_it_leaves_out_is_named(folders: Path) -> None:
    write(folders / "deal.json", b'[["[b]a.nii.gz"]]')
    done = run(folders, "--deal", str(folders / "deal.json"))
    assert "official AP              1.000000" in done.stdout
    assert "lost.nii.gz: not in the deal" in done.stdout


def test_toy_cases_give_both_thresholds(folders: Path) -> None:
    write(folders / "toy/t.nii.gz", (folders / "predictions/[b]a.nii.gz").read_bytes())
    write(folders / "toy_labels/t.nii.gz", (folders / "labels/lost.nii.gz").read_bytes())
    toys = ["--toy-predictions", str(folders / "toy"), "--toy-labels", str(folders / "toy_labels")]
    done = run(folders, *toys, "--json", "-")
    found = json.loads(done.stdout)
    assert found["dice_at"]["threshold"] == 0.75
    assert found["objects"]["precision"] == 1.0


def test_voxels_only_leaves_the_lesions_out(folders: Path) -> None:
    done = run(folders, "--voxels-only")
    assert done.exit_code == 0
    assert "all voxels" in done.stdout
    assert "AUPRO" not in done.stdout


def test_sample_task_is_shown(folders: Path) -> None:
    for name, score, label in (("a", "0.9", "1"), ("b", "0.1", "0")):
        write(folders / "predictions" / f"{name}.nii.gz.txt", score.encode())
        write(folders / "labels" / f"{name}.nii.gz.txt", label.encode())
    done = run(folders, task="sample")
    assert done.exit_code == 0
    assert "official AP              1.000000" in done.stdout


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--deal", "absent.json"], "absent.json: cannot be read"),
        (["--toy-labels", "labels"], "go together"),
        (["--object-threshold", "0"], "an object's threshold is 0.0"),
    ],
)
def test_complaint_goes_to_standard_error(folders: Path, options: list[str], complaint: str) -> None:
    done = run(folders, *options, "--json", "-")
    assert (done.exit_code, done.stdout) == (1, "")
    assert complaint in " ".join(done.stderr.split())


def test_pixel_options_are_refused_in_the_sample_task(folders: Path) -> None:
    done = run(folders, "--object-threshold", "0.5", task="sample")
    assert done.exit_code == 1
    assert "of the pixel task" in done.stderr
