"""What a container leaves in its output folder while it runs, and what must end it.

Believes nothing in that folder: asks for expected names alone, by lstat, and never follows a link. Knows no
engine.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from worker.runners.base import Ended

ROOM_BYTES = 2 * 2**20  # less is full: ext4 keeps some hundred KiB back that nobody can write to
ENTRIES_MAX = 100_000  # entries in a plain folder that has no cap on inodes of its own


class OutputWatch:
    """Looks at an output folder again and again."""

    def __init__(self, folder: Path, *, expected: Iterable[str], limit_bytes: int) -> None:
        self.seen_at_s: dict[str, float] = {}  # file name -> seconds after the start
        self._folder = folder
        self._missing = set(expected)
        self._limit_bytes = limit_bytes
        self._is_mount = os.path.ismount(folder)

    @property
    def done(self) -> int:
        """How many of the expected predictions were seen."""
        return len(self.seen_at_s)

    def look(self, elapsed_s: float) -> None:
        """Note the expected predictions that are there now and were not before."""
        for name in sorted(self._missing):
            if _is_written(self._folder / name):
                self.seen_at_s[name] = elapsed_s
        self._missing.difference_update(self.seen_at_s)

    def is_full(self) -> bool:
        """No room is left: of blocks or inodes where the folder has a cap of its own, else by its size."""
        if self._is_mount:
            room = os.statvfs(self._folder)
            return room.f_bavail * room.f_frsize < ROOM_BYTES or room.f_favail < 1
        return _exceeds(self._folder, limit_bytes=self._limit_bytes, limit_entries=ENTRIES_MAX)


def end_reason(*, exited: bool, full: bool, late: bool, cancelled: bool) -> Ended | None:
    """Say why a run is over, if it is.

    A full folder comes first: a container that ends because of it ends with some code of its own, which
    would hide the reason. One that ended by itself was in time.
    """
    if full:
        return Ended.OUTPUT_FULL
    if exited:
        return Ended.EXITED
    if cancelled:
        return Ended.CANCELLED
    return Ended.BUDGET if late else None


def _is_written(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _exceeds(folder: Path, *, limit_bytes: int, limit_entries: int) -> bool:
    """Whether what stands below a folder takes more room, or has more entries, than allowed."""
    used = 0
    entries = 0
    waiting = [folder]
    while waiting:
        try:
            scan = os.scandir(waiting.pop())
        except OSError:
            continue  # gone meanwhile, or closed to us: what it holds is still bounded by a file's own cap
        with scan:
            for entry in scan:
                entries += 1
                if entries > limit_entries:
                    return True
                try:
                    used += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                except OSError:
                    continue
                if used > limit_bytes:
                    return True
    return False
