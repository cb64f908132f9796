"""Named flat arrays as bytes and back: an .npz that numpy reads too, read here without believing it."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

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
        stream = io.BytesIO(member.read(size))
    if npy.read_magic(stream) != (1, 0):
        raise ValueError(f"{what}'s {name} is of another format version")
    shape, _, found = npy.read_array_header_1_0(stream)
    body = stream.read()
    if found != np.dtype(dtype) or shape != (len(body) // found.itemsize,) or len(body) % found.itemsize:
        raise ValueError(f"{what}'s {name} is {found}{shape} in {len(body)} bytes")
    return np.frombuffer(body, dtype=found)
