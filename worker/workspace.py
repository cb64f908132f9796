"""One scratch folder a run: the cases that a container sees, and the place it writes to.

Nothing about a case may show but its voxels: copies get names that are random for the run, are made in random
order, carry one time stamp, and lose what a gzip header tells. The place to write to has a cap of its own
where this process may mount one; elsewhere it is a plain folder that the runner watches by size.
"""

import fcntl
import logging
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import BinaryIO, Self

from evaluator.formats import SUFFIX

log = logging.getLogger(__name__)

NAME_BYTES = 8  # 16 hex digits a name
STAMP_NS = 1_577_836_800 * 10**9  # 2020-01-01: every copy's time
BYTES_A_VOXEL = 8  # room for a float64 map, uncompressed
SPARE_BYTES = 64 * 2**20  # room for what is not a prediction
SPARE_INODES = 16_384
BLOCK_BYTES = 2**20
FLAG_HEADER_CRC, FLAG_EXTRA, FLAG_NAME, FLAG_COMMENT = 2, 4, 8, 16  # RFC 1952
LOCK = "lock"
LOOK_S = 1.0  # a neighbour that looks whether a worker is alive holds its lock for a moment
RUNS = "runs"
OUTPUT = "output"
INPUT = "input"


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """Where one container reads and writes."""

    name: str  # of the run, unique on this host
    input_dir: Path
    output_dir: Path
    case_of: Mapping[str, str]  # random file name -> the case's own


class ScratchTaken(Exception):  # noqa: N818  it is an answer
    """Another worker of the same name is alive here."""


class Scratch:
    """The part of the scratch folder that one worker owns; a lock tells that it is alive."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.folder = root / name
        self._lock: BinaryIO | None = None

    def __enter__(self) -> Self:
        self.runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self.folder / LOCK).open("ab")
        give_up_at_s = time.monotonic() + LOOK_S
        while not _locked(lock):
            if time.monotonic() > give_up_at_s:
                lock.close()
                raise ScratchTaken(
                    f"{self.folder} is in use by another worker: give this one another name (MOOD_WORKER_NAME)"
                )
            time.sleep(LOOK_S / 10)
        self._lock = lock
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def runs(self) -> Path:
        """Where the folders of runs stand."""
        return self.folder / RUNS

    def neighbours(self) -> list[Path]:
        """Give the folders of the other workers of this scratch, dead or alive."""
        return [path for path in sorted(self.root.iterdir()) if path != self.folder and path.is_dir()]


@contextmanager
def abandoned(folder: Path) -> Iterator[bool]:
    """Yield whether a worker's folder has no living owner; nobody can become one meanwhile."""
    try:
        lock = (folder / LOCK).open("rb")
    except FileNotFoundError:
        yield False  # not a worker's folder, or one that is being made
        return
    with lock:
        yield _locked(lock)


def _locked(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def output_bytes(voxels: Iterable[int]) -> int:
    """Cap on an output folder: room for a map a case (none in the sample task), and some."""
    return sum(voxels) * BYTES_A_VOXEL + SPARE_BYTES


@contextmanager
def run_folder(
    parent: Path, *, cases: Mapping[str, Path], output_cap_bytes: int, owner: int | None
) -> Iterator[RunFolder]:
    """Make the folder of one run; everything is gone afterwards.

    `cases` are the case names and their volumes; `owner` is the uid that the container runs as, None where
    only the image knows (then anybody may write).
    """
    name = f"mood-{secrets.token_hex(8)}"
    folder = parent / name
    folder.mkdir(mode=0o700)
    try:
        case_of = _copy_cases(folder / INPUT, cases)
        _make_output(folder, output_cap_bytes, inodes=SPARE_INODES + len(cases), owner=owner)
        yield RunFolder(name=name, input_dir=folder / INPUT, output_dir=folder / OUTPUT, case_of=case_of)
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a run's folder, also one that a killed worker left behind."""
    if os.path.ismount(folder / OUTPUT):
        # Lazily: a process that still holds a file there must not keep the folder for ever.
        subprocess.run(["umount", "--lazy", folder / OUTPUT], check=True, capture_output=True)
    # Not shutil.rmtree: a container may nest folders deeper than Python's stack.
    subprocess.run(["rm", "-rf", "--one-file-system", folder], check=False, capture_output=True)
    if folder.exists():
        subprocess.run(["chmod", "-R", "u+rwx", folder], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True, capture_output=True)


def _copy_cases(target: Path, cases: Mapping[str, Path]) -> dict[str, str]:
    target.mkdir()
    order = list(cases)
    SystemRandom().shuffle(order)
    case_of = {secrets.token_hex(NAME_BYTES) + SUFFIX: case for case in order}
    for name, case in case_of.items():
        copy_anonymously(cases[case], target / name)
    os.utime(target, ns=(STAMP_NS, STAMP_NS))
    target.chmod(0o755)
    return case_of


def copy_anonymously(source: Path, target: Path) -> None:
    """Copy a gzip file without the name, time and comment in its header."""
    with source.open("rb") as file, target.open("xb") as copy:
        copy.write(_plain_header(file))
        shutil.copyfileobj(file, copy, BLOCK_BYTES)
    target.chmod(0o644)
    os.utime(target, ns=(STAMP_NS, STAMP_NS))


def _plain_header(file: BinaryIO) -> bytes:
    """Read a gzip header (RFC 1952) and give one that says nothing; the file stands behind it."""
    head = file.read(10)
    if head[:3] != b"\x1f\x8b\x08":
        raise ValueError(f"{file.name}: not a gzip file, a case is <name>{SUFFIX}")
    flags = head[3]
    if flags & FLAG_EXTRA:
        file.read(int.from_bytes(file.read(2), "little"))
    for flag in (FLAG_NAME, FLAG_COMMENT):
        while flags & flag and file.read(1) not in {b"\0", b""}:
            pass
    if flags & FLAG_HEADER_CRC:
        file.read(2)
    return b"\x1f\x8b\x08\0" + bytes(5) + b"\xff"


def _make_output(folder: Path, cap_bytes: int, *, inodes: int, owner: int | None) -> None:
    output = folder / OUTPUT
    output.mkdir()
    if os.geteuid() == 0:
        try:
            _mount_capped(folder / "output.img", output, cap_bytes, inodes=inodes)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", b"") or b""
            log.warning("no capped output folder, it is watched by size: %s %s", error, said.decode(errors="replace"))
        os.chown(output, owner or 0, owner or 0)
    output.chmod(0o777 if owner is None else 0o755)


def _mount_capped(image: Path, output: Path, cap_bytes: int, *, inodes: int) -> None:
    with image.open("xb") as file:
        # ext4's own tables take some of it; what is left to a container is the cap or a little more.
        file.truncate(cap_bytes + cap_bytes // 50 + inodes * 256 + 2**22)
    mkfs = ["mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", "-N", str(inodes), "-O", "^has_journal", str(image)]
    subprocess.run(mkfs, check=True, capture_output=True)
    mount = ["mount", "-o", "loop,nosuid,nodev,noatime", str(image), str(output)]
    subprocess.run(mount, check=True, capture_output=True)
    (output / "lost+found").rmdir()
