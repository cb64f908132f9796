"""The leaderboard of a task: which submissions count, their ranking, and whether it is published."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, selectinload

from evaluator import ranking
from evaluator.resolution import indistinguishable
from server import lifecycle
from server.errors import Invalid
from server.models import Account, Board, Challenge, Job, Score, Submission
from server.protocol import Queue, SubmissionStatus, Task


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Whether everybody may see a leaderboard, and from when on."""

    published: bool
    sealed_until: datetime | None = None  # None: at once

    def is_visible(self, now: datetime) -> bool:
        """May everybody see it at this instant?"""
        return self.published and (self.sealed_until is None or self.sealed_until <= now)

    def word(self, now: datetime) -> str:
        """Say in one word how public it is: closed, sealed, open."""
        if not self.published:
            return "closed"
        return "open" if self.is_visible(now) else "sealed"


@dataclass(frozen=True, kw_only=True)
class BoardRow:
    """One team."""

    rank: int
    is_tied: bool  # others share the rank
    team: str  # or "Anonymous 1"
    values: Mapping[str, float]  # data set -> average precision
    ranks: Mapping[str, int]  # data set -> rank on it
    bounds: Mapping[str, tuple[float, float]]  # data set -> of the value in full precision; none in the sample task
    mean_rank: float
    submission: str | None  # None: whoever reads it may not open it
    received_at: datetime
    # What the analyses add (server.stability); empty until they are computed.
    rank_interval: tuple[int, int] | None = None  # 2.5 and 97.5 percentile of the rank over resamples of the cases
    value_intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # data set -> of the value
    schemes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # scheme -> data set or consensus -> rank


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How a board's intervals were computed."""

    made_at: datetime
    resamples: int
    seed: int
    notes: tuple[str, ...] = ()  # what is too small to say anything, and what is missing; sentences
    scheme_notes: tuple[str, ...] = ()  # the same of the other schemes


@dataclass(frozen=True, kw_only=True)
class BoardView:
    """The leaderboard of a task, ordered by rank and then name."""

    task: Task
    datasets: tuple[str, ...]
    rows: tuple[BoardRow, ...]
    close: Mapping[str, tuple[tuple[str, str], ...]]  # data set -> teams whose order half precision may have made
    as_of: datetime | None  # the last score in it
    evaluator_versions: tuple[str, ...]
    published: bool
    sealed_until: datetime | None  # published, but nobody but organizers sees it before
    resampling: Resampling | None = None  # None: intervals and schemes are not computed yet,
    resampling_failed: bool = False  # or they could not be


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A team's submission that is scored on all data sets, for the team once the board can be seen."""

    submission: str
    received_at: datetime
    values: Mapping[str, float]  # data set -> average precision
    counts: bool  # it is the one that is ranked


def board(s: Session, challenge: Challenge, task: Task) -> BoardView:
    """Rank each team's valid submission that was received last."""
    counting = valid_submissions(s, challenge, task)
    names = shown_names(counting)
    datasets = tuple(dataset.name for dataset in challenge.datasets)
    scores = [job.score for one in counting for job in one.jobs if job.score is not None]
    placed = rows(counting, names, {name: by_team(counting, names, name) for name in datasets})
    switch = publication(s, challenge, task)
    return BoardView(
        task=task,
        datasets=datasets,
        rows=placed,
        close={name: found for name in datasets if (found := close(placed, name))},
        as_of=max((score.computed_at for score in scores), default=None),
        evaluator_versions=tuple(sorted({score.evaluator_version for score in scores})),
        published=switch.published,
        sealed_until=switch.sealed_until,
    )


def valid_submissions(s: Session, challenge: Challenge, task: Task) -> list[Submission]:
    """The last received of each team's submissions that are scored on all data sets."""
    return list({one.team_id: one for one in scored_submissions(s, challenge, task)}.values())


def scored_submissions(s: Session, challenge: Challenge, task: Task, *which: ColumnElement[bool]) -> list[Submission]:
    """All final submissions (of these) that are scored on all data sets, as they were received."""
    jobs = selectinload(Submission.jobs)
    return list(
        s.scalars(
            select(Submission)
            .where(
                Submission.challenge_id == challenge.id,
                Submission.task == task,
                Submission.queue == Queue.FINAL,
                Submission.status == SubmissionStatus.SCORED,
                *which,
            )
            .order_by(Submission.received_at, Submission.id)
            .options(selectinload(Submission.team), jobs.selectinload(Job.dataset), jobs.selectinload(Job.score))
        )
    )


def attempts(s: Session, challenge: Challenge, task: Task, team_id: str) -> tuple[Attempt, ...]:
    """A team's own scored submissions, newest first. Nobody is shown them while the board is not visible."""
    own = scored_submissions(s, challenge, task, Submission.team_id == team_id)
    return tuple(
        Attempt(
            submission=one.id,
            received_at=one.received_at,
            values={job.dataset.name: job.score.value for job in one.jobs if job.score is not None},
            counts=one is own[-1],
        )
        for one in reversed(own)
    )


def shown_names(counting: list[Submission]) -> dict[str, str]:
    """Team id -> name; teams without a public name are numbered by when they registered."""
    taken = {one.team.name for one in counting if not one.team.anonymous}
    unnamed = sorted((one.team for one in counting if one.team.anonymous), key=lambda t: (t.created_at, t.id))
    free = (f"Anonymous {number}" for number in range(1, len(unnamed) + len(taken) + 1))
    pseudonyms = (name for name in free if name not in taken)
    return {one.team_id: one.team.name for one in counting if not one.team.anonymous} | {
        team.id: next(pseudonyms) for team in unnamed
    }


def by_team(counting: list[Submission], names: Mapping[str, str], dataset: str) -> dict[str, Score]:
    """Give each team's score on a data set."""
    return {
        names[one.team_id]: job.score
        for one in counting
        for job in one.jobs
        if job.dataset.name == dataset and job.score is not None
    }


def close(placed: tuple[BoardRow, ...], dataset: str) -> tuple[tuple[str, str], ...]:
    """Pairs of teams with different values whose order could be another one in full precision."""
    bounds = {row.team: row.bounds[dataset] for row in placed if dataset in row.bounds}
    value = {row.team: row.values[dataset] for row in placed}
    return tuple((one, other) for one, other in indistinguishable(bounds) if value[one] != value[other])


def rows(
    counting: list[Submission], names: Mapping[str, str], scores: Mapping[str, Mapping[str, Score]]
) -> tuple[BoardRow, ...]:
    """One row a team, ordered by rank and then name."""
    if not counting:
        return ()
    ranked = ranking.rank({name: {team: score.value for team, score in of.items()} for name, of in scores.items()})
    by_name = {names[one.team_id]: one for one in counting}
    places = {(name, place.team): place for name, found in ranked.datasets.items() for place in found}
    sharing = Counter(place.rank for place in ranked.consensus)
    return tuple(
        BoardRow(
            rank=place.rank,
            is_tied=sharing[place.rank] > 1,
            team=place.team,
            values={name: places[name, place.team].value for name in scores},
            ranks={name: places[name, place.team].rank for name in scores},
            bounds={
                name: (score.low, score.high)
                for name in scores
                if (score := scores[name][place.team]).low is not None and score.high is not None
            },
            mean_rank=place.mean_rank,
            submission=by_name[place.team].id,
            received_at=by_name[place.team].received_at,
        )
        for place in ranked.consensus
    )


def visible(s: Session, challenge: Challenge, task: Task, now: datetime) -> bool:
    """May everybody see it now: published, and its seal, if it has one, is over?"""
    return publication(s, challenge, task).is_visible(now)


def publication(s: Session, challenge: Challenge, task: Task) -> Publication:
    """Give the organizer's switch; not published where nobody has touched it."""
    row = board_row(s, challenge, task)
    return Publication(published=row.published, sealed_until=row.sealed_until) if row else Publication(published=False)


def publish(
    s: Session,
    challenge: Challenge,
    task: Task,
    published: bool,  # noqa: FBT001  the callers' words: publish(…, True, …)
    account: Account,
    now: datetime,
    *,
    sealed_until: datetime | None = None,
) -> None:
    """Show it to everybody (from `sealed_until` on), or take it back; who did it and when is kept.

    Raises Invalid where the seal would be over already.
    """
    if sealed_until is not None and sealed_until <= now:
        raise Invalid(f"results cannot be sealed until {sealed_until:%Y-%m-%d %H:%M} UTC: that is over")
    row = board_row(s, challenge, task)
    if row is None:
        row = Board(challenge_id=challenge.id, task=task)
        s.add(row)
    was = Publication(published=bool(row.published), sealed_until=row.sealed_until)
    row.published = published
    row.sealed_until = sealed_until if published else None
    row.changed_at = now
    row.changed_by = account.id
    s.flush()
    said = f"until {row.sealed_until.isoformat()}, by {account.email}" if row.sealed_until else f"by {account.email}"
    is_now = Publication(published=row.published, sealed_until=row.sealed_until)
    lifecycle.note(s, "board", row.id, was.word(now), is_now.word(now), now, said)


def instant(text: str) -> datetime:
    """Read an instant as forms send it, in UTC where it names no zone. Raises Invalid."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text!r} is no date with a time: write it as 2026-12-31T18:00, in UTC") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def board_row(s: Session, challenge: Challenge, task: Task) -> Board | None:
    """Give the row that keeps the switch."""
    return s.scalar(select(Board).where(Board.challenge_id == challenge.id, Board.task == task))


def csv(view: BoardView) -> str:
    """The values in challengeR's columns: task (the data set), alg_name, value, case (the task)."""
    return ranking.write_csv(
        {name: {row.team: {view.task: row.values[name]} for row in view.rows} for name in view.datasets}
    )
