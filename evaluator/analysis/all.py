"""All analyses but the standings, from one pass over each submission's sketches.

One submission on one data set is held at a time: 600 cases of it, whatever the number of teams.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from evaluator.analysis.alarms import false_alarms
from evaluator.analysis.bars import Bars
from evaluator.analysis.baselines import baselines
from evaluator.analysis.boards import boards
from evaluator.analysis.categories import categories
from evaluator.analysis.costs import costs
from evaluator.analysis.deals import Dealt, deals, dealt
from evaluator.analysis.detections import Found, detections, found_objects
from evaluator.analysis.difficulty import difficulty
from evaluator.analysis.entries import ANALYSIS, CHALLENGE, SWEEPS, TOY, TOYISH, CaseSet, Entry
from evaluator.analysis.groups import Kind, Measured, Partition, measure, partition
from evaluator.analysis.levels import LevelsOf, both_levels, levels
from evaluator.analysis.proxies import proxies, values
from evaluator.analysis.sweeps import CONTRASTS, SIZES, Line, line, normals, swept
from evaluator.analysis.tables import Table
from evaluator.analysis.words import BASELINES, MEDIAN, by_order, sentences
from evaluator.ranking import rank
from evaluator.tasks import PIXEL

ByDataset = Mapping[str, Sequence[Entry]]


@dataclass(frozen=True, kw_only=True)
class _Kinds:
    """One data set's cells in one set, cut by kind and by difficulty too, and each submission measured on them."""

    case_set: CaseSet
    plain: Partition
    graded: Partition
    of_plain: list[Measured] = field(default_factory=list)  # in the order of the ranking, baselines last
    of_graded: list[Measured] = field(default_factory=list)

    @classmethod
    def of(cls, case_set: CaseSet, without: Collection[Kind], *, resamples: int, seed: int) -> Self:
        """Cut the cases of a set, some kinds aside."""
        plain, graded = (
            partition(case_set, by_difficulty=by_difficulty, resamples=resamples, seed=seed, without=without)
            for by_difficulty in (False, True)
        )
        return cls(case_set=case_set, plain=plain, graded=graded)

    def add(self, entry: Entry) -> None:
        """Measure a submission; once where every kind has one difficulty."""
        found = measure(entry, self.plain)
        same = [cell.cases for cell in self.plain.cells] == [cell.cases for cell in self.graded.cells]
        self.of_plain.append(found)
        self.of_graded.append(found if same else measure(entry, self.graded))

    def bars(self, parted: Partition, measured: Sequence[Measured]) -> Bars:
        """Part submissions from baselines."""
        return Bars(
            case_set=self.case_set,
            parted=parted,
            submissions=[one for one in measured if one.team not in BASELINES],
            baselines=[one for one in measured if one.team in BASELINES],
        )


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """What is kept of all submissions and baselines, by data set."""

    kinds: Mapping[str, Sequence[_Kinds]]  # the main set's, then those that stand beside it
    normals: dict[tuple[str, str], list[float]] = field(default_factory=dict)  # data set, team -> scores
    levels: dict[str, list[LevelsOf]] = field(default_factory=dict)
    deals: dict[str, list[Dealt]] = field(default_factory=dict)
    objects: dict[str, list[Found]] = field(default_factory=dict)
    sizes: dict[str, list[Line]] = field(default_factory=dict)
    contrasts: dict[str, list[Line]] = field(default_factory=dict)
    baselines: dict[str, list[Entry]] = field(default_factory=dict)  # on the challenge's cases, without their sketches


def analyses(entries: Mapping[str, ByDataset], task: str, *, resamples: int = 1000, seed: int = 0) -> tuple[Table, ...]:
    """Make all tables of a task but the standings; what cannot be shown is told in a table's notes.

    `entries`: set -> data set -> submissions. Of the sets, "challenge" gives the ranking; without "analysis" kinds of
    anomalies are told apart on the challenge's own cases; "toy" may hold entries with a value alone.
    """
    sets = {name: {dataset: _renamed(of) for dataset, of in found.items() if of} for name, found in entries.items()}
    teams = _ranked(sets.get(CHALLENGE, {}))
    kept = _read(sets, teams, resamples=resamples, seed=seed)
    challenge = {dataset: _sorted(of, teams) for dataset, of in sets.get(CHALLENGE, {}).items()}
    plain = {dataset: [one.bars(one.plain, one.of_plain) for one in its] for dataset, its in kept.kinds.items()}
    graded = {dataset: [one.bars(one.graded, one.of_graded) for one in its] for dataset, its in kept.kinds.items()}
    source = _source([its[0] for its in kept.kinds.values()])
    return (
        categories(plain, task, teams, resamples=resamples, source=source),
        difficulty(graded, task, teams, resamples=resamples, source=source),
        false_alarms(plain, task, teams, source=source),
        swept(SIZES, kept.sizes, task),
        swept(CONTRASTS, kept.contrasts, task),
        proxies(values(challenge), values(sets.get(TOY, {})), values(sets.get(TOYISH, {}))),
        *levels(kept.levels, task),
        detections(kept.objects, task),
        deals(kept.deals, task),
        costs(challenge),
        boards(challenge, kept.baselines, teams),
    )


def _read(sets: Mapping[str, ByDataset], teams: Sequence[str], *, resamples: int, seed: int) -> _Kept:
    """Take each submission of each set once."""
    kept = _Kept(kinds=_kinds(sets, resamples=resamples, seed=seed))
    for name in (CHALLENGE, ANALYSIS, SWEEPS):
        for found in sets.get(name, {}).values():
            for entry in _held(_sorted(found, teams), seed):
                _keep(entry, kept)
    return kept


def _kinds(sets: Mapping[str, ByDataset], *, resamples: int, seed: int) -> dict[str, list[_Kinds]]:
    """Cut each data set's cases: the analysis set's, where cases.csv describes them, else the challenge's own.

    Kinds that the analysis set lacks, such as natural ones, are taken from the challenge's own cases.
    """
    found: dict[str, list[_Kinds]] = {}
    for dataset in {**sets.get(CHALLENGE, {}), **sets.get(ANALYSIS, {})}:
        without: set[Kind] = set()
        for name in (ANALYSIS, CHALLENGE):
            if of := sets.get(name, {}).get(dataset):
                one = _Kinds.of(of[0].case_set, without, resamples=resamples, seed=seed)
                if one.plain.cells or (name == CHALLENGE and dataset not in found):
                    found.setdefault(dataset, []).append(one)
                without |= {cell.kind for cell in one.plain.cells}
    return found


def _keep(entry: Entry, kept: _Kept) -> None:
    """Measure one submission for every table that its set is for."""
    dataset, name = entry.case_set.dataset, entry.case_set.name
    for place, kinds in enumerate(kept.kinds.get(dataset, ())):
        if kinds.case_set.name == name:
            kinds.add(entry)
            if place == 0:
                kept.normals[dataset, entry.team] = normals(entry)
    if name == SWEEPS:
        others = [*kept.normals.get((dataset, entry.team), ()), *normals(entry)]
        kept.sizes.setdefault(dataset, []).append(line(entry, SIZES, others))
        kept.contrasts.setdefault(dataset, []).append(line(entry, CONTRASTS, others))
    if name == CHALLENGE and entry.team in BASELINES:
        kept.baselines.setdefault(dataset, []).append(replace(entry, sketches={}))
    if name == CHALLENGE and entry.case_set.task == PIXEL:
        kept.levels.setdefault(dataset, []).append(both_levels(entry))
        kept.deals.setdefault(dataset, []).append(dealt(entry))
        if entry.team not in BASELINES:
            kept.objects.setdefault(dataset, []).append(found_objects(entry))


def _held(entries: Iterable[Entry], seed: int) -> Iterator[Entry]:
    """Read each submission's sketches as it is asked for, then give the baselines on the same cases."""
    others: tuple[Entry, ...] = ()
    for entry in entries:
        held = entry
        if entry.case_set.task == PIXEL:
            held = replace(entry, sketches={case: entry.sketches[case] for case in sorted(entry.case_set.labels)})
        others = others or baselines(held, seed=seed)
        yield held
    yield from others


def _source(kinds: Iterable[_Kinds]) -> str:
    """Name the cases in a sentence."""
    by_set: dict[str, list[str]] = {}
    for one in kinds:
        normal, anomalous = len(one.plain.normals), sum(len(cell.cases) for cell in one.plain.cells)
        by_set.setdefault(one.case_set.name, []).append(
            f"{one.case_set.dataset}: {anomalous} anomalous and {normal} normal cases"
        )
    words = {
        ANALYSIS: "Cases of the dedicated analysis set",
        CHALLENGE: "There is no analysis set, so the challenge's own hidden cases, of which some kinds have more than "
        "others",
    }
    return sentences(*(f"{words[name]} ({'; '.join(said)})." for name, said in by_set.items()))


def _ranked(found: ByDataset) -> list[str]:
    """Give the teams of the challenge in the order of the official ranking."""
    ranking = rank({dataset: {entry.team: entry.value for entry in of} for dataset, of in found.items()})
    return [place.team for place in ranking.consensus]


def _sorted(entries: Iterable[Entry], teams: Sequence[str]) -> list[Entry]:
    by_team = {entry.team: entry for entry in entries}
    return [by_team[team] for team in by_order(by_team, teams)]


def _renamed(entries: Iterable[Entry]) -> list[Entry]:
    """Keep a team apart from a baseline of the same name."""
    taken = {*BASELINES, MEDIAN}
    return [replace(entry, team=f"{entry.team} (team)") if entry.team in taken else entry for entry in entries]
