"""A participant's own trial of an image on toy cases: the server's runner, parser and report, on their machine."""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from evaluator.dataset import TOY
from evaluator.formats import SUFFIX, Volume
from evaluator.parser.opening import opened
from evaluator.readings import PixelReading, Status
from evaluator.slices import Slices
from evaluator.wording import Report
from server.protocol import ContainerUser, FailureCode, Limits, Task
from worker.archives import BadArchive, image_digest
from worker.holdings import case_in
from worker.images import ImageFault, load_archive
from worker.runners.base import Outcome, Runner
from worker.runners.docker import DockerRunner, Engine, ImageFacts
from worker.scoring import Wanted, is_empty, read_predictions, report_of, slices_of
from worker.starts import Case, Ran, Start, failure_of, own_user, prediction_name, started

log = logging.getLogger(__name__)


class CannotTry(Exception):  # noqa: N818  it is an answer
    """The image or the data cannot be used; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How it went."""

    failure: FailureCode | None
    report: Report | None  # None where it failed
    outcome: Outcome
    slices: Mapping[str, Slices] = field(default_factory=dict)  # of each case, pixel task


def try_image(
    image: str,
    data: Path,
    dataset: str,
    task: Task,
    *,
    engine: Engine,
    limits: Limits,
    budget_s: float,
    user: ContainerUser = ContainerUser.NOBODY,
    gpu: str | None = None,
    keep: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    runner: Runner | None = None,
) -> Trial:
    """Run an image (a name, or an archive's path) on the toy cases of a data set and report as the server does.

    `data` is a data-set folder, or a folder of such. `budget_s` is for each case. Predictions are copied to
    `keep`. Raises `CannotTry`, and `worker.runners.base.EngineFault`.
    """
    cases = toy_cases(data, dataset, task)
    with available(image, engine) as facts, tempfile.TemporaryDirectory(prefix="mood-try-") as scratch:
        start = Start(
            image=facts,
            task=task,
            dataset=dataset,
            cases=cases,
            limits=limits,
            budget_s=budget_s,
            user=own_user(user),
            gpu=gpu,
        )
        with started(
            start,
            runner=runner or DockerRunner(engine),
            parent=Path(scratch),
            progress=lambda done: progress(done, len(cases)),
            cancelled=Event(),
        ) as ran:
            if keep is not None:
                keep_predictions(ran, keep)
            return _judged(ran)


def _judged(ran: Ran) -> Trial:
    failure = failure_of(ran.outcome)
    if failure is not None:
        return Trial(failure=failure, report=None, outcome=ran.outcome)
    slices: dict[str, Slices] = {}

    def keep(case: Case, reading: PixelReading) -> None:
        if (found := slices_of(case, reading)) is not None:
            slices[case.name] = found

    wanted = Wanted(shown=frozenset(case.name for case in ran.start.cases))
    read = read_predictions(ran, check=lambda: None, wanted=wanted, keep=keep)
    report = report_of(read, ran)
    failure = FailureCode.NO_PREDICTION if is_empty(read) else None
    return Trial(failure=failure, report=report, outcome=ran.outcome, slices=slices)


def toy_cases(data: Path, dataset: str, task: Task) -> tuple[Case, ...]:
    """Find the toy cases that have a label of a task. Raises `CannotTry`."""
    folder = data / dataset if (data / dataset / TOY).is_dir() else data
    if not data.is_dir():
        raise CannotTry(f"{data} is not a folder: unpack the archive of toy cases and name what comes out")
    if not (folder / TOY).is_dir():
        others = ", ".join(sorted(path.name for path in data.iterdir() if (path / TOY).is_dir()))
        hint = f"the data sets there are {others}" if others else "name the folder that the toy cases were unpacked to"
        raise CannotTry(f"{data} holds neither {TOY}/ nor {dataset}/{TOY}/: {hint}")
    if folder == data and data.resolve().name != dataset and (data.resolve().parent / dataset / TOY).is_dir():
        raise CannotTry(f"{data} is another data set than {dataset}, which stands beside it: name that one")
    found = [
        case_in(folder, TOY, task, name=path.name, shape=_shape(path))
        for path in sorted((folder / TOY).glob(f"*{SUFFIX}"))
    ]
    labelled = tuple(case for case in found if case.label.is_file())
    if not labelled:
        raise CannotTry(
            f"{folder} has no toy case with a label of the {task} task: "
            f"labels stand in {TOY}_label/{task}/, as in the archive of toy cases"
        )
    return labelled


def _shape(path: Path) -> tuple[int, ...]:
    try:
        with path.open("rb") as file:
            return Volume.open(file).shape
    except ValueError as error:
        raise CannotTry(f"{path} cannot be read as a volume: {error}") from error


@contextmanager
def available(image: str, engine: Engine) -> Iterator[ImageFacts]:
    """Yield an image by name or archive; one that was loaded for this is removed afterwards."""
    path = Path(image)
    with ExitStack() as afterwards:
        if path.is_file():
            try:
                digest = image_digest(path)
                facts = engine.image(digest)
                if facts is None:
                    facts = load_archive(engine, path, expected=digest)
                    afterwards.callback(engine.remove_image, digest)
            except (BadArchive, ImageFault) as error:
                raise CannotTry(f"{image} is not an image archive: {error}. Make one with docker save") from error
        else:
            facts = engine.image(image)
        if facts is None:
            raise CannotTry(
                f"{image} is neither a file nor an image of the engine here: build it, pull it, or name an archive"
            )
        yield facts


def keep_predictions(ran: Ran, folder: Path) -> None:
    """Copy what the container wrote under the cases' own names. Only regular files, never what a link names."""
    folder.mkdir(parents=True, exist_ok=True)
    for case, path in ran.predictions.items():
        with opened(path, max_bytes=ran.start.output_bytes) as found:
            if isinstance(found, Status):
                log.warning("prediction of %s not kept: %s", case, found)
                continue
            with (
                os.fdopen(os.dup(found), "rb") as file,
                (folder / prediction_name(ran.start.task, case)).open("wb") as copy,
            ):
                shutil.copyfileobj(file, copy)
