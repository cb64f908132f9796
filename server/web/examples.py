"""Predictions on the cases that a challenge marks for show: the truth, and each submission's scores beside it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluator.analysis.entries import Facts
from evaluator.slices import Slices
from server import analyses, challenges, leaderboard
from server.models import CaseScore, Challenge, Dataset, Job
from server.protocol import Task
from server.storage import Store
from server.web import pictures
from server.web.pictures import Window

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Map:
    """What one submission made of an example."""

    team: str
    picture: str | None  # address that carries itself; None: nothing was kept


@dataclass(frozen=True, kw_only=True)
class Example:
    """One case, without its name."""

    about: str  # what is anomalous in it
    scan: str  # addresses that carry themselves
    truth: str
    maps: tuple[Map, ...]  # in the teams' order


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The examples of a data set."""

    title: str  # the data set's
    teams: tuple[str, ...]
    examples: tuple[Example, ...]


Shown = Mapping[str, Mapping[str, Slices]]  # case -> team -> what was kept


def galleries(s: Session, store: Store, challenge: Challenge, task: Task, order: Sequence[str]) -> tuple[Gallery, ...]:
    """Give a gallery for each data set with an example, its teams in this order; those not in it are left out."""
    counting = leaderboard.valid_submissions(s, challenge, task)
    names = leaderboard.shown_names(counting)
    found: dict[str, list[Example]] = {}
    for one, jobs in analyses.scored(s, challenge, counting):
        for_show = challenges.settings(one).show
        datasets: dict[str, Dataset] = {}
        shown: dict[str, dict[str, dict[str, Slices]]] = {}
        for analysed, job in jobs:
            datasets[job.dataset.name] = job.dataset
            for case, slices in of_job(s, store, job, for_show.get(job.dataset.name, [])):
                shown.setdefault(job.dataset.name, {}).setdefault(case, {})[names[analysed.team_id]] = slices
        for name, cases in shown.items():
            facts = analyses.facts_by_case(datasets[name])
            found.setdefault(datasets[name].title, []).extend(examples(cases, facts, order))
    return tuple(Gallery(title=title, teams=tuple(order), examples=tuple(of)) for title, of in found.items() if of)


def of_job(s: Session, store: Store, job: Job, for_show: Sequence[str]) -> Iterator[tuple[str, Slices]]:
    """Give those of these cases of which a job's slices were kept: more may have been for show when it was scored."""
    if job.score is None:
        return
    rows = s.execute(
        select(CaseScore.name, CaseScore.slices_sha256)
        .where(CaseScore.score_id == job.score.id, CaseScore.slices_sha256.is_not(None), CaseScore.name.in_(for_show))
        .order_by(CaseScore.name)
    )
    for case, sha256 in rows:
        slices = kept_slices(store, sha256) if sha256 else None
        if slices is not None:
            yield case, slices


def kept_slices(store: Store, sha256: str) -> Slices | None:
    """Read slices. None: they are not there, or they are none, which is no reason to hide a page."""
    try:
        return Slices.from_bytes(store.get(sha256))
    except (FileNotFoundError, ValueError) as error:
        log.warning("slices cannot be shown", extra={"sha256": sha256, "error": str(error)})
        return None


def examples(shown: Shown, facts: Mapping[str, Facts], order: Sequence[str]) -> list[Example]:
    """Draw the cases of a data set; a team's colours run over the same scores in all of them."""
    windows = {
        team: Window.of(by_team[team].prediction for by_team in shown.values() if team in by_team) for team in order
    }
    found = []
    for case, by_team in sorted(shown.items(), key=lambda item: about(facts.get(item[0]))):
        one = next(iter(by_team.values()))  # image and label are the same for all
        maps = tuple(Map(team=team, picture=drawn(by_team.get(team), windows[team])) for team in order)
        found.append(
            Example(
                about=about(facts.get(case)),
                scan=pictures.thumbnail(pictures.scan(one.image)),
                truth=pictures.thumbnail(pictures.truth(one.image, one.label)),
                maps=maps,
            )
        )
    return found


def drawn(slices: Slices | None, window: Window) -> str | None:
    """Draw what a submission made of a case."""
    if slices is None:
        return None
    return pictures.thumbnail(pictures.heat(slices.image, slices.label, slices.prediction, window))


def about(facts: Facts | None) -> str:
    """Say what is anomalous, as far as cases.csv tells."""
    if facts is None:
        return ""
    if facts.scope == "normal":
        return "normal"
    return ", ".join(filter(None, (facts.category, facts.subcategory)))
