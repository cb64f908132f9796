"""Arrays as bytes; what is believed of them is tested with sketches."""

import io
import zipfile

import numpy as np
import pytest

from evaluator.packing import pack, unpack

DTYPES = {"sizes": "<u8", "bins": "<u2"}
ARRAYS = {"sizes": np.array([3, 1], dtype="<u8"), "bins": np.array([7], dtype="<u2")}


def test_arrays_come_back_and_equal_ones_have_equal_bytes() -> None:
    content = pack(ARRAYS)
    found = unpack("regions", content, DTYPES, most_bytes=1 << 16)
    assert {name: array.tolist() for name, array in found.items()} == {"sizes": [3, 1], "bins": [7]}
    assert content == pack({name: array.copy() for name, array in ARRAYS.items()})


def test_numpy_reads_what_was_written() -> None:
    with np.load(io.BytesIO(pack(ARRAYS))) as found:
        assert {name: found[name].tolist() for name in found} == {"sizes": [3, 1], "bins": [7]}


def test_what_numpy_writes_is_read() -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, **ARRAYS)  # type: ignore[arg-type]  # of numpy's stubs: allow_pickle is a keyword too
    found = unpack("regions", stream.getvalue(), DTYPES, most_bytes=1 << 16)
    assert {name: array.tolist() for name, array in found.items()} == {"sizes": [3, 1], "bins": [7]}


def header(count: int = 1) -> bytes:
    """The head of an array of `count` bins, before them."""
    stream = io.BytesIO()
    np.save(stream, np.zeros(count, dtype="<u2"))
    return stream.getvalue().removesuffix(bytes(2 * count))


def with_bins(content: bytes) -> bytes:
    """A file whose bins are these bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("sizes.npy", header(0).replace(b"<u2", b"<u8"))
        archive.writestr("bins.npy", content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (pack(ARRAYS)[:-1], "regions is damaged"),
        (pack({"sizes": ARRAYS["sizes"]}), "regions holds"),
        (pack({**ARRAYS, "bins": np.array([7.0])}), "regions's bins is no flat array of <u2"),
        (pack({**ARRAYS, "bins": np.array([[7]], dtype="<u2")}), "regions's bins is no flat array of <u2"),
        (pack({**ARRAYS, "sizes": np.zeros(1 << 16, dtype="<u8")}), "regions's sizes claims 524416 bytes"),
        (with_bins(b""), "regions's bins is no flat array"),
        (with_bins(header()[:9]), "regions's bins is no flat array"),
        (with_bins(header() + b"123"), "regions's bins is no flat array"),
        (with_bins(header(2)), "regions's bins is no flat array"),
        (with_bins(header().replace(b"\x01\x00", b"\x02\x00", 1)), "regions's bins is no flat array"),
        (with_bins(header().replace(b"False", b"True ")), "regions's bins is no flat array"),
        (bytes((1 << 16) + 1), "regions has 65537 bytes"),
    ],
)
def test_other_bytes_are_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        unpack("regions", content, DTYPES, most_bytes=1 << 16)
