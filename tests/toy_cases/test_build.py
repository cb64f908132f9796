import csv
import hashlib
import re
import struct
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
import yaml

from evaluator.dataset import Manifest
from toy_cases import phantoms
from toy_cases.build import BuildReport, build_challenge, write_training
from toy_cases.sources import read_scan

SIZES = {"brain": 24, "abdom": 28}


def read_volume(path: Path) -> npt.NDArray[np.float32]:
    return np.asarray(nib.Nifti1Image.from_filename(path).dataobj, dtype=np.float32)


def build(folder: Path, *, seed: int = 11, volumes: Path | None = None, said: list[str] | None = None) -> BuildReport:
    return build_challenge(
        folder,
        sizes=SIZES,
        n_test_normal=3,
        n_test_local=2,
        n_test_global=2,
        n_training=4,
        seed=seed,
        batch_size=3,
        volumes=volumes,
        progress=None if said is None else said.append,
    )


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "cases.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildReport:
    return build(tmp_path_factory.mktemp("challenge"))


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two brains and one abdomen, as a scanner's software would save them."""
    folder = tmp_path_factory.mktemp("scans")
    for dataset, seeds in (("brain", (1, 2)), ("abdom", (3,))):
        (folder / dataset).mkdir()
        for seed in seeds:
            volume = phantoms.PHANTOMS[dataset](32, np.random.default_rng(seed))
            stored = volume * 2000 - 1000 if dataset == "abdom" else volume * 700
            image = nib.Nifti1Image(stored.astype(np.int16), np.diag([-4.0, -4, 4, 1]))
            nib.save(image, folder / dataset / f"person{seed}.nii.gz")
    return folder


def test_the_same_seed_writes_the_same_bytes(built: BuildReport, tmp_path: Path) -> None:
    again = build(tmp_path / "again")

    assert content(again.folder) == content(built.folder)


def test_another_seed_writes_another_challenge(built: BuildReport, tmp_path: Path) -> None:
    other = content(build(tmp_path / "other", seed=12).folder)

    shared = {name for name, sha in content(built.folder).items() if other.get(name) == sha}
    assert shared == {"challenge.yaml"}


def test_the_layout_is_the_published_one(built: BuildReport) -> None:
    for dataset, n in built.cases.items():
        for split, n_cases, n_global in (("toy", 4, 0), ("test", 7, 2)):
            home = built.folder / dataset
            names = {path.name for path in (home / split).iterdir()}
            sample = {path.name for path in (home / f"{split}_label" / "sample").iterdir()}
            pixel = {path.name for path in (home / f"{split}_label" / "pixel").iterdir()}
            assert sample == {f"{name}.txt" for name in names}
            assert pixel < names if n_global else pixel == names
            assert (len(names), len(pixel)) == (n_cases, n_cases - n_global)
        assert (n["toy"], n["test"], n["training"]) == (4, 7, 4)
        assert len(list((built.training / dataset).iterdir())) == 4


def test_volumes_are_float32_between_0_and_1_of_the_size_that_was_asked_for(built: BuildReport) -> None:
    for dataset, size in SIZES.items():
        for path in (built.folder / dataset / "test").iterdir():
            image = nib.Nifti1Image.from_filename(path)
            volume = np.asarray(image.dataobj)
            assert image.get_data_dtype() == np.float32
            assert volume.shape == (size,) * 3
            assert 0 <= volume.min() < volume.max() <= 1


def test_a_toy_set_is_three_spheres_and_a_normal_scan(built: BuildReport) -> None:
    for dataset in SIZES:
        scopes = Counter(
            row["scope"] for row in rows_of(built.folder) if (row["dataset"], row["split"]) == (dataset, "toy")
        )
        assert scopes == {"local": 3, "normal": 1}


def test_labels_say_what_the_table_says(built: BuildReport) -> None:
    for row in rows_of(built.folder):
        labels = built.folder / row["dataset"] / f"{row['split']}_label"
        sample = (labels / "sample" / f"{row['case']}.txt").read_text()
        pixel = labels / "pixel" / row["case"]
        assert sample == ("0\n" if row["scope"] == "normal" else "1\n")
        if row["scope"] == "global":
            assert not pixel.exists()
        else:
            assert np.count_nonzero(read_volume(pixel) > 0.5) == int(row["voxels"] or 0)


def test_no_phantom_is_used_twice(built: BuildReport) -> None:
    for dataset in SIZES:
        bases = [row["base"] for row in rows_of(built.folder) if row["dataset"] == dataset]
        assert len(set(bases)) == len(bases) == 11
        training = [read_volume(path).tobytes() for path in (built.training / dataset).iterdir()]
        hidden = [read_volume(path).tobytes() for path in (built.folder / dataset / "test").iterdir()]
        assert not set(training) & set(hidden)


def test_names_and_times_on_disk_say_nothing(built: BuildReport) -> None:
    for dataset in SIZES:
        rows = sorted((row for row in rows_of(built.folder) if row["dataset"] == dataset), key=lambda row: row["case"])
        assert all(re.fullmatch(r"[0-9a-f]{12}\.nii\.gz", row["case"]) for row in rows)
        written = {(built.folder / dataset / row["split"] / row["case"]).stat().st_mtime for row in rows}
        assert len(written) == 1
        scopes = [row["scope"] for row in rows]
        assert scopes != sorted(scopes)
        assert scopes != sorted(scopes, reverse=True)


def test_packed_files_hold_neither_name_nor_time(built: BuildReport) -> None:
    for path in built.folder.rglob("*.nii.gz"):
        _, _, flags, time = struct.unpack("<HBBI", path.read_bytes()[:8])
        assert (flags, time) == (0, 0), path


def test_the_manifest_holds_for_what_was_written(built: BuildReport) -> None:
    manifest = Manifest.read(built.folder)

    assert [manifest.verify(built.folder, dataset) for dataset in SIZES] == [[], []]
    assert len(manifest.cases("brain", "test", "sample")) == 7
    assert len(manifest.cases("brain", "test", "pixel")) == 5


def test_the_challenge_file_names_its_data_sets(built: BuildReport) -> None:
    said = yaml.safe_load((built.folder / "challenge.yaml").read_text())

    assert [entry["name"] for entry in said["datasets"]] == ["brain", "abdom"]
    assert said["batch_size"] == 3


def test_few_scans_carry_many_cases_and_the_report_says_so(scans: Path, tmp_path: Path) -> None:
    report = build(tmp_path / "challenge", volumes=scans)

    assert report.scans == {"brain": 2, "abdom": 1}
    brain, abdom = report.sentences
    assert "2 scans for 11 cases, so each is the base of up to 6 (other spheres, small rigid moves)" in brain
    assert "1 scan for 11 cases, so each is the base of up to 11" in abdom
    assert "the 4 training volumes are rigid moves of the same scans" in brain
    used = Counter(row["base"] for row in rows_of(report.folder) if row["dataset"] == "brain")
    assert sorted(used.items()) in (
        [("person1.nii.gz", 6), ("person2.nii.gz", 5)],
        [("person1.nii.gz", 5), ("person2.nii.gz", 6)],
    )
    volumes = [path.read_bytes() for path in (report.folder / "abdom" / "test").iterdir()]
    assert len(set(volumes)) == len(volumes)


def test_enough_scans_are_used_once_each_and_left_in_place(tmp_path: Path) -> None:
    many = tmp_path / "scans"
    for dataset in SIZES:
        (many / dataset).mkdir(parents=True)
        for seed in range(15):
            volume = phantoms.PHANTOMS[dataset](24, np.random.default_rng(seed)) * 500
            nib.save(nib.Nifti1Image(volume, np.diag([5.0, 5, 5, 1])), many / dataset / f"{seed}.nii.gz")

    report = build(tmp_path / "challenge", volumes=many)

    assert report.scans == {"brain": 15, "abdom": 15}
    assert report.sentences[0] == (
        "brain: each of the 11 cases has a scan of its own; the 4 training volumes come from others."
    )
    for row in rows_of(report.folder):
        if row["scope"] == "normal":  # nobody was moved
            stored = read_volume(report.folder / row["dataset"] / row["split"] / row["case"])
            scan = read_scan(many / row["dataset"] / row["base"], size=SIZES[row["dataset"]])
            assert np.array_equal(stored, scan.volume)


def test_a_folder_without_scans_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"scans/brain: there is no such folder"):
        build(tmp_path / "challenge", volumes=tmp_path / "scans")
    assert not (tmp_path / "challenge").exists()


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()

    with pytest.raises(FileExistsError, match="is not empty"):
        build(tmp_path)


@pytest.mark.parametrize(("sizes", "complaint"), [({"brain": 8}, "too small"), ({"knee": 64}, "'knee' is not known")])
def test_a_size_or_data_set_that_cannot_be_is_refused(tmp_path: Path, sizes: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        build_challenge(tmp_path, sizes=sizes)


def test_progress_is_told(tmp_path: Path) -> None:
    said: list[str] = []

    build(tmp_path, said=said)

    assert said[-1] == "30 of 30 volumes written (now abdom)"
    assert 5 <= len(said) <= 11


def test_the_report_says_what_there_is(built: BuildReport) -> None:
    assert built.lines()[0] == (
        "brain: 4 toy cases, 7 hidden (3 normal, 2 with a sphere, 2 spoilt as a whole), 4 normal ones for training"
    )
    assert built.lines()[2] == (
        "brain: each of the 11 cases has a phantom of its own; the 4 training volumes come from others."
    )


def test_training_volumes_can_be_had_alone(tmp_path: Path) -> None:
    write_training(tmp_path, sizes={"brain": 20}, count=3)

    volumes = [read_volume(path) for path in (tmp_path / "brain").iterdir()]
    assert [volume.shape for volume in volumes] == [(20, 20, 20)] * 3
