"""Bytes named by their sha256, in a folder: put, get, open, delete."""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

NAME = re.compile(r"[0-9a-f]{64}")


class Incoming:
    """A file on its way into the store: written, hashed, then committed or aborted.

    As a context manager it is aborted unless it was committed.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._path = store.incoming / secrets.token_hex(16)
        self._file: BinaryIO = self._path.open("xb", buffering=0)
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append."""
        left = memoryview(data)
        self._hash.update(left)
        self.bytes += len(left)
        while left:
            left = left[os.write(self._file.fileno(), left) :]

    @property
    def sha256(self) -> str:
        """Of what was written so far."""
        return self._hash.hexdigest()

    def commit(self) -> str:
        """Make it durable under its hash, and give that. The same bytes may be there already."""
        os.fsync(self._file.fileno())
        self._file.close()
        target = self._store.path(self.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        now_s = self._store.clock().timestamp()
        os.utime(self._path, (now_s, now_s))
        self._path.replace(target)  # also where it is there: its time says that somebody wants it again
        sync_folder(target.parent)
        return self.sha256

    def abort(self) -> None:
        """Forget it. Does nothing after commit."""
        if not self._file.closed:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class Store:
    """The object store.

    folder/ab/abcd…      an object, named by its sha256
    folder/incoming/…    a file that is being received; swept when it is old

    An object's file carries the time at which it was last received, by `clock`.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self.clock = clock
        self.incoming = folder / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)

    def receive(self) -> Incoming:
        """Begin to receive a file, inside the store's own folder."""
        return Incoming(self)

    def free_bytes(self) -> int:
        """Room on its disk."""
        return shutil.disk_usage(self.folder).free

    def put(self, content: bytes) -> str:
        """Store and give the sha256."""
        with self.receive() as incoming:
            incoming.write(content)
            return incoming.commit()

    def path(self, sha256: str) -> Path:
        """Where the object is, if it is there. ValueError for anything that is no sha256: names come from outside."""
        if not NAME.fullmatch(sha256):
            raise ValueError(f"{sha256!r} is not a sha256 in lower-case hexadecimal")
        return self.folder / sha256[:2] / sha256

    def exists(self, sha256: str) -> bool:
        """Is it there?"""
        return self.path(sha256).is_file()

    def get(self, sha256: str) -> bytes:
        """All of it. FileNotFoundError where it is not there."""
        return self.path(sha256).read_bytes()

    def open(self, sha256: str) -> BinaryIO:
        """Open for reading; the caller closes. FileNotFoundError where it is not there."""
        return self.path(sha256).open("rb")

    def size(self, sha256: str) -> int:
        """Bytes. FileNotFoundError where it is not there."""
        return self.path(sha256).stat().st_size

    def delete(self, sha256: str, *, unless_after: datetime | None = None) -> bool:
        """Remove it, but not where it was received again after `unless_after`. Tells whether it went."""
        path = self.path(sha256)
        try:
            if unless_after is not None and path.stat().st_mtime > unless_after.timestamp():
                return False
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def sweep_incoming(self, older_than: datetime) -> int:
        """Remove files whose upload ended half way; gives their number."""
        swept = 0
        for path in self.incoming.iterdir():
            with suppress(FileNotFoundError):  # somebody else took it away first
                if path.stat().st_mtime < older_than.timestamp():
                    path.unlink()
                    swept += 1
        return swept


def sync_folder(folder: Path) -> None:
    """Make a rename in it durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
