"""Some seconds of fuzzing, the same each time; and that the fuzzer notices what it is there to notice."""

import io
import logging
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from evaluator.counting import without_prediction
from evaluator.readings import PixelReading, Status
from evaluator.truth import Truth
from tests.evaluator.files import SHAPE, volume
from tests.evaluator.fuzz import READERS, FindingError, Prediction, Reader, compiled, examine, files, raw

GOOD = Prediction(volume(np.random.default_rng(3).random(SHAPE)), SHAPE)
ALWAYS_THE_SAME: Any = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


@pytest.fixture(autouse=True, scope="module")
def without_log() -> Iterator[None]:
    """Keep what nibabel says of each header out of the report."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@settings(max_examples=40, **ALWAYS_THE_SAME)
@given(prediction=files())
def test_wrong_volume_has_a_status_or_the_scores_of_nibabel(reader: Reader, prediction: Prediction) -> None:
    examine(prediction, reader)


@settings(max_examples=100, **ALWAYS_THE_SAME)
@given(prediction=raw())
def test_bytes_without_a_form_are_unreadable(prediction: Prediction) -> None:
    assert examine(prediction) is Status.UNREADABLE


@pytest.mark.parametrize("status", [Status.OK, Status.SHAPE, Status.UNREADABLE])
def test_files_of_every_fate_are_made(status: Status) -> None:
    generating = settings(max_examples=500, phases=[Phase.generate], **ALWAYS_THE_SAME)
    find(files(), lambda prediction: examine(prediction) is status, settings=generating)


def raising(_file: BinaryIO, _truth: Truth) -> NoReturn:
    raise KeyError("dim")


def hanging(file: BinaryIO, _truth: Truth) -> NoReturn:
    while True:
        file.read(1)


def hoarding(file: BinaryIO, truth: Truth) -> PixelReading:
    held = bytearray(1 << 26)
    found = compiled(file, truth)
    held.clear()
    return found


def misreading(_file: BinaryIO, truth: Truth) -> PixelReading:
    return compiled(io.BytesIO(volume(np.ones(SHAPE))), truth)


def refusing(_file: BinaryIO, truth: Truth) -> PixelReading:
    return without_prediction(Status.UNREADABLE, truth)


@pytest.mark.parametrize(
    ("reader", "complaint"),
    [
        (raising, "KeyError: 'dim'; Prediction"),
        (hanging, "RuntimeError: more than"),
        (hoarding, r"MemoryError: \d+ bytes"),
        (misreading, "bins differ from nibabel's"),
        (refusing, "nibabel reads what is unreadable"),
    ],
)
def test_faulty_reader_is_found(reader: Reader, complaint: str) -> None:
    assert examine(GOOD) is Status.OK
    with pytest.raises(FindingError, match=f"^{complaint}"):
        examine(GOOD, reader)
