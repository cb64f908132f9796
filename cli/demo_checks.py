"""What the demo must have shown, found out without the code that scored: labels are read again, by nibabel."""

import json
import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

CONSTANT_TEAM = "Constant score"
ANOMALOUS_ABOVE = 0.5  # of a pixel label
EXPECTED_WARNINGS = {CONSTANT_TEAM: {"W-CONSTANT"}}  # its whole point


def complaints(data: Path, boards: dict[str, Any], views: list[Any]) -> list[str]:
    """Give a sentence for each thing that is not as it should be; nothing when all is well."""
    return [
        *unscored(views),
        *unexpected_warnings(views),
        *wrong_constants(data, boards),
        *blind_winners(boards),
    ]


def unscored(views: list[Any]) -> list[str]:
    """Every submission must be scored."""
    return [
        f"{view['team']}, {view['task']}, {view['queue']}: {view['status']} {view['code'] or ''}"
        for view in views
        if view["status"] != "scored"
    ]


def unexpected_warnings(views: list[Any]) -> list[str]:
    """No warning, of toy or of hidden cases, but that a constant score is constant."""
    return [
        f"{view['team']}, {view['task']}, {view['queue']}, {job['dataset']}: {warning['code']} × {warning['count']}"
        for view in views
        for job in view["jobs"]
        for warning in [*job["warnings"], *(job["toy_report"] or {"warnings": []})["warnings"]]
        if warning["code"] not in EXPECTED_WARNINGS.get(view["team"], set())
    ]


def wrong_constants(data: Path, boards: dict[str, Any]) -> list[str]:
    """A constant's AP is the prevalence, to the last digit."""
    prevalence = {"sample": sample_prevalence, "pixel": pixel_prevalence}
    wrong = []
    for task, board in boards.items():
        (row,) = (row for row in board["rows"] if row["team"] == CONSTANT_TEAM)
        for dataset, value in row["values"].items():
            expected = prevalence[task](data, dataset)
            if value != expected:
                wrong.append(f"{task}, {dataset}: the constant's AP is {value!r}, the prevalence is {expected!r}")
    return wrong


def sample_prevalence(data: Path, dataset: str) -> float:
    """Share of anomalous cases."""
    files = sorted((data / dataset / "test_label" / "sample").iterdir())
    labels = [int(file.read_text(encoding="ascii").split()[0]) for file in files]
    return sum(labels) / len(labels)


def pixel_prevalence(data: Path, dataset: str) -> float:
    """Mean over the batches of the official deal of the share of anomalous voxels."""
    deal = json.loads((data / "deal.json").read_text(encoding="utf-8"))["datasets"][dataset]["official"]
    return math.fsum(batch_prevalence(data / dataset, batch) for batch in deal) / len(deal)


def batch_prevalence(folder: Path, batch: list[str]) -> float:
    """Share of anomalous voxels over the cases of a batch."""
    labels = (nibabel.Nifti1Image.from_filename(folder / "test_label" / "pixel" / case) for case in batch)
    masks = [np.asarray(label.dataobj) > ANOMALOUS_ABOVE for label in labels]
    return sum(int(mask.sum()) for mask in masks) / sum(mask.size for mask in masks)


def blind_winners(boards: dict[str, Any]) -> list[str]:
    """In each task an image that looks at the volume ranks above the constant."""
    return [
        f"{task}: nothing ranks above the constant"
        for task, board in boards.items()
        if next(row["rank"] for row in board["rows"] if row["team"] == CONSTANT_TEAM) == 1
    ]
