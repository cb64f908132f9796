"""Bounded reading of a gzip stream: never more comes out than was asked for.

The checksum is looked at apart from the bytes (`zlib` told to read gzip throws away the last block of a stream
whose checksum is wrong). What follows the wanted bytes is looked at by `at_end`, and is then no error.
"""

import zlib
from dataclasses import dataclass
from typing import BinaryIO, Final

_INPUT_BYTES: Final = 1 << 18
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


class GzipInflater:
    """Reads the members of a gzip file one after the other, as one stream. Raises DamagedError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._input = b""
        self._ahead = b""  # peeked at
        self._crc = self._length = 0  # of the member so far
        self._checksums_hold = True
        self.header = self._member()

    def read(self, count: int) -> bytes:
        """Give exactly `count` bytes."""
        parts = [self._ahead[:count]] if self._ahead else []
        self._ahead = self._ahead[count:]
        missing = count - sum(map(len, parts))
        while missing:
            part = self._some(missing)
            if not part:
                raise DamagedError(f"the stream ends {missing} bytes early")
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

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
            more = self._fill(1)
            try:
                part = self._inflate.decompress(self._input, most)
            except zlib.error as error:
                raise DamagedError(f"not deflated: {error}") from error
            self._input = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if not (part or more or self._inflate.eof):
                raise DamagedError("the stream is cut")
            if part:
                self._crc = zlib.crc32(part, self._crc)
                self._length += len(part)
                return part

    def _close_member(self) -> None:
        """Read the trailer of the member that has ended."""
        if not self._fill(_TRAILER_BYTES):
            self._input = b""
            self._checksums_hold = False
            return
        trailer = self._take(_TRAILER_BYTES)
        expected = self._crc.to_bytes(4, "little") + (self._length & 0xFFFFFFFF).to_bytes(4, "little")
        self._checksums_hold &= trailer == expected

    def _member(self) -> MemberHeader:
        """Read the header of the next member."""
        self._inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
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
        while b"\0" not in self._input:
            if len(self._input) > _MOST_HEADER_BYTES or not self._fill(len(self._input) + 1):
                raise DamagedError("a gzip header without an end")
        return self._take(self._input.index(b"\0") + 1)[:-1]

    def _need(self, count: int) -> bytes:
        if not self._fill(count):
            raise DamagedError("a gzip header is cut")
        return self._take(count)

    def _take(self, count: int) -> bytes:
        taken, self._input = self._input[:count], self._input[count:]
        return taken

    def _fill(self, count: int) -> bool:
        """Have at least `count` bytes of input; false where the file has no more."""
        while len(self._input) < count:
            block = self._file.read(_INPUT_BYTES)
            if not block:
                return False
            self._input += block
        return True
