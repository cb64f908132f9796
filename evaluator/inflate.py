"""Bounded reading of a gzip stream: never more comes out than was asked for.

The checksum is looked at apart from the bytes (`zlib` told to read gzip throws away the last block of a stream
whose checksum is wrong). What follows the wanted bytes is looked at by `at_end`, and is then no error.

What inflates is isal where that is installed (some 2.5 times as fast), and the standard library elsewhere. Their
bytes and verdicts are the same, but for one thing: an incomplete set of distance codes, which RFC 1951 (3.2.7)
allows only of one code and compressors do not write, is refused by the standard library alone.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol, cast

try:
    from isal import igzip_lib, isal_zlib
except ImportError:
    _HAS_ISAL = False
else:
    _HAS_ISAL = True

_INPUT_BYTES: Final = 1 << 18
_FIRST_BYTES: Final = 1 << 12  # handed to a new member at first: what follows a tiny one is not copied each time
_TRAILER_BYTES: Final = 8  # CRC-32 and length, little-endian
_DEFLATE: Final = 8
_EXTRA, _NAME, _COMMENT, _HEADER_CRC = 4, 8, 16, 2  # flags of a member's header
_FIXED_BYTES: Final = 10
_MOST_HEADER_BYTES: Final = 1 << 20  # of a member: names and comments have no limit of their own


class DamagedError(ValueError):
    """The stream cannot give what was asked for."""


@dataclass(frozen=True, kw_only=True)
class MemberHeader:
    """What a gzip member says of its origin."""

    name: bytes  # the original file's; empty: not said
    written_at: int  # seconds since 1970; 0: not said


class Deflate(Protocol):
    """One deflated stream without a frame (RFC 1951)."""

    @property
    def eof(self) -> bool:
        """The stream has ended."""

    @property
    def needs_input(self) -> bool:
        """All it was given is used up."""

    @property
    def unused_data(self) -> bytes:
        """What it was given beyond its end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Give up to `max_length` bytes more."""


class _ZlibDeflate:
    """The standard library's, which leaves it to others to keep what it did not use."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(data or self._inflate.unconsumed_tail, max_length)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Who inflates."""

    deflate: Callable[[], Deflate]
    crc32: Callable[[bytes, int], int]
    error: type[Exception]  # what is raised over bytes that are not deflated


ENGINES: Final = {"zlib": Engine(deflate=_ZlibDeflate, crc32=zlib.crc32, error=zlib.error)}
if _HAS_ISAL:
    ENGINES["isal"] = Engine(
        deflate=lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE),
        crc32=isal_zlib.crc32,
        error=cast("type[Exception]", igzip_lib.IsalError),  # its own types call it an exception, not a class
    )
BEST: Final = ENGINES["isal" if _HAS_ISAL else "zlib"]


class GzipInflater:
    """Reads the members of a gzip file one after the other, as one stream. Raises DamagedError.

    `file` can seek. Where another engine finds it damaged, the standard library's has the last word: isal
    looks some bytes ahead, and would refuse what was never asked for.
    """

    def __init__(self, file: BinaryIO, engine: Engine = BEST) -> None:
        self._file = file
        self._start = file.tell()
        self._engine = engine
        self._given = 0  # bytes, peeked ones too
        self._input = b""  # read from the file
        self._at = 0  # what is before it is used
        self._ahead = b""  # peeked at
        self._crc = self._length = 0  # of the member so far
        self._checksums_hold = True
        self.header = self._member()

    def read(self, count: int) -> bytes:
        """Give exactly `count` bytes."""
        if self._ahead or not count:
            found, self._ahead = self._ahead[:count], self._ahead[count:]
        else:
            found = self._some(count)
        if len(found) == count:
            return found
        parts, missing = [found], count - len(found)
        while missing:
            part = self._some(missing)
            if not part:
                raise DamagedError(f"the stream ends {missing} bytes early")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def peek(self, count: int) -> bytes:
        """Give the next `count` bytes, which `read` will give again."""
        self._ahead = self.read(count) + self._ahead
        return self._ahead[:count]

    def at_end(self) -> bool:
        """Nothing follows, and every checksum was right. Reads at most one byte more."""
        try:
            return not (self._ahead or self._some(1)) and self._checksums_hold
        except DamagedError:
            return False

    def _some(self, most: int) -> bytes:
        """Give 1 to `most` bytes, or none at the end of the file."""
        while True:
            if self._inflate.eof:
                self._close_member()
                if not self._fill(1):
                    return b""
                self._member()
            more = not self._inflate.needs_input or self._fill(1)
            try:
                part = self._inflate.decompress(self._portion(), most)
            except self._engine.error as error:
                if self._engine is ENGINES["zlib"]:
                    raise DamagedError(f"not deflated: {error}") from error
                self._start_over()
                continue
            if self._inflate.eof:
                self._give_back(self._inflate.unused_data)
            if part:
                self._crc = self._engine.crc32(part, self._crc)
                self._length += len(part)
                self._given += len(part)
                return part
            if not (more or self._inflate.eof):
                raise DamagedError("the stream is cut")

    def _start_over(self) -> None:
        """Come back to where it is now with the standard library."""
        given, self._given = self._given, 0
        self._engine, self._checksums_hold = ENGINES["zlib"], True
        self._input, self._at = b"", 0
        self._file.seek(self._start)
        self._member()
        while self._given < given:
            if not self._some(min(given - self._given, _INPUT_BYTES)):
                raise DamagedError("the file has changed")

    def _close_member(self) -> None:
        """Read the trailer of the member that has ended."""
        if not self._fill(_TRAILER_BYTES):
            self._take(_TRAILER_BYTES)
            self._checksums_hold = False
            return
        trailer = self._take(_TRAILER_BYTES)
        expected = self._crc.to_bytes(4, "little") + (self._length & 0xFFFFFFFF).to_bytes(4, "little")
        self._checksums_hold &= trailer == expected

    def _member(self) -> MemberHeader:
        """Read the header of the next member."""
        self._inflate = self._engine.deflate()
        self._most_handed = _FIRST_BYTES
        self._crc = self._length = 0
        fixed = self._need(_FIXED_BYTES)
        if fixed[:2] != b"\x1f\x8b" or fixed[2] != _DEFLATE:
            raise DamagedError("not a gzip file")
        flags = fixed[3]
        if flags & _EXTRA:
            self._need(int.from_bytes(self._need(2), "little"))
        name = self._text() if flags & _NAME else b""
        if flags & _COMMENT:
            self._text()
        if flags & _HEADER_CRC:
            self._need(2)
        return MemberHeader(name=name, written_at=int.from_bytes(fixed[4:8], "little"))

    def _text(self) -> bytes:
        """Read up to a zero byte."""
        while (end := self._input.find(b"\0", self._at)) < 0:
            left = len(self._input) - self._at
            if left > _MOST_HEADER_BYTES or not self._fill(left + 1):
                raise DamagedError("a gzip header without an end")
        return self._take(end + 1 - self._at)[:-1]

    def _need(self, count: int) -> bytes:
        if not self._fill(count):
            raise DamagedError("a gzip header is cut")
        return self._take(count)

    def _portion(self) -> bytes:
        """Take what is to be inflated next."""
        if not self._inflate.needs_input:
            return b""
        most, self._most_handed = self._most_handed, _INPUT_BYTES
        return self._take(most)

    def _take(self, count: int) -> bytes:
        taken = self._input[self._at : self._at + count]
        self._at += len(taken)
        return taken

    def _give_back(self, taken: bytes) -> None:
        if len(taken) <= self._at:
            self._at -= len(taken)
        else:
            self._input, self._at = taken + self._input[self._at :], 0

    def _fill(self, count: int) -> bool:
        """Have at least `count` bytes of input; false where the file has no more."""
        while len(self._input) - self._at < count:
            block = self._file.read(_INPUT_BYTES)
            if not block:
                return False
            self._input, self._at = self._input[self._at :] + block, 0
        return True
