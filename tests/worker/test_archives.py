"""A stranger's archive, and what of it reaches the engine."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from worker.archives import BadArchive, image_digest, untagged

CONFIG = b'{"architecture": "amd64"}'
LAYER = b"layer" * 1000
MANIFEST = [{"Config": "c.json", "RepoTags": ["debian:latest"], "Layers": ["l/layer.tar"]}]

Member = tuple[str, bytes | str]  # name, and content or what it links to


def write(path: Path, members: Sequence[Member], *, packed: bool = False, link: bytes = tarfile.SYMTYPE) -> Path:
    """Write a tar of files (bytes) and links (text)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members:
            header = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
            else:
                header.type, header.linkname = link, content
                tar.addfile(header)
    path.write_bytes(gzip.compress(stream.getvalue()) if packed else stream.getvalue())
    return path


def manifest(entries: object = MANIFEST) -> bytes:
    return json.dumps(entries).encode()


def passed_on(archive: Path) -> dict[str, bytes]:
    """What the engine would see."""
    stream = io.BytesIO(b"".join(untagged(archive)))
    found = {}
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            assert member.name not in found
            found[member.name] = content.read()
    return found


GOOD: list[Member] = [("l/layer.tar", LAYER), ("c.json", CONFIG), ("manifest.json", manifest())]


@pytest.mark.parametrize("packed", [False, True])
def test_an_image_is_passed_on_without_its_tags(tmp_path: Path, *, packed: bool) -> None:
    archive = write(tmp_path / "image.tar", [*GOOD, ("repositories", b'{"debian": {"latest": "x"}}')], packed=packed)
    found = passed_on(archive)
    assert set(found) == {"manifest.json", "c.json", "l/layer.tar"}
    assert json.loads(found["manifest.json"]) == [{"Config": "c.json", "RepoTags": None, "Layers": ["l/layer.tar"]}]
    assert found["c.json"] == CONFIG
    assert found["l/layer.tar"] == LAYER


def test_what_newer_engines_read_tags_from_is_left_behind(tmp_path: Path) -> None:
    members: list[Member] = [*GOOD, ("index.json", b"{}"), ("oci-layout", b"{}"), ("other/file", b"x")]
    assert set(passed_on(write(tmp_path / "image.tar", members))) == {"manifest.json", "c.json", "l/layer.tar"}


@pytest.mark.parametrize("link", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_layer_that_is_a_link_to_its_twin_is_the_twin(tmp_path: Path, link: bytes) -> None:
    entry = [{"Config": "c.json", "RepoTags": None, "Layers": ["a/layer.tar", "b/layer.tar"]}]
    target = "../a/layer.tar" if link == tarfile.SYMTYPE else "a/layer.tar"
    members: list[Member] = [
        ("a/layer.tar", LAYER),
        ("b/layer.tar", target),
        ("c.json", CONFIG),
        ("manifest.json", manifest(entry)),
    ]
    found = passed_on(write(tmp_path / "image.tar", members, link=link))
    assert json.loads(found["manifest.json"])[0]["Layers"] == ["a/layer.tar", "a/layer.tar"]


def test_a_second_manifest_behind_a_link_does_not_count(tmp_path: Path) -> None:
    # Unpacked, "here/manifest.json" would stand where the manifest is.
    evil = manifest([{"Config": "c.json", "RepoTags": ["debian:latest"], "Layers": []}])
    found = passed_on(write(tmp_path / "image.tar", [*GOOD, ("here", "."), ("here/manifest.json", evil)]))
    assert b"debian" not in b"".join(found.values())


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ([("c.json", CONFIG)], "no manifest.json"),
        ([("m.json", manifest()), ("manifest.json", "m.json")], "no manifest.json"),
        ([("manifest.json", b"no JSON")], "does not describe exactly one image"),
        ([("manifest.json", b"[" * 100_000)], "does not describe exactly one image"),
        ([("manifest.json", manifest([]))], "does not describe exactly one image"),
        ([("manifest.json", manifest([*MANIFEST, *MANIFEST]))], "does not describe exactly one image"),
        ([("manifest.json", bytes(2**20 + 1))], "allowed are"),
        ([("manifest.json", manifest()), ("c.json", CONFIG)], "names l/layer.tar, which is not a file"),
        ([*GOOD, ("c.json", CONFIG)], "c.json stands in it twice"),
        (
            [("manifest.json", manifest([{"Config": "x", "Layers": []}])), ("x", "y"), ("y", "x")],
            "names x, which is not a file",
        ),
        (
            [("manifest.json", manifest([{"Config": "../c.json", "Layers": []}])), ("../c.json", CONFIG)],
            "names ../c.json, which is not a file",
        ),
    ],
)
def test_an_archive_that_is_not_one_image_is_refused(tmp_path: Path, members: list[Member], complaint: str) -> None:
    with pytest.raises(BadArchive, match=complaint):
        passed_on(write(tmp_path / "image.tar", members))


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(b"PK\3\4" + bytes(2000))
    with pytest.raises(BadArchive, match="cannot be read as a tar"):
        passed_on(tmp_path / "image.tar")


def test_an_archive_cut_short_is_refused(tmp_path: Path) -> None:
    archive = write(tmp_path / "image.tar", GOOD, packed=True)
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(BadArchive):
        passed_on(archive)


def test_an_image_s_digest_is_the_hash_of_its_config(tmp_path: Path) -> None:
    archive = write(tmp_path / "image.tar", GOOD)
    assert image_digest(archive) == "sha256:" + hashlib.sha256(CONFIG).hexdigest()
