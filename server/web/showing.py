"""What pages show beyond server.views: a challenge, a history, tries that are left."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from server import challenges, leaderboard, lifecycle, submissions
from server.models import Challenge, Dataset, Submission, Team
from server.protocol import Queue, Stage, Task

PHASES = {"before": "not open yet", "open": "open for submissions", "closed": "closed"}


@dataclass(frozen=True, kw_only=True)
class DatasetView:
    """A data set: how many cases, never which."""

    name: str
    title: str
    toy_cases: int
    hidden_cases: dict[str, int]  # by task


@dataclass(frozen=True, kw_only=True)
class ChallengeView:
    """A challenge as everybody may see it."""

    slug: str
    title: str
    description: str
    rules: str
    phase: str  # before, open, closed
    opens_at: datetime | None
    closes_at: datetime | None
    budget_s: float  # for each case of a container start
    final_submissions: int  # a team and task
    batch_size: int  # cases
    architecture: str
    max_archive_bytes: int
    datasets: list[DatasetView]
    published: list[Task]  # leaderboards that everybody may see

    @property
    def phase_text(self) -> str:
        """In words."""
        return PHASES[self.phase]


def challenge_view(session: Session, challenge: Challenge, now: datetime) -> ChallengeView:
    """Read it."""
    settings = challenges.settings(challenge)
    return ChallengeView(
        slug=challenge.slug,
        title=challenge.title,
        description=settings.description,
        rules=settings.rules,
        phase=challenges.phase(challenge, now),
        opens_at=settings.opens_at,
        closes_at=settings.closes_at,
        budget_s=settings.budget_s,
        final_submissions=settings.final_submissions,
        batch_size=settings.batch_size,
        architecture=settings.architecture,
        max_archive_bytes=settings.max_archive_bytes,
        datasets=[dataset_view(dataset) for dataset in challenge.datasets],
        published=[task for task in Task if leaderboard.visible(session, challenge, task, now)],
    )


def dataset_view(dataset: Dataset) -> DatasetView:
    """Count its cases."""
    toy = {case.name for task in Task for case in challenges.cases(dataset, Stage.TOY, task)}
    hidden = {task.value: len(challenges.cases(dataset, Stage.HIDDEN, task)) for task in Task}
    return DatasetView(name=dataset.name, title=dataset.title, toy_cases=len(toy), hidden_cases=hidden)


@dataclass(frozen=True, kw_only=True)
class EventView:
    """One change of state."""

    at: datetime
    what: str
    reason: str  # empty where it could tell of hidden cases


def history_views(session: Session, submission: Submission, *, everything: bool) -> list[EventView]:
    """All changes of a submission and its jobs, in order; a job's reasons are for organizers."""
    found = [(event, "", event.reason) for event in lifecycle.history(session, "submission", submission.id)]
    for job in submission.jobs:
        for event in lifecycle.history(session, "job", job.id):
            reason = f"{event.reason}{f' ({event.host})' if event.host else ''}" if everything else ""
            found.append((event, f"{job.dataset.title}: ", reason))
    found.sort(key=lambda one: one[0].number)
    return [EventView(at=event.at, what=f"{whose}{event.to_status}", reason=reason) for event, whose, reason in found]


@dataclass(frozen=True, kw_only=True)
class TriesView:
    """Final submissions of a team for one task."""

    task: Task
    left: int
    total: int


def tries_left(session: Session, team: Team, challenge: Challenge) -> list[TriesView]:
    """For each task."""
    counted = [(task, submissions.tries(session, team, challenge, task)) for task in Task]
    return [TriesView(task=task, left=tries.total - tries.used, total=tries.total) for task, tries in counted]


def combinations() -> list[tuple[Task, Queue]]:
    """What an image can be handed in for."""
    return [(task, queue) for task in Task for queue in Queue]
