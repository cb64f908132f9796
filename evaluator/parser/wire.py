"""What parent and child say to each other: length-prefixed JSON and bytes, over one socket.

The child may have been taken over by a file it read: what it says is bounded and looked at field by field.
"""

import json
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from evaluator import details, sketch, slices
from evaluator.notes import SENTENCES
from evaluator.readings import Status

_LENGTHS: Final = struct.Struct("!II")  # of the JSON, of the bytes
_MOST_JSON_BYTES: Final = 1 << 14
_MOST_COUNT: Final = 1 << 53
_MOST_CONTENT_BYTES: Final = sketch.MOST_BYTES + details.MOST_BYTES + slices.MOST_PLANE_BYTES
MOST_REQUEST_BYTES: Final = 1 << 12
MOST_FDS: Final = 2

Rule = Mapping[str, float]  # the fields of an ObjectRule, or none


class WireError(Exception):
    """The other side is gone, is silent, or says what it must not."""


class EndedError(WireError):
    """The other side is gone."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the child is to do with the descriptors that come along.

    pixel: prediction and label. label: the label alone, for a prediction of `status`. sample: prediction.
    """

    what: str
    cpu_s: int
    shape: Sequence[int] = ()
    status: str = Status.OK
    rule: Rule = field(default_factory=dict)
    shown: bool = False  # a plane of the prediction is wanted too


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of it: a status with notes, the bytes of sketch, details and plane, or a score; or a label's fault."""

    status: Status = Status.UNREADABLE
    notes: Mapping[str, int] = field(default_factory=dict)
    score: float = 0.0
    label_fault: str = ""  # of a label of ours
    sketch: bytes = b""
    details: bytes = b""
    plane: bytes = b""

    def to_fields(self) -> dict[str, object]:
        """Give what goes as JSON; `content` goes behind it."""
        fields = {"status": self.status, "notes": dict(self.notes), "score": self.score}
        sizes = {"sketch_bytes": len(self.sketch), "plane_bytes": len(self.plane)}
        return {**fields, "label_fault": self.label_fault, **sizes}

    @property
    def content(self) -> bytes:
        """What goes as bytes."""
        return self.sketch + self.plane + self.details

    @classmethod
    def believed(cls, fields: Mapping[str, object], content: bytes) -> Self:
        """Look at each field of what the child said. Raises WireError."""
        status, notes, score, fault = (fields.get(name) for name in ("status", "notes", "score", "label_fault"))
        if status not in tuple(Status) or not isinstance(notes, dict) or not isinstance(fault, str):
            raise WireError(f"the parser answered {str(fields)[:200]}")
        sketch_bytes, plane_bytes = (fields.get(name) for name in ("sketch_bytes", "plane_bytes"))
        if type(sketch_bytes) is not int or type(plane_bytes) is not int or min(sketch_bytes, plane_bytes) < 0:
            raise WireError(f"the parser claims {sketch_bytes!r:.40} and {plane_bytes!r:.40} bytes")
        behind = sketch_bytes + plane_bytes
        if behind > len(content):
            raise WireError(f"the parser claims {behind} bytes in {len(content)}")
        if not isinstance(score, float) or not 0 <= score <= 1:
            raise WireError(f"the parser gave the score {score!r:.40}")
        for code, count in notes.items():
            if code not in SENTENCES or type(count) is not int or not 0 < count <= _MOST_COUNT:
                raise WireError(f"the parser noted {code!r:.40}: {count!r:.40}")
        parts = {
            "sketch": content[:sketch_bytes],
            "plane": content[sketch_bytes:behind],
            "details": content[behind:],
        }
        return cls(status=Status(str(status)), notes=notes, score=score, label_fault=fault[:500], **parts)


def send(connection: socket.socket, fields: Mapping[str, object], content: bytes = b"") -> None:
    """Send one message."""
    body = json.dumps(fields).encode()
    connection.sendall(_LENGTHS.pack(len(body), len(content)) + body + content)


def receive(connection: socket.socket, *, deadline: float) -> tuple[dict[str, object], bytes]:
    """Receive one message before `deadline` (of time.monotonic). Raises WireError."""
    body_bytes, content_bytes = _LENGTHS.unpack(_exactly(connection, _LENGTHS.size, deadline))
    if body_bytes > _MOST_JSON_BYTES or content_bytes > _MOST_CONTENT_BYTES:
        raise WireError(f"the parser wants to say {body_bytes} + {content_bytes} bytes")
    body = _exactly(connection, body_bytes, deadline)
    content = _exactly(connection, content_bytes, deadline)
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError("the parser does not speak JSON") from error
    if not isinstance(fields, dict):
        raise WireError("the parser did not answer with an object")
    return fields, content


def _exactly(connection: socket.socket, count: int, deadline: float) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise WireError("the parser took too long")
        connection.settimeout(left_s)
        try:
            part = connection.recv(count - len(parts))
        except TimeoutError as error:
            raise WireError("the parser took too long") from error
        except OSError as error:
            raise EndedError(f"the parser is gone: {error}") from error
        if not part:
            raise EndedError("the parser ended")
        parts += part
    return bytes(parts)
