import gzip
import io
import subprocess
import sys
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pytest

from evaluator.inflate import BEST, ENGINES, DamagedError, Engine, GzipInflater

CONTENT = bytes(range(256)) * 4000  # longer than one block of input
PACKED = gzip.compress(CONTENT, 1, mtime=0)


class Dripping(io.BytesIO):
    """A file that gives one byte at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        del size
        return super().read(1)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


def inflater(content: bytes, engine: Engine) -> GzipInflater:
    return GzipInflater(io.BytesIO(content), engine)


def verdict(content: bytes, count: int, engine: Engine) -> tuple[bytes, bool] | str:
    """What comes out, and whether it is at its end then; or the complaint."""
    try:
        stream = inflater(content, engine)
        return stream.read(count), stream.at_end()
    except DamagedError as error:
        return str(error)


def packings() -> Iterator[tuple[bytes, bytes]]:
    """Give small contents, each packed in all ways of deflate."""
    scores = np.random.default_rng(1).random(100).astype(np.float16).astype(np.float32).tobytes()
    for content in (scores, bytes(3000) + scores[:40] + bytes(500)):
        for level, strategy in ((0, zlib.Z_DEFAULT_STRATEGY), (6, zlib.Z_DEFAULT_STRATEGY), (6, zlib.Z_FIXED)):
            squeeze = zlib.compressobj(level, zlib.DEFLATED, 31, 8, strategy)
            yield content, squeeze.compress(content) + squeeze.flush()


def test_gives_exactly_what_is_asked_for(engine: Engine) -> None:
    stream = inflater(PACKED, engine)
    assert stream.read(3) == b"\x00\x01\x02"
    assert stream.read(0) == b""
    assert stream.read(len(CONTENT) - 3) == CONTENT[3:]
    assert stream.at_end()


def test_peeking_takes_nothing(engine: Engine) -> None:
    stream = inflater(PACKED, engine)
    assert stream.peek(4) == stream.peek(4) == CONTENT[:4]
    assert stream.peek(2) == CONTENT[:2]
    assert not stream.at_end()
    assert stream.read(6) == CONTENT[:6]


@pytest.mark.parametrize("kind", [io.BytesIO, Dripping])
def test_reads_whatever_the_file_gives_at_once(kind: type[io.BytesIO], engine: Engine) -> None:
    file: BinaryIO = kind(gzip.compress(CONTENT[:3000], 9, mtime=0))
    stream = GzipInflater(file, engine)
    assert stream.read(3000) == CONTENT[:3000]
    assert stream.at_end()


def test_members_are_one_stream(engine: Engine) -> None:
    stream = inflater(gzip.compress(b"ab") + gzip.compress(b"") + gzip.compress(b"cd"), engine)
    assert stream.read(4) == b"abcd"
    assert stream.at_end()


def test_header_with_every_field_is_read(engine: Engine) -> None:
    body = PACKED[10:]
    fixed = b"\x1f\x8b\x08\x1e" + (1_700_000_000).to_bytes(4, "little") + b"\0\x03"
    stream = inflater(fixed + b"\x03\0abc" + b"tumour_left.nii\0" + b"a comment\0" + b"\x12\x34" + body, engine)
    assert (stream.header.name, stream.header.written_at) == (b"tumour_left.nii", 1_700_000_000)
    assert stream.read(4) == CONTENT[:4]


def test_stream_that_is_read_up_to_its_middle_is_not_at_its_end(engine: Engine) -> None:
    stream = inflater(PACKED, engine)
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
def test_odd_end_is_told_after_all_bytes_were_given(damaged: bytes, engine: Engine) -> None:
    stream = inflater(damaged, engine)
    assert stream.read(len(CONTENT)) == CONTENT
    assert not stream.at_end()


@pytest.mark.parametrize("cut", [0, 1, 9, 10, 11, 100, len(PACKED) // 2, len(PACKED) - 20])
def test_cut_stream_is_damaged(cut: int, engine: Engine) -> None:
    with pytest.raises(DamagedError):
        inflater(PACKED[:cut], engine).read(len(CONTENT))


def test_asking_for_more_than_there_is_is_damage(engine: Engine) -> None:
    with pytest.raises(DamagedError, match="ends 1 bytes early"):
        inflater(PACKED, engine).read(len(CONTENT) + 1)


@pytest.mark.parametrize(
    "content",
    [
        b"plain text",
        b"\x1f\x8b\x07" + PACKED[3:],
        PACKED[:10] + b"\xff" * 50,
        b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 9,
    ],
)
def test_what_is_not_gzip_is_damaged(content: bytes, engine: Engine) -> None:
    with pytest.raises(DamagedError):
        inflater(content, engine).read(1)


def test_name_without_an_end_is_not_read_for_ever(engine: Engine) -> None:
    with pytest.raises(DamagedError, match="without an end"):
        inflater(b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (3 << 20), engine)


def test_bomb_gives_no_more_than_was_asked_for(engine: Engine) -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(64)) + squeeze.flush()
    assert len(bomb) < 100_000
    stream = inflater(bomb, engine)
    assert stream.read(1000) == bytes(1000)
    assert not stream.at_end()


@pytest.mark.parametrize("kind", [io.BytesIO, Dripping])
def test_many_small_members_are_one_stream(kind: type[io.BytesIO], engine: Engine) -> None:
    members = b"".join(gzip.compress(CONTENT[:size], mtime=0) for size in range(300))
    stream = GzipInflater(kind(members), engine)
    assert stream.read(299 * 150) == b"".join(CONTENT[:size] for size in range(300))
    assert stream.at_end()


def test_engines_give_the_same_pieces_of_any_size() -> None:
    for count in (1, 7, 1000, 1 << 18, len(CONTENT)):
        streams = [inflater(PACKED, engine) for engine in ENGINES.values()]
        for start in range(0, min(len(CONTENT), 300 * count), count):
            expected = CONTENT[start : start + count]
            assert all(stream.read(len(expected)) == expected for stream in streams)


def test_engines_agree_on_every_cut() -> None:
    for content, packed in packings():
        for cut in range(len(packed)):
            found = [verdict(packed[:cut], len(content), engine) for engine in ENGINES.values()]
            assert found[1:] == found[:-1]


def test_engines_agree_on_every_flipped_byte() -> None:
    for content, packed in packings():
        for place in range(len(packed)):
            for flip in (0x01, 0x10, 0x80, 0xFF):
                damaged = packed[:place] + bytes([packed[place] ^ flip]) + packed[place + 1 :]
                found = [verdict(damaged, len(content), engine) for engine in ENGINES.values()]
                assert found[1:] == found[:-1] or "invalid distances set" in found[0]


def test_isal_inflates_where_it_is_installed() -> None:
    assert BEST is ENGINES["isal"]


def test_without_isal_the_standard_library_inflates() -> None:
    program = (
        "import gzip, io, sys; sys.modules['isal'] = None\n"
        "from evaluator.inflate import BEST, ENGINES, GzipInflater\n"
        "assert list(ENGINES) == ['zlib'] and BEST is ENGINES['zlib']\n"
        "print(GzipInflater(io.BytesIO(gzip.compress(b'abc'))).read(3))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "b'abc'\n"
