"""Named flat arrays as bytes and back: an .npz that numpy reads too, read here without believing it."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

_MAGIC: Final = b"\x93NUMPY\x01\x00"
_HEAD_BYTES: Final = len(_MAGIC) + 2  # and the length of the header
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # equal arrays have equal bytes

Arrays = Mapping[str, NDArray[np.generic]]


def pack(arrays: Arrays, *, compressed: bool = True) -> bytes:
    """Write flat arrays, lightly compressed or, to be read at once, as they are; equal ones in one order alike."""
    stream = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", compresslevel=1) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            npy.write_array(member, array, version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH), member.getvalue(), how, 1)
    return stream.getvalue()


def unpack(what: str, content: bytes, dtypes: Mapping[str, str], *, most_bytes: int) -> dict[str, NDArray[np.generic]]:
    """Read what `pack` wrote: exactly the named arrays, each flat and of its dtype.

    `what` names it in complaints. Neither the file nor any array may have more than `most_bytes`. Raises
    ValueError for everything else.
    """
    if len(content) > most_bytes:
        raise ValueError(f"{what} has {len(content)} bytes, more than {most_bytes}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sorted(archive.namelist()) != sorted(f"{name}.npy" for name in dtypes):
                raise ValueError(f"{what} holds {archive.namelist()[:8]}")
            return {name: _array(what, archive, name, dtype, most_bytes) for name, dtype in dtypes.items()}
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise ValueError(f"{what} is damaged: {error}") from error


def _array(what: str, archive: zipfile.ZipFile, name: str, dtype: str, most_bytes: int) -> NDArray[np.generic]:
    """Read one flat array whose claimed size is looked at before anything is allocated."""
    size = archive.getinfo(f"{name}.npy").file_size
    if size > most_bytes:
        raise ValueError(f"{what}'s {name} claims {size} bytes")
    with archive.open(f"{name}.npy") as member:
        content = member.read(size)  # and no more: what is inflated is bounded
    start = _HEAD_BYTES + int.from_bytes(content[len(_MAGIC) : _HEAD_BYTES], "little")
    count, rest = divmod(len(content) - start, np.dtype(dtype).itemsize)
    # What numpy writes, compared and not parsed: that takes longer than all else here.
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({count},), }}"
    if content[: len(_MAGIC)] != _MAGIC or rest or content[_HEAD_BYTES:start].rstrip() != header.encode():
        raise ValueError(f"{what}'s {name} is no flat array of {dtype}")
    return np.frombuffer(content, dtype=dtype, offset=start)
