"""Reads tar streams made by strangers: one pass, flat memory, every size bounded.

The standard library reads extended headers of any size into memory and keeps every member; this reader
refuses the first and forgets the second. It knows ustar, GNU long names, pax paths and sparse sizes.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

BLOCK = 512
CHUNK = 1 << 20  # bytes read at a time
EXTENDED_MAX = 1 << 20  # bytes of one extended header: a path has 4,096 at most
GZIP_MAGIC = b"\x1f\x8b"
BASE_256 = 0x80  # in the first byte of a number that is not octal
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Damaged(Exception):  # noqa: N818  an answer about their file
    """The stream is not a tar, or it ends too early."""


class TooMuch(Exception):  # noqa: N818  an answer about their file
    """More bytes or members than the reader may look at."""


class Source(Protocol):
    """Where bytes come from: at most `size`, nothing at the end."""

    def read(self, size: int, /) -> bytes:
        """Read."""


class Kind(Enum):
    """What a member is, as far as anybody here cares."""

    FILE = "file"
    HARD_LINK = "hard link"
    SYMLINK = "symlink"
    FOLDER = "folder"
    OTHER = "other"  # device, pipe


@dataclass(frozen=True, kw_only=True)
class Member:
    """One entry of a tar."""

    name: str
    kind: Kind
    link: str  # target of a link
    unpacked_bytes: int  # what it becomes on disk; more than its content where it is sparse


class Content:
    """A member's bytes; whatever is left of them is passed by when the next member is asked for."""

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self._left = size
        self._padding = -size % BLOCK

    def read(self, size: int, /) -> bytes:
        """Read at most so many bytes; nothing at the member's end."""
        if not self._left:
            return b""
        found = self._source.read(min(size, self._left))
        if not found:
            raise Damaged("the archive ends inside a file")
        self._left -= len(found)
        return found

    def finish(self) -> None:
        """Pass by what is left, and the padding."""
        while self.read(CHUNK):
            pass
        if len(exactly(self._source, self._padding)) < self._padding:
            raise Damaged("the archive ends inside a file's padding")


def members(source: Source) -> Iterator[tuple[Member, Content]]:
    """Give each member with its content, which must be read before the next one is asked for."""
    extra: dict[str, str] = {}
    while (header := exactly(source, BLOCK)) and any(header):
        size = number(header, 124, 12)
        check_sum(header)
        flag = header[156:157]
        if flag in (b"L", b"K", b"x", b"g"):
            content = extended(source, size)
            if flag == b"L":
                extra["path"] = text(content)
            elif flag == b"K":
                extra["linkpath"] = text(content)
            elif flag == b"x":
                extra |= pax(content)
            continue
        if "size" in extra:
            size = decimal(extra["size"])
        unpacked = real_size(source, header, flag, size, extra)
        kind = KINDS.get(flag, Kind.OTHER)
        # Only files carry bytes: a header may claim a size for a link or a folder, readers pass by none.
        held = size if kind is Kind.FILE or flag not in b"123456" else 0
        member = Member(
            name=extra.get("GNU.sparse.name") or extra.get("path") or header_name(header),
            kind=Kind.FOLDER if kind is Kind.FILE and header_name(header).endswith("/") else kind,
            link=extra.get("linkpath") or text(header[157:257]),
            unpacked_bytes=unpacked if kind is Kind.FILE else 0,
        )
        extra = {}
        body = Content(source, held)
        yield member, body
        body.finish()
    if header and len(header) < BLOCK:
        raise Damaged("the archive ends inside a header")


KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,  # contiguous
    b"S": Kind.FILE,  # GNU sparse
    b"1": Kind.HARD_LINK,
    b"2": Kind.SYMLINK,
    b"5": Kind.FOLDER,
}


def exactly(source: Source, size: int) -> bytes:
    """Read so many bytes; fewer at the end of the stream."""
    parts = []
    while size and (part := source.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def number(header: bytes, start: int, length: int) -> int:
    """Read an octal field, or GNU's base 256."""
    field = header[start : start + length]
    if len(field) < length:
        raise Damaged("the archive ends inside a header")
    if field[0] & BASE_256:
        value = int.from_bytes(field[1:], "big") if field[0] == BASE_256 else -1
    else:
        digits = field.split(b"\0", 1)[0].strip() or b"0"
        try:
            value = int(digits, 8)
        except ValueError as error:
            raise Damaged("a tar header holds something else where a number belongs") from error
    if value < 0:
        raise Damaged("a tar header holds a negative number")
    return value


def check_sum(header: bytes) -> None:
    """A header that is none is found here."""
    expected = number(header, 148, 8)
    if sum(header) - sum(header[148:156]) + 8 * 32 != expected:
        raise Damaged("a header's checksum is wrong")


def is_tar(first: bytes) -> bool:
    """Can a stream that begins so be a tar? An empty one is all zeros."""
    if len(first) < BLOCK or not any(first):
        return len(first) == BLOCK
    try:
        check_sum(first)
    except Damaged:
        return False
    return True


def decimal(value: str) -> int:
    """A pax size."""
    if not value.isascii() or not value.isdigit() or len(value) > 19:  # noqa: PLR2004  digits of 2^63
        raise Damaged(f"{value[:40]!r} is not a size")
    return int(value)


def extended(source: Source, size: int) -> bytes:
    """Read the content of an extended header, whose size is looked at first."""
    if size > EXTENDED_MAX:
        raise Damaged(f"an extended header of {size} bytes")
    content = Content(source, size)
    found = exactly(content, size)
    content.finish()
    return found


def pax(content: bytes) -> dict[str, str]:
    """Read records of the form: length, space, key=value, newline."""
    found: dict[str, str] = {}
    while content:
        length, _, _ = content.partition(b" ")
        end = decimal(length[:20].decode("latin-1"))
        record = content[len(length) + 1 : end - 1]
        if end <= len(length) + 1 or end > len(content) or b"=" not in record:
            raise Damaged("a pax header whose records do not fit")
        key, _, value = record.partition(b"=")
        found[text(key)] = text(value)
        content = content[end:]
    return found


def text(raw: bytes) -> str:
    """A name, up to its NUL."""
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def header_name(header: bytes) -> str:
    """Give the name in a ustar header, with its prefix."""
    name = text(header[0:100])
    prefix = text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def real_size(source: Source, header: bytes, flag: bytes, size: int, extra: dict[str, str]) -> int:
    """What a file becomes on disk: a sparse one says so by itself, in one of three ways."""
    if flag == b"S":
        more = header[482]
        while more:
            block = exactly(source, BLOCK)
            if len(block) < BLOCK:
                raise Damaged("the archive ends inside a sparse map")
            more = block[504]
        return max(size, number(header, 483, 12))
    for key in ("GNU.sparse.realsize", "GNU.sparse.size"):
        if key in extra:
            return max(size, decimal(extra[key]))
    return size


class Gunzip:
    """Inflates a gzip stream of any number of members."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._inflate = zlib.decompressobj(wbits=31)
        self._raw = b""  # read, but not inflated yet
        self._is_over = False

    def read(self, size: int, /) -> bytes:
        """Read at most so many inflated bytes."""
        while not self._is_over:
            if self._inflate.eof:
                self._next_member()
                continue
            raw = self._raw or self._source.read(CHUNK)
            try:
                found = self._inflate.decompress(raw, size)
            except zlib.error as error:
                raise Damaged(f"the gzip stream is damaged: {error}") from error
            self._raw = self._inflate.unconsumed_tail
            if found:
                return found
            if not raw and not self._inflate.eof:
                raise Damaged("the gzip stream ends too early")
        return b""

    def _next_member(self) -> None:
        """Go on behind the end of a member; padding with zeros is allowed, as gzip does."""
        rest = self._inflate.unused_data.lstrip(b"\0")
        while not rest and (more := self._source.read(CHUNK)):
            rest = more.lstrip(b"\0")
        self._raw = rest
        self._is_over = not rest
        self._inflate = zlib.decompressobj(wbits=31)


class Tapped:
    """Passes bytes on and shows each of them to somebody who counts or hashes."""

    def __init__(self, source: Source, *taps: Callable[[bytes], object]) -> None:
        self._source = source
        self._taps = taps

    def read(self, size: int, /) -> bytes:
        """Read at most so many bytes."""
        found = self._source.read(size)
        for tap in self._taps:
            tap(found)
        return found


class Peeked:
    """A source whose first bytes were looked at already."""

    def __init__(self, first: bytes, source: Source) -> None:
        self._first = first
        self._source = source

    def read(self, size: int, /) -> bytes:
        """Read at most so many bytes."""
        if self._first:
            found, self._first = self._first[:size], self._first[size:]
            return found
        return self._source.read(size)


def inflated(source: Source) -> Source:
    """Give the stream inside, where it is a gzip one."""
    first = exactly(source, len(GZIP_MAGIC))
    peeked = Peeked(first, source)
    return Gunzip(peeked) if first == GZIP_MAGIC else peeked
