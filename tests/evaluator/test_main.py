"""`python -m evaluator score`, and that it gives what the sketches give."""

import json
from pathlib import Path

import numpy as np
import pytest

from evaluator.__main__ import main
from evaluator.metrics.voxels import average_precision
from evaluator.sketch import Sketch
from tests.evaluator.files import volume, write


def test_pixel_folder_is_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    scores, mask = rng.random((6, 5, 4)), rng.random((6, 5, 4)) < 0.2
    write(tmp_path / "predictions/a.nii.gz", volume(scores))
    write(tmp_path / "labels/a.nii.gz", volume(mask, dtype="u1"))
    write(tmp_path / "labels/b.nii.gz", volume(np.zeros((3, 3, 3)), dtype="u1"))
    folders = [str(tmp_path / "predictions"), str(tmp_path / "labels")]
    assert main(["score", *folders, "--task", "pixel", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    expected = Sketch.of(scores.astype(np.float32), mask) + Sketch.zeros(positive=0, negative=27)
    assert report["ap"] == average_precision(expected)
    assert [case["status"] for case in report["cases"]] == ["ok", "missing"]


def test_sample_folder_is_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, score, label in (("a", "0.9", "1"), ("b", "0.1", "0")):
        write(tmp_path / "predictions" / f"{name}.nii.gz.txt", score.encode())
        write(tmp_path / "labels" / f"{name}.nii.gz.txt", label.encode())
    folders = [str(tmp_path / "predictions"), str(tmp_path / "labels")]
    assert main(["score", *folders, "--task", "sample"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "average precision  1.000000"


def test_folder_without_labels_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(tmp_path), str(tmp_path), "--task", "pixel"]) == 2
    assert f"{tmp_path}: holds no label" in capsys.readouterr().err


def test_label_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a.nii.gz", b"")
    assert main(["score", str(tmp_path), str(tmp_path), "--task", "pixel"]) == 2
    assert "a.nii.gz" in capsys.readouterr().err
