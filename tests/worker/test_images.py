"""Images on a real engine: fetched, compared, and taken away again."""

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.protocol import Digest
from tests.worker.conftest import Build, job_spec
from tests.worker.memory_server import MemoryServer
from worker.images import ImageFault, Images, load_archive
from worker.runners.docker import Engine

pytestmark = pytest.mark.docker


@pytest.fixture
def images(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Images]:
    """Two images kept, under a repository of this test's own."""
    repository = f"mood-test-job-{secrets.token_hex(4)}"
    monkeypatch.setattr("worker.images.REPOSITORY", repository)
    yield Images(engine, keep=2)
    for facts in engine.images(repository):
        engine.remove_image(facts.id)


def saved(engine: Engine, build: Build, folder: Path, script: str) -> tuple[Digest, bytes]:
    """An image's ID and archive; the engine no longer has it."""
    image = build(script)
    (tag,) = (facts.tags[0] for facts in [engine.image(image)] if facts)
    engine.save(tag, folder / "saved.tar")
    engine.remove_image(tag)
    assert engine.image_id(image) is None
    return image, (folder / "saved.tar").read_bytes()


def fetch(images: Images, challenge: Path, folder: Path, image: Digest, archive: bytes, sha256: str = "") -> None:
    spec = job_spec(challenge, image, archive_sha256=sha256 or hashlib.sha256(archive).hexdigest())
    images.ready(spec, MemoryServer(spec, archive), folder)


def test_an_image_is_fetched_without_its_tag(
    images: Images, engine: Engine, build: Build, challenge: Path, tmp_path: Path
) -> None:
    image, archive = saved(engine, build, tmp_path, "echo one")
    (tmp_path / "scratch").mkdir()
    fetch(images, challenge, tmp_path / "scratch", image, archive)
    facts = engine.image(image)
    assert facts is not None
    assert all(tag.startswith("mood-test-job-") for tag in facts.tags)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_archive_of_another_hash_is_not_loaded(
    images: Images, engine: Engine, build: Build, challenge: Path, tmp_path: Path
) -> None:
    image, archive = saved(engine, build, tmp_path, "echo two")
    with pytest.raises(ImageFault, match="expected ffff"):
        fetch(images, challenge, tmp_path, image, archive, sha256="f" * 64)
    assert engine.image_id(image) is None


def test_an_archive_of_another_image_is_told(
    images: Images, engine: Engine, build: Build, challenge: Path, tmp_path: Path
) -> None:
    image, archive = saved(engine, build, tmp_path, "echo three")
    with pytest.raises(ImageFault, match="the engine has no image sha256:0000"):
        fetch(images, challenge, tmp_path, "sha256:" + "0" * 64, archive)
    engine.remove_image(image)


def test_the_image_used_longest_ago_makes_room(
    images: Images, engine: Engine, build: Build, challenge: Path, tmp_path: Path
) -> None:
    made = [saved(engine, build, tmp_path, f"echo room {number}") for number in range(3)]
    for image, archive in [made[0], made[1], made[0], made[2]]:
        fetch(images, challenge, tmp_path, image, archive)
    assert [engine.image_id(image) is not None for image, _ in made] == [True, False, True]


def test_an_image_the_host_had_before_is_never_removed(
    images: Images, engine: Engine, build: Build, challenge: Path, tmp_path: Path
) -> None:
    own = build("echo the host's own")
    fetch(images, challenge, tmp_path, own, b"")
    for number in range(3):
        fetch(images, challenge, tmp_path, *saved(engine, build, tmp_path, f"echo other {number}"))
    facts = engine.image(own)
    assert facts is not None
    assert not any(tag.startswith("mood-test-job-") for tag in facts.tags)


def test_a_stranger_s_archive_does_not_take_over_a_name(engine: Engine, build: Build, tmp_path: Path) -> None:
    image = build("echo stranger")
    facts = engine.image(image)
    assert facts is not None
    engine.save(facts.tags[0], tmp_path / "stranger.tar")
    repository, tag = facts.tags[0].split(":")
    engine.remove_image(facts.tags[0])
    own = build("echo own")
    engine.tag(own, repository, tag)

    load_archive(engine, tmp_path / "stranger.tar", expected=image)

    assert engine.image_id(f"{repository}:{tag}") == own
    engine.remove_image(image)
