"""The demo's verdict, on a challenge small enough to work out by hand."""

import json
import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from cli.demo_checks import CONSTANT_TEAM, complaints


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four cases of eight voxels; two are anomalous, with one and three anomalous voxels."""
    for task in ("sample", "pixel"):
        (tmp_path / "brain" / "test_label" / task).mkdir(parents=True)
    for name, positive in {"a": 0, "b": 1, "c": 0, "d": 3}.items():
        folder = tmp_path / "brain" / "test_label"
        (folder / "sample" / f"{name}.nii.gz.txt").write_text(f"{int(positive > 0)}\n")
        mask = np.zeros(8, np.uint8)
        mask[:positive] = 1
        nibabel.Nifti1Image(mask.reshape(2, 2, 2), np.eye(4)).to_filename(folder / "pixel" / f"{name}.nii.gz")
    deal = {"brain": {"official": [["a.nii.gz", "b.nii.gz"], ["c.nii.gz", "d.nii.gz"]]}}
    (tmp_path / "deal.json").write_text(json.dumps({"datasets": deal}))
    return tmp_path


def boards(sample: float = 0.5, pixel: float = (1 / 16 + 3 / 16) / 2) -> dict[str, Any]:
    values = {"sample": sample, "pixel": pixel}
    return {
        task: {
            "rows": [
                {"team": "Looks", "rank": 1, "values": {"brain": 0.9}},
                {"team": CONSTANT_TEAM, "rank": 2, "values": {"brain": value}},
            ]
        }
        for task, value in values.items()
    }


def view(**changes: Any) -> dict[str, Any]:
    job = {"dataset": "brain", "warnings": [], "toy_report": {"warnings": changes.pop("warnings", [])}}
    return {"team": "Looks", "task": "pixel", "queue": "toy", "status": "scored", "code": None, "jobs": [job]} | changes


def test_a_good_demo_has_no_complaint(data: Path) -> None:
    assert complaints(data, boards(), [view()]) == []


def test_a_constant_off_by_the_last_digit_is_a_complaint(data: Path) -> None:
    (wrong,) = complaints(data, boards(sample=math.nextafter(0.5, 1)), [])
    assert wrong.startswith("sample, brain: the constant's AP is 0.5000000000000001")


def test_a_constant_that_wins_is_a_complaint(data: Path) -> None:
    given = boards()
    given["pixel"]["rows"][1]["rank"] = 1
    assert complaints(data, given, []) == ["pixel: nothing ranks above the constant"]


def test_a_failed_submission_is_a_complaint(data: Path) -> None:
    (wrong,) = complaints(data, boards(), [view(status="failed", code="E-EXIT")])
    assert wrong == "Looks, pixel, toy: failed E-EXIT"


def test_only_the_constant_may_be_constant(data: Path) -> None:
    constant = [{"code": "W-CONSTANT", "count": 1}]
    assert complaints(data, boards(), [view(team=CONSTANT_TEAM, warnings=constant)]) == []
    (wrong,) = complaints(data, boards(), [view(warnings=constant)])
    assert "W-CONSTANT" in wrong
