import subprocess
from pathlib import Path

import numpy as np
import pytest

from evaluator.commitment import FILE, Commitment, broken
from evaluator.dataset import DatasetError, Manifest, build_manifest, file_entry
from toy_cases.nifti import write_volume


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    """A data set of two toy and two test cases, one of each anomalous."""
    folder = tmp_path / "challenge"
    rng = np.random.default_rng(4)
    for split in ("toy", "test"):
        for name in (split, f"{split}_label/sample", f"{split}_label/pixel"):
            (folder / "brain" / name).mkdir(parents=True)
        for label in (0, 1):
            name = f"{split}{label}.nii.gz"
            write_volume(folder / "brain" / split / name, rng.random((4, 4, 4), dtype=np.float32), np.eye(4))
            (folder / f"brain/{split}_label/sample" / f"{name}.txt").write_text(f"{label}\n")
            write_volume(
                folder / f"brain/{split}_label/pixel" / name, np.full((4, 4, 4), label, dtype=np.uint8), np.eye(4)
            )
    build_manifest(folder, ["brain"], seed=1).write(folder)
    return folder


def test_what_did_not_change_is_verified(challenge: Path) -> None:
    made = Commitment.of(challenge)
    made.write(challenge)

    assert broken(challenge, made.sha256) == []
    assert broken(challenge, f" {made.sha256.upper()}\n") == []
    assert Commitment.read(challenge) == made


def test_it_can_be_checked_without_any_program_of_ours(challenge: Path) -> None:
    listed = "find manifest.json deal.json */toy_label */test_label -type f ! -name '.*'"
    script = rf"{listed} | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum"

    done = subprocess.run(["bash", "-c", script], cwd=challenge, check=True, capture_output=True, text=True)

    assert done.stdout.split()[0] == Commitment.of(challenge).sha256


def test_labels_manifest_and_deal_are_covered(challenge: Path) -> None:
    assert sorted(Commitment.of(challenge).lines) == [
        "brain/test_label/pixel/test0.nii.gz",
        "brain/test_label/pixel/test1.nii.gz",
        "brain/test_label/sample/test0.nii.gz.txt",
        "brain/test_label/sample/test1.nii.gz.txt",
        "brain/toy_label/pixel/toy0.nii.gz",
        "brain/toy_label/pixel/toy1.nii.gz",
        "brain/toy_label/sample/toy0.nii.gz.txt",
        "brain/toy_label/sample/toy1.nii.gz.txt",
        "deal.json",
        "manifest.json",
    ]


def test_a_label_that_changed_is_named(challenge: Path) -> None:
    made = Commitment.of(challenge)
    made.write(challenge)
    (challenge / "brain/test_label/sample/test0.nii.gz.txt").write_text("1\n")

    found = broken(challenge, made.sha256)

    assert f"not {made.sha256}" in found[0]
    assert found[1] == "brain/test_label/sample/test0.nii.gz.txt: is not as it was"


def test_labels_that_changed_with_their_manifest_are_named(challenge: Path) -> None:
    made = Commitment.of(challenge)
    made.write(challenge)
    (challenge / "brain/test_label/sample/test0.nii.gz.txt").unlink()
    (challenge / "brain/test_label/pixel/test0.nii.gz").unlink()
    (challenge / "brain/test/test0.nii.gz").unlink()
    build_manifest(challenge, ["brain"], seed=2).write(challenge)

    assert broken(challenge, made.sha256)[1:] == [
        "brain/test_label/pixel/test0.nii.gz: is not as it was",
        "brain/test_label/sample/test0.nii.gz.txt: is not as it was",
        "deal.json: is not as it was",
        "manifest.json: is not as it was",
    ]


def test_a_manifest_keeps_what_it_covers_beside_the_data_sets(challenge: Path) -> None:
    plain = Manifest.read(challenge)
    assert plain.to_bytes() == (challenge / "manifest.json").read_bytes()
    assert b"made" not in plain.to_bytes()
    (challenge / "recipe.yaml").write_text("seed: 1\n")
    entry = file_entry(challenge / "recipe.yaml")
    Manifest(datasets=plain.datasets, deals=plain.deals, files={"recipe.yaml": entry}, made={"by": "hand"}).write(
        challenge
    )

    read = Manifest.read(challenge)

    assert (read.files, read.made) == ({"recipe.yaml": entry}, {"by": "hand"})
    made = Commitment.of(challenge)
    (challenge / "recipe.yaml").write_text("seed: 2\n")
    assert broken(challenge, made.sha256) == ["recipe.yaml: has other content than manifest.json says; copy it again"]


def test_a_volume_that_changed_is_named_though_the_hash_holds(challenge: Path) -> None:
    made = Commitment.of(challenge)
    write_volume(challenge / "brain/test/test0.nii.gz", np.zeros((4, 4, 4), dtype=np.float32), np.eye(4))

    (complaint,) = broken(challenge, made.sha256)

    assert complaint.startswith("brain/test/test0.nii.gz: has other content than manifest.json says")


def test_a_file_that_was_added_is_named(challenge: Path) -> None:
    made = Commitment.of(challenge)
    made.write(challenge)
    (challenge / "brain/test_label/sample/more.nii.gz.txt").write_text("1\n")

    assert "brain/test_label/sample/more.nii.gz.txt: was not there" in broken(challenge, made.sha256)


def test_without_the_lines_only_the_hashes_are_told(challenge: Path) -> None:
    (told,) = broken(challenge, "0" * 64)
    assert "which file changed cannot be told" in told

    Commitment.of(challenge).write(challenge)
    (told,) = broken(challenge, "0" * 64)
    assert "commitment.json is of another commitment" in told


def test_lines_that_were_changed_are_not_believed(challenge: Path) -> None:
    Commitment.of(challenge).write(challenge)
    content = (challenge / FILE).read_text()
    (challenge / FILE).write_text(content.replace("manifest.json", "manifest.jsom"))

    with pytest.raises(DatasetError, match="it was changed"):
        Commitment.read(challenge)
