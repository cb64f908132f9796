import csv
import hashlib
import os
import re
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
import yaml
from sklearn.metrics import average_precision_score

from evaluator.dataset import Manifest, manifest_sha256
from tests.toy_cases import recipes
from toy_cases import phantoms
from toy_cases.anomalies import PLAIN
from toy_cases.build import BuildReport, DiskFullError, build_challenge, write_training
from toy_cases.build import build as build_plan
from toy_cases.journal import NAME as JOURNAL
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


def test_volumes_are_made_for_each_scope(built: BuildReport) -> None:
    for row in rows_of(built.folder):
        assert (row["scope"] == "normal") == (row["subcategory"] == "") == (row["origin"] == "")
    scopes = Counter((row["scope"], row["split"]) for row in rows_of(built.folder) if row["dataset"] == "brain")
    assert scopes == {
        ("normal", "toy"): 1,
        ("local", "toy"): 3,
        ("normal", "test"): 3,
        ("local", "test"): 2,
        ("global", "test"): 2,
    }


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
            assert np.count_nonzero(read_volume(pixel) > 0.5) == int(row["size_voxels"] or 0)


def test_no_phantom_is_used_twice(built: BuildReport) -> None:
    for dataset in SIZES:
        bases = [row["source"] for row in rows_of(built.folder) if row["dataset"] == dataset]
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
    assert not {"part_of", "set"} & set(said)


def test_a_set_beside_the_challenge_says_of_which_challenge_it_is(whole: Path) -> None:
    slug = yaml.safe_load((whole / "challenge/challenge.yaml").read_text())["slug"]
    for home in ("toyish", "sweeps"):
        said = yaml.safe_load((whole / home / "challenge.yaml").read_text())
        assert (said["slug"], said["part_of"], said["set"]) == (f"{slug}-{home}", slug, home)


def test_few_scans_carry_many_cases_and_the_report_says_so(scans: Path, tmp_path: Path) -> None:
    report = build(tmp_path / "challenge", volumes=scans)

    assert report.scans == {"brain": 2, "abdom": 1}
    brain, abdom = report.sentences
    assert "2 scans for 11 cases, so each is the base of up to 6 (small rigid moves)" in brain
    assert "1 scan for 11 cases, so each is the base of up to 11" in abdom
    assert "a scan may be both normal and the base of an anomaly" in brain
    assert "the 4 training volumes are rigid moves of 2 of the same scans" in brain
    used = Counter(row["source"] for row in rows_of(report.folder) if row["dataset"] == "brain")
    assert sorted(used.values()) == [5, 6]
    assert all('"moved": "yes"' in row["parameters"] for row in rows_of(report.folder))
    assert report.sentences[0] in Manifest.read(report.folder).made["remarks"]
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
    for row in rows_of(report.folder):  # nobody was moved
        scan = read_scan(many / row["dataset"] / row["source"], size=SIZES[row["dataset"]])
        image = nib.Nifti1Image.from_filename(report.folder / row["dataset"] / row["split"] / row["case"])
        np.testing.assert_allclose(image.affine, scan.affine, rtol=1e-6)
        assert image.header.get_xyzt_units()[0] == "mm"
        assert image.get_data_dtype() == np.float32
        if row["scope"] == "normal":
            assert np.array_equal(np.asarray(image.dataobj), scan.volume)
        label = report.folder / row["dataset"] / f"{row['split']}_label" / "pixel" / row["case"]
        if row["scope"] != "global":
            assert np.array_equal(nib.Nifti1Image.from_filename(label).affine, image.affine)


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
        "brain: 4 toy cases, 7 hidden (3 normal, 2 with a local anomaly, 2 abnormal as a whole), "
        "4 normal ones for training"
    )
    assert built.lines()[2] == (
        "brain: each of the 11 cases has a phantom of its own; the 4 training volumes come from others."
    )


def test_training_volumes_can_be_had_alone(tmp_path: Path) -> None:
    write_training(tmp_path, sizes={"brain": 20}, count=3)

    volumes = [read_volume(path) for path in (tmp_path / "brain").iterdir()]
    assert [volume.shape for volume in volumes] == [(20, 20, 20)] * 3


WHOLE = recipes.dataset(toyish={"count": 3}, sweeps={"radius": False})
SAMPLE_ONLY = recipes.dataset(name="abdom", has_masks=False, training=0, test={"anomalous": {"images": 1}})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data sets with all sets but the analysis set."""
    out = tmp_path_factory.mktemp("whole")
    build_plan(recipes.plan(WHOLE, SAMPLE_ONLY), out, processes=1)
    return out


def test_two_processes_write_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    build_plan(recipes.plan(WHOLE, SAMPLE_ONLY), tmp_path, processes=2)

    assert content(tmp_path) == content(whole)


def test_a_killed_build_goes_on_to_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    for home in ("challenge", "toyish", "sweeps"):
        (tmp_path / home / "manifest.json").unlink()
    lines = (tmp_path / JOURNAL).read_text().splitlines(keepends=True)
    kept = len(lines) // 2
    (tmp_path / JOURNAL).write_text("".join(lines[:kept]) + lines[kept][:50])
    gone = next(
        path for path in sorted((tmp_path / "challenge/brain/test").iterdir()) if path.name in "".join(lines[:kept])
    )
    gone.unlink()
    half = next(path for path in sorted((tmp_path / "sweeps/brain/test").iterdir()))
    half.write_bytes(half.read_bytes()[:100])
    (tmp_path / "challenge/brain/test/.half.nii.gz.part").write_bytes(b"half")
    told: list[tuple[int, int, str]] = []

    build_plan(recipes.plan(WHOLE, SAMPLE_ONLY), tmp_path, progress=lambda *said: told.append(said))

    assert content(tmp_path) == content(whole)
    written = [said for said in told if said[2] != "scans looked at"]
    assert len(written) < written[-1][1]  # not all was made again


def test_a_complete_build_is_left_as_it_is(whole: Path) -> None:
    before = {path: path.stat().st_ino for path in whole.rglob("*.nii.gz") if "toy" not in path.parts}
    told: list[str] = []

    build_plan(recipes.plan(WHOLE, SAMPLE_ONLY), whole, progress=lambda _done, _of, what: told.append(what))

    assert not told
    assert {path: path.stat().st_ino for path in before} == before


def test_another_recipe_is_refused_where_a_build_stands(whole: Path) -> None:
    with pytest.raises(ValueError, match=r"journal.jsonl is of another recipe, .*: name a new folder, or remove"):
        build_plan(recipes.plan(WHOLE, SAMPLE_ONLY, seed=6), whole)


def test_every_set_is_a_challenge_with_the_toy_cases(whole: Path) -> None:
    toy = {path.name for path in (whole / "challenge/brain/toy").iterdir()}
    for home, datasets in (("challenge", ["brain", "abdom"]), ("toyish", ["brain"]), ("sweeps", ["brain"])):
        manifest = Manifest.read(whole / home)
        assert sorted(manifest.datasets) == sorted(datasets)
        assert [manifest.verify(whole / home, dataset) for dataset in datasets] == [[]] * len(datasets)
        assert manifest.verify_files(whole / home) == []
        assert {case.name for case in manifest.cases("brain", "toy", "pixel")} == toy
        rows = {(row["dataset"], row["split"], row["case"]) for row in rows_of(whole / home)}
        assert rows == {
            (dataset, split, case.name)
            for dataset in datasets
            for split in ("toy", "test")
            for case in manifest.datasets[dataset].cases[split]
        }


def test_participants_get_toy_cases_and_normal_volumes_alone(whole: Path) -> None:
    handed = content(whole / "participants")
    hidden = content(whole / "challenge") | content(whole / "toyish") | content(whole / "sweeps")

    assert {name.split("/", 1)[0] for name in handed} == {"brain", "abdom", "training"}
    assert {name.split("/")[1] for name in handed if not name.startswith("training")} == {"toy", "toy_label"}
    training = [sha256 for name, sha256 in handed.items() if name.startswith("training/brain")]
    assert len(training) == 2
    assert not set(training) & set(hidden.values())


def test_a_data_set_without_masks_has_a_sample_task_alone(whole: Path) -> None:
    manifest = Manifest.read(whole / "challenge")

    assert not list((whole / "challenge" / "abdom").glob("*_label/pixel"))
    assert len(manifest.cases("abdom", "test", "sample")) == 2
    assert manifest.cases("abdom", "test", "pixel") == ()


def test_the_manifest_covers_recipe_and_table(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "challenge", tmp_path, dirs_exist_ok=True)
    with (tmp_path / "recipe.yaml").open("a") as file:
        file.write("# another\n")
    (tmp_path / "cases.csv").unlink()

    assert Manifest.read(tmp_path).verify_files(tmp_path) == [
        "cases.csv: is missing; copy it again",
        "recipe.yaml: has other content than manifest.json says; copy it again",
    ]
    made = Manifest.read(tmp_path).made
    assert made["reuse_scans"] is False
    assert made["recipe_sha256"] == hashlib.sha256((whole / "challenge" / "recipe.yaml").read_bytes()).hexdigest()
    assert "numpy" in made["libraries"]


def test_a_constant_scores_the_prevalence_on_the_analysis_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toy_cases.sets.PLAIN", PLAIN[::9])
    test = {"anomalous": {"images": 1}}
    analysis = recipes.dataset(test=test, analysis={"per_subcategory": 2, "scans": "test"})

    build_plan(recipes.plan(analysis), tmp_path)

    labels = [case.label for case in Manifest.read(tmp_path / "analysis").cases("brain", "test", "sample")]
    assert average_precision_score(labels, np.zeros(len(labels))) == 0.5


def test_scans_that_will_not_do_are_told_before_anything_is_written(scans: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    shutil.copytree(scans / "brain", folder)
    flat = nib.Nifti1Image(np.zeros((32, 32, 32), dtype=np.int16), np.diag([4.0, 4, 4, 1]))
    nib.save(flat, folder / "person3.nii.gz")
    source = {"kind": "folder", "path": folder, "modality": "mr"}
    plan = recipes.plan(recipes.dataset(source=source), reuse_scans=True)

    with pytest.raises(ValueError, match="person3"):
        build_plan(plan, tmp_path / "out")

    assert [path.name for path in (tmp_path / "out").iterdir()] == [JOURNAL]


def test_scans_with_conditions_become_test_cases_and_their_patients_no_normal_ones(scans: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("a", "b", "c", "ill", "odd"):
        shutil.copy(scans / "brain" / "person1.nii.gz", folder / f"{name}.nii.gz")
    (folder / "patients.csv").write_text(
        "scan,patient\n" + "".join(f"{n}.nii.gz,p{n}\n" for n in ("a", "b", "c", "ill", "odd"))
    )
    image = nib.Nifti1Image.from_filename(folder / "ill.nii.gz")
    mask = np.zeros(image.shape, dtype=np.uint8)
    mask[12:20, 12:20, 12:20] = 1
    nib.save(nib.Nifti1Image(mask, image.affine), tmp_path / "mask.nii.gz")
    (tmp_path / "conditions.csv").write_text(
        "scan,patient,category,subcategory,difficulty,mask\n"
        "scans/ill.nii.gz,pill,pathologies,meningioma,3,mask.nii.gz\n"
        "scans/odd.nii.gz,podd,medical conditions,situs inversus,2,\n"
    )
    source = {"kind": "folder", "path": folder, "modality": "mr"}
    wanted = recipes.dataset(source=source, conditions=tmp_path / "conditions.csv", test={"anomalous": {}}, training=0)

    report = build_plan(recipes.plan(wanted, reuse_scans=True), tmp_path / "out")

    found = {row["subcategory"]: row for row in rows_of(report.folder) if row["origin"] == "natural"}
    assert {name: (row["scope"], row["category"], row["difficulty"]) for name, row in found.items()} == {
        "meningioma": ("local", "pathologies", "3"),
        "situs inversus": ("global", "medical conditions", "2"),
    }
    label = report.folder / "brain/test_label/pixel" / found["meningioma"]["case"]
    assert np.count_nonzero(read_volume(label)) == int(found["meningioma"]["size_voxels"]) > 0
    normal = {row["source"] for row in rows_of(report.folder) if row["origin"] != "natural"}
    assert normal <= {"a.nii.gz", "b.nii.gz", "c.nii.gz"}
    assert "2 scans of patients with a condition were left out" in report.sentences[0]


def test_too_little_room_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toy_cases.build.shutil.disk_usage", lambda _: Room(free=10_000))

    with pytest.raises(DiskFullError, match=r"volumes take .* GB or more, .* free: make room or choose another folder"):
        build_plan(recipes.plan(), tmp_path / "out")

    assert not (tmp_path / "out" / "challenge").exists()


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is left of a disk."""

    free: int


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 500 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_and_leaves_nothing_that_looks_like_a_challenge(
    small_disk: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toy_cases.build.PACKED_BYTES", 0)  # as where an estimate is too low
    plan = recipes.plan(WHOLE, SAMPLE_ONLY)

    with pytest.raises(DiskFullError, match=r"the disk is full\. The volumes that are complete stay"):
        build_plan(plan, small_disk, processes=2)

    assert not list(small_disk.rglob("manifest.json"))
    assert not list(small_disk.rglob("*.part"))
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    build_plan(plan, small_disk)
    assert manifest_sha256(small_disk / "challenge") == manifest_sha256(whole / "challenge")
