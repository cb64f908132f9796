"""Cases under names that say nothing, and a place to write to that ends somewhere."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.workspace import Scratch, ScratchTaken, copy_anonymously, output_bytes, remove, run_folder

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can mount")


def named_cases(folder: Path) -> dict[str, Path]:
    """Three cases that say all they can: names, times, gzip headers."""
    cases = {}
    for number, name in enumerate(("normal_1.nii.gz", "sphere_2.nii.gz", "tumour_long_name.nii.gz")):
        path = folder / name
        with path.open("wb") as file, gzip.GzipFile(name, "wb", fileobj=file, mtime=1000 + number) as packed:
            packed.write(f"voxels {number}".encode())
        os.utime(path, (2000 + number, 2000 + number))
        cases[name] = path
    return cases


def test_names_times_and_headers_say_nothing(tmp_path: Path) -> None:
    cases = named_cases(tmp_path)
    with run_folder(tmp_path, cases=cases, output_cap_bytes=2**22, owner=0) as folder:
        names = sorted(path.name for path in folder.input_dir.iterdir())
        assert len({len(name) for name in names}) == 1
        assert len({(folder.input_dir / name).stat().st_mtime_ns for name in names}) == 1
        heads = {(folder.input_dir / name).read_bytes()[:10] for name in names}
        assert heads == {b"\x1f\x8b\x08\0\0\0\0\0\0\xff"}
        content = b"".join((folder.input_dir / name).read_bytes() for name in names)
        assert not any(word in content for word in (b"normal", b"sphere", b"tumour"))


def test_copies_hold_the_same_voxels(tmp_path: Path) -> None:
    cases = named_cases(tmp_path)
    with run_folder(tmp_path, cases=cases, output_cap_bytes=2**22, owner=0) as folder:
        assert sorted(folder.case_of.values()) == sorted(cases)
        for name, case in folder.case_of.items():
            assert gzip.decompress((folder.input_dir / name).read_bytes()) == gzip.decompress(cases[case].read_bytes())


def test_names_differ_from_run_to_run(tmp_path: Path) -> None:
    cases = named_cases(tmp_path)
    with (
        run_folder(tmp_path, cases=cases, output_cap_bytes=2**22, owner=0) as one,
        run_folder(tmp_path, cases=cases, output_cap_bytes=2**22, owner=0) as other,
    ):
        assert not set(one.case_of) & set(other.case_of)
        assert one.name != other.name


def test_everybody_may_read_the_cases(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        with run_folder(tmp_path, cases=named_cases(tmp_path), output_cap_bytes=2**22, owner=0) as folder:
            assert folder.input_dir.stat().st_mode & 0o777 == 0o755
            assert {path.stat().st_mode & 0o777 for path in folder.input_dir.iterdir()} == {0o644}
    finally:
        os.umask(old)


def test_a_header_with_every_optional_part_is_skipped(tmp_path: Path) -> None:
    packed = gzip.compress(b"voxels")
    head = b"\x1f\x8b\x08" + bytes([2 | 4 | 8 | 16]) + b"\1\2\3\4\0\3"
    extra = b"\5\0hello" + b"name\0" + b"comment\0" + b"\xaa\xbb"
    (tmp_path / "odd.nii.gz").write_bytes(head + extra + packed[10:])
    copy_anonymously(tmp_path / "odd.nii.gz", tmp_path / "copy.nii.gz")
    assert gzip.decompress((tmp_path / "copy.nii.gz").read_bytes()) == b"voxels"


def test_a_case_that_is_not_gzip_is_our_fault(tmp_path: Path) -> None:
    (tmp_path / "plain.nii.gz").write_bytes(bytes(400))
    with pytest.raises(ValueError, match=r"plain\.nii\.gz: not a gzip file"):
        copy_anonymously(tmp_path / "plain.nii.gz", tmp_path / "copy.nii.gz")


def test_nothing_is_left_of_a_run(tmp_path: Path) -> None:
    parent = tmp_path / "runs"
    parent.mkdir()
    with run_folder(parent, cases={}, output_cap_bytes=2**22, owner=0) as folder:
        (folder.output_dir / "x").write_text("x", encoding="ascii")
    assert list(parent.iterdir()) == []


def test_nothing_is_left_of_a_run_that_broke(tmp_path: Path) -> None:
    parent = tmp_path / "runs"
    parent.mkdir()
    (tmp_path / "bad.nii.gz").write_bytes(b"no gzip")
    with (
        pytest.raises(ValueError, match="not a gzip file"),
        run_folder(parent, cases={"bad": tmp_path / "bad.nii.gz"}, output_cap_bytes=2**22, owner=0),
    ):
        pass
    assert list(parent.iterdir()) == []


def test_folders_deeper_than_a_stack_are_removed(tmp_path: Path) -> None:
    top = tmp_path / "run"
    script = "import os\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\n"
    top.mkdir()
    subprocess.run([sys.executable, "-c", script], check=True, cwd=top)
    remove(top)
    assert not top.exists()


@needs_root
def test_an_output_folder_holds_no_more_than_its_cap(tmp_path: Path) -> None:
    with run_folder(tmp_path, cases={}, output_cap_bytes=2**23, owner=65534) as folder:
        assert os.path.ismount(folder.output_dir)
        assert list(folder.output_dir.iterdir()) == []
        assert folder.output_dir.stat().st_uid == 65534
        room = os.statvfs(folder.output_dir)
        assert 2**23 <= room.f_bavail * room.f_frsize < 2**23 * 1.6
        with pytest.raises(OSError, match="No space left"):
            (folder.output_dir / "x").write_bytes(bytes(2**24))


@needs_root
def test_an_output_folder_is_mounted_without_setuid_and_devices(tmp_path: Path) -> None:
    with run_folder(tmp_path, cases={}, output_cap_bytes=2**22, owner=0) as folder:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        (options,) = (line.split()[3].split(",") for line in mounts if line.split()[1] == str(folder.output_dir))
    assert {"nosuid", "nodev"} <= set(options)
    assert "noexec" not in options


@needs_root
def test_a_user_that_only_the_image_knows_may_write(tmp_path: Path) -> None:
    with run_folder(tmp_path, cases={}, output_cap_bytes=2**22, owner=None) as folder:
        assert folder.output_dir.stat().st_mode & 0o777 == 0o777


def test_an_output_folder_has_room_for_a_double_a_voxel_and_some() -> None:
    assert output_bytes([]) == 64 * 2**20
    assert output_bytes([1000, 24]) == 8 * 1024 + 64 * 2**20


def test_two_workers_of_one_name_do_not_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.workspace.LOOK_S", 0.0)
    with Scratch(tmp_path, "one"):
        with pytest.raises(ScratchTaken, match="MOOD_WORKER_NAME"), Scratch(tmp_path, "one"):
            pass
        with Scratch(tmp_path, "two") as two:
            assert two.neighbours() == [tmp_path / "one"]


def test_a_name_is_free_again_when_its_worker_is_gone(tmp_path: Path) -> None:
    with Scratch(tmp_path, "one"):
        pass
    with Scratch(tmp_path, "one") as again:
        assert again.runs.is_dir()
