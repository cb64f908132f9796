"""How long reading a container start's predictions may take."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from evaluator.readings import PixelReading, Status
from server.protocol import ContainerUser, Limits, Task
from tests.worker.test_starts import outcome
from worker import scoring
from worker.runners.docker import ImageFacts
from worker.scoring import ALL_S, MOMENT_S, read_predictions
from worker.starts import Case, Ran, Start
from worker.workspace import RunFolder

CASES = 1000


class Slow:
    """A parser that needs all the time it is given, by a clock of its own."""

    now_s = 0.0
    given_s: list[float]

    def __enter__(self) -> Self:
        self.given_s = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def pixel(self, *_: Path, timeout_s: float, **__: Any) -> PixelReading:
        self.now_s += timeout_s
        self.given_s.append(timeout_s)
        return PixelReading.without_prediction(Status.UNREADABLE, positive=1, negative=0)


def ran_on(folder: Path, cases: int) -> Ran:
    """A pixel start whose container wrote nothing."""
    names = [f"case_{number}.nii.gz" for number in range(cases)]
    image = ImageFacts(id="sha256:1", architecture="amd64", user="", volumes=(), tags=(), last_tagged_at="")
    start = Start(
        image=image,
        task=Task.PIXEL,
        dataset="brain",
        cases=tuple(Case(name=name, volume=folder / name, label=folder / name, shape=(10, 10, 10)) for name in names),
        limits=Limits(),
        budget_s=1,
        user=ContainerUser.NOBODY,
    )
    where = RunFolder(name="run", input_dir=folder, output_dir=folder, case_of={name: name for name in names})
    return Ran(start=start, outcome=outcome(), folder=where)


def test_files_that_are_slow_on_purpose_cannot_keep_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parser = Slow()
    monkeypatch.setattr(scoring, "Parser", lambda **_: parser)
    read = read_predictions(ran_on(tmp_path, CASES), check=lambda: None, clock=lambda: parser.now_s)
    assert len(read) == CASES
    assert sum(parser.given_s) <= ALL_S + 1 + CASES * MOMENT_S
    assert parser.given_s[-1] == MOMENT_S
