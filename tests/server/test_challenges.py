"""challenge.yaml, loading a folder, phases."""

import io
import shutil
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from evaluator.dataset import build_manifest
from server import challenges
from server.db import Database
from server.errors import Conflict, Invalid, NotFound
from server.protocol import ContainerUser, Stage, Task
from server.storage import Store
from tests.server.world import DATASETS, NOW, World, make_challenge


def rewrite(folder: Path, old: str, new: str) -> None:
    path = folder / "challenge.yaml"
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))


def test_everything_but_names_has_a_default(challenge_folder: Path) -> None:
    read = challenges.read_folder(challenge_folder)
    assert (read.budget_s, read.final_submissions, read.container_user) == (600, 10, ContainerUser.NOBODY)
    assert read.architecture == "amd64"
    assert read.opens_at is None
    assert read.closes_at is None


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("slug: tiny", "slug: Not A Slug", "slug"),
        ("slug: tiny", "slug: tiny\ncolour: red", "colour"),
        ("slug: tiny", "slug: tiny\nbudget_s: -1", "budget_s"),
        ("slug: tiny", "slug: tiny\nopens_at: 2026-01-01T00:00:00", "opens_at"),
        ("slug: tiny", "slug: tiny\nlimits: {memory: 3}", "limits.memory"),
        ("title: Tiny\n", "", "title"),
        ("'name': 'abdom'", "'name': 'brain'", "names one twice"),
        ("'name': 'abdom'", "'name': 'a/b'", "datasets.1.name"),
        ("slug: tiny", "slug: [", "not YAML"),
    ],
)
def test_a_complaint_names_the_field(own_challenge_folder: Path, old: str, new: str, complaint: str) -> None:
    rewrite(own_challenge_folder, old, new)
    with pytest.raises(Invalid, match=complaint):
        challenges.read_folder(own_challenge_folder)


def test_a_folder_without_challenge_yaml_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="mood challenge init"):
        challenges.read_folder(tmp_path)


def test_there_may_be_no_challenge(embedded_db: Database) -> None:
    with pytest.raises(NotFound, match="mood challenge load"), embedded_db.read() as s:
        challenges.current(s)


def test_the_one_loaded_last_is_current(embedded_world: World, tmp_path: Path) -> None:
    other = make_challenge(tmp_path / "other", slug="other")
    challenges.load(embedded_world.db, embedded_world.store, other, NOW + timedelta(hours=1))
    with embedded_world.db.read() as s:
        assert challenges.current(s).slug == "other"
    challenges.load(embedded_world.db, embedded_world.store, embedded_world.folder, NOW + timedelta(hours=2))
    with embedded_world.db.read() as s:
        assert challenges.current(s).slug == "tiny"


def test_a_container_sees_the_cases_of_its_task(world: World) -> None:
    with world.db.read() as s:
        brain = world.challenge(s).datasets[0]
        found = {
            (stage, task): [case.name for case in challenges.cases(brain, stage, task)]
            for stage in Stage
            for task in Task
        }
    assert found[Stage.TOY, Task.SAMPLE] == [f"toy{n}.nii.gz" for n in range(4)]
    assert found[Stage.TOY, Task.PIXEL] == [f"toy{n}.nii.gz" for n in range(3)]
    assert found[Stage.HIDDEN, Task.SAMPLE] == [f"test{n}.nii.gz" for n in range(4)]
    assert found[Stage.HIDDEN, Task.PIXEL] == [f"test{n}.nii.gz" for n in range(3)]


def test_the_toy_archive_holds_toy_cases_and_labels_alone(embedded_world: World) -> None:
    with embedded_world.db.read() as s:
        sha256 = embedded_world.challenge(s).toy_sha256
    with zipfile.ZipFile(io.BytesIO(embedded_world.store.get(sha256))) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        original = (embedded_world.folder / "brain/toy/toy1.nii.gz").read_bytes()
        assert archive.read("toy-cases/brain/toy/toy1.nii.gz") == original
    assert not [name for name in names if "test" in name]
    assert {name.split("/")[1] for name in names} == set(DATASETS)
    # 4 volumes, 4 sample labels, 3 pixel labels in each data set.
    assert len(names) == 22


def test_the_same_toy_cases_are_the_same_archive(embedded_db: Database, store: Store, challenge_folder: Path) -> None:
    challenges.load(embedded_db, store, challenge_folder, NOW)
    with embedded_db.read() as s:
        first = challenges.current(s).toy_sha256
    challenges.load(embedded_db, store, challenge_folder, NOW + timedelta(days=1))
    with embedded_db.read() as s:
        assert challenges.current(s).toy_sha256 == first


def test_hidden_volumes_need_not_be_there(embedded_db: Database, store: Store, own_challenge_folder: Path) -> None:
    for name in DATASETS:
        shutil.rmtree(own_challenge_folder / name / "test")
        shutil.rmtree(own_challenge_folder / name / "test_label")
    assert challenges.load(embedded_db, store, own_challenge_folder, NOW) == "tiny"


def test_a_toy_case_that_is_not_the_manifests_is_refused(
    embedded_db: Database, store: Store, own_challenge_folder: Path
) -> None:
    (own_challenge_folder / "brain/toy/toy1.nii.gz").write_bytes(b"changed")
    with pytest.raises(Invalid, match=r"toy1\.nii\.gz is not what manifest\.json says"):
        challenges.load(embedded_db, store, own_challenge_folder, NOW)
    (own_challenge_folder / "brain/toy/toy1.nii.gz").unlink()
    with pytest.raises(Invalid, match=r"toy1\.nii\.gz is missing"):
        challenges.load(embedded_db, store, own_challenge_folder, NOW)


def test_a_data_set_that_the_manifest_lacks_is_refused(
    embedded_db: Database, store: Store, own_challenge_folder: Path
) -> None:
    rewrite(own_challenge_folder, "'name': 'abdom'", "'name': 'heart'")
    with pytest.raises(Invalid, match="heart"):
        challenges.load(embedded_db, store, own_challenge_folder, NOW)


def test_a_deal_of_another_manifest_is_refused(embedded_db: Database, store: Store, own_challenge_folder: Path) -> None:
    path = own_challenge_folder / "deal.json"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(Invalid, match=r"deal\.json"):
        challenges.load(embedded_db, store, own_challenge_folder, NOW)


def other_data(folder: Path) -> None:
    (folder / "brain/toy_label/sample/toy0.nii.gz.txt").write_text("0\n\n")
    build_manifest(folder, list(DATASETS), seed=1, batch_size=2).write(folder)


def test_settings_can_change_at_any_time(world: World, own_challenge_folder: Path) -> None:
    world.submit()
    for _ in range(2):
        world.finish(world.claim())
    rewrite(own_challenge_folder, "title: Tiny", "title: Renamed\nfinal_submissions: 3")
    challenges.load(world.db, world.store, own_challenge_folder, NOW)
    with world.db.read() as s:
        assert challenges.settings(world.challenge(s)).final_submissions == 3
        assert world.challenge(s).title == "Renamed"


def test_data_can_change_until_something_is_scored(world: World, own_challenge_folder: Path) -> None:
    world.submit()
    other_data(own_challenge_folder)
    challenges.load(world.db, world.store, own_challenge_folder, NOW)
    for _ in range(2):
        world.finish(world.claim())
    with pytest.raises(Conflict, match="new slug"):
        challenges.load(world.db, world.store, world.folder, NOW)


def test_data_sets_can_change_until_something_is_handed_in(world: World, own_challenge_folder: Path) -> None:
    rewrite(own_challenge_folder, ", {'name': 'abdom', 'title': 'Abdom'}", "")
    challenges.load(world.db, world.store, own_challenge_folder, NOW)
    with world.db.read() as s:
        assert [row.name for row in world.challenge(s).datasets] == ["brain"]
    world.upload()
    with pytest.raises(Conflict, match="new slug"):
        challenges.load(world.db, world.store, world.folder, NOW)


def test_phases(embedded_world: World, own_challenge_folder: Path) -> None:
    opens, closes = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    rewrite(
        own_challenge_folder,
        "slug: tiny",
        f"slug: tiny\nopens_at: {opens.isoformat()}\ncloses_at: {closes.isoformat()}",
    )
    challenges.load(embedded_world.db, embedded_world.store, own_challenge_folder, NOW)
    with embedded_world.db.read() as s:
        challenge = embedded_world.challenge(s)
        instants = (NOW, opens, closes - timedelta(seconds=1), closes)
        assert [challenges.phase(challenge, at) for at in instants] == ["before", "open", "open", "closed"]
