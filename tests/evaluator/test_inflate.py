import gzip
import io
import zlib
from typing import BinaryIO

import pytest

from evaluator.inflate import DamagedError, GzipInflater

CONTENT = bytes(range(256)) * 4000  # longer than one block of input
PACKED = gzip.compress(CONTENT, 1, mtime=0)


class Dripping(io.BytesIO):
    """A file that gives one byte at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        del size
        return super().read(1)


def inflater(content: bytes) -> GzipInflater:
    return GzipInflater(io.BytesIO(content))


def test_gives_exactly_what_is_asked_for() -> None:
    stream = inflater(PACKED)
    assert stream.read(3) == b"\x00\x01\x02"
    assert stream.read(0) == b""
    assert stream.read(len(CONTENT) - 3) == CONTENT[3:]
    assert stream.at_end()


def test_peeking_takes_nothing() -> None:
    stream = inflater(PACKED)
    assert stream.peek(4) == stream.peek(4) == CONTENT[:4]
    assert stream.peek(2) == CONTENT[:2]
    assert not stream.at_end()
    assert stream.read(6) == CONTENT[:6]


@pytest.mark.parametrize("kind", [io.BytesIO, Dripping])
def test_reads_whatever_the_file_gives_at_once(kind: type[io.BytesIO]) -> None:
    file: BinaryIO = kind(gzip.compress(CONTENT[:3000], 9, mtime=0))
    stream = GzipInflater(file)
    assert stream.read(3000) == CONTENT[:3000]
    assert stream.at_end()


def test_members_are_one_stream() -> None:
    stream = inflater(gzip.compress(b"ab") + gzip.compress(b"") + gzip.compress(b"cd"))
    assert stream.read(4) == b"abcd"
    assert stream.at_end()


def test_header_with_every_field_is_read() -> None:
    body = PACKED[10:]
    fixed = b"\x1f\x8b\x08\x1e" + (1_700_000_000).to_bytes(4, "little") + b"\0\x03"
    stream = inflater(fixed + b"\x03\0abc" + b"tumour_left.nii\0" + b"a comment\0" + b"\x12\x34" + body)
    assert (stream.header.name, stream.header.written_at) == (b"tumour_left.nii", 1_700_000_000)
    assert stream.read(4) == CONTENT[:4]


def test_stream_that_is_read_up_to_its_middle_is_not_at_its_end() -> None:
    stream = inflater(PACKED)
    stream.read(10)
    assert not stream.at_end()


@pytest.mark.parametrize(
    "damaged",
    [
        PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:],  # checksum
        PACKED[:-4] + b"\0\0\0\0",  # length
        PACKED[:-8],
        PACKED[:-1],
        PACKED + b"\0",
        PACKED + b"garbage",
        PACKED + PACKED,
    ],
)
def test_odd_end_is_told_after_all_bytes_were_given(damaged: bytes) -> None:
    stream = inflater(damaged)
    assert stream.read(len(CONTENT)) == CONTENT
    assert not stream.at_end()


@pytest.mark.parametrize("cut", [0, 1, 9, 10, 11, 100, len(PACKED) // 2, len(PACKED) - 20])
def test_cut_stream_is_damaged(cut: int) -> None:
    with pytest.raises(DamagedError):
        inflater(PACKED[:cut]).read(len(CONTENT))


def test_asking_for_more_than_there_is_is_damage() -> None:
    with pytest.raises(DamagedError, match="ends 1 bytes early"):
        inflater(PACKED).read(len(CONTENT) + 1)


@pytest.mark.parametrize(
    "content",
    [
        b"plain text",
        b"\x1f\x8b\x07" + PACKED[3:],
        PACKED[:10] + b"\xff" * 50,
        b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 9,
    ],
)
def test_what_is_not_gzip_is_damaged(content: bytes) -> None:
    with pytest.raises(DamagedError):
        inflater(content).read(1)


def test_name_without_an_end_is_not_read_for_ever() -> None:
    with pytest.raises(DamagedError, match="without an end"):
        inflater(b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (3 << 20))


def test_bomb_gives_no_more_than_was_asked_for() -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(64)) + squeeze.flush()
    assert len(bomb) < 100_000
    stream = inflater(bomb)
    assert stream.read(1000) == bytes(1000)
    assert not stream.at_end()
