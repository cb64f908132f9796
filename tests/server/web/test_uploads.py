import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from server.errors import Invalid, TooLarge
from server.storage import Store
from server.web import uploads

BOUNDARY = b"frontier"


def part(name: str, content: bytes, *, file: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
    return b"--%s\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % (BOUNDARY, disposition.encode(), content)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--%s--\r\n" % BOUNDARY


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def file_of(body: bytes, step: int = 10_000) -> bytes:
    async def collect() -> bytes:
        chunks = stream(body[i : i + step] for i in range(0, len(body), step))
        return b"".join([piece async for piece in uploads.form_file(chunks, BOUNDARY)])

    return asyncio.run(collect())


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_file_of_a_form_comes_out_as_it_was_however_the_body_is_cut(step: int) -> None:
    content = b"\r\n--frontie\r\n\x00\xff--" * 5
    body = form(part("note", b"hello"), part("archive", content, file="image.tar"))
    assert file_of(body, step) == content


def test_form_that_ends_in_the_middle_is_refused() -> None:
    body = form(part("archive", b"x" * 100, file="image.tar"))
    with pytest.raises(Invalid, match="ended in the middle"):
        file_of(body[:-20])


def test_form_without_a_file_is_refused() -> None:
    with pytest.raises(Invalid, match="0 files"):
        file_of(form(part("archive", b"just text")))


def test_form_with_two_archives_is_refused() -> None:
    archive = part("archive", b"x", file="image.tar")
    with pytest.raises(Invalid, match="2 files"):
        file_of(form(archive, archive))


def test_form_with_large_other_fields_is_refused() -> None:
    with pytest.raises(Invalid, match="more than the archive"):
        file_of(form(part("note", b"x" * 100_000), part("archive", b"x", file="image.tar")))


def test_body_that_is_no_form_is_refused() -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        file_of(b"what is this?")


def test_stream_is_hashed_and_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)

    async def receive() -> str:
        incoming = await uploads.stream_into(store, stream([b"ab", b"c"]), limit_bytes=3)
        return incoming.commit()

    # sha256sum of "abc", FIPS 180-2's first example
    assert asyncio.run(receive()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert list(store.incoming.iterdir()) == []


def test_stream_over_its_limit_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(TooLarge):
        asyncio.run(uploads.stream_into(store, stream([b"ab", b"c"]), limit_bytes=2))
    assert list(store.incoming.iterdir()) == []


def test_stream_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path)

    async def breaks_off() -> AsyncIterator[bytes]:
        yield b"x" * (2 * uploads.BUFFER_BYTES)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(uploads.stream_into(store, breaks_off(), limit_bytes=2**30))
    assert list(store.incoming.iterdir()) == []


def test_empty_upload_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="empty"):
        asyncio.run(uploads.stream_into(Store(tmp_path), stream([]), limit_bytes=1))
