import json
from pathlib import Path

import numpy as np
import pytest

from evaluator.dataset import DatasetError, Manifest, build_manifest, manifest_sha256, survey
from tests.evaluator.files import Array, header, packed, volume, write

SHAPE = (4, 3, 2)
BLANK = np.zeros(SHAPE)
MARKED = np.pad(np.ones((1, 1, 1)), [(0, size - 1) for size in SHAPE])  # one anomalous voxel


def case(place: Path, name: str, *, split: str = "test", label: int | None, pixel: Array | None = None) -> None:
    """Write a case, different for each name, with the labels it has."""
    scores = np.random.default_rng(list(f"{split}{name}".encode())).random(SHAPE)
    write(place / split / name, volume(scores))
    if label is not None:
        write(place / f"{split}_label" / "sample" / f"{name}.txt", f"{label}\n".encode())
    if pixel is not None:
        write(place / f"{split}_label" / "pixel" / name, volume(pixel, dtype="u1"))


def good(folder: Path, *, tests: int = 6) -> Path:
    """A data set with two toy cases and some hidden ones, half of them anomalous, and one global anomaly."""
    place = folder / "brain"
    case(place, "toy_0.nii.gz", split="toy", label=0, pixel=BLANK)
    case(place, "toy_1.nii.gz", split="toy", label=1, pixel=MARKED)
    for number in range(tests):
        pixel = MARKED if number % 2 else BLANK
        case(place, f"case_{number}.nii.gz", label=number % 2, pixel=pixel)
    case(place, "global.nii.gz", label=1)
    return place


def complaints(place: Path) -> str:
    return "\n".join(survey(place).complaints)


def test_good_data_set_has_no_complaint(tmp_path: Path) -> None:
    found = survey(good(tmp_path))
    assert (found.complaints, found.warnings) == ((), ())


def test_manifest_names_cases_with_shape_tasks_and_labels(tmp_path: Path) -> None:
    good(tmp_path)
    manifest = build_manifest(tmp_path, ["brain"], seed=1)
    sample, pixel = (manifest.cases("brain", "test", task) for task in ("sample", "pixel"))
    assert [found.name for found in sample] == [*(f"case_{number}.nii.gz" for number in range(6)), "global.nii.gz"]
    assert [found.name for found in pixel] == [f"case_{number}.nii.gz" for number in range(6)]
    assert (sample[-1].tasks, sample[-1].label, sample[-1].positive_voxels) == (("sample",), 1, None)
    assert (pixel[1].shape, pixel[1].tasks, pixel[1].positive_voxels) == (SHAPE, ("sample", "pixel"), 1)


def test_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    good(tmp_path)
    manifest = build_manifest(tmp_path, ["brain"], seed=1, batch_size=2)
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    assert len(manifest_sha256(tmp_path)) == 64
    dealt = json.loads((tmp_path / "deal.json").read_text())
    assert dealt["batch_size"] == 2
    assert [len(batch) for batch in dealt["datasets"]["brain"]["official"]] == [2, 2, 2]
    listed = json.loads((tmp_path / "manifest.json").read_text())["datasets"]["brain"]
    assert set(listed["files"]["toy/toy_0.nii.gz"]) == {"sha256", "bytes"}
    assert {"name", "shape", "tasks"} <= set(listed["cases"]["toy"][0])


def test_same_seed_gives_the_same_manifest(tmp_path: Path) -> None:
    good(tmp_path, tests=30)
    first, again, other = (build_manifest(tmp_path, ["brain"], seed=seed, batch_size=5) for seed in (1, 1, 2))
    assert first.to_bytes() == again.to_bytes()
    assert first.to_bytes() != other.to_bytes()


def test_two_deals_are_independent_and_hold_hidden_pixel_cases_alone(tmp_path: Path) -> None:
    good(tmp_path, tests=30)
    found = build_manifest(tmp_path, ["brain"], seed=1, batch_size=5).deals.datasets["brain"]
    assert found.official != found.validation
    for dealt in (found.official, found.validation):
        assert sorted(name for batch in dealt for name in batch) == sorted(f"case_{i}.nii.gz" for i in range(30))


def test_data_sets_of_one_seed_are_dealt_apart(tmp_path: Path) -> None:
    good(tmp_path, tests=30)
    (tmp_path / "abdom").symlink_to(tmp_path / "brain")
    dealt = build_manifest(tmp_path, ["brain", "abdom"], seed=1, batch_size=5).deals.datasets
    assert dealt["brain"].official != dealt["abdom"].official


def test_data_set_without_a_pixel_task_has_no_deal(tmp_path: Path) -> None:
    for split in ("toy", "test"):
        for label in (0, 1):
            case(tmp_path / "xray", f"{split}_{label}.nii.gz", split=split, label=label)
    manifest = build_manifest(tmp_path, ["xray"], seed=1)
    assert manifest.deals.datasets["xray"].official == ()
    assert manifest.cases("xray", "test", "pixel") == ()


def test_deal_that_cannot_be_is_a_complaint(tmp_path: Path) -> None:
    place = good(tmp_path, tests=2)
    for number in range(5):
        case(place, f"normal_{number}.nii.gz", label=0, pixel=BLANK)
    with pytest.raises(DatasetError, match="brain/test/: 7 cases make 4 batches of 2, but only 1"):
        build_manifest(tmp_path, ["brain"], seed=1, batch_size=2)


def test_label_without_a_case(tmp_path: Path) -> None:
    place = good(tmp_path)
    write(place / "test_label/sample/lost.nii.gz.txt", b"1\n")
    write(place / "test_label/pixel/lost.nii.gz", volume(BLANK, dtype="u1"))
    found = complaints(place)
    assert "brain/test_label/sample/lost.nii.gz.txt: is a label without a case: add test/lost.nii.gz" in found
    assert "brain/test_label/pixel/lost.nii.gz: is a label without a case: add test/lost.nii.gz" in found


def test_case_without_any_label(tmp_path: Path) -> None:
    place = good(tmp_path)
    case(place, "bare.nii.gz", label=None)
    assert "brain/test/bare.nii.gz: has no label that can be read: add test_label/sample/bare" in complaints(place)


def test_pixel_label_of_another_shape(tmp_path: Path) -> None:
    place = good(tmp_path)
    case(place, "odd.nii.gz", label=1, pixel=np.ones((2, 2, 2)))
    assert "brain/test_label/pixel/odd.nii.gz: is (2, 2, 2), its case is (4, 3, 2)" in complaints(place)


def test_sample_label_that_is_neither(tmp_path: Path) -> None:
    place = good(tmp_path)
    write(place / "test_label/sample/case_0.nii.gz.txt", b"0.5\n")
    assert "case_0.nii.gz.txt: the first line is '0.5', not 0 or 1" in complaints(place)


def test_labels_that_contradict_each_other(tmp_path: Path) -> None:
    place = good(tmp_path)
    case(place, "odd.nii.gz", label=0, pixel=MARKED)
    assert "brain/test/odd.nii.gz: its sample label is 0, but 1 voxels of its pixel label" in complaints(place)
    case(place, "odd.nii.gz", label=1, pixel=BLANK)
    found = survey(place)
    assert found.complaints == ()
    assert "its sample label is 1, but its pixel label is all zero" in "\n".join(found.warnings)


def test_data_set_without_an_anomalous_case(tmp_path: Path) -> None:
    for split in ("toy", "test"):
        case(tmp_path / "brain", f"{split}.nii.gz", split=split, label=0, pixel=BLANK)
    found = complaints(tmp_path / "brain")
    assert "brain/test_label/sample/: marks no case as anomalous" in found
    assert "brain/test_label/pixel/: marks no case as anomalous" in found


def test_data_set_without_a_normal_case_is_warned_of(tmp_path: Path) -> None:
    for split in ("toy", "test"):
        case(tmp_path / "brain", f"{split}.nii.gz", split=split, label=1, pixel=MARKED)
    found = survey(tmp_path / "brain")
    assert found.complaints == ()
    assert "brain/test_label/sample/: marks every case as anomalous" in found.warnings


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("test/case.nii", r"brain/test/case.nii: does not end in .nii.gz: rename it"),
        ("test_label/sample/case.txt", "brain/test_label/sample/case.txt: does not end in .nii.gz.txt"),
        ("notes/readme.txt", "brain/notes/readme.txt: is not read by any task"),
    ],
)
def test_file_that_no_task_reads(tmp_path: Path, name: str, complaint: str) -> None:
    place = good(tmp_path)
    write(place / name, b"")
    assert complaint in complaints(place)


def test_toy_case_that_is_hidden_too(tmp_path: Path) -> None:
    place = good(tmp_path)
    case(place, "toy_0.nii.gz", label=0, pixel=BLANK)
    assert "brain/toy/toy_0.nii.gz: stands in test/ too" in complaints(place)


def test_toy_volume_that_is_hidden_under_another_name(tmp_path: Path) -> None:
    place = good(tmp_path)
    case(place, "again.nii.gz", label=1)
    write(place / "test/again.nii.gz", (place / "toy/toy_1.nii.gz").read_bytes())
    assert "brain/toy/toy_1.nii.gz: is the same volume as test/again.nii.gz" in complaints(place)


@pytest.mark.parametrize("content", [b"", b"text", packed(header(SHAPE)[:100])])
def test_case_that_is_no_volume(tmp_path: Path, content: bytes) -> None:
    place = good(tmp_path)
    write(place / "test/case_0.nii.gz", content)
    assert "brain/test/case_0.nii.gz: cannot be read as a volume" in complaints(place)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2, 1), (4, 0, 2)])
def test_case_that_is_not_one_volume_of_three_dimensions(tmp_path: Path, shape: tuple[int, ...]) -> None:
    place = good(tmp_path)
    write(place / "test/case_0.nii.gz", packed(header(shape)))
    assert f"brain/test/case_0.nii.gz: has the shape {shape}" in complaints(place)


def test_gzip_header_that_tells_where_a_case_came_from_is_warned_of(tmp_path: Path) -> None:
    place = good(tmp_path)
    body = (place / "test/case_1.nii.gz").read_bytes()[10:]
    told = b"\x1f\x8b\x08\x08" + (1_700_000_000).to_bytes(4, "little") + b"\0\x03with_tumour.nii\0"
    write(place / "test/case_1.nii.gz", told + body)
    found = survey(place)
    assert found.complaints == ()
    assert "with_tumour.nii" in found.warnings[0]
    assert "gzip -n" in found.warnings[0]


def test_folder_that_is_absent_or_empty(tmp_path: Path) -> None:
    assert "brain/: is not a folder" in complaints(tmp_path / "brain")
    (tmp_path / "brain").mkdir()
    assert complaints(tmp_path / "brain").splitlines() == [
        "brain/toy/: holds no case: put the volumes there as <case>.nii.gz",
        "brain/test/: holds no case: put the volumes there as <case>.nii.gz",
    ]


def test_all_complaints_of_all_data_sets_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        build_manifest(tmp_path, ["brain", "abdom"], seed=1)
    assert [complaint.split("/")[0] for complaint in caught.value.complaints] == ["brain", "abdom"]


def test_verify_finds_what_is_missing_changed_or_added(tmp_path: Path) -> None:
    place = good(tmp_path)
    manifest = build_manifest(tmp_path, ["brain"], seed=1)
    assert manifest.verify(tmp_path, "brain") == []
    (place / "test/case_0.nii.gz").unlink()
    write(place / "test/new.nii.gz", b"x")
    path = place / "test_label/sample/case_1.nii.gz.txt"
    path.write_bytes(b"0\n")
    assert manifest.verify(tmp_path, "brain") == [
        "brain/test/case_0.nii.gz: is missing; copy it again",
        "brain/test/new.nii.gz: is not in manifest.json; remove it",
        "brain/test_label/sample/case_1.nii.gz.txt: has other content than manifest.json says; copy it again",
    ]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("manifest.json", None, "manifest.json: cannot be read"),
        ("manifest.json", b"{", "manifest.json: is damaged"),
        ("manifest.json", b"[]", "manifest.json: is damaged"),
        ("manifest.json", b'{"version": 2}', "manifest.json: version 2, this program reads 1"),
        ("deal.json", None, "deal.json: cannot be read"),
        ("deal.json", b"{}", "deal.json is not the one that manifest.json was written with"),
    ],
)
def test_damaged_manifest_is_named(tmp_path: Path, name: str, content: bytes | None, complaint: str) -> None:
    good(tmp_path)
    build_manifest(tmp_path, ["brain"], seed=1).write(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=complaint):
        Manifest.read(tmp_path)
