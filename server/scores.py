"""Official scores from what a worker sent: the server computes them, a worker only counts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluator.dataset import Case
from evaluator.metrics import samples, voxels
from evaluator.report import or_0, or_none
from evaluator.resolution import Bounds
from evaluator.sketch import Sketch
from server import challenges
from server.models import Job
from server.protocol import CaseResult, Finished, Queue, Stage, Task
from server.storage import Store


class Unusable(Exception):  # noqa: N818  an answer that lifecycle turns into a fault
    """What the worker sent cannot be scored. The platform's doing, never the container's."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a job's scores depend on, taken out of the database."""

    task: Task
    queue: Queue
    has_toy_report: bool
    cases: Mapping[str, Case]  # the data set's hidden cases of the task, by name
    deals: Mapping[str, Sequence[Sequence[str]]]  # official, validation -> batches of cases
    manifest_sha256: str  # of the data the job was claimed for
    current_manifest_sha256: str
    deal_sha256: str
    image_digest: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A job's scores."""

    value: float
    validation: float | None
    bounds: tuple[float, float] | None  # of `value` in full precision; None: nothing was rounded to half
    details: dict[str, Any]
    deal_sha256: str
    manifest_sha256: str
    image_digest: str


def work(job: Job) -> Work:
    """Take out of a loaded job what `judge` needs."""
    submission, dataset = job.submission, job.dataset
    challenge = submission.challenge
    return Work(
        task=submission.task,
        queue=submission.queue,
        has_toy_report=job.toy_report is not None,
        cases={case.name: case for case in challenges.cases(dataset, Stage.HIDDEN, submission.task)},
        deals=dataset.deal,
        manifest_sha256=job.manifest_sha256 or "",
        current_manifest_sha256=challenge.manifest_sha256,
        deal_sha256=challenge.deal_sha256,
        image_digest=submission.image.digest if submission.image else "",
    )


def judge(work: Work, finished: Finished, store: Store) -> Verdict | None:
    """Give the scores of a final job; None for a toy one, which ends with its report.

    Raises Unusable where the list does not hold exactly the data set's cases of the task, or a sketch is
    missing, damaged or of another volume.
    """
    if not work.has_toy_report:
        raise Unusable("finished without a report on the toy cases")
    if work.queue is Queue.TOY:
        if finished.cases:
            raise Unusable(f"a toy job carries no cases, this one has {len(finished.cases)}")
        return None
    if work.manifest_sha256 != work.current_manifest_sha256:
        raise Unusable("the challenge's data were loaded anew while the job ran")
    results = by_case(work, finished.cases)
    if work.task is Task.SAMPLE:
        return judge_samples(work, results)
    return judge_voxels(work, results, store)


def by_case(work: Work, cases: list[CaseResult]) -> dict[str, CaseResult]:
    """Give each case's result; exactly the cases of the data set, each once."""
    results = {case.case: case for case in cases}
    missing = work.cases.keys() - results.keys()
    foreign = results.keys() - work.cases.keys()
    if missing or foreign or len(results) != len(cases):
        raise Unusable(
            f"{len(cases)} cases for {len(work.cases)}: {len(missing)} missing, {len(foreign)} unknown, "
            f"{len(cases) - len(results)} repeated"
        )
    return results


def judge_samples(work: Work, results: Mapping[str, CaseResult]) -> Verdict:
    """One average precision over all cases of the data set."""
    scores, labels = [], []
    for name in sorted(results):
        score, label = results[name].score, results[name].label
        if score is None or not 0 <= score <= 1:
            raise Unusable(f"case {name}: score {score}")
        if label is None or label != work.cases[name].label:
            raise Unusable(f"case {name}: label {label}, the manifest says {work.cases[name].label}")
        scores.append(score)
        labels.append(label)
    value = or_0(samples.average_precision(scores, labels))
    return verdict(work, value)


def judge_voxels(work: Work, results: Mapping[str, CaseResult], store: Store) -> Verdict:
    """Mean of the official batches' average precisions, and of the validation deal's."""
    sketches = {name: read_sketch(store, result, work.cases[name]) for name, result in results.items()}
    sums = {
        deal: [Sketch.total(sketches[case] for case in batch) for batch in batches]
        for deal, batches in work.deals.items()
    }
    values = {deal: or_0(voxels.batched_average_precision(batches)) for deal, batches in sums.items()}
    bounds = Bounds.batched(sums["official"])
    return verdict(
        work,
        values["official"],
        validation=values["validation"],
        bounds=(or_0(bounds.low), or_0(bounds.high)),
        details={deal: [or_none(voxels.average_precision(one)) for one in batches] for deal, batches in sums.items()},
    )


def read_sketch(store: Store, result: CaseResult, case: Case) -> Sketch:
    """Read a case's sketch and see that it counts each voxel of the case once."""
    if result.sketch_sha256 is None:
        raise Unusable(f"case {result.case} has no sketch")
    try:
        sketch = Sketch.from_bytes(store.get(result.sketch_sha256))
    except FileNotFoundError as error:
        raise Unusable(f"case {result.case}: sketch {result.sketch_sha256} was not sent") from error
    except ValueError as error:
        raise Unusable(f"case {result.case}: {error}") from error
    found = (sketch.n_voxels, sketch.n_positive)
    expected = (math.prod(case.shape), case.positive_voxels)
    if found != expected:
        raise Unusable(f"case {result.case}: voxels, positive ones {found}, the manifest says {expected}")
    return sketch


def verdict(
    work: Work,
    value: float,
    *,
    validation: float | None = None,
    bounds: tuple[float, float] | None = None,
    details: dict[str, Any] | None = None,
) -> Verdict:
    """Add what it was computed with."""
    return Verdict(
        value=value,
        validation=validation,
        bounds=bounds,
        details=details or {},
        deal_sha256=work.deal_sha256,
        manifest_sha256=work.manifest_sha256,
        image_digest=work.image_digest,
    )
