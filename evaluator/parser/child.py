"""The child: reads the descriptors it is handed, one request at a time, and answers. Holds nothing else.

Words on its command line say what it loads while it still has files: `compiled` loops, and what `detailed`
readings need.
"""

import ctypes
import io
import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from gzip import compress
from importlib import import_module
from typing import BinaryIO, Final

import numpy as np
from nibabel.nifti1 import Nifti1Image

from evaluator import kernels
from evaluator.counting import Watch, read_pixel, without_prediction
from evaluator.formats import MOST_TEXT_BYTES, LabelError, read_score
from evaluator.kernels import Loops
from evaluator.parser.confine import confine, limit_cpu
from evaluator.parser.wire import MOST_FDS, MOST_REQUEST_BYTES, Answer, Request, Rule, send
from evaluator.readings import Status
from evaluator.slices import plane_bytes
from evaluator.truth import Truth

PARENT: Final = 0  # the socket stands where standard input would
COMPILED: Final = "compiled"
DETAILED: Final = "detailed"

Watching = Callable[[Rule], Watch | None]  # a request's rule -> what watches its prediction


def main() -> None:
    """Load what the command line asks for, warm up, give up all privileges, and serve until the parent goes."""
    connection = socket.socket(fileno=PARENT)
    loops = kernels.best() if COMPILED in sys.argv else kernels.PLAIN
    watching = watching_with(loops) if DETAILED in sys.argv else nothing_watches
    warm_up(loops, watching)
    give_back()
    send(connection, dict(confine()))
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, MOST_REQUEST_BYTES, MOST_FDS)
        if not message:
            return
        request = Request(**json.loads(message))
        limit_cpu(request.cpu_s)
        files = [os.fdopen(descriptor, "rb", buffering=0) for descriptor in descriptors]
        found = answer(request, files, loops, watching)
        for file in files:
            file.close()
        send(connection, found.to_fields(), found.content)


def give_back() -> None:
    """Let the kernel have what only loading needed; where the C library is not GNU's, nothing happens."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def watching_with(loops: Loops) -> Watching:
    """Load what details need: libraries that a child without them is spared."""
    gathering = import_module("evaluator.gathering")

    def watching(rule: Rule) -> Watch:
        return partial(gathering.Gathering, loops=loops, rule=gathering.ObjectRule(**rule) if rule else None)

    return watching


def nothing_watches(_rule: Rule) -> None:
    """Keep the sketch alone."""


def answer(request: Request, files: Sequence[BinaryIO], loops: Loops, watching: Watching) -> Answer:
    """Read what was handed over."""
    if request.what == "sample":
        score = read_score(files[0].read(MOST_TEXT_BYTES + 1))
        return Answer(status=score.status, notes=score.notes, score=score.score)
    watch = watching(request.rule)
    try:
        truth = Truth.read(files[-1], tuple(request.shape), loops=loops)
    except LabelError as error:
        return Answer(label_fault=str(error))
    if request.what == "pixel":
        reading = read_pixel(files[0], truth, loops=loops, watch=watch, shown=request.shown)
    else:
        reading = without_prediction(Status(request.status), truth, watch=watch)
    return Answer(
        status=reading.status,
        notes=reading.notes,
        sketch=reading.sketch.to_bytes(compressed=False),
        details=reading.details.to_bytes(compressed=False) if reading.details else b"",
        plane=plane_bytes(reading.plane),
    )


def warm_up(loops: Loops, watching: Watching) -> None:
    """Read a small volume once, so that everything is imported and compiled while there still are files."""
    image = Nifti1Image(np.ones((2, 2, 2), dtype=np.float32), np.eye(4))
    content = compress(image.to_bytes())
    truth = Truth.read(io.BytesIO(content), (2, 2, 2), loops=loops)
    rules: Sequence[Rule] = ({}, {"threshold": 0.5})
    for rule in rules:
        for prediction in (content, content[:-20], b"no volume"):
            read_pixel(io.BytesIO(prediction), truth, loops=loops, watch=watching(rule), shown=True)
    read_score(b"0.5")
