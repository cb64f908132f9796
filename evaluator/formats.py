"""Reads the files of a case: volumes slab by slab, sample scores, labels. Never a whole volume at once.

Volumes are single-file NIfTI-1 or -2 as nibabel reads them from a name in .nii.gz; scores are what
`get_fdata(dtype=numpy.float16)` of nibabel 5 with numpy 2 gives, clamped to [0, 1]. What nibabel would convert
by throwing something away (complex numbers, colours) is unreadable here.
"""

import math
from collections.abc import Callable, Iterator, Mapping
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
from evaluator.kernels import BLOCK, Blank, Loops, Mask, half_patterns, none_blank
from evaluator.metrics.samples import clamped
from evaluator.readings import Status

SUFFIX: Final = ".nii.gz"
_SLAB_BYTES: Final = 1 << 19
SLAB_VOXELS: Final = 1 << 17  # counts and slab together stay in a core's cache
MOST_OFFSET_BYTES: Final = 1 << 24  # between a header and its volume: extensions
MOST_TEXT_BYTES: Final = 1 << 16  # of a sample score's file; its first line counts
_POSITIVE_ABOVE: Final = 0.5
_MOST_LOOKED_UP_BYTES: Final = 2
_LOOPED_BYTES: Final = (4, 8)  # singles and doubles

Shape = tuple[int, ...]
Values = NDArray[np.generic]
Patterns = NDArray[np.uint16]


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
    """An open volume: its header is read, its voxels are still to come, once, in stored order: first axis fastest."""

    def __init__(self, stream: GzipInflater, header: Nifti1Header) -> None:
        self._stream = stream
        self.shape: Shape = tuple(int(n) for n in header.get_data_shape())
        self.stored: np.dtype[np.generic] = header.get_data_dtype()
        if self.stored.kind not in "iuf":
            raise UnreadableError(f"voxels are {self.stored}, not numbers on a line")
        slope, intercept = header.get_slope_inter()
        self.slope = np.float64(1.0 if slope is None else slope)
        self.intercept = np.float64(0.0 if intercept is None else intercept)
        self.voxel_mm3 = math.prod(abs(float(side)) for side in header.get_zooms()[:3])
        self.rounded = False  # half precision changed a score within [0, 1], as far as it was read

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
        """Give all voxels, flat, whole rows at a time, scaled as nibabel does. Raises UnreadableError."""
        row = self.shape[0] if self.shape else 1
        step = max(1, _SLAB_BYTES // self.stored.itemsize // max(1, row)) * row
        for start in range(0, self.voxels, max(1, step)):
            yield self._scaled(self._raw(start, min(step, self.voxels - start)))

    def masks(self) -> Iterator[Mask]:
        """Give `slabs` as a label means them: anomalous above 0.5. Raises UnreadableError."""
        for values in self.slabs():
            yield values.view(np.uint8) if values.dtype == np.uint8 else np.greater(values, _POSITIVE_ABOVE)

    def patterns(self, loops: Loops) -> Iterator[tuple[Patterns, Blank]]:
        """Give all voxels as half patterns, flat, whole planes (of the last axis) at a time. Raises UnreadableError.

        What is given is overwritten by the next one. See `evaluator.kernels` on the pattern of 0 and on what is blank.
        """
        plane = max(1, math.prod(self.shape[:2]))
        slab = plane * max(1, SLAB_VOXELS // plane)
        buffer = np.empty(min(slab, self.voxels), dtype=np.uint16)
        blank = none_blank(buffer.size)
        convert = self._converter(loops)
        for start in range(0, self.voxels, slab):
            size = min(slab, self.voxels - start)
            for offset in range(0, size, SLAB_VOXELS):
                out = buffer[offset : min(offset + SLAB_VOXELS, size)]
                blocks = blank[offset // BLOCK :][: -(-out.size // BLOCK)]
                self.rounded |= convert(self._raw(start + offset, out.size), out, blocks)
            yield buffer[:size], blank[: -(-size // BLOCK)]

    def at_end(self) -> bool:
        """Nothing follows the voxels, and the checksum was right. Call it after `slabs` or `patterns`."""
        return self._stream.at_end()

    def _raw(self, start: int, count: int) -> Values:
        """Read the next voxels as they are stored; `start` is for the complaint."""
        try:
            block = self._stream.read(count * self.stored.itemsize)
        except DamagedError as error:
            raise UnreadableError(f"{error}, at voxel {start} of {self.voxels}") from error
        return np.frombuffer(block, dtype=self.stored)

    def _scaled(self, values: Values) -> Values:
        if not self.is_scaled:
            return values
        with np.errstate(over="ignore", invalid="ignore"):
            return apply_read_scaling(values, self.slope, self.intercept)

    def _converter(self, loops: Loops) -> Callable[[Values, Patterns, Blank], bool]:
        """Choose how stored voxels become patterns; it gives whether rounding changed a score within [0, 1]."""
        if self.stored.kind in "iu" and self.stored.itemsize <= _MOST_LOOKED_UP_BYTES:
            return self._looked_up()
        native = self.stored.newbyteorder("=")
        if self.stored.kind == "f" and self.stored.itemsize in _LOOPED_BYTES and not self.is_scaled:
            return lambda values, out, blank: loops.patterns(values.astype(native, copy=False), out, blank)

        def convert(values: Values, out: Patterns, blank: Blank) -> bool:
            scaled = self._scaled(values)
            if scaled.dtype == np.float64:
                return loops.patterns(scaled, out, blank)
            out[:] = half_patterns(scaled)
            return bool(_changed(scaled, out).any())

        return convert

    def _looked_up(self) -> Callable[[Values, Patterns, Blank], bool]:
        """Convert each code that small integers can have once."""
        unsigned = np.dtype(f"u{self.stored.itemsize}")
        codes = np.arange(1 << (8 * unsigned.itemsize), dtype=unsigned)
        scaled = self._scaled(codes.view(self.stored.newbyteorder("=")))
        table = half_patterns(scaled)
        changed = _changed(scaled, table)

        def convert(values: Values, out: Patterns, _blank: Blank) -> bool:
            found = values.astype(self.stored.newbyteorder("="), copy=False).view(unsigned)
            np.take(table, found, out=out, mode="clip")
            return not self.rounded and bool(changed[found].any())

        return convert


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


def _changed(values: Values, patterns: Patterns) -> NDArray[np.bool_]:
    """Mark where rounding to half changed a score, once both are clamped."""
    halves = patterns.view(np.float16).astype(np.promote_types(values.dtype, np.float64))
    changed: NDArray[np.bool_] = (np.clip(values, 0, 1) != np.clip(halves, 0, 1)) & ~np.isnan(values)
    return changed


def _score_notes(given: float) -> dict[str, int]:
    if math.isnan(given):
        return {notes.NAN: 1}
    if math.isinf(given):
        return {notes.INFINITE: 1}
    return {} if 0 <= given <= 1 else {notes.CLAMPED: 1}
