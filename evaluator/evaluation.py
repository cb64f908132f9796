"""Scores a folder of predictions against a folder of labels: what `mood evaluate` calls.

The edge of it: which files there are, the parser processes that read them, the clock. What the numbers are is
`evaluator.results`.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final

import numpy as np

from evaluator.dataset import DatasetError, Deals
from evaluator.deal import Deal, ImpossibleDealError
from evaluator.deal import deal as draw
from evaluator.formats import SUFFIX, Shape, UnreadableError, Volume, read_label
from evaluator.kernels import COMPILED_FROM_VOXELS
from evaluator.metrics import voxels
from evaluator.objects import ObjectRule
from evaluator.parser.parent import Parser, ParserError
from evaluator.readings import PixelReading
from evaluator.report import Reading
from evaluator.results import Evaluation
from evaluator.sketch import Sketch
from evaluator.tasks import PIXEL, SAMPLE, TASKS

_VOXEL_BYTES: Final = 8
_SPARE_BYTES: Final = 64 << 20

Progress = Callable[[int, int], None]  # called with cases read, cases in all


class EvaluationError(ValueError):
    """What was handed in cannot be evaluated. `complaints` names each thing and what is wrong with it."""

    def __init__(self, *complaints: str) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = complaints


def evaluate(
    task: str,
    predictions: Path,
    labels: Path,
    *,
    deal: Deal | None = None,
    seed: int = 0,
    workers: int = 1,
    detailed: bool = True,
    rule: ObjectRule | None = None,
    threshold: float | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score every case that has a label; a prediction that is missing or cannot be read counts 0.

    Cases are `<case>.nii.gz` in both folders (sample task: `<case>.nii.gz.txt`). `deal` holds names of cases
    (`<case>.nii.gz` in both tasks); without one, all cases are dealt with `seed`. One parser process for each
    worker. `detailed` asks for what counts slices, lesions and boxes, `rule` for object-level detection (a detail
    too), `threshold` for Dice at it. Raises EvaluationError where a folder, a label or the deal cannot be used.
    """
    if task not in TASKS or workers < 1:
        raise ValueError(f"task is {task!r}, workers {workers}")
    if rule and not detailed:
        raise ValueError("a rule for objects, but no details")
    start = time.monotonic()
    folders = _Folders(task=task, predictions=predictions, labels=labels)
    cases = folders.cases()
    names = tuple(case.name for case in cases)
    if deal is not None:
        _check_dealt(deal, names)
    voxels = sum(math.prod(case.shape) for case in cases)
    compiled = voxels >= COMPILED_FROM_VOXELS
    ready = time.monotonic()
    with _parsers(workers, compiled=compiled, detailed=detailed and task == PIXEL, rule=rule) as parsers:
        start_s = time.monotonic() - ready
        found = _read_all(folders, cases, parsers, progress)
    official, validation, warning = (deal, None, None) if deal is not None else _dealt(task, found, seed)
    return Evaluation(
        task=task,
        cases=found,
        deal=_one_batch(official) if task == SAMPLE else official,
        validation=validation,
        ignored=folders.ignored(names),
        not_dealt=tuple(sorted(set(names) - {name for batch in official for name in batch})),
        deal_warning=warning,
        threshold=threshold,
        start_s=start_s,
        wall_s=time.monotonic() - start,
    )


def read_deal(path: Path, dataset: str | None = None, *, task: str = PIXEL) -> Deal | None:
    """Read a list of lists of case file names or, with `dataset`, the official deal of a challenge's deal.json.

    A challenge deals the pixel task's cases alone: for the sample task that is None, all cases. Whether the deal fits
    the cases is for `evaluate` to say. Raises EvaluationError.
    """
    try:
        content = path.read_bytes()
        found = json.loads(content)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"{path}: is not JSON: {error}") from error
    if isinstance(found, dict) and "datasets" in found:
        found = _dealt_for(path, content, dataset)
        if task == SAMPLE:
            return None
    elif dataset is not None:
        raise EvaluationError(f"{path}: is not the deal.json of a challenge, so there is no data set to name")
    return _believed(path, found)


def toy_threshold(predictions: Path, labels: Path, *, workers: int = 1, progress: Progress | None = None) -> float:
    """Give the score at which the voxels of the toy cases, pooled, have their best Dice: thesis, section 4.2.

    Raises EvaluationError, also where no voxel of them is anomalous.
    """
    found = evaluate(PIXEL, predictions, labels, workers=workers, detailed=False, progress=progress)
    whole = Sketch.total(reading.sketch for reading in found.cases.values() if isinstance(reading, PixelReading))
    if not whole.n_positive:
        raise EvaluationError(f"{labels}: holds no anomalous voxel, so no threshold has a Dice")
    return voxels.best_threshold(whole)


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A case as its label's header describes it."""

    name: str
    shape: Shape = ()  # of the pixel task


@dataclass(frozen=True, kw_only=True)
class _Folders:
    """Where predictions and labels of a task lie."""

    task: str
    predictions: Path
    labels: Path

    @property
    def _suffix(self) -> str:
        return f"{SUFFIX}.txt" if self.task == SAMPLE else SUFFIX

    def file(self, folder: Path, name: str) -> Path:
        return folder / (f"{name}.txt" if self.task == SAMPLE else name)

    def cases(self) -> list[_Case]:
        """Read the header of every label, or every sample label. Raises EvaluationError with all that cannot be."""
        names = self._names(self.labels)
        if not names:
            raise EvaluationError(f"{self.labels}: holds no label; those of the {self.task} task end in {self._suffix}")
        cases, complaints = [], []
        for name in names:
            path = self.file(self.labels, name)
            try:
                cases.append(_Case(name=name, shape=_shape(path)) if self.task == PIXEL else _sample_case(name, path))
            except UnreadableError as error:
                complaints.append(f"label {path.name}: {error}")
            except OSError as error:
                complaints.append(f"label {path.name}: {error.strerror}")
        if complaints:
            raise EvaluationError(*complaints)
        return cases

    def ignored(self, names: Sequence[str]) -> tuple[str, ...]:
        """Name the predictions that have no label."""
        return tuple(sorted(set(self._names(self.predictions)) - set(names)))

    def _names(self, folder: Path) -> list[str]:
        try:
            found = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
        except OSError as error:
            raise EvaluationError(f"{folder}: cannot be read: {error.strerror}") from error
        return sorted(name.removesuffix(".txt") for name in found if name.endswith(self._suffix))


def _shape(label: Path) -> Shape:
    with label.open("rb") as file:
        shape = Volume.open(file).shape
    if not shape or min(shape) < 1:
        raise UnreadableError(f"has the shape {shape}")
    return shape


def _sample_case(name: str, label: Path) -> _Case:
    read_label(label.read_bytes())
    return _Case(name=name)


@contextmanager
def _parsers(workers: int, *, compiled: bool, detailed: bool, rule: ObjectRule | None) -> Iterator[SimpleQueue[Parser]]:
    """Start a parser process for each worker, all at once; each is given twice.

    While one thread waits for it, another makes the next case ready, and takes apart what came of the last.
    """
    free: SimpleQueue[Parser] = SimpleQueue()
    with ExitStack() as running, ThreadPoolExecutor(workers) as pool:
        parsers = [Parser(detailed=detailed, compiled=compiled, rule=rule) for _ in range(workers)]
        for parser in parsers:
            running.push(parser)  # ends the child of each, whichever does not start
        try:
            for parser in [*pool.map(Parser.__enter__, parsers), *parsers]:
                free.put(parser)
        except ParserError as error:
            raise EvaluationError(str(error)) from error
        yield free
        Thread(target=running.pop_all().close).start()  # all is read: nobody waits for processes to end


def _read_all(
    folders: _Folders, cases: Sequence[_Case], parsers: SimpleQueue[Parser], progress: Progress | None
) -> dict[str, Reading]:
    """Read all cases; ordered by name. Raises EvaluationError."""
    found = {}
    with ThreadPoolExecutor(parsers.qsize()) as pool:
        waiting = {pool.submit(_read, folders, case, parsers): case.name for case in cases}
        try:
            for done in as_completed(waiting):
                found[waiting[done]] = done.result()
                if progress:
                    progress(len(found), len(cases))
        except ParserError as error:
            raise EvaluationError(str(error)) from error
        finally:
            for future in waiting:
                future.cancel()
    return {case.name: found[case.name] for case in cases}


def _read(folders: _Folders, case: _Case, parsers: SimpleQueue[Parser]) -> Reading:
    prediction, label = (folders.file(folder, case.name) for folder in (folders.predictions, folders.labels))
    parser = parsers.get()
    try:
        if folders.task == SAMPLE:
            return parser.sample(prediction, label)
        max_bytes = _VOXEL_BYTES * math.prod(case.shape) + _SPARE_BYTES
        return parser.pixel(prediction, label, shape=case.shape, max_bytes=max_bytes)
    finally:
        parsers.put(parser)


def _dealt(task: str, cases: dict[str, Reading], seed: int) -> tuple[Deal, Deal | None, str | None]:
    """Deal all cases twice, each deal with a random stream of its own; say where a batch lacks an anomalous case."""
    names = tuple(cases)
    if task == SAMPLE:
        return (names,), None, None
    anomalous = {name for name, case in cases.items() if case.label}
    streams = [np.random.default_rng([seed, number]) for number in range(2)]
    try:
        official, validation = (draw(names, anomalous, rng=stream) for stream in streams)
    except ImpossibleDealError as error:
        official, validation = (draw(names, set(names), rng=stream) for stream in streams)
        return official, validation, f"{error} A batch without one counts 0."
    return official, validation, None


def _one_batch(dealt: Deal) -> Deal:
    return (tuple(sorted(name for batch in dealt for name in batch)),)


def _check_dealt(dealt: Deal, names: Sequence[str]) -> None:
    """Complain of a deal without a case in each batch, of cases dealt twice, and of those without a label."""
    if not dealt or not all(dealt):
        raise EvaluationError("the deal has a batch without a case" if dealt else "the deal has no batch")
    dealt_times = Counter(name for batch in dealt for name in batch)
    twice = [f"{name}: is dealt twice" for name, times in dealt_times.items() if times > 1]
    without = [f"{name}: stands in the deal, but has no label" for name in set(dealt_times) - set(names)]
    if twice or without:
        raise EvaluationError(*sorted(twice), *sorted(without))


def _dealt_for(path: Path, content: bytes, dataset: str | None) -> Any:
    """Give the official deal of a challenge's data set."""
    try:
        datasets = Deals.from_bytes(content).datasets
    except DatasetError as error:
        raise EvaluationError(f"{path}: {error}") from error
    if dataset is None or dataset not in datasets:
        complaint = "name one with --dataset" if dataset is None else f"{dataset} is none of them"
        raise EvaluationError(f"{path}: holds the deals of {', '.join(datasets)}: {complaint}")
    return [list(batch) for batch in datasets[dataset].official]


def _believed(path: Path, found: Any) -> Deal:
    """Take a list of lists of names."""
    if not isinstance(found, list) or not all(isinstance(batch, list) for batch in found):
        raise EvaluationError(f"{path}: is not a list of lists of case file names")
    odd = [name for batch in found for name in batch if not isinstance(name, str)]
    if odd:
        raise EvaluationError(f"{path}: {str(odd[0])[:80]!r} is not a case's file name")
    return tuple(tuple(batch) for batch in found)
