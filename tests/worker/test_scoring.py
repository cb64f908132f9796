"""Reading a container start's predictions: how long it may take, what is kept, and that no score hangs on it."""

import math
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest

from evaluator.details import Details
from evaluator.objects import ObjectRule
from evaluator.parser.parent import ParserError
from evaluator.readings import PixelReading, Status
from evaluator.report import ToyCase
from evaluator.sketch import Sketch
from evaluator.slices import Slices
from server.protocol import ContainerUser, Limits, Task
from tests.evaluator.files import volume, write
from tests.worker.test_starts import outcome
from worker import scoring
from worker.runners.docker import ImageFacts
from worker.scoring import ALL_S, MOMENT_S, Wanted, object_threshold, read_predictions, slices_of
from worker.starts import Case, Ran, Start
from worker.workspace import RunFolder

CASES = 1000
SHAPE = (10, 10, 10)
DETAILS = Details.total(())


class Children:
    """Parsers that share a clock of their own; each request takes what `answer` makes it take."""

    def __init__(self, answer: Callable[["Children", "Fake", float], PixelReading]) -> None:
        self.answer = answer
        self.now_s = 0.0
        self.given_s: list[float] = []

    def parser(self, **options: Any) -> "Fake":
        return Fake(self, **options)


class Fake:
    """One of them."""

    def __init__(self, children: Children, *, detailed: bool = False, rule: ObjectRule | None = None, **_: Any) -> None:
        self._children = children
        self.detailed = detailed
        self.rule = rule

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def pixel(self, *_: Path, timeout_s: float, **__: Any) -> PixelReading:
        self._children.given_s.append(timeout_s)
        return self._children.answer(self._children, self, timeout_s)


def reading(status: Status = Status.OK, *, details: Details | None = None) -> PixelReading:
    return PixelReading(status=status, sketch=Sketch.zeros(positive=1, negative=0), details=details)


def read(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    answer: Callable[[Children, Fake, float], PixelReading],
    *,
    cases: int = 1,
    wanted: Wanted | None = None,
) -> tuple[list[ToyCase], list[bool], Children]:
    """What was read, whether each case came with details, and the parsers."""
    children = Children(answer)
    monkeypatch.setattr(scoring, "Parser", children.parser)
    detailed: list[bool] = []
    found = read_predictions(
        ran_on(folder, cases),
        check=lambda: None,
        wanted=wanted or Wanted(details=True),
        keep=lambda _, kept: detailed.append(kept.details is not None),
        clock=lambda: children.now_s,
    )
    return found, detailed, children


def ran_on(folder: Path, cases: int) -> Ran:
    """A pixel start whose container wrote nothing."""
    names = [f"case_{number}.nii.gz" for number in range(cases)]
    image = ImageFacts(id="sha256:1", architecture="amd64", user="", volumes=(), tags=(), last_tagged_at="")
    start = Start(
        image=image,
        task=Task.PIXEL,
        dataset="brain",
        cases=tuple(Case(name=name, volume=folder / name, label=folder / name, shape=SHAPE) for name in names),
        limits=Limits(),
        budget_s=1,
        user=ContainerUser.NOBODY,
    )
    where = RunFolder(name="run", input_dir=folder, output_dir=folder, case_of={name: name for name in names})
    return Ran(start=start, outcome=outcome(), folder=where)


@pytest.mark.parametrize("details", [True, False])
def test_files_that_are_slow_on_purpose_cannot_keep_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, details: bool
) -> None:
    def slow(children: Children, _: Fake, timeout_s: float) -> PixelReading:
        children.now_s += timeout_s
        return reading(Status.UNREADABLE)

    found, _, children = read(monkeypatch, tmp_path, slow, cases=CASES, wanted=Wanted(details=details))
    assert len(found) == CASES
    assert sum(children.given_s) <= ALL_S + 1 + CASES * MOMENT_S
    assert children.given_s[-1] == MOMENT_S


def test_details_are_kept_in_the_first_part_of_the_time_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def steady(children: Children, parser: Fake, _: float) -> PixelReading:
        children.now_s += ALL_S / 10
        return reading(details=DETAILS if parser.detailed else None)

    found, detailed, _ = read(monkeypatch, tmp_path, steady, cases=9)
    assert detailed == [True] * 8 + [False]  # the eighth begins after 7 tenths of it
    assert {case.reading.status for case in found} == {Status.OK}


def test_prediction_that_only_details_cannot_read_keeps_its_score(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def heavy(_: Children, parser: Fake, __: float) -> PixelReading:
        return reading(Status.UNREADABLE, details=DETAILS) if parser.detailed else reading()

    found, detailed, _ = read(monkeypatch, tmp_path, heavy)
    assert (found[0].reading.status, detailed) == (Status.OK, [False])


def test_label_that_only_details_cannot_read_costs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def heavy(_: Children, parser: Fake, __: float) -> PixelReading:
        if parser.detailed:
            raise ParserError("label: too many lesions")
        return reading()

    found, detailed, _ = read(monkeypatch, tmp_path, heavy)
    assert (found[0].reading.status, detailed) == (Status.OK, [False])


def test_prediction_that_nobody_can_read_has_the_details_of_zeros(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(_: Children, parser: Fake, __: float) -> PixelReading:
        return reading(Status.UNREADABLE, details=DETAILS if parser.detailed else None)

    found, detailed, _ = read(monkeypatch, tmp_path, broken)
    assert (found[0].reading.status, detailed) == (Status.UNREADABLE, [True])


def test_missing_prediction_is_not_looked_for_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(_: Children, parser: Fake, __: float) -> PixelReading:
        return reading(Status.MISSING, details=DETAILS if parser.detailed else None)

    _, detailed, children = read(monkeypatch, tmp_path, missing, cases=3)
    assert detailed == [True] * 3
    assert len(children.given_s) == 3


def test_what_was_kept_is_not_held_for_all_cases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, detailed, _ = read(monkeypatch, tmp_path, lambda *_: reading(details=DETAILS), cases=2)
    assert detailed == [True, True]
    assert all(isinstance(case.reading, PixelReading) and case.reading.details is None for case in found)


def pixels(scores: list[float], mask: list[int]) -> ToyCase:
    sketch = Sketch.of(np.array(scores), np.array(mask, dtype=bool))
    return ToyCase(case="toy", reading=PixelReading(status=Status.OK, sketch=sketch))


def test_threshold_is_that_of_the_best_dice_on_all_toy_cases() -> None:
    assert object_threshold([pixels([0.5, 0.25], [1, 0]), pixels([0.75, 0.25], [1, 1])]) == 0.25  # 6/7, at 0.5 4/5
    assert object_threshold([pixels([0.5, 0.25], [1, 0]), pixels([0.75, 0.25], [1, 0])]) == 0.5


@pytest.mark.parametrize("read", [[], [pixels([0.5], [0])], [pixels([0.0, 0.0], [1, 0])]])
def test_threshold_that_means_nothing_is_none(read: list[ToyCase]) -> None:
    assert object_threshold(read) is None


def test_slice_is_cut_from_our_own_files(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:4, 2:4, 7] = True
    image = write(tmp_path / "image.nii.gz", volume(np.where(mask, 1.0, 0.5)))
    label = write(tmp_path / "label.nii.gz", volume(mask, dtype="u1"))
    case = Case(name="toy", volume=image, label=label, shape=SHAPE)
    plane = np.full(SHAPE[:2], 0.25, dtype=np.float16)
    found = slices_of(case, PixelReading(status=Status.OK, sketch=Sketch.total(()), plane=plane))
    assert isinstance(found, Slices)
    assert (found.z, found.label.sum(), found.image[2, 2], found.image[0, 0]) == (7, 4, 255, 128)
    assert math.isclose(float(found.prediction.mean()), 0.25)


def test_image_that_cannot_be_cut_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    label = write(tmp_path / "label.nii.gz", volume(np.zeros(SHAPE), dtype="u1"))
    damaged = write(tmp_path / "image.nii.gz", b"no volume")
    for image in (damaged, tmp_path / "absent.nii.gz"):
        case = Case(name="toy", volume=image, label=label, shape=SHAPE)
        assert slices_of(case, reading()) is None
    assert "no slice of case toy" in caplog.text
