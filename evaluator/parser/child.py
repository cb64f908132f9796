"""The child: reads the descriptors it is handed, one request at a time, and answers. Holds nothing else."""

import io
import json
import os
import socket
from collections.abc import Sequence
from gzip import compress
from typing import BinaryIO, Final

import numpy as np
from nibabel.nifti1 import Nifti1Image

from evaluator.formats import MOST_TEXT_BYTES, LabelError, read_pixel, read_score, without_prediction
from evaluator.parser.confine import confine, limit_cpu
from evaluator.parser.wire import MOST_FDS, MOST_REQUEST_BYTES, Answer, Request, send
from evaluator.readings import Status

PARENT: Final = 0  # the socket stands where standard input would


def main() -> None:
    """Warm up, give up all privileges, and serve until the parent goes."""
    connection = socket.socket(fileno=PARENT)
    warm_up()
    send(connection, dict(confine()))
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, MOST_REQUEST_BYTES, MOST_FDS)
        if not message:
            return
        request = Request(**json.loads(message))
        limit_cpu(request.cpu_s)
        files = [os.fdopen(descriptor, "rb", buffering=0) for descriptor in descriptors]
        found = answer(request, files)
        for file in files:
            file.close()
        send(connection, found.to_fields(), found.sketch)


def answer(request: Request, files: Sequence[BinaryIO]) -> Answer:
    """Read what was handed over."""
    if request.what == "sample":
        score = read_score(files[0].read(MOST_TEXT_BYTES + 1))
        return Answer(status=score.status, notes=score.notes, score=score.score)
    shape = tuple(request.shape)
    try:
        if request.what == "pixel":
            reading = read_pixel(files[0], files[1], shape)
        else:
            reading = without_prediction(Status(request.status), files[0], shape)
    except LabelError as error:
        return Answer(label_fault=str(error))
    return Answer(status=reading.status, notes=reading.notes, sketch=reading.sketch.to_bytes())


def warm_up() -> None:
    """Read a small volume once, so that everything is imported while there still are files."""
    image = Nifti1Image(np.ones((2, 2, 2), dtype=np.float32), np.eye(4))
    content = compress(image.to_bytes())
    for prediction in (content, content[:-20], b"no volume"):
        read_pixel(io.BytesIO(prediction), io.BytesIO(content), (2, 2, 2))
    read_score(b"0.5")
