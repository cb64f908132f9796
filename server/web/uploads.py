"""Bodies of gigabytes: decided on by their headers, then streamed into the store's own folder.

Nothing is kept in memory but a buffer, and nothing goes through the temporary folder. What stops half
way leaves nothing behind.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from email.message import Message as Header

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.errors import Invalid, LengthRequired, TooLarge
from server.storage import Incoming, Store

BUFFER_BYTES = 2**20  # written and hashed at a time, in a thread
FORM_OVERHEAD_BYTES = 16 * 1024  # boundaries, part headers and small fields round the file of a form
FILE_FIELD = "archive"


def content_length(request: Request) -> int:
    """What the request announces, in bytes.

    Raises LengthRequired where it does not: an upload of unknown size cannot be decided on before it is read.
    """
    value = request.headers.get("content-length", "")
    if not value.isascii() or not value.isdigit():
        raise LengthRequired(
            "An upload must say its size in a Content-Length header. Send a file, not a pipe: "
            "curl --data-binary @image.tar does it."
        )
    return int(value)


def boundary_of(request: Request) -> bytes:
    """The boundary of a multipart form; Invalid where the request is no such form."""
    header = Header()
    header["content-type"] = request.headers.get("content-type", "")
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or not boundary:
        raise Invalid("The archive must come as a multipart form with a file in the field 'archive'.")
    return boundary.encode("latin-1", "replace")


async def receive_body(request: Request, store: Store, *, limit_bytes: int) -> Incoming:
    """Stream the whole body into the store; the caller commits or aborts what comes back."""
    return await stream_into(store, request.stream(), limit_bytes=limit_bytes)


async def receive_form(request: Request, store: Store, *, limit_bytes: int) -> Incoming:
    """Stream the file of a multipart form into the store; the caller commits or aborts what comes back."""
    return await stream_into(store, form_file(request.stream(), boundary_of(request)), limit_bytes=limit_bytes)


async def stream_into(store: Store, pieces: AsyncIterator[bytes], *, limit_bytes: int) -> Incoming:
    """Write the pieces to a file of the store, hashing; abort it when anything goes wrong on the way."""
    incoming = await run_in_threadpool(store.receive)
    with ExitStack() as half_way:
        # By cancellation too: the client hung up, or the server stops. Unlinking is quick enough for the loop.
        half_way.callback(incoming.abort)
        await copy(pieces, incoming.write, limit_bytes=limit_bytes)
        half_way.pop_all()
    return incoming


async def copy(pieces: AsyncIterator[bytes], write: Callable[[bytes], object], *, limit_bytes: int) -> None:
    """Pass pieces on to a blocking `write`, in buffers, in threads."""
    buffer = bytearray()
    total_bytes = 0
    async for piece in pieces:
        total_bytes += len(piece)
        if total_bytes > limit_bytes:
            raise TooLarge(f"The upload is larger than the {limit_bytes:,} bytes allowed.")
        buffer += piece
        if len(buffer) >= BUFFER_BYTES:
            await run_in_threadpool(write, bytes(buffer))
            buffer.clear()
    if buffer:
        await run_in_threadpool(write, bytes(buffer))
    if not total_bytes:
        raise Invalid("The upload is empty. Choose the archive that docker save wrote.")


async def form_file(body: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[bytes]:
    """Yield the bytes of the form's one file as they arrive; Invalid where the form is malformed."""
    form = FileOfForm(boundary)
    async for chunk in body:
        if chunk:
            form.feed(chunk)
        for piece in form.taken():
            yield piece
    form.finish()


class FileOfForm:
    """Picks the file out of a multipart body that comes in chunks."""

    def __init__(self, boundary: bytes) -> None:
        self._pieces: list[bytes] = []
        self._name = bytearray()
        self._value = bytearray()
        self._is_file = False
        self._files = 0
        self._other_bytes = 0
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_part_data": self._part_data,
                    "on_end": self._form_ends,
                },
            )
        except FormParserError as error:
            raise Invalid(f"The form cannot be read: {error}.") from error

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Invalid(f"The form cannot be read: {error}.") from error
        if self._other_bytes > FORM_OVERHEAD_BYTES:
            raise Invalid("The form holds more than the archive.")

    def taken(self) -> list[bytes]:
        """The file's bytes since last asked."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> None:
        """The body is over: was it a whole form with one file?"""
        if not self._ended:
            raise Invalid("The form ended in the middle. Send it again.")
        if self._files != 1:
            raise Invalid(f"Choose one archive: the form holds {self._files} files in the field '{FILE_FIELD}'.")

    def _part_begins(self) -> None:
        self._is_file = False
        self._name.clear()
        self._value.clear()

    def _header_name(self, chunk: bytes, start: int, end: int) -> None:
        self._name += chunk[start:end]

    def _header_value(self, chunk: bytes, start: int, end: int) -> None:
        self._value += chunk[start:end]

    def _header_ends(self) -> None:
        if self._name.lower() == b"content-disposition":
            header = Header()
            header["content-disposition"] = self._value.decode("latin-1")
            field = header.get_param("name", header="content-disposition")
            self._is_file = field == FILE_FIELD and header.get_filename() is not None
            self._files += self._is_file
        self._name.clear()
        self._value.clear()

    def _part_data(self, chunk: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._pieces.append(chunk[start:end])
        else:
            self._other_bytes += end - start

    def _form_ends(self) -> None:
        self._ended = True
