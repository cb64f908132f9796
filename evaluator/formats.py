"""Reads the files of a case: volumes in slabs, sample scores, labels. Never a whole volume at once.

Volumes are single-file NIfTI-1 or -2 as nibabel reads them from a name in .nii.gz; scores are what
`get_fdata(dtype=numpy.float16)` of nibabel 5 with numpy 2 gives, clamped to [0, 1]. What nibabel would convert
by throwing something away (complex numbers, colours) is unreadable here.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Self

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from evaluator import notes
from evaluator.inflate import DamagedError, GzipInflater
from evaluator.kernels import Tally
from evaluator.metrics.samples import clamped
from evaluator.readings import PixelReading, Status
from evaluator.sketch import Sketch

SUFFIX: Final = ".nii.gz"
SLAB_VOXELS: Final = 1 << 17  # counts and slab together stay in a core's cache
MOST_OFFSET_BYTES: Final = 1 << 24  # between a header and its volume: extensions
MOST_TEXT_BYTES: Final = 1 << 16  # of a sample score's file; its first line counts
_POSITIVE_ABOVE: Final = 0.5

Shape = tuple[int, ...]
Values = NDArray[np.generic]


class UnreadableError(ValueError):
    """A file is not what it should be; the message says how."""


class LabelError(UnreadableError):
    """A label of ours cannot be read."""


@dataclass(frozen=True, kw_only=True)
class ScoreReading:
    """A sample prediction without its label."""

    status: Status
    score: float = 0.0  # in [0, 1]
    notes: Mapping[str, int] = field(default_factory=dict)


class Volume:
    """An open volume: its header is read, its voxels are still to come, once."""

    def __init__(self, stream: GzipInflater, header: Nifti1Header) -> None:
        self._stream = stream
        self.shape: Shape = tuple(int(n) for n in header.get_data_shape())
        self.stored: np.dtype[np.generic] = header.get_data_dtype()
        if self.stored.kind not in "iuf":
            raise UnreadableError(f"voxels are {self.stored}, not numbers on a line")
        slope, intercept = header.get_slope_inter()
        self.slope = np.float64(1.0 if slope is None else slope)
        self.intercept = np.float64(0.0 if intercept is None else intercept)

    @classmethod
    def open(cls, file: BinaryIO) -> Self:
        """Read the header of a gzip-compressed single-file NIfTI. Raises UnreadableError."""
        try:
            stream = GzipInflater(file)
            header = _header(stream)
            stream.read(_offset(header))
            return cls(stream, header)
        except DamagedError as error:
            raise UnreadableError(str(error)) from error
        except UnreadableError:
            raise
        except (HeaderDataError, WrapStructError, ValueError, OverflowError) as error:
            raise UnreadableError(f"not a NIfTI header: {error}") from error

    @property
    def voxels(self) -> int:
        """How many the header claims."""
        return math.prod(self.shape)

    @property
    def is_scaled(self) -> bool:
        """The header carries a slope or an intercept that changes values."""
        return (float(self.slope), float(self.intercept)) != (1.0, 0.0)

    def slabs(self) -> Iterator[Values]:
        """Give all voxels in stored order, flat, some at a time, scaled as nibabel does. Raises UnreadableError."""
        for start in range(0, self.voxels, SLAB_VOXELS):
            count = min(SLAB_VOXELS, self.voxels - start)
            try:
                block = self._stream.read(count * self.stored.itemsize)
            except DamagedError as error:
                raise UnreadableError(f"{error}, at voxel {start} of {self.voxels}") from error
            values: Values = np.frombuffer(block, dtype=self.stored)
            with np.errstate(over="ignore", invalid="ignore"):
                yield apply_read_scaling(values, self.slope, self.intercept)

    def at_end(self) -> bool:
        """Nothing follows the voxels, and the checksum was right. Call it after `slabs`."""
        return self._stream.at_end()


def read_pixel(prediction: BinaryIO, label: BinaryIO, shape: Shape) -> PixelReading:
    """Read prediction and label side by side, slab by slab; whatever is wrong with the prediction is a status.

    Both files are binary, at their start; `label` must be seekable. Raises UnreadableError for a label that
    cannot be read or is not of `shape`: that is ours.
    """
    try:
        volume = Volume.open(prediction)
        if volume.shape != shape:
            return without_prediction(Status.SHAPE, label, shape)
        tally = Tally()
        truth = _open_label(label, shape)
        for values, positive in zip(volume.slabs(), _masks(truth), strict=True):
            tally.add(values, positive)
    except LabelError:
        raise
    except UnreadableError:
        label.seek(0)
        return without_prediction(Status.UNREADABLE, label, shape)
    sketch = Sketch.folded(tally)
    return PixelReading(status=Status.OK, sketch=sketch, notes=_pixel_notes(sketch, volume))


def without_prediction(status: Status, label: BinaryIO, shape: Shape) -> PixelReading:
    """Count the label alone: score 0 everywhere."""
    positive = count_positive(label, shape)
    return PixelReading.without_prediction(status, positive=positive, negative=math.prod(shape) - positive)


def count_positive(label: BinaryIO, shape: Shape) -> int:
    """Count the voxels of a label above 0.5. Raises LabelError."""
    return sum(int(np.count_nonzero(mask)) for mask in _masks(_open_label(label, shape)))


def read_score(content: bytes) -> ScoreReading:
    """Read a sample prediction: one number on the first line, clamped to [0, 1]; NaN is 0."""
    if len(content) > MOST_TEXT_BYTES:
        return ScoreReading(status=Status.TOO_LARGE)
    try:
        given = float(content.decode("utf-8").partition("\n")[0])
    except ValueError:
        return ScoreReading(status=Status.UNREADABLE)
    return ScoreReading(status=Status.OK, score=clamped(given), notes=_score_notes(given))


def read_label(content: bytes) -> int:
    """Read a sample label: 0 or 1 on the first line. Raises LabelError."""
    line = content.decode("utf-8", errors="replace").partition("\n")[0].strip()
    if line not in {"0", "1"}:
        raise LabelError(f"the first line is {line[:40]!r}, not 0 or 1")
    return int(line)


def _header(stream: GzipInflater) -> Nifti1Header:
    """Parse the header at the start, the way nibabel tells NIfTI-1 from NIfTI-2."""
    block = stream.peek(Nifti1Header.sizeof_hdr)
    if Nifti1Header.may_contain_header(block):
        return Nifti1Header(block)
    block = stream.peek(Nifti2Header.sizeof_hdr)
    if Nifti2Header.may_contain_header(block):
        return Nifti2Header(block)
    raise UnreadableError("neither NIfTI-1 nor NIfTI-2")


def _offset(header: Nifti1Header) -> int:
    """Give the byte where the volume starts, within reason."""
    offset = int(header.get_data_offset())
    if not 0 <= offset <= MOST_OFFSET_BYTES:
        raise UnreadableError(f"the volume starts at byte {offset}")
    return offset


def _open_label(label: BinaryIO, shape: Shape) -> Volume:
    try:
        volume = Volume.open(label)
    except UnreadableError as error:
        raise LabelError(f"cannot be read: {error}") from error
    if volume.shape != shape:
        raise LabelError(f"is {volume.shape}, its case is {shape}")
    return volume


def _masks(label: Volume) -> Iterator[NDArray[np.bool_]]:
    """Give a label's slabs as masks."""
    try:
        for values in label.slabs():
            yield np.greater(values, _POSITIVE_ABOVE)
    except UnreadableError as error:
        raise LabelError(f"cannot be read: {error}") from error


def _pixel_notes(sketch: Sketch, volume: Volume) -> dict[str, int]:
    counts = {
        notes.NAN: sketch.nan,
        notes.INFINITE: sketch.posinf + sketch.neginf,
        notes.CLAMPED: sketch.below + sketch.above,
        notes.SCALED: int(volume.is_scaled),
        notes.GZIP_TAIL: int(not volume.at_end()),
    }
    return {code: count for code, count in counts.items() if count}


def _score_notes(given: float) -> dict[str, int]:
    if math.isnan(given):
        return {notes.NAN: 1}
    if math.isinf(given):
        return {notes.INFINITE: 1}
    return {} if 0 <= given <= 1 else {notes.CLAMPED: 1}
