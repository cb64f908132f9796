"""Volumes against nibabel (named oracle), sample scores, labels, and what is wrong with them."""

import gzip
import io
from pathlib import Path

import nibabel
import numpy as np
import pytest

from evaluator import kernels, notes
from evaluator.counting import read_pixel
from evaluator.formats import (
    MOST_TEXT_BYTES,
    SLAB_VOXELS,
    LabelError,
    UnreadableError,
    Volume,
    read_label,
    read_score,
)
from evaluator.kernels import Loops
from evaluator.readings import PixelReading, Status
from evaluator.sketch import Sketch
from evaluator.truth import Truth, count_positive
from tests.evaluator.files import SHAPE, Array, Endian, as_nibabel_reads, header, packed, volume, voxels, write

RNG = np.random.default_rng(7)
MASK = RNG.random(SHAPE) < 0.3
LABEL = volume(MASK, dtype="u1")
SCORES = RNG.random(SHAPE)
SCALES = [None, (1.0, 0.0), (1 / 250, 0.0), (0.37, 0.11), (1.0, 0.1), (0.0, 5.0), (float("nan"), 3.0), (-0.01, 1.0)]


LOOPS = pytest.mark.parametrize("loops", [kernels.PLAIN, kernels.best()], ids=lambda loops: loops.name)


def read(
    prediction: bytes, label: bytes = LABEL, shape: tuple[int, ...] = SHAPE, loops: Loops = kernels.PLAIN
) -> PixelReading:
    return read_pixel(io.BytesIO(prediction), Truth.read(io.BytesIO(label), shape), loops=loops)


def assert_counts_are(found: Sketch, expected: Sketch) -> None:
    """The oracle has rounded already: what was clamped or rounded on the way it cannot know."""
    for name in ("bins", "positive", "negative"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def stored(dtype: str) -> Array:
    """Scores as a file of this type would hold them, some outside [0, 1]."""
    if np.dtype(dtype).kind == "f":
        return RNG.random(SHAPE) * 1.6 - 0.3
    return RNG.integers(-100 if np.dtype(dtype).kind == "i" else 0, 120, SHAPE)


@LOOPS
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_scores_are_those_of_nibabel(
    tmp_path: Path, loops: Loops, dtype: str, endian: Endian, version: int, scale: tuple[float, float] | None
) -> None:
    slope, intercept = scale or (None, 0.0)
    content = volume(stored(dtype), dtype=dtype, endian=endian, version=version, slope=slope, intercept=intercept)
    oracle = as_nibabel_reads(write(tmp_path / "case.nii.gz", content))
    assert_counts_are(read(content, loops=loops).sketch, Sketch.of(oracle, MASK))


@LOOPS
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_midpoints_between_halves_are_rounded_once(tmp_path: Path, dtype: str, loops: Loops) -> None:
    halves = np.arange(0x3C00, dtype=np.uint16).view(np.float16).astype(np.float64)
    middles = (halves[:-1] + halves[1:]) / 2
    kind = np.dtype(dtype).type
    around = [np.nextafter(middles.astype(kind), kind(side)) for side in (0, 1)]
    scores = np.concatenate([middles.astype(kind), *around]).reshape(-1, 3, 1)
    content = volume(scores, dtype=dtype)
    oracle = as_nibabel_reads(write(tmp_path / "case.nii.gz", content))
    mask = RNG.random(scores.shape) < 0.5
    found = read(content, volume(mask, dtype="u1"), scores.shape, loops).sketch
    assert_counts_are(found, Sketch.of(oracle, mask))
    assert found == Sketch.of(scores, mask)
    single = Sketch.of(scores.astype(np.float32), mask)
    assert dtype == "f4" or found != single  # by way of single precision, doubles would be rounded twice


@LOOPS
@pytest.mark.parametrize("shape", [(SLAB_VOXELS // 64, 65, 3), (SLAB_VOXELS + 9, 2, 2), (40, 41, 97)])
def test_volume_of_many_slabs_is_counted_whole(shape: tuple[int, ...], loops: Loops) -> None:
    scores, mask = RNG.random(shape, dtype=np.float32), RNG.random(shape) < 0.01
    found = read(volume(scores, version=2), volume(mask, dtype="u1", version=2), shape, loops).sketch
    assert found == Sketch.of(scores, mask)


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
@pytest.mark.parametrize("endian", ["<", ">"])
def test_label_is_positive_above_one_half(dtype: str, endian: Endian) -> None:
    if np.dtype(dtype).kind == "f":
        label = volume(np.array([[[0.0, 0.5, 0.500001, 1.0, -1.0, np.nan, np.inf]]]), dtype=dtype, endian=endian)
        assert count_positive(io.BytesIO(label), (1, 1, 7)) == 3
    else:
        label = volume(np.array([[[0, 1, 2, 0]]]), dtype=dtype, endian=endian)
        assert count_positive(io.BytesIO(label), (1, 1, 4)) == 2


def test_slope_of_a_label_counts() -> None:
    label = volume(np.array([[[0, 200, 255]]]), dtype="u1", slope=1 / 255)
    assert count_positive(io.BytesIO(label), (1, 1, 3)) == 2


def test_odd_scores_are_noted_and_the_rest_keeps_its_scores() -> None:
    inf, nan = np.inf, np.nan
    scores = np.array([[[nan, inf, -inf, 2.0, -1.0, 0.5]]])
    found = read(volume(scores), volume(np.array([[[0, 0, 0, 0, 0, 1]]]), dtype="u1"), scores.shape)
    assert found.status is Status.OK
    assert found.notes == {notes.NAN: 1, notes.INFINITE: 2, notes.CLAMPED: 2}
    assert found.sketch.n_positive == 1
    assert found.sketch.distinct == 3  # 0, 0.5, 1


def test_nothing_odd_is_noted_of_a_plain_file() -> None:
    assert read(volume(SCORES)).notes == {}


@pytest.mark.parametrize(("scale", "noted"), [((0.5, 0.0), True), ((1.0, 0.1), True), ((1.0, 0.0), False)])
def test_slope_and_intercept_are_noted(scale: tuple[float, float], *, noted: bool) -> None:
    found = read(volume(SCORES / 2, slope=scale[0], intercept=scale[1]))
    assert found.notes == ({notes.SCALED: 1} if noted else {})


@pytest.mark.parametrize("tail", ["checksum", "cut trailer", "garbage", "second member", "bytes in the same member"])
def test_odd_end_is_a_warning(tail: str) -> None:
    content = volume(SCORES)
    odd = {
        "checksum": content[:-8] + b"wrong!!!",
        "cut trailer": content[:-8],
        "garbage": content + b"garbage",
        "second member": content + packed(b"more"),
        "bytes in the same member": packed(gzip.decompress(content) + b"x"),
    }[tail]
    found = read(odd)
    assert (found.status, dict(found.notes)) == (Status.OK, {notes.GZIP_TAIL: 1})
    assert found.sketch == read(content).sketch


def test_volume_in_two_members_is_read() -> None:
    content = gzip.decompress(volume(SCORES))
    assert read(packed(content[:400]) + packed(content[400:])).notes == {}


@pytest.mark.parametrize("shape", [(5, 7, 3), (7, 5, 4), (7, 5), (7, 5, 3, 1), (10_000, 10_000, 10_000)])
def test_other_shape_is_refused_by_its_header(shape: tuple[int, ...]) -> None:
    found = read(packed(header(shape)))
    assert found.status is Status.SHAPE
    assert found.notes == {notes.SHAPE: 1}
    assert found.sketch == Sketch.zeros(positive=int(MASK.sum()), negative=int((~MASK).sum()))


UNREADABLE = {
    "empty": b"",
    "text": b"0.5\n",
    "plain .nii": gzip.decompress(volume(SCORES)),
    "gzip of text": packed(b"no volume"),
    "header alone": packed(header()),
    "cut in its header": packed(header()[:200]),
    "cut volume": volume(SCORES)[:-40],
    "one voxel short": packed(gzip.decompress(volume(SCORES))[:-1]),
    "wrong magic": packed(header(magic=b"abc") + voxels(SCORES)),
    "unknown type": packed(header(datatype=77) + voxels(SCORES)),
    "complex": volume(SCORES, dtype="c8"),
    "offset in the header": packed(header(vox_offset=100) + voxels(SCORES)),
    "offset not a number": packed(header(vox_offset=float("nan")) + voxels(SCORES)),
    "offset far away": packed(header(vox_offset=1e9) + voxels(SCORES)),
    "negative offset": packed(header(vox_offset=-16) + voxels(SCORES)),
    "bad intercept": packed(header(slope=1.0, intercept=float("inf")) + voxels(SCORES)),
    "bad deflate": volume(SCORES)[:30] + bytes(300),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_file_that_gives_no_volume_counts_zero(content: bytes) -> None:
    found = read(content)
    assert (found.status, dict(found.notes)) == (Status.UNREADABLE, {notes.UNREADABLE: 1})
    assert found.sketch == Sketch.zeros(positive=int(MASK.sum()), negative=int((~MASK).sum()))


def test_colours_are_unreadable() -> None:
    head = header(dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert read(packed(head + bytes(3 * MASK.size))).status is Status.UNREADABLE


@pytest.mark.parametrize(
    "name", ["plain .nii", "text", "empty", "wrong magic", "unknown type", "cut volume", "bad intercept"]
)
def test_nibabel_cannot_read_it_either(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "case.nii.gz", UNREADABLE[name])
    with pytest.raises(Exception):  # noqa: B017, PT011  it raises many kinds; which one is not the point
        nibabel.nifti1.Nifti1Image.from_filename(path).get_fdata()


def test_extensions_before_the_volume_are_passed_over(tmp_path: Path) -> None:
    image = nibabel.nifti1.Nifti1Image(SCORES.astype(np.float32), np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"x" * 5000))
    image.to_filename(tmp_path / "case.nii.gz")
    assert read((tmp_path / "case.nii.gz").read_bytes()).sketch == read(volume(SCORES)).sketch


@pytest.mark.parametrize("place", range(348))
def test_header_with_a_flipped_byte_is_read_as_nibabel_reads_it(tmp_path: Path, place: int) -> None:
    head = bytearray(header())
    head[place] ^= 0xFF
    content = packed(bytes(head) + voxels(SCORES))
    found = read(content)
    path = write(tmp_path / "case.nii.gz", content)
    try:
        oracle = as_nibabel_reads(path)
    except Exception:  # noqa: BLE001  nibabel raises many kinds; which one is not the point
        assert found.status is not Status.OK
        return
    if oracle.shape != SHAPE:
        assert found.status is Status.SHAPE
    elif found.status is Status.OK:
        assert_counts_are(found.sketch, Sketch.of(oracle, MASK))
    else:
        assert np.iscomplexobj(np.asanyarray(nibabel.nifti1.Nifti1Image.from_filename(path).dataobj))


@pytest.mark.parametrize("label", [b"", LABEL[:-30], volume(np.zeros((2, 2, 2)), dtype="u1")])
def test_label_that_cannot_be_read_is_ours(label: bytes) -> None:
    with pytest.raises(LabelError, match=r"^cannot be read|is \(2, 2, 2\), its case is \(7, 5, 3\)"):
        read(volume(SCORES), label)
    with pytest.raises(LabelError, match=r"^cannot be read|is \(2, 2, 2\), its case is \(7, 5, 3\)"):
        count_positive(io.BytesIO(label), SHAPE)


def test_volume_says_what_its_header_claims() -> None:
    found = Volume.open(io.BytesIO(volume(SCORES, version=2, dtype="i2", endian=">", slope=0.25)))
    assert (found.shape, found.voxels, found.stored, found.is_scaled) == (SHAPE, 105, np.dtype(">i2"), True)


def test_volume_that_ends_early_says_where() -> None:
    found = Volume.open(io.BytesIO(packed(header() + bytes(8))))
    with pytest.raises(UnreadableError, match="at voxel 0 of 105"):
        list(found.slabs())


@pytest.mark.parametrize(
    ("text", "score", "noted"),
    [
        (b"0.25", 0.25, {}),
        (b" 1e-3 \r\n", 0.001, {}),
        (b"0.5\nanything\n", 0.5, {}),
        (b"nan", 0.0, {notes.NAN: 1}),
        (b"inf", 1.0, {notes.INFINITE: 1}),
        (b"-inf", 0.0, {notes.INFINITE: 1}),
        (b"17", 1.0, {notes.CLAMPED: 1}),
        (b"-0.1", 0.0, {notes.CLAMPED: 1}),
    ],
)
def test_sample_score_is_the_number_on_the_first_line(text: bytes, score: float, noted: dict[str, int]) -> None:
    found = read_score(text)
    assert (found.status, found.score, dict(found.notes)) == (Status.OK, score, noted)


@pytest.mark.parametrize("text", [b"", b"\n0.5", b"high", b"0,5", b"0.5 0.6", b"\xff\xfe", b"\0"])
def test_sample_score_that_is_no_number_is_unreadable(text: bytes) -> None:
    assert read_score(text).status is Status.UNREADABLE


def test_sample_score_of_many_bytes_is_too_large() -> None:
    assert read_score(b"0" * (MOST_TEXT_BYTES + 1)).status is Status.TOO_LARGE


def test_sample_label_is_zero_or_one() -> None:
    assert [read_label(text) for text in (b"0", b"1\n", b" 1 \nmore")] == [0, 1, 1]


@pytest.mark.parametrize("text", [b"", b"2", b"1.0", b"yes", b"\xff"])
def test_sample_label_that_is_neither_is_ours(text: bytes) -> None:
    with pytest.raises(LabelError, match="not 0 or 1"):
        read_label(text)
