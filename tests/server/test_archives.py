"""The archive check: what is accepted, and each hostile archive with the code it must end in."""

import gzip
import io
import json
import os
import struct
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from server import archives
from server.archives import Facts, Refusal, Wanted
from server.protocol import FailureCode
from tests.server.archive_maker import (
    SCRIPTS,
    Entry,
    Image,
    files,
    folder,
    hard_link,
    sha256,
    symlink,
    tar,
)

SCRIPT = "workspace/run_sample_brain.sh"
WANTED = Wanted(
    architecture="amd64",
    scripts=("run_sample_brain.sh", "run_sample_abdom.sh"),
    others=("run_pixel_brain.sh", "run_pixel_abdom.sh"),
    max_archive_bytes=100 * 2**20,
    max_unpacked_bytes=50 * 2**20,
)
ONE_SCRIPT = Wanted(
    architecture="amd64", scripts=("run_sample_brain.sh",), max_archive_bytes=2**30, max_unpacked_bytes=50 * 2**20
)


def check(tmp_path: Path, archive: bytes, wanted: Wanted = WANTED) -> Facts | Refusal:
    path = tmp_path / "archive"
    path.write_bytes(archive)
    return archives.check(path, wanted)


def code(tmp_path: Path, archive: bytes, wanted: Wanted = WANTED) -> FailureCode:
    found = check(tmp_path, archive, wanted)
    assert isinstance(found, Refusal), found
    return found.code


def has_script(tmp_path: Path, *layers: list[Entry]) -> bool:
    """Is the one script there, when these layers are applied?"""
    found = check(tmp_path, Image(layers=[tar(layer) for layer in layers]).save(), ONE_SCRIPT)
    if isinstance(found, Facts):
        return True
    assert found.code is FailureCode.ARCHIVE_SCRIPTS, found
    return False


# --- accepted -------------------------------------------------------------------------------------------

SAVES: dict[str, Callable[[Image], bytes]] = {
    "engine 20.10": lambda image: image.save(),
    "engine 20.10, gzip": lambda image: gzip.compress(image.save()),
    "gzip in two members": lambda image: gzip.compress(image.save()[:700]) + gzip.compress(image.save()[700:]),
    "engine 25": lambda image: image.save_oci(),
    "engine 25, compressed layers": lambda image: image.save_oci(compressed=True),
    "engine 25, both compressed": lambda image: gzip.compress(image.save_oci(compressed=True)),
}


@pytest.mark.parametrize("save", SAVES)
def test_the_digest_is_the_configs_however_it_was_saved(tmp_path: Path, save: str) -> None:
    image = Image(layers=[tar([folder("etc")]), tar(files(SCRIPTS))])
    found = check(tmp_path, SAVES[save](image))
    assert isinstance(found, Facts), found
    assert found.digest == image.digest
    assert set(found.scripts) == {*WANTED.scripts, *WANTED.others}


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_layers_of_every_tar_format_are_read(tmp_path: Path, style: int) -> None:
    deep = "a" * 60 + "/" + "b" * 60  # longer than a plain header holds
    layer = tar(files({f"{deep}/file": b"x", **SCRIPTS}), style=style)
    assert isinstance(check(tmp_path, Image(layers=[layer]).save()), Facts)


def test_layers_that_are_alike_are_links(tmp_path: Path) -> None:
    # Engine 20.10 writes the second of two equal layers as a link to the first.
    layer = tar(files(SCRIPTS))
    image = Image(layers=[layer, layer])
    entry = {**image.entry, "Layers": ["one/layer.tar", "two/layer.tar"]}
    members = [
        Entry("one/layer.tar", layer),
        symlink("two/layer.tar", "../one/layer.tar"),
        Entry(f"{sha256(image.config)}.json", image.config),
        Entry("manifest.json", json.dumps([entry]).encode()),
    ]
    found = check(tmp_path, tar(members))
    assert isinstance(found, Facts), found
    assert found.digest == image.digest


def test_manifest_may_come_first(tmp_path: Path) -> None:
    image = Image()
    archive = tar([Entry("manifest.json", json.dumps([image.entry]).encode()), *image.members()])
    assert isinstance(check(tmp_path, archive), Facts)


def test_the_other_tasks_scripts_are_looked_for_but_not_needed(tmp_path: Path) -> None:
    only = {name: body for name, body in SCRIPTS.items() if "sample" in name}
    found = check(tmp_path, Image(layers=[tar(files(only))]).save())
    assert isinstance(found, Facts), found
    assert found.scripts == WANTED.scripts


# --- refused --------------------------------------------------------------------------------------------


def with_manifest(manifest: object) -> bytes:
    return tar([*Image().members(), Entry("manifest.json", json.dumps(manifest).encode())])


def without(name: str) -> bytes:
    members = [*Image().members(), Entry("manifest.json", json.dumps([Image().entry]).encode())]
    return tar([member for member in members if name not in member.name])


def with_config(**changed: object) -> bytes:
    config = json.dumps({**json.loads(Image().config), **changed}).encode()
    entry = {**Image().entry, "Config": "config.json"}
    members = [member for member in Image().members() if not member.name.endswith(".json")]
    return tar([*members, Entry("config.json", config), Entry("manifest.json", json.dumps([entry]).encode())])


def with_member(entry: Entry) -> bytes:
    return tar([entry, *Image().members(), Entry("manifest.json", json.dumps([Image().entry]).encode())])


def header(name: str, size: int, flag: bytes = b"0") -> bytes:
    """A tar header that claims what it likes."""
    member = tarfile.TarInfo(name)
    member.type = flag
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


def sparse_bomb() -> bytes:
    """A layer of a few bytes that unpacks to a terabyte of zeros."""
    return tar([Entry("hole", b"", pax={"GNU.sparse.major": "1", "GNU.sparse.realsize": str(10**12)}), *files(SCRIPTS)])


def gnu_sparse_bomb() -> bytes:
    block = bytearray(header("hole", 0, b"S"))
    block[483:495] = b"%011o\0" % (8 * 2**30 - 1)
    return with_checksum(block) + tar(files(SCRIPTS))


def with_checksum(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def truncated_gzip() -> bytes:
    packed = gzip.compress(os.urandom(5000) + Image().save())
    return packed[: len(packed) // 2]


def pax_bomb() -> bytes:
    """An extended header of four gigabytes, of which only the header is there."""
    return header("././@PaxHeader", 4 * 2**30, b"x") + bytes(10_000)


def long_name_bomb() -> bytes:
    return header("././@LongLink", 4 * 2**30, b"L") + bytes(10_000)


def renamed_layer() -> bytes:
    other = tar(files({"other": b"x"}))
    members = [
        Entry(member.name, other) if member.name.endswith("layer.tar") else member for member in Image().members()
    ]
    return tar([*members, Entry("manifest.json", json.dumps([Image().entry]).encode())])


def deep_json() -> bytes:
    return tar([Entry("manifest.json", b"[" * 100_000)])


_C = FailureCode
HOSTILE: dict[str, tuple[Callable[[], bytes], FailureCode]] = {
    "empty file": (lambda: b"", _C.ARCHIVE_FORMAT),
    "text": (lambda: b"hello " * 1000, _C.ARCHIVE_FORMAT),
    "random bytes": (lambda: os.urandom(5000), _C.ARCHIVE_FORMAT),
    "zip": (lambda: b"PK\x03\x04" + bytes(2000), _C.ARCHIVE_FORMAT),
    "empty tar": (lambda: tar([]), _C.ARCHIVE_FORMAT),
    "a tar of something else": (lambda: tar(files({"a": b"x"})), _C.ARCHIVE_FORMAT),
    "truncated": (lambda: Image().save()[:1500], _C.ARCHIVE_DAMAGED),
    "truncated gzip": (truncated_gzip, _C.ARCHIVE_FORMAT),
    "bytes behind gzip": (lambda: gzip.compress(Image().save()) + b"more", _C.ARCHIVE_FORMAT),
    "bad checksum of gzip": (lambda: gzip.compress(Image().save())[:-8] + bytes(8), _C.ARCHIVE_FORMAT),
    "OCI layout": (lambda: Image().save_oci(manifest=False), _C.ARCHIVE_OCI),
    "two images": (lambda: with_manifest([Image().entry, Image().entry]), _C.ARCHIVE_IMAGES),
    "no image": (lambda: with_manifest([]), _C.ARCHIVE_IMAGES),
    "manifest is an object": (lambda: with_manifest({}), _C.ARCHIVE_FORMAT),
    "manifest of numbers": (lambda: with_manifest([1]), _C.ARCHIVE_FORMAT),
    "manifest without config": (lambda: with_manifest([{"Layers": []}]), _C.ARCHIVE_FORMAT),
    "manifest nests deeply": (deep_json, _C.ARCHIVE_DAMAGED),
    "windows": (lambda: Image(system="windows").save(), _C.ARCHIVE_PLATFORM),
    "arm64": (lambda: Image(architecture="arm64").save(), _C.ARCHIVE_PLATFORM),
    "no config": (lambda: without(sha256(Image().config)), _C.ARCHIVE_DAMAGED),
    "no layer": (lambda: without("layer.tar"), _C.ARCHIVE_DAMAGED),
    "another layer": (renamed_layer, _C.ARCHIVE_DAMAGED),
    "fewer layers than the config says": (
        lambda: with_manifest([{**Image().entry, "Layers": []}]),
        _C.ARCHIVE_DAMAGED,
    ),
    "no layers at all": (lambda: Image(layers=[]).save(), _C.ARCHIVE_DAMAGED),
    "layers are no list": (lambda: with_manifest([{**Image().entry, "Layers": {}}]), _C.ARCHIVE_DAMAGED),
    "a layer's name is a number": (lambda: with_manifest([{**Image().entry, "Layers": [1]}]), _C.ARCHIVE_DAMAGED),
    "rootfs is text": (lambda: with_config(rootfs="x"), _C.ARCHIVE_DAMAGED),
    "a layer that is no tar": (lambda: Image(layers=[b"x" * 2000]).save(), _C.ARCHIVE_DAMAGED),
    "absolute path": (lambda: with_member(Entry("/etc/passwd", b"x")), _C.ARCHIVE_FORMAT),
    "path that leaves the archive": (lambda: with_member(Entry("a/../../b", b"x")), _C.ARCHIVE_FORMAT),
    "link that leaves the archive": (lambda: with_member(symlink("a", "../../etc")), _C.ARCHIVE_FORMAT),
    "links in a circle": (
        lambda: tar([symlink("manifest.json", "b"), symlink("b", "manifest.json")]),
        _C.ARCHIVE_FORMAT,
    ),
    "config is a circle": (
        lambda: tar([symlink("c", "d"), symlink("d", "c"), Entry("manifest.json", b'[{"Config": "c"}]')]),
        _C.ARCHIVE_DAMAGED,
    ),
    "hard link": (lambda: with_member(hard_link("a", "manifest.json")), _C.ARCHIVE_FORMAT),
    "device": (lambda: with_member(Entry("a", kind=tarfile.CHRTYPE)), _C.ARCHIVE_FORMAT),
    "pipe": (lambda: with_member(Entry("a", kind=tarfile.FIFOTYPE)), _C.ARCHIVE_FORMAT),
    "the same name twice": (lambda: with_member(Entry("manifest.json", b"[]")), _C.ARCHIVE_FORMAT),
    "pax bomb": (pax_bomb, _C.ARCHIVE_FORMAT),
    "long name bomb": (long_name_bomb, _C.ARCHIVE_FORMAT),
    "size that is no number": (lambda: with_member(Entry("a", b"x", pax={"size": "-1"})), _C.ARCHIVE_FORMAT),
    "gzip bomb": (lambda: gzip.compress(bytes(200 * 2**20), 1), _C.ARCHIVE_SIZE),
    "gzip bomb in a tar": (lambda: gzip.compress(header("a", 300 * 2**20) + bytes(300 * 2**20)), _C.ARCHIVE_SIZE),
    "gzip bomb in a layer": (
        lambda: with_member(Entry("a", gzip.compress(bytes(300 * 2**20), 1))),
        _C.ARCHIVE_SIZE,
    ),
    "large when unpacked": (
        lambda: Image(layers=[tar([*files(SCRIPTS), Entry("zeros", bytes(51 * 2**20))])]).save(),
        _C.ARCHIVE_SIZE,
    ),
    "sparse bomb": (lambda: Image(layers=[sparse_bomb()]).save(), _C.ARCHIVE_SIZE),
    "GNU sparse bomb": (lambda: Image(layers=[gnu_sparse_bomb()]).save(), _C.ARCHIVE_SIZE),
    "layer path that leaves the image": (
        lambda: Image(layers=[tar([Entry("../x", b""), *files(SCRIPTS)])]).save(),
        _C.ARCHIVE_DAMAGED,
    ),
    "many volumes": (lambda: Image(volumes=[f"/v{n}" for n in range(9)]).save(), _C.ARCHIVE_SIZE),
    "no scripts": (lambda: Image(layers=[tar([folder("workspace")])]).save(), _C.ARCHIVE_SCRIPTS),
    "scripts of the other task": (
        lambda: Image(layers=[tar(files({k: v for k, v in SCRIPTS.items() if "pixel" in k}))]).save(),
        _C.ARCHIVE_SCRIPTS,
    ),
    "scripts elsewhere": (
        lambda: Image(layers=[tar(files({f"app/{k}": v for k, v in SCRIPTS.items()}))]).save(),
        _C.ARCHIVE_SCRIPTS,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_hostile_archive_ends_in_its_code(tmp_path: Path, name: str) -> None:
    make, expected = HOSTILE[name]
    assert code(tmp_path, make()) is expected


def test_an_archive_over_the_packed_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    with path.open("wb") as file:
        file.truncate(WANTED.max_archive_bytes + 1)
    found = archives.check(path, WANTED)
    assert isinstance(found, Refusal)
    assert found.code is FailureCode.ARCHIVE_SIZE


def test_messages_name_the_thing(tmp_path: Path) -> None:
    found = check(tmp_path, Image(layers=[tar([folder("workspace")])]).save())
    assert isinstance(found, Refusal)
    assert "/workspace/run_sample_brain.sh and /workspace/run_sample_abdom.sh" in found.message
    found = check(tmp_path, Image(architecture="arm64").save())
    assert isinstance(found, Refusal)
    assert "'arm64'" in found.message
    assert "linux/amd64" in found.message


# --- layers applied -------------------------------------------------------------------------------------

HERE = Entry(SCRIPT, b"#!/bin/sh\n")
ELSEWHERE = Entry("opt/app/run.sh", b"#!/bin/sh\n")


def test_a_later_layer_takes_a_script_away(tmp_path: Path) -> None:
    assert not has_script(tmp_path, [HERE], [Entry("workspace/.wh.run_sample_brain.sh")])


def test_a_later_layer_takes_the_folder_away(tmp_path: Path) -> None:
    assert not has_script(tmp_path, [HERE], [Entry(".wh.workspace")])
    assert not has_script(tmp_path, [HERE], [folder("workspace"), Entry("workspace/.wh..wh..opq")])


def test_what_was_taken_away_can_come_back(tmp_path: Path) -> None:
    assert has_script(tmp_path, [HERE], [Entry(".wh.workspace")], [HERE])
    assert has_script(tmp_path, [HERE], [folder("workspace"), Entry("workspace/.wh..wh..opq"), HERE])


def test_a_folder_made_again_above_its_removal_is_empty(tmp_path: Path) -> None:
    assert not has_script(tmp_path, [HERE], [Entry(".wh.workspace")], [folder("workspace")])


def test_links_are_followed(tmp_path: Path) -> None:
    assert has_script(tmp_path, [ELSEWHERE, symlink(SCRIPT, "/opt/app/run.sh")])
    assert has_script(tmp_path, [ELSEWHERE], [symlink(SCRIPT, "../opt/app/run.sh")])
    assert has_script(tmp_path, [ELSEWHERE], [symlink(SCRIPT, "../../../../opt/./app/run.sh")])
    assert has_script(tmp_path, [symlink(SCRIPT, "/a"), symlink("a", "opt/app/run.sh"), ELSEWHERE])


def test_a_workspace_that_is_a_link_is_followed(tmp_path: Path) -> None:
    script = Entry("opt/app/run_sample_brain.sh", b"x")
    assert has_script(tmp_path, [script, symlink("workspace", "opt/app")])
    assert has_script(tmp_path, [script], [symlink("workspace", "/opt/app")])
    assert has_script(tmp_path, [symlink("workspace", "opt/app")], [script])


def test_a_folder_over_a_link_hides_it(tmp_path: Path) -> None:
    script = Entry("opt/app/run_sample_brain.sh", b"x")
    assert not has_script(tmp_path, [script, symlink("workspace", "opt/app")], [Entry("workspace/other", b"x")])


def test_links_that_lead_nowhere_are_no_script(tmp_path: Path) -> None:
    assert not has_script(tmp_path, [symlink(SCRIPT, "/nowhere")])
    assert not has_script(tmp_path, [symlink(SCRIPT, "run_sample_brain.sh")])
    assert not has_script(tmp_path, [symlink(SCRIPT, "/a"), symlink("a", "/b"), symlink("b", "/a")])
    assert not has_script(tmp_path, [ELSEWHERE, symlink(SCRIPT, "/opt/app/run.sh")], [Entry("opt/app/.wh.run.sh")])


def test_a_hard_link_is_what_it_links_to(tmp_path: Path) -> None:
    assert has_script(tmp_path, [ELSEWHERE, hard_link(SCRIPT, "opt/app/run.sh")])
    assert has_script(tmp_path, [ELSEWHERE, hard_link(SCRIPT, "opt/app/run.sh")], [Entry("opt/app/.wh.run.sh")])
    assert not has_script(tmp_path, [hard_link(SCRIPT, "nowhere")])


def test_only_a_regular_file_is_a_script(tmp_path: Path) -> None:
    assert not has_script(tmp_path, [folder(SCRIPT)])
    assert not has_script(tmp_path, [Entry(SCRIPT, kind=tarfile.FIFOTYPE)])
    assert not has_script(tmp_path, [HERE], [folder(SCRIPT)])
    assert not has_script(tmp_path, [Entry("workspace", b"x")])


def test_the_last_of_two_entries_counts(tmp_path: Path) -> None:
    assert has_script(tmp_path, [symlink(SCRIPT, "/nowhere"), HERE])
    assert not has_script(tmp_path, [HERE, symlink(SCRIPT, "/nowhere")])


@pytest.mark.parametrize("prefix", ["./", "/", "./a/../"])
def test_paths_are_written_in_many_ways(tmp_path: Path, prefix: str) -> None:
    assert has_script(tmp_path, [Entry(prefix + SCRIPT, b"x")])


# --- the child process ----------------------------------------------------------------------------------


def test_the_child_says_what_the_function_says(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(Image().save())
    bad.write_bytes(Image(system="plan9").save())
    for path in (good, bad):
        assert archives.check_in_child(path, WANTED, beat=lambda: None) == archives.check(path, WANTED)


def test_a_child_that_breaks_down_is_ours(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="No such file"):
        archives.check_in_child(tmp_path / "missing", WANTED, beat=lambda: None)


def test_a_child_that_needs_too_much_memory_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> tuple[bytes, bytes]:
        return b"", b"Traceback\nMemoryError\n"

    monkeypatch.setattr(archives, "wait", killed)
    monkeypatch.setattr(subprocess.Popen, "returncode", 1, raising=False)
    path = tmp_path / "archive"
    path.write_bytes(Image().save())
    found = archives.check_in_child(path, WANTED, beat=lambda: None)
    assert isinstance(found, Refusal)
    assert found.code is FailureCode.ARCHIVE_FORMAT


def test_an_entry_costs_a_few_bytes_of_memory(tmp_path: Path) -> None:
    few, many = (peak_bytes(tmp_path, entries) for entries in (2_000, 20_000))
    assert many - few < 18_000 * 24


def peak_bytes(tmp_path: Path, entries: int) -> int:
    """Memory that the check of an image with so many files takes."""
    block = bytearray(tarfile.TarInfo("f0000000").tobuf(tarfile.USTAR_FORMAT))
    out = io.BytesIO()
    for number in range(entries):
        block[0:8] = b"f%07d" % number
        out.write(with_checksum(block))
    path = tmp_path / "archive"
    path.write_bytes(Image(layers=[out.getvalue() + tar([HERE])]).save())
    del out
    tracemalloc.start()
    found = archives.check(path, ONE_SCRIPT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(found, Facts), found
    return peak


def test_more_entries_than_an_image_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.layers.ENTRIES_MAX", 100)
    layer = tar([Entry(f"f{number}") for number in range(101)])
    assert code(tmp_path, Image(layers=[layer]).save()) is FailureCode.ARCHIVE_SIZE


def test_more_links_than_an_image_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.layers.LINK_BYTES_MAX", 10_000)
    layer = tar([symlink(f"f{number}", "t" * 90) for number in range(101)])
    assert code(tmp_path, Image(layers=[layer]).save()) is FailureCode.ARCHIVE_SIZE


def test_more_files_than_docker_save_writes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MEMBERS_MAX", 100)
    assert code(tmp_path, tar([Entry(f"f{number}") for number in range(101)])) is FailureCode.ARCHIVE_FORMAT


def test_more_json_than_an_image_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "JSON_TOTAL_MAX", 1000)
    assert code(tmp_path, tar([Entry(f"f{n}", b"{" + bytes(300)) for n in range(5)])) is FailureCode.ARCHIVE_FORMAT


@pytest.mark.docker
def test_the_engines_own_archive_has_the_engines_own_image_id(tmp_path: Path) -> None:
    layer = tar(files({**SCRIPTS, "bin/sh": b"x"}))
    name = f"mood-archive-test-{os.getpid()}:latest"
    made = subprocess.run(["docker", "import", "-", name], input=layer, capture_output=True, check=True)
    image_id = made.stdout.decode().strip()
    try:
        by_name, by_id = tmp_path / "name.tar", tmp_path / "id.tar"
        subprocess.run(["docker", "save", "-o", by_name, name], check=True)
        subprocess.run(["docker", "save", "-o", by_id, image_id], check=True)
        for path in (by_name, by_id):
            found = archives.check(path, WANTED)
            assert isinstance(found, Facts), found
            assert found.digest == image_id
    finally:
        subprocess.run(["docker", "rmi", "-f", image_id], check=True, capture_output=True)


def test_sizes_are_read_as_base_256_too(tmp_path: Path) -> None:
    block = bytearray(header("a", 0))
    block[124:136] = b"\x80" + bytes(3) + struct.pack(">Q", 5)
    archive = with_checksum(block) + b"hello".ljust(512, b"\0") + Image().save()
    assert isinstance(check(tmp_path, archive), Facts)
