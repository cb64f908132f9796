"""Opens a file that came out of a container: a regular file of its own, not too large, or a status."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evaluator.readings import Status


@contextmanager
def opened(path: Path, *, max_bytes: int) -> Iterator[int | Status]:
    """Give a descriptor to read from, or what is wrong; closes it again.

    Follows no link and waits for no writer. A hard link is refused: its other name may be anybody's.
    """
    found = _open(path, max_bytes)
    try:
        yield found
    finally:
        if not isinstance(found, Status):
            os.close(found)


def _open(path: Path, max_bytes: int) -> int | Status:
    try:
        complaint = _complaint(path.lstat(), max_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return Status.MISSING
    except OSError:
        return Status.UNREADABLE
    if complaint:
        return complaint
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:  # gone, turned into a link, or closed to us
        return Status.UNREADABLE
    complaint = _complaint(os.fstat(descriptor), max_bytes)
    if complaint:
        os.close(descriptor)
        return complaint
    return descriptor


def _complaint(found: os.stat_result, max_bytes: int) -> Status | None:
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        return Status.NOT_REGULAR
    return Status.TOO_LARGE if found.st_size > max_bytes else None
