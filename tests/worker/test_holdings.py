"""A data set is offered when it is whole."""

import os
import shutil
from pathlib import Path

import pytest

from server.protocol import DatasetOffer, Stage, Task
from tests.worker.cases import DATASET, HIDDEN, SLUG, TOY, manifest_hash
from worker.holdings import Holdings


@pytest.fixture
def folder(challenge: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    shutil.copytree(challenge, tmp_path / "challenge")
    return tmp_path / "challenge"


def holdings(*folders: Path, memory: Path) -> Holdings:
    return Holdings(folders, memory=memory / "verified.json")


def test_a_whole_data_set_is_offered(folder: Path, tmp_path: Path) -> None:
    offer = DatasetOffer(challenge=SLUG, dataset=DATASET, manifest_sha256=manifest_hash(folder))
    assert holdings(folder, memory=tmp_path).offers() == [offer]


def test_a_changed_file_is_a_complaint_and_no_offer(folder: Path, tmp_path: Path) -> None:
    held = holdings(folder, memory=tmp_path)
    assert held.offers()
    label = folder / DATASET / "test_label" / "sample" / "test_1.nii.gz.txt"
    label.write_text("1\n", encoding="ascii")
    assert held.offers() == []
    assert any("test_1.nii.gz.txt" in complaint for one in held.look() for complaint in one.complaints)


def test_a_verdict_is_kept_while_no_file_changes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holdings(folder, memory=tmp_path).offers()
    monkeypatch.setattr("evaluator.dataset.Manifest.verify", lambda *_: ["hashed again"])
    held = holdings(folder, memory=tmp_path)
    assert held.offers()
    os.utime(folder / DATASET / "toy" / "toy_0.nii.gz", (1, 1))
    assert held.offers() == []


def test_a_damaged_memory_is_no_reason_to_stop(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "verified.json").write_text("[1, 2", encoding="utf-8")
    assert holdings(folder, memory=tmp_path).offers()


def test_a_folder_that_cannot_be_read_holds_nothing_and_spoils_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert len(holdings(tmp_path / "empty", tmp_path / "absent", folder, memory=tmp_path).offers()) == 1


def test_cases_have_the_labels_of_their_task(folder: Path, tmp_path: Path) -> None:
    (held,) = holdings(folder, memory=tmp_path).look()
    toy = held.cases(Stage.TOY, Task.SAMPLE)
    hidden = held.cases(Stage.HIDDEN, Task.PIXEL)
    assert (len(toy), len(hidden)) == (TOY, HIDDEN)
    assert toy[0].label == folder / DATASET / "toy_label" / "sample" / "toy_0.nii.gz.txt"
    assert hidden[0].label == folder / DATASET / "test_label" / "pixel" / "test_0.nii.gz"
    assert hidden[0].volume.is_file()
    assert (hidden[0].shape, hidden[0].voxels, hidden[0].positive_voxels) == ((8, 8, 8), 512, 8)
