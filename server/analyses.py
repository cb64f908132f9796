"""The analysis document of a challenge and task: computed aside from what scoring kept, and kept in the database.

Whoever shows boards, analyses or reports reads the last document; nobody waits for one.
"""

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

import evaluator
from evaluator.analysis import all as every
from evaluator.analysis import facts as case_facts
from evaluator.analysis.entries import CHALLENGE, TOY, CaseSet, Entry, Facts
from evaluator.analysis.standings import standings
from evaluator.analysis.tables import Table
from evaluator.details import Details
from evaluator.sketch import Sketch
from server import challenges, companions, leaderboard
from server.db import Database
from server.models import Analysis, CaseScore, Challenge, Dataset, Job, Judgement, Score, Submission
from server.protocol import RunStatus, Stage, SubmissionStatus, Task
from server.storage import Store

log = logging.getLogger(__name__)

RESAMPLES = 1000
SEED = 0  # any number would do, as long as it stays
RETRY_AFTER = timedelta(hours=1)  # of a computation that failed
VERSION = 2  # of what is computed and how: counted up, all documents are made anew

Kind = TypeVar("Kind")
Sets = Mapping[str, Mapping[str, Sequence[Entry]]]  # set -> data set -> entries


@dataclass(frozen=True, kw_only=True)
class AnalysisDocument:
    """All tables of a challenge and task, and what they were computed from.

    Holds nothing of a single hidden case, but of the sweeps: each of their points is one scan by design.
    """

    slug: str
    title: str
    task: str
    made_at: datetime
    evaluator_version: str
    resamples: int
    seed: int
    facts: Mapping[str, Any]  # what `facts_of` gives
    tables: Mapping[str, Table]
    error: str | None = None  # a sentence: why there are no tables

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON carries it: numbers that are not finite become None."""
        tables = [table.as_dict() for table in self.tables.values()]  # JSONB keeps the order of lists alone
        fields: dict[str, Any] = plain({**vars(self), "made_at": self.made_at.isoformat(), "tables": tables})
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read what `as_dict` gave and JSON kept."""
        tables = {table["name"]: Table.from_dict(table) for table in fields["tables"]}
        return cls(**{**fields, "made_at": datetime.fromisoformat(fields["made_at"]), "tables": tables})


def latest(s: Session, challenge: Challenge, task: Task) -> AnalysisDocument | None:
    """Give the last document. None: nothing was computed yet."""
    row = s.scalar(row_of(challenge, task))
    return AnalysisDocument.from_dict(row.content) if row else None


def made_at(s: Session, challenge: Challenge, task: Task) -> datetime | None:
    """When was the last document made? None: nothing was computed yet."""
    return s.scalar(row_of(challenge, task).with_only_columns(Analysis.computed_at))


def is_current(s: Session, challenge: Challenge, task: Task) -> bool:
    """Is the last document made of what is there now? False also where there is none."""
    found = s.scalar(row_of(challenge, task).with_only_columns(Analysis.fingerprint))
    return found is not None and found == fingerprint(s, challenge, task)


def due(s: Session, now: datetime) -> list[tuple[str, Task]]:
    """Challenges (slugs) and tasks whose document is to be made anew: something changed, or the last try failed."""
    found = []
    for challenge in s.scalars(select(Challenge).where(Challenge.part_of.is_(None)).order_by(Challenge.slug)):
        for task in Task:
            error = Analysis.content["error"].as_string()
            row = s.execute(
                row_of(challenge, task).with_only_columns(Analysis.fingerprint, Analysis.computed_at, error)
            ).one_or_none()
            if row is None:
                is_due = bool(leaderboard.valid_submissions(s, challenge, task))
            else:
                mark, computed_at, problem = row
                again = problem is not None and computed_at <= now - RETRY_AFTER
                is_due = again or mark != fingerprint(s, challenge, task)
            if is_due:
                found.append((challenge.slug, task))
    return found


def compute(db: Database, store: Store, slug: str, task: Task, now: datetime) -> AnalysisDocument:
    """Make the document anew and keep it. What fails is told in it: it is never tried in a loop."""
    with db.read() as s:
        challenge = challenges.by_slug(s, slug)
        mark = fingerprint(s, challenge, task)  # first: what comes in between is found the next time
        names = counting_names(s, challenge, task)
        about = facts_of(s, challenge, task)
        sets = entries(s, store, challenge, task)
    error = None
    try:
        tables = tables_of(sets, task)
    except Exception as fault:  # whatever it is, the document says so and is not tried in a loop
        log.exception("analyses failed", extra={"challenge": slug, "task": task})
        # Not what it says: that may name a case, and everybody may come to see it.
        tables, error = (), f"The analyses could not be computed ({type(fault).__name__}): the server's log says more."
    document = AnalysisDocument(
        slug=slug,
        title=challenge.title,
        task=task,
        made_at=now,
        evaluator_version=evaluator.__version__,
        resamples=RESAMPLES,
        seed=SEED,
        facts=about,
        tables={table.name: table for table in tables},
        error=error,
    )
    with db.write() as s:
        challenges.lock(s, challenge.id)
        # A name that was taken back meanwhile must not come back: the next document is without it.
        if counting_names(s, challenges.by_slug(s, slug), task) == names:
            keep(s, challenge.id, document, mark)
    return document


def forget(s: Session, team_id: str) -> None:
    """Delete the documents that a team is in. Whoever keeps one meanwhile finds what the caller changed after this."""
    main = select(Challenge.id).where(Challenge.part_of.is_(None)).order_by(Challenge.id)
    for challenge_id in s.scalars(main).all():
        challenges.lock(s, challenge_id)
        challenge = s.get_one(Challenge, challenge_id)
        for task in Task:
            if team_id in counting_names(s, challenge, task):
                s.execute(delete(Analysis).where(Analysis.challenge_id == challenge_id, Analysis.task == task))


def counting_names(s: Session, challenge: Challenge, task: Task) -> dict[str, str]:
    """Team id -> name as it is shown, of the teams on the board."""
    return leaderboard.shown_names(leaderboard.valid_submissions(s, challenge, task))


def tables_of(sets: Sets, task: Task) -> tuple[Table, ...]:
    """Compute every table, from as many resamples each."""
    return (
        *standings(sets[CHALLENGE], resamples=RESAMPLES, seed=SEED),
        *every.analyses(sets, task, resamples=RESAMPLES, seed=SEED),
    )


def keep(s: Session, challenge_id: str, document: AnalysisDocument, mark: str) -> None:
    """Write the document in the last one's place. Two servers at once do no harm: both made the same."""
    challenges.lock(s, challenge_id)
    task = Task(document.task)
    row = s.scalar(select(Analysis).where(Analysis.challenge_id == challenge_id, Analysis.task == task))
    if row is None:
        row = Analysis(challenge_id=challenge_id, task=task)
        s.add(row)
    row.fingerprint = mark
    row.content = document.as_dict()
    row.computed_at = document.made_at


def row_of(challenge: Challenge, task: Task) -> Select[Analysis]:
    """Select the row of the last document. Its content is large: take of it what is needed."""
    return select(Analysis).where(Analysis.challenge_id == challenge.id, Analysis.task == task)


# --- what it is computed from ---------------------------------------------------------------------------


def fingerprint(s: Session, challenge: Challenge, task: Task) -> str:
    """Hash all that tables and facts depend on: scores, names, sets, settings, versions."""
    marks: list[object] = [VERSION, evaluator.__version__, RESAMPLES, SEED]
    counting = leaderboard.valid_submissions(s, challenge, task)
    names = leaderboard.shown_names(counting)
    judged = judgements(s)
    for one, jobs in scored(s, challenge, counting):
        marks.append([one.manifest_sha256, one.settings, one.set_name, [row.facts for row in one.datasets]])
        for analysed, job in jobs:
            if job.score is not None:
                marks.append([names[analysed.team_id], *score_marks(job.score), judged.get(job.id, 0)])
    return hashlib.sha256(json.dumps(marks, sort_keys=True).encode()).hexdigest()


def score_marks(score: Score) -> tuple[object, ...]:
    """What differs where a score does."""
    return score.id, score.computed_at.isoformat(), score.evaluator_version, score.value


def entries(s: Session, store: Store, challenge: Challenge, task: Task) -> dict[str, dict[str, list[Entry]]]:
    """Give the counting submissions on each set and data set, by set and data set, in the leaderboard's names.

    A submission that is not scored on a companion set has no entry there. Sketches and details are read when they
    are asked for, and not kept: the session may be closed by then.
    """
    counting = leaderboard.valid_submissions(s, challenge, task)
    names = leaderboard.shown_names(counting)
    judged = judgements(s)
    found: dict[str, dict[str, list[Entry]]] = {}
    for one, jobs in scored(s, challenge, counting):
        sets = {row.id: case_set(row, one.set_name, task) for row in one.datasets}
        of_set: dict[str, list[Entry]] = {row.name: [] for row in one.datasets}
        for analysed, job in jobs:
            if job.score is not None and sets[job.dataset_id].labels:
                team = names[analysed.team_id]
                kept_of_it = entry(s, store, team, sets[job.dataset_id], job, judged.get(job.id, 0))
                of_set[job.dataset.name].append(kept_of_it)
        found[one.set_name] = of_set
    found[TOY] = {row.name: toy_entries(row, counting, names, task) for row in challenge.datasets}
    return found


def toy_entries(row: Dataset, counting: Sequence[Submission], names: Mapping[str, str], task: Task) -> list[Entry]:
    """Give what the counting submissions scored on the toy cases; those with an undefined score are not in it."""
    of = CaseSet(dataset=row.name, name=TOY, task=task, labels={}, facts={}, deal=())
    values = [
        (names[one.team_id], toy_value(job.toy_report))
        for one in counting
        for job in one.jobs
        if job.dataset_id == row.id
    ]
    return [Entry(team=team, case_set=of, value=value) for team, value in values if value is not None]


def toy_value(report: Mapping[str, object] | None) -> float | None:
    """Give the AP of a toy report. None: there is none, or what a worker sent in its place is no AP."""
    value = (report or {}).get("ap")
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    return None


def scored(
    s: Session, challenge: Challenge, counting: Sequence[Submission]
) -> Iterator[tuple[Challenge, list[tuple[Submission, Job]]]]:
    """Give the challenge and each companion, with the scored jobs of the counting submissions there."""
    yield challenge, [(one, job) for one in counting for job in one.jobs]
    for companion in companions.of(s, challenge).values():
        latest = companions.latest_on(s, companion, counting)
        done = {of: one for of, one in latest.items() if one.status is SubmissionStatus.SCORED}
        yield companion, [(one, job) for one in counting if one.id in done for job in done[one.id].jobs]


def case_set(row: Dataset, set_name: str, task: Task) -> CaseSet:
    """Give the hidden cases of a data set, as far as they are in the task."""
    cases = challenges.cases(row, Stage.HIDDEN, task)
    labels = {case.name: int(bool(case.label if task is Task.SAMPLE else case.positive_voxels)) for case in cases}
    whole = (tuple(labels),)
    return CaseSet(
        dataset=row.name,
        name=set_name,
        task=task,
        labels=labels,
        facts=facts_by_case(row),
        deal=whole if task is Task.SAMPLE else batches(row.deal["official"]),
        validation=() if task is Task.SAMPLE else batches(row.deal["validation"]),
    )


def facts_by_case(row: Dataset) -> Mapping[str, Facts]:
    """What cases.csv says of the hidden cases."""
    return {case: case_facts.facts_of(line) for case, line in row.facts.items()}


def entry(s: Session, store: Store, team: str, of: CaseSet, job: Job, judged: int) -> Entry:
    """Give what a scored job kept. Raises ValueError where it is not scored."""
    score = job.score
    if score is None:
        raise ValueError(f"job {job.id} has no score")
    rows = s.execute(
        select(CaseScore.name, CaseScore.score, CaseScore.sketch_sha256, CaseScore.details_sha256).where(
            CaseScore.score_id == score.id
        )
    ).all()
    ended = [run for run in job.runs if run.stage is Stage.HIDDEN and run.status is RunStatus.ENDED]
    run = ended[-1] if ended else None
    return Entry(
        team=team,
        case_set=of,
        scores={name: value for name, value, _, _ in rows if value is not None},
        sketches=Kept(store, {name: sketch for name, _, sketch, _ in rows if sketch}, Sketch.from_bytes),
        details=Kept(store, {name: details for name, _, _, details in rows if details}, Details.from_bytes),
        value=score.value,
        validation=score.validation,
        seconds=run.wall_s / run.cases if run is not None and run.wall_s is not None and run.cases else None,
        peak_memory_bytes=run.peak_memory_bytes if run is not None else None,
        object_threshold=score.object_threshold,
        metrics=dict(score.metrics),
        judged=judged,
    )


def judgements(s: Session) -> dict[str, int]:
    """How many detections of each job an expert judged; jobs without any are not in it."""
    counted = select(Judgement.job_id, func.count()).group_by(Judgement.job_id)
    return {job: count for job, count in s.execute(counted)}  # noqa: C416  a row is a tuple, mypy is told no other way


class Kept(Mapping[str, Kind]):
    """Objects of the store by case, read whenever one is asked for."""

    def __init__(self, store: Store, sha256s: Mapping[str, str], read: Callable[[bytes], Kind]) -> None:
        self._store = store
        self._sha256s = sha256s
        self._read = read

    def __getitem__(self, case: str) -> Kind:
        return self._read(self._store.get(self._sha256s[case]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._sha256s)

    def __len__(self) -> int:
        return len(self._sha256s)


def batches(listed: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Give a deal as the evaluator has it."""
    return tuple(tuple(batch) for batch in listed)


# --- what a report says of it ---------------------------------------------------------------------------


def facts_of(s: Session, challenge: Challenge, task: Task) -> dict[str, Any]:
    """What a methods text needs: rules, sets with their cases and hashes, submissions. See `set_facts`.

    {"rules": {"budget_s", "final_submissions", "container_user", "limits", "batch_size", "object_min_volume_mm3",
    "opens_at", "closes_at"}, "datasets": [{"name", "title"}], "sets": [set_facts, …], "teams": n,
    "submissions": [{"team", "received_at", "image_digest", "evaluator_version"}]}. An anonymous team's image has no
    digest: it could be known by it.
    """
    settings = challenges.settings(challenge)
    counting = leaderboard.valid_submissions(s, challenge, task)
    names = leaderboard.shown_names(counting)
    sets = [(one, jobs) for one, jobs in scored(s, challenge, counting)]
    return {
        "rules": settings.model_dump(
            mode="json",
            include={
                "budget_s", "final_submissions", "container_user", "limits", "batch_size", "object_min_volume_mm3",
                "opens_at", "closes_at", "architecture",
            },
        ),
        "datasets": [{"name": row.name, "title": row.title} for row in challenge.datasets],
        "sets": [set_facts(one, jobs, task) for one, jobs in sets],
        "teams": len(counting),
        "submissions": [submission_facts(one, names[one.team_id]) for one in counting],
    }  # fmt: skip


def set_facts(one: Challenge, jobs: Sequence[tuple[Submission, Job]], task: Task) -> dict[str, Any]:
    """Give a set's hashes and numbers of cases.

    {"name", "slug", "title", "manifest_sha256", "deal_sha256", "submissions": n scored on it, "datasets":
    [{"name", "title", "cases", "anomalous", "normal", "toy", "batches", "shapes", "scopes": {scope: n}}]}
    """
    return {
        "name": one.set_name,
        "slug": one.slug,
        "title": one.title,
        "manifest_sha256": one.manifest_sha256,
        "deal_sha256": one.deal_sha256,
        "submissions": len({analysed.id for analysed, _ in jobs}),
        "datasets": [dataset_facts(row, one.set_name, task) for row in one.datasets],
    }


def dataset_facts(row: Dataset, set_name: str, task: Task) -> dict[str, Any]:
    """Count the cases of a data set that are in the task."""
    of, hidden = case_set(row, set_name, task), challenges.cases(row, Stage.HIDDEN, task)
    scopes = [fact.scope for case, fact in of.facts.items() if case in of.labels]
    anomalous = sum(of.labels.values())
    return {
        "name": row.name,
        "title": row.title,
        "cases": len(of.labels),
        "anomalous": anomalous,
        "normal": len(of.labels) - anomalous,
        "toy": len(challenges.cases(row, Stage.TOY, task)),
        "batches": len(of.deal),
        "shapes": [list(shape) for shape in sorted({case.shape for case in hidden})],
        "scopes": {scope: scopes.count(scope) for scope in sorted(set(scopes))},
    }


def submission_facts(one: Submission, team: str) -> dict[str, Any]:
    """When it came, and what it was computed with."""
    scores = [job.score for job in one.jobs if job.score is not None]
    digests = {score.image_digest for score in scores}
    return {
        "team": team,
        "received_at": one.received_at.isoformat(),
        "image_digest": None if one.team.anonymous else min(digests, default=None),
        "evaluator_version": ", ".join(sorted({score.evaluator_version for score in scores})),
    }


def plain(value: Any) -> Any:
    """Give a value as both databases' JSON takes it: None for what is not finite, lists for tuples."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
