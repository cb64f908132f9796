"""Hostile predictions, made by Hypothesis, and what the reader must do with each of them.

For minutes, by hand, until something is found: `python -m tests.evaluator.fuzz --minutes 5`.
"""

import argparse
import base64
import gzip
import io
import logging
import sys
import time
import tracemalloc
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from nibabel import nifti1, nifti2
from nibabel.fileholders import FileHolder
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from numpy.typing import NDArray

from evaluator.counting import read_pixel
from evaluator.formats import MOST_OFFSET_BYTES
from evaluator.gathering import Gathering
from evaluator.kernels import best
from evaluator.objects import ObjectRule
from evaluator.readings import PixelReading, Status
from evaluator.sketch import Sketch
from evaluator.truth import Truth
from tests.evaluator.files import SHAPE, Array, Endian, header, volume

SHAPES: Final = [SHAPE, SHAPE, SHAPE, (1, 1, 1), (7, 5), (3, 2, 2, 2), (300, 250, 1), (20_000, 4, 1)]
DTYPES: Final = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "c8"]
ENDIANS: Final[list[Endian]] = ["<", ">"]
MOST_BYTES: Final = 48 << 20  # the way to a volume is 16 MiB long at most, and stands there twice for a moment
FEWEST_CALLS: Final = 20_000  # of any function, before the file's size counts: what reads without end makes more
CALLS_PER_BYTE: Final = 4
MOST_WRITTEN: Final = 10_000  # characters
TEXT, HEADER_CRC, EXTRA, NAME, COMMENT, RESERVED = 1, 2, 4, 8, 16, 32  # flags of a gzip member (RFC 1952)
WAYS: Final = [
    "shape",
    "scale",
    "fields",
    "fields",
    "extensions",
    "length",
    "far",
    "stream",
    "members",
    "members",
    "file",
]
FAR: Final = [1 << 20, MOST_OFFSET_BYTES, MOST_OFFSET_BYTES + 16, 1 << 25, 1 << 26]  # offsets of a volume
EMPTY: Final = gzip.compress(b"")
BOMB: Final = gzip.compress(bytes(1 << 26))

Reader = Callable[[BinaryIO, Truth], PixelReading]


@dataclass(frozen=True)
class Prediction:
    """A file, the shape of the case it is for, and how many bytes a read of it gives at most."""

    content: bytes
    shape: tuple[int, ...]
    block_bytes: int = 1 << 30

    def __repr__(self) -> str:
        """Give an expression that makes it again, where that is of a length to be read."""
        written = base64.b64encode(zlib.compress(self.content)).decode()
        if len(written) > MOST_WRITTEN:
            return f"Prediction(<{len(self.content)} bytes>, {self.shape}, {self.block_bytes})"
        return f"Prediction(zlib.decompress(base64.b64decode({written!r})), {self.shape}, {self.block_bytes})"

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        """Let Hypothesis write it so, too."""
        printer.text(repr(self))

    def open(self) -> BinaryIO:
        """Give the file at its start."""
        return InBlocks(self)


class InBlocks(io.BytesIO):
    """A file that gives less than it is asked for, as files without a buffer may."""

    def __init__(self, prediction: Prediction) -> None:
        super().__init__(prediction.content)
        self._most = prediction.block_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to a block."""
        return super().read(self._most if size is None or size < 0 else min(size, self._most))


class FindingError(AssertionError):
    """The reader did with a file what it must not do."""

    def __init__(self, complaint: str, prediction: Prediction) -> None:
        super().__init__(f"{complaint}; {prediction}")
        self.prediction = prediction


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What a prediction is for."""

    mask: NDArray[np.bool_]
    truth: Truth


@cache
def case(shape: tuple[int, ...]) -> Case:
    """Give the one case of a shape."""
    mask = np.random.default_rng(len(shape)).random(shape) < 30 / np.prod(shape)  # some 30 voxels
    return Case(mask=mask, truth=Truth.read(io.BytesIO(volume(mask, dtype="u1")), shape))


def plain(prediction: BinaryIO, truth: Truth) -> PixelReading:
    """Read with numpy's loops."""
    return read_pixel(prediction, truth)


def compiled(prediction: BinaryIO, truth: Truth) -> PixelReading:
    """Read with the quickest loops."""
    return read_pixel(prediction, truth, loops=best())


def detailed(prediction: BinaryIO, truth: Truth) -> PixelReading:
    """Read with all that can be kept beside."""
    watch = partial(Gathering, loops=best(), rule=ObjectRule(threshold=0.5))
    return read_pixel(prediction, truth, loops=best(), watch=watch)


READERS: Final = (plain, compiled, detailed)


def examine(prediction: Prediction, reader: Reader = compiled) -> Status:
    """Read a file: it has a status, within bounds, and the scores are nibabel's. Raises FindingError."""
    content, of = prediction.content, case(prediction.shape)
    best()  # compiles outside the bounds
    try:
        with warnings.catch_warnings(), bounded(calls=FEWEST_CALLS + CALLS_PER_BYTE * len(content)):
            warnings.filterwarnings("ignore", module=r"nibabel\.")  # it adds 1 to dimensions of 2^63 - 1
            found = reader(prediction.open(), of.truth)
    except Exception as error:
        raise FindingError(f"{type(error).__name__}: {error}", prediction) from error
    complaint = difference(found, of, content)
    if complaint:
        raise FindingError(complaint, prediction)
    return found.status


def difference(found: PixelReading, of: Case, content: bytes) -> str:
    """Say how a reading differs from nibabel's, in a line; empty where it does not.

    What nibabel cannot read, we may: it wants a right checksum, say.
    """
    try:
        oracle = as_nibabel_reads(content, of.truth.shape)
    except Exception:  # noqa: BLE001  nibabel raises many kinds; which one is not the point
        oracle = None
    if found.status is not Status.OK:
        if found.sketch != Sketch.zeros(positive=of.truth.n_positive, negative=of.truth.n_voxels - of.truth.n_positive):
            return f"{found.status} does not count 0 everywhere"
        return "" if oracle is None else f"nibabel reads what is {found.status}"
    expected = found.sketch if oracle is None else Sketch.of(oracle, of.mask)
    for name in ("bins", "positive", "negative"):
        if not np.array_equal(getattr(found.sketch, name), getattr(expected, name)):
            return f"{name} differ from nibabel's"
    return "" if found.sketch.n_voxels == of.mask.size else f"{found.sketch.n_voxels} voxels of {of.mask.size}"


def as_nibabel_reads(content: bytes, shape: tuple[int, ...]) -> Array | None:
    """Give the half-precision scores; None for what we refuse on purpose. Raises whatever nibabel raises."""
    stream = gzip.GzipFile(fileobj=io.BytesIO(content))
    start = stream.read(Nifti2Header.sizeof_hdr)
    stream.seek(0)
    kind = next(
        kind for kind in (nifti1.Nifti1Image, nifti2.Nifti2Image) if kind.header_class.may_contain_header(start)
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        image = kind.from_file_map({"image": FileHolder(fileobj=stream)})
        refused = image.get_data_dtype().kind not in "iuf" or image.dataobj.offset > MOST_OFFSET_BYTES
        if image.shape != shape or refused:
            return None
        return np.asarray(image.get_fdata(dtype=np.float16))


@contextmanager
def bounded(*, calls: int, most_bytes: int = MOST_BYTES) -> Iterator[None]:
    """Raise where the block calls more functions, or holds more memory at once."""
    made = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal made
        made += event in {"call", "c_call"}
        if made > calls:
            raise RuntimeError(f"more than {calls} calls")

    tracemalloc.start()
    sys.setprofile(count)
    try:
        yield
        sys.setprofile(None)
        _, peak = tracemalloc.get_traced_memory()
        if peak > most_bytes:
            raise MemoryError(f"{peak} bytes at once, more than {most_bytes}")
    finally:
        sys.setprofile(None)
        tracemalloc.stop()


INTEGERS: Final = st.one_of(
    st.integers(-9, 400),
    st.sampled_from([sign * (1 << power) + step for power in (15, 31, 60, 63) for sign in (1, -1) for step in (-1, 0)]),
)
FLOATS: Final = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 352.0, 5e-324, 1e-40, 65504.0, 1e38, 1e300, np.inf, -np.inf, np.nan]),
    st.floats(),
)


@st.composite
def files(draw: st.DrawFn) -> Prediction:
    """Give a volume's file, wrong in at most two ways."""
    shape, dtype = draw(st.sampled_from(SHAPES)), np.dtype(draw(st.sampled_from(DTYPES)))
    wrong = draw(st.sets(st.sampled_from(WAYS), max_size=2))
    head = draw(headers(draw(st.sampled_from(SHAPES)) if "shape" in wrong else shape, dtype, wrong))
    body = draw(bodies(int(np.prod(shape)), dtype, wrong))
    if "far" in wrong:
        content = gzip.compress(head) + BOMB + gzip.compress(body, 1)
    else:
        content = draw(damaged(head + body)) if "stream" in wrong else head + body
        content = draw(packed(content)) if "members" in wrong else gzip.compress(content, 1)
    if "file" in wrong:
        content = draw(damaged(content))
    return Prediction(content, shape, draw(st.sampled_from([1 << 30, 1 << 12, 200])))


@st.composite
def headers(draw: st.DrawFn, shape: tuple[int, ...], dtype: np.dtype[Any], wrong: set[str]) -> bytes:
    """Give a header, with fields overwritten and extensions where these are wrong."""
    version, endian = draw(st.sampled_from([1, 2])), draw(st.sampled_from(ENDIANS))
    slope, intercept = draw(st.tuples(FLOATS, FLOATS)) if "scale" in wrong else (None, 0.0)
    with np.errstate(all="ignore"):
        head = bytearray(header(shape, dtype=dtype, endian=endian, version=version, slope=slope, intercept=intercept))
    fields = (Nifti1Header if version == 1 else Nifti2Header).template_dtype.newbyteorder(endian)
    extensions = b"".join(draw(st.lists(extension(endian), max_size=3))) if "extensions" in wrong else b""
    if extensions:
        head[-4] = draw(st.sampled_from([1, 1, 0, 255]))
        overwrite(head, fields, "vox_offset", [len(head) + len(extensions)])
    if "far" in wrong:
        overwrite(head, fields, "vox_offset", [draw(st.sampled_from(FAR))])
    names = st.lists(st.sampled_from(fields.names or ()), min_size=1, max_size=3)
    for name in draw(names) if "fields" in wrong else []:
        of = FLOATS if fields[name].base.kind == "f" else INTEGERS
        overwrite(head, fields, name, draw(st.lists(of, min_size=1, max_size=fields[name].itemsize)))
    return bytes(head) + extensions


def overwrite(head: bytearray, fields: np.dtype[Any], name: str, values: list[Any]) -> None:
    """Put numbers at the start of a field, cut to what it can hold; of an integer, its low bytes."""
    base, offset = fields[name].base, dict(fields.fields or {})[name][1]
    if base.kind == "f":
        with np.errstate(all="ignore"):
            raw = np.array(values, dtype=np.float64).astype(base).tobytes()
    else:
        size = 1 if base.kind == "S" else base.itemsize
        order = "big" if base.byteorder == ">" else "little"
        raw = b"".join((value % (1 << (8 * size))).to_bytes(size, order) for value in values)
    raw = raw[: fields[name].itemsize]
    head[offset : offset + len(raw)] = raw


def extension(endian: Endian) -> st.SearchStrategy[bytes]:
    """Give an extension whose stated size may be wrong."""
    order: Any = "big" if endian == ">" else "little"
    size = st.sampled_from([16, 32, 0, 8, 15, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 16])
    return st.tuples(size, st.integers(0, 50), st.sampled_from([0, 8, 24])).map(
        lambda of: of[0].to_bytes(4, order) + of[1].to_bytes(4, order) + bytes(of[2])
    )


@st.composite
def bodies(draw: st.DrawFn, n: int, dtype: np.dtype[Any], wrong: set[str]) -> bytes:
    """Give voxels of any bits, or scores, or one value everywhere; too few or too many where that is wrong."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    body = {
        "bits": lambda: rng.bytes(n * dtype.itemsize),
        "scores": lambda: rng.random(n).astype(dtype).tobytes(),
        "equal": lambda: rng.bytes(dtype.itemsize) * n,
    }[draw(st.sampled_from(["bits", "scores", "equal"]))]()
    change = draw(st.integers(-2 * dtype.itemsize, 2 * dtype.itemsize)) if "length" in wrong else 0
    return body[:change] if change < 0 else body + bytes(change)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut the end, or flip some bits, more often than not early ones."""
    if draw(st.booleans()):
        return content[: draw(st.integers(0, len(content)))]
    places = st.integers(0, 8 * len(content) - 1) | st.integers(0, min(8 * len(content) - 1, 3000))
    flipped = bytearray(content)
    for place in draw(st.lists(places, min_size=1, max_size=4)) if content else []:
        flipped[place // 8] ^= 1 << place % 8
    return bytes(flipped)


@st.composite
def packed(draw: st.DrawFn, content: bytes) -> bytes:
    """Compress into gzip members, some of them empty, with anything behind them."""
    cuts = sorted(draw(st.lists(st.integers(0, min(len(content), 4000)), max_size=3)))
    parts = [content[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    ways = draw(st.lists(members(), min_size=1, max_size=4))
    pieces = [ways[at % len(ways)](part) for at, part in enumerate(parts)]
    pieces.insert(draw(st.integers(0, len(pieces))), draw(st.sampled_from([b"", b"", b"", EMPTY, 300 * EMPTY, BOMB])))
    tail = st.sampled_from([b"", bytes(512), EMPTY, EMPTY[:2], gzip.compress(b"more"), BOMB]) | st.binary()
    return b"".join(pieces) + draw(tail)


@st.composite
def members(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Give a way to write a member: its flags, its fields, how it is deflated, its trailer."""
    flags = draw(st.just(0) | st.integers(0, 255) | st.sampled_from([EXTRA, NAME, COMMENT, HEADER_CRC, TEXT, RESERVED]))
    method = draw(st.sampled_from([8, 8, 8, 8, 8, 8, 8, 8, 8, 7]))
    text = draw(st.sampled_from([b"case.nii\0", b"\0", b"x" * 9000 + b"\0"]))
    extra = draw(st.sampled_from([b"\0\0", b"\4\0abcd", b"\xff\xff" + bytes(65_535)]))
    head = bytes([0x1F, 0x8B, method, flags]) + draw(st.binary(min_size=6, max_size=6))
    for flag, field in ((EXTRA, extra), (NAME, text), (COMMENT, text)):
        head += field if flags & flag else b""
    head += zlib.crc32(head).to_bytes(4, "little")[:2] if flags & HEADER_CRC else b""
    level = draw(st.sampled_from([1, 1, 0, 6]))
    trailer = draw(st.sampled_from(["right", "right", "right", "wrong", "short"]))

    def write(part: bytes) -> bytes:
        packer = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
        ends = zlib.crc32(part).to_bytes(4, "little") + (len(part) & 0xFFFFFFFF).to_bytes(4, "little")
        trailers = {"right": ends, "wrong": b"wrong!!!", "short": ends[:5]}
        return head + packer.compress(part) + packer.flush() + trailers[trailer]

    return write


def raw() -> st.SearchStrategy[Prediction]:
    """Give any bytes, also as the content of a gzip file."""
    content = st.binary(max_size=2000)
    return (content | content.map(gzip.compress)).map(lambda made: Prediction(made, SHAPE))


def main() -> None:
    """Fuzz until the minutes are over, or something is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--found", type=Path, default=Path("found.nii.gz"), help="where to write what was found")
    options = parser.parse_args()
    warnings.simplefilter("error")
    logging.disable()  # nibabel tells what it makes of each header
    until = time.monotonic() + 60 * options.minutes
    statuses: Counter[str] = Counter()
    round_ = options.seed
    try:
        while time.monotonic() < until:
            fuzz_round(round_, statuses)
            round_ += 1
    except FindingError as finding:
        options.found.write_bytes(finding.prediction.content)
        raise
    print(f"{statuses.total()} files in rounds {options.seed} to {round_ - 1}: {dict(statuses)}")  # noqa: T201  its result


def fuzz_round(number: int, statuses: Counter[str]) -> None:
    """Examine 1000 files, each round with the next reader. Raises FindingError for the smallest one found."""

    @seed(number)
    @settings(
        max_examples=1000,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(files() | files() | files() | files() | raw())
    def examine_all(prediction: Prediction) -> None:
        statuses[examine(prediction, READERS[number % len(READERS)])] += 1

    examine_all()


if __name__ == "__main__":
    main()
