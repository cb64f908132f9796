"""Official scores from what a worker sent: the server computes them, a worker only counts.

`rejudge` computes them again from what is stored. The metrics beside the official score are `server.metrics`'s.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluator.dataset import Case
from evaluator.details import Details
from evaluator.metrics import samples, voxels
from evaluator.report import or_0, or_none
from evaluator.resolution import Bounds
from evaluator.sketch import Sketch
from server import challenges, metrics
from server.metrics import Numbers
from server.models import CaseScore, Job
from server.protocol import CaseResult, Finished, Queue, Stage, Task
from server.storage import Store

log = logging.getLogger(__name__)
MOST_PARTS = 64  # details held before they are added up, up to 1 MB each


class Unusable(Exception):  # noqa: N818  an answer that lifecycle turns into a fault
    """What the worker sent cannot be scored. The platform's doing, never the container's."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a job's scores depend on, taken out of the database."""

    task: Task
    queue: Queue
    has_toy_report: bool
    cases: Mapping[str, Case]  # the data set's hidden cases of the task, by name
    show: frozenset[str]  # hidden cases whose slices may be kept
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
    details: dict[str, Any]  # official, validation -> average precision of each batch
    metrics: Numbers  # all others, by name; None where undefined
    object_threshold: float | None
    deal_sha256: str
    manifest_sha256: str
    image_digest: str
    detailed: frozenset[str] = frozenset()  # cases whose details can be used


def work(job: Job) -> Work:
    """Take out of a loaded job what `judge` needs."""
    submission, dataset = job.submission, job.dataset
    challenge = submission.challenge
    return Work(
        task=submission.task,
        queue=submission.queue,
        has_toy_report=job.toy_report is not None,
        cases={case.name: case for case in challenges.cases(dataset, Stage.HIDDEN, submission.task)},
        show=frozenset(challenges.settings(challenge).show.get(dataset.name, [])),
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
    return judge_cases(work, finished.cases, finished.object_threshold, store)


def rejudge(s: Session, job: Job, store: Store) -> Verdict:
    """Compute a scored job's scores anew, by this evaluator, from what scoring stored.

    Deals, labels and names of cases are those of the challenge as it is loaded now. Raises Unusable as `judge`
    does, and where the job has no score.
    """
    if job.score is None:
        raise Unusable(f"job {job.id} has no score")
    rows = s.scalars(select(CaseScore).where(CaseScore.score_id == job.score.id).order_by(CaseScore.name))
    cases = [
        CaseResult(
            case=row.name,
            sketch_sha256=row.sketch_sha256,
            details_sha256=row.details_sha256,
            score=row.score,
            label=row.label,
        )
        for row in rows
    ]
    return judge_cases(work(job), cases, job.score.object_threshold, store)


def judge_cases(work: Work, cases: Sequence[CaseResult], object_threshold: float | None, store: Store) -> Verdict:
    """Score the hidden cases of a data set. Raises Unusable."""
    if work.manifest_sha256 != work.current_manifest_sha256:
        raise Unusable("the challenge's data were loaded anew since the job was claimed")
    results = by_case(work, cases)
    if work.task is Task.SAMPLE:
        return judge_samples(work, results)
    return judge_voxels(work, results, object_threshold, store)


def by_case(work: Work, cases: Sequence[CaseResult]) -> dict[str, CaseResult]:
    """Give each case's result; exactly the cases of the data set, each once."""
    results = {case.case: case for case in cases}
    missing = work.cases.keys() - results.keys()
    foreign = results.keys() - work.cases.keys()
    if missing or foreign or len(results) != len(cases):
        raise Unusable(
            f"{len(cases)} cases for {len(work.cases)}: {len(missing)} missing, {len(foreign)} unknown, "
            f"{len(cases) - len(results)} repeated"
        )
    shown = {case.case for case in cases if case.slices_sha256 is not None} - work.show
    if shown:
        raise Unusable(f"slices of {len(shown)} cases that are not for show")
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
    return verdict(work, value, metrics.of_samples(scores, labels))


def judge_voxels(
    work: Work, results: Mapping[str, CaseResult], object_threshold: float | None, store: Store
) -> Verdict:
    """Mean of the official batches' average precisions, and of the validation deal's."""
    sketches = {name: read_sketch(store, result, work.cases[name]) for name, result in results.items()}
    sums = {
        deal: [Sketch.total(sketches[case] for case in batch) for batch in batches]
        for deal, batches in work.deals.items()
    }
    values = {deal: or_0(voxels.batched_average_precision(batches)) for deal, batches in sums.items()}
    bounds = Bounds.batched(sums["official"])
    detailed, details = add_details(work, results, sketches, object_threshold, store)
    return verdict(
        work,
        values["official"],
        metrics.of_voxels(Sketch.total(sketches.values()), details if detailed == results.keys() else None),
        object_threshold=object_threshold,
        detailed=detailed,
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


def add_details(
    work: Work,
    results: Mapping[str, CaseResult],
    sketches: Mapping[str, Sketch],
    object_threshold: float | None,
    store: Store,
) -> tuple[frozenset[str], Details]:
    """Add up the details of all cases; gives the cases that have some, and the sum.

    No score hangs on details: those that cannot be used are told in the log.
    """
    names: list[str] = []
    parts: list[Details] = []
    complaint = ""
    for name, sketch in sketches.items():
        try:
            details = read_details(store, results[name], work.cases[name], sketch, object_threshold)
        except (FileNotFoundError, ValueError) as error:
            complaint = f"{name}: {error}"
            continue
        names.append(name)
        parts.append(details)
        if len(parts) == MOST_PARTS:
            parts = [Details.total(parts)]
    if complaint:
        log.warning("%d of %d cases have no details, %s", len(results) - len(names), len(results), complaint)
    return frozenset(names), Details.total(parts)


def read_details(
    store: Store, result: CaseResult, case: Case, sketch: Sketch, object_threshold: float | None
) -> Details:
    """Read what was kept of a case beside its sketch. Raises FileNotFoundError, or ValueError where it does not fit."""
    if result.details_sha256 is None:
        raise ValueError("none were sent")
    details = Details.from_bytes(store.get(result.details_sha256))
    if not details.fit(sketch, case.shape):
        raise ValueError("details are of other voxels than the sketch")
    if (details.objects is not None) != (object_threshold is not None):
        raise ValueError("details are not of the threshold that was named")
    return details


def verdict(
    work: Work,
    value: float,
    others: Numbers,
    *,
    object_threshold: float | None = None,
    detailed: frozenset[str] = frozenset(),
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
        metrics=others,
        object_threshold=object_threshold,
        detailed=detailed,
        deal_sha256=work.deal_sha256,
        manifest_sha256=work.manifest_sha256,
        image_digest=work.image_digest,
    )
