"""What an expert says of detections that nobody annotated: the population study's five classes. For organizers only.

Detections are those that details list of a case, the largest ones; a detection's number is its place in that list.
"""

import csv as csv_format
import io
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluator.details import Details
from evaluator.objects import Detection
from server import leaderboard
from server.errors import NotFound
from server.models import Account, CaseScore, Challenge, Job, Judgement
from server.protocol import Task
from server.storage import Store

log = logging.getLogger(__name__)


class Verdict(StrEnum):
    """What a detection without an annotation is (thesis, section 4.2.3)."""

    FALSE_POSITIVE = "false_positive"
    EXTRACTION_FAILURE = "extraction_failure"  # the brain was not cut out cleanly: the study's BET failure
    IMAGING_ARTEFACT = "imaging_artefact"
    NOT_RELEVANT = "not_relevant"
    MEDICAL_CONDITION = "medical_condition"


TITLES: Mapping[Verdict, str] = {
    Verdict.FALSE_POSITIVE: "False positive",
    Verdict.EXTRACTION_FAILURE: "Extraction failure",
    Verdict.IMAGING_ARTEFACT: "Imaging artefact",
    Verdict.NOT_RELEVANT: "Not medically relevant",
    Verdict.MEDICAL_CONDITION: "Medical condition",
}


@dataclass(frozen=True, kw_only=True)
class Unmatched:
    """One detection that is no true positive."""

    case: str
    number: int  # within the case, from 0
    volume_mm3: float
    centre: tuple[int, int, int]  # voxel: x, y, z
    verdict: Verdict | None  # None: nobody judged it
    slices_sha256: str | None  # of a case marked for show


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How far the judging of one submission on one data set is."""

    job: str
    team: str  # as boards name it
    dataset: str
    verdicts: Mapping[Verdict, int]

    @property
    def judged(self) -> int:
        """Of all classes."""
        return sum(self.verdicts.values())


def tallies(s: Session, challenge: Challenge) -> list[Tally]:
    """One for each data set and counting submission of the pixel task, the submissions as boards order them."""
    counting = leaderboard.valid_submissions(s, challenge, Task.PIXEL)
    names = leaderboard.shown_names(counting)
    order = {row.submission: place for place, row in enumerate(leaderboard.board(s, challenge, Task.PIXEL).rows)}
    jobs = [(one, job) for one in sorted(counting, key=lambda one: order[one.id]) for job in one.jobs]
    given = s.scalars(select(Judgement).where(Judgement.job_id.in_([job.id for _, job in jobs]))).all()
    return [
        Tally(
            job=job.id,
            team=names[one.team_id],
            dataset=job.dataset.name,
            verdicts={kind: sum(row.job_id == job.id and row.verdict == kind for row in given) for kind in Verdict},
        )
        for one, job in sorted(jobs, key=lambda pair: pair[1].position)
    ]


def tally(s: Session, challenge: Challenge, job: str) -> Tally:
    """Give a job's. Raises NotFound where it is none of a counting submission of the pixel task."""
    found = next((one for one in tallies(s, challenge) if one.job == job), None)
    if found is None:
        raise NotFound(f"{job} is no job of a submission of the pixel task that counts")
    return found


def unmatched(s: Session, store: Store, job: str) -> list[Unmatched]:
    """Give a job's detections without an annotated object, the largest first."""
    given = {(row.case, row.number): Verdict(row.verdict) for row in judged(s, job)}
    found = [
        Unmatched(
            case=row.name,
            number=number,
            volume_mm3=one.volume_mm3,
            centre=one.centre,
            verdict=given.get((row.name, number)),
            slices_sha256=row.slices_sha256,
        )
        for row in case_rows(s, job)
        for number, one in enumerate(detections(store, row))
        if not one.matched
    ]
    return sorted(found, key=lambda one: (-one.volume_mm3, one.case, one.number))


def judge(
    s: Session, store: Store, job: str, case: str, number: int, verdict: Verdict, account: Account, now: datetime
) -> None:
    """Keep what an expert says, in place of what was said before. Raises NotFound where there is no such detection."""
    row = next((row for row in case_rows(s, job) if row.name == case), None)
    listed = detections(store, row) if row is not None else ()
    if not 0 <= number < len(listed) or listed[number].matched:
        raise NotFound(f"case {case} has no unmatched detection {number}")
    found = s.scalar(
        select(Judgement).where(Judgement.job_id == job, Judgement.case == case, Judgement.number == number)
    )
    if found is None:
        found = Judgement(job_id=job, case=case, number=number)
        s.add(found)
    found.verdict = verdict
    found.account_id = account.id
    found.at = now
    s.flush()


def csv(s: Session, store: Store, challenge: Challenge) -> str:
    """Give all judgements with what was judged, one a line; for organizers, since it names hidden cases."""
    out = io.StringIO()
    writer = csv_format.writer(out, lineterminator="\n")
    writer.writerow(["team", "dataset", "case", "number", "volume_mm3", "x", "y", "z", "verdict"])
    for of in tallies(s, challenge):
        for one in unmatched(s, store, of.job) if of.judged else ():
            if one.verdict is not None:
                writer.writerow(
                    [of.team, of.dataset, one.case, one.number, f"{one.volume_mm3:.1f}", *one.centre, one.verdict]
                )
    return out.getvalue()


def judged(s: Session, job: str) -> Iterator[Judgement]:
    """Rows of a job."""
    yield from s.scalars(select(Judgement).where(Judgement.job_id == job))


def case_rows(s: Session, job: str) -> list[CaseScore]:
    """A job's cases of which something is kept."""
    score = s.get_one(Job, job).score
    return [row for row in score.cases if row.details_sha256] if score else []


def detections(store: Store, row: CaseScore) -> tuple[Detection, ...]:
    """What details list of a case; nothing where they are gone or damaged, which is no reason to hide the others."""
    try:
        details = Details.from_bytes(store.get(row.details_sha256 or ""))
    except (FileNotFoundError, ValueError) as error:
        log.warning("details cannot be read", extra={"case": row.name, "error": str(error)})
        return ()
    return details.objects.largest if details.objects else ()
