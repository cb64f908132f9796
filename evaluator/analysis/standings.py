"""Who stands where, and how firmly: the official ranking, what resamples of the cases make of it, and other schemes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evaluator import ranking
from evaluator.analysis.contest import Contest, contest
from evaluator.analysis.entries import Entry
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.ranking import ALPHA, CONSENSUS, Bootstrap, Ranking, Scheme
from evaluator.report import or_none
from evaluator.tasks import SAMPLE

FEW: Final = 10  # cases of a label: intervals of fewer say little

_DATASET = Column(name="dataset", title="Data set")
_TEAM = Column(name="team", title="Team")
_AP = Column(name="value", title="AP", kind="number")
_AP_LOW = Column(name="value_low", title="AP from", kind="number")
_AP_HIGH = Column(name="value_high", title="AP to", kind="number")
_RANK = Column(name="rank", title="Rank", kind="count")
_RANK_LOW = Column(name="rank_low", title="Rank from", kind="count")
_RANK_HIGH = Column(name="rank_high", title="Rank to", kind="count")


@dataclass(frozen=True, kw_only=True)
class _Standings:
    """All that the tables are made from."""

    official: Ranking
    contests: Mapping[str, Contest]  # of the data sets that have an entry
    bootstrap: Bootstrap | None  # None where none has
    how: str  # resamples were drawn
    notes: tuple[str, ...]

    @property
    def teams(self) -> list[str]:
        """In the official order."""
        return [place.team for place in self.official.consensus]

    @property
    def is_sample(self) -> bool:
        """Is it the sample task's?"""
        return any(one.case_set.task == SAMPLE for one in self.contests.values())


def standings(entries: Mapping[str, Sequence[Entry]], *, resamples: int = 1000, seed: int = 0) -> tuple[Table, ...]:
    """Give the tables consensus, places, rank_probabilities, rank_agreement, schemes and tests.

    `entries` data set -> one entry for each team on its challenge set. A team without an entry on a data set counts
    0 there; a data set without an entry orders nobody. An entry's sketches are asked for once, batch by batch. The
    same arguments give the same tables.
    """
    teams = sorted({entry.team for of in entries.values() for entry in of})
    contests = {
        name: contest(teams, of, resamples=resamples, seed=(seed, i))
        for i, (name, of) in enumerate(entries.items())
        if of
    }
    official = ranking.rank({name: contests[name].values if name in contests else {} for name in entries})
    found = _Standings(
        official=official,
        contests=contests,
        bootstrap=ranking.bootstrap(official, {name: one.resampled for name, one in contests.items()})
        if contests
        else None,
        how=_how(contests, resamples, seed),
        notes=tuple(_notes(entries, contests, teams)),
    )
    return (
        _consensus(found),
        _places(found),
        _probabilities(found),
        _agreement(found),
        _schemes(found),
        _tests(found),
    )


def _how(contests: Mapping[str, Contest], resamples: int, seed: int) -> str:
    counts = "; ".join(f"{name}: {one.n_cases} cases, {one.n_anomalous} anomalous" for name, one in contests.items())
    where = "inside the batches of the official deal, " if any(one.batches for one in contests.values()) else ""
    return (
        f"From {resamples:,} bootstrap resamples of the cases (seed {seed}), drawn {where}as many of each label as "
        f"there are, the same for every team ({counts or 'no case'})."
    )


def _notes(
    entries: Mapping[str, Sequence[Entry]], contests: Mapping[str, Contest], teams: Sequence[str]
) -> Iterator[str]:
    """Say what is missing, and what is too small to say anything."""
    if not teams:
        yield "No submission is scored yet."
    if len(teams) == 1:
        yield f"{teams[0]} is the only team: there is nobody to compare it with."
    for name in entries:
        yield from _about(name, contests[name], teams) if name in contests else (f"{name}: no submission is scored.",)


def _about(name: str, one: Contest, teams: Sequence[str]) -> Iterator[str]:
    yield from (f"{name}: {team} has no score, which counts 0." for team in teams if team not in one.values)
    if len(teams) > 1 and len({one.values.get(team, 0.0) for team in teams}) == 1:
        yield f"{name}: all teams have the same score, so that it orders nobody."
    normal = one.n_cases - one.n_anomalous
    if min(one.n_anomalous, normal) < FEW:
        yield f"{name}: {one.n_anomalous} anomalous and {normal} normal cases; intervals from so few say little."
    alone = sum(sum(one.case_set.labels[case] for case in batch) == 1 for batch in one.case_set.deal)
    if alone and one.batches:
        yield (
            f"{name}: {alone} of {len(one.case_set.deal)} batches have a single anomalous case, which each resample "
            "draws again; intervals are too narrow."
        )


def _consensus(found: _Standings) -> Table:
    intervals = _intervals(found, None)
    rows = [
        {"team": place.team, "mean_rank": place.mean_rank, "rank": place.rank, **intervals[place.team]}
        for place in found.official.consensus
    ]
    return table(
        "consensus",
        "Ranking",
        "The official ranking: teams in the order of the mean of their average ranks on the data sets; ties share the "
        "smallest rank. Rank intervals are the 2.5th and 97.5th percentile. " + found.how,
        (_TEAM, Column(name="mean_rank", title="Mean rank", kind="number", digits=2), _RANK, _RANK_LOW, _RANK_HIGH),
        rows,
        *found.notes,
    )


def _places(found: _Standings) -> Table:
    rows: list[Row] = []
    for name, places in found.official.datasets.items():
        intervals, one = _intervals(found, name), found.contests.get(name)
        for place in places:
            low, high = one.bounds(place.team) if one else (None, None)
            rows.append(
                {
                    "dataset": name,
                    "team": place.team,
                    "value": place.value,
                    "value_low": low,
                    "value_high": high,
                    "rank": place.rank,
                    **intervals[place.team],
                    "n_cases": one.n_cases if one else None,
                    "n_anomalous": one.n_anomalous if one else None,
                }
            )
    counts = (
        Column(name="n_cases", title="Cases", kind="count"),
        Column(name="n_anomalous", title="Anomalous cases", kind="count"),
    )
    return table(
        "places",
        "Places on each data set",
        "Average precision (AP) and rank on each data set; tied teams show the smallest rank. Intervals are the 2.5th "
        "and 97.5th percentile. " + found.how,
        (_DATASET, _TEAM, _AP, _AP_LOW, _AP_HIGH, _RANK, _RANK_LOW, _RANK_HIGH, *counts),
        rows,
        *found.notes,
    )


def _intervals(found: _Standings, dataset: str | None) -> dict[str, dict[str, int | None]]:
    """Give each team's rank interval on a data set, or in the consensus; None where nothing was drawn."""
    firm = _stability(found, dataset)
    if firm is None or found.bootstrap is None:
        return {team: {"rank_low": None, "rank_high": None} for team in found.teams}
    return {
        team: {"rank_low": low, "rank_high": high}
        for team, (low, high) in zip(found.bootstrap.teams, firm.intervals(), strict=True)
    }


def _stability(found: _Standings, dataset: str | None) -> ranking.Stability | None:
    if found.bootstrap is None:
        return None
    return found.bootstrap.consensus if dataset is None else found.bootstrap.datasets.get(dataset)


def _probabilities(found: _Standings) -> Table:
    rows: list[Row] = [
        {"dataset": name, "team": team, "rank": i + 1, "probability": share}
        for name, firm in _each(found)
        for team, shares in zip(found.teams, firm.probabilities(), strict=True)
        for i, share in enumerate(shares)
    ]
    return table(
        "rank_probabilities",
        "How probable each rank is",
        "The share of resamples in which a team has each rank, on each data set and in the consensus. " + found.how,
        (_DATASET, _TEAM, _RANK, Column(name="probability", title="Share of resamples", kind="number")),
        rows,
        *found.notes,
    )


def _agreement(found: _Standings) -> Table:
    rows: list[Row] = []
    for name, firm in _each(found):
        mean, low, high = map(or_none, firm.agreement())
        rows.append({"dataset": name, "tau_b": mean, "tau_b_low": low, "tau_b_high": high})
    return table(
        "rank_agreement",
        "Agreement of the resamples' rankings with the official one",
        "Kendall's tau-b of each resample's ranking to the official one: mean, 2.5th and 97.5th percentile. 1 is the "
        "same order, 0 none in common. " + found.how,
        (
            _DATASET,
            Column(name="tau_b", title="Tau-b, mean", kind="number"),
            Column(name="tau_b_low", title="Tau-b from", kind="number"),
            Column(name="tau_b_high", title="Tau-b to", kind="number"),
        ),
        rows,
        *found.notes,
        *(
            ("Where all teams tie there is no order to agree with: n/a.",)
            if any(r["tau_b"] is None for r in rows)
            else ()
        ),
    )


def _each(found: _Standings) -> Iterator[tuple[str, ranking.Stability]]:
    """The data sets, then the consensus."""
    if found.bootstrap is not None:
        yield from found.bootstrap.datasets.items()
        yield CONSENSUS, found.bootstrap.consensus


def _schemes(found: _Standings) -> Table:
    rankings = {Scheme.AGGREGATE: found.official, Scheme.TESTS: _by_tests(found)}
    if not found.is_sample:
        rankings[Scheme.RANKS] = ranking.rank_then_aggregate(
            {name: one.batches for name, one in found.contests.items()}
        )
    rows = [_scheme_row(one) for one in ranking.side_by_side(rankings)]
    undefined = "Rank-then-aggregate is undefined in the sample task: one case has no average precision to rank by."
    return table(
        "schemes",
        "Ranks under other schemes",
        "Aggregate-then-rank is the official scheme. Rank-then-aggregate ranks the teams in each batch of the deal and "
        "orders them by the mean of these ranks. Test-based counts the teams that one is significantly better than "
        f"(p ≤ {ALPHA} after Holm's correction; see the tests). The consensus follows from the data sets' ranks as "
        "always.",
        (
            _DATASET,
            _TEAM,
            Column(name="aggregate_then_rank", title="Aggregate-then-rank", kind="count"),
            Column(name="rank_then_aggregate", title="Rank-then-aggregate", kind="count"),
            Column(name="test_based", title="Test-based", kind="count"),
            Column(name="moves", title="Changes place"),
        ),
        rows,
        *((undefined,) if found.is_sample else ()),
        *_about_tests(found),
        *found.notes,
    )


def _by_tests(found: _Standings) -> Ranking:
    """Rank the data sets on which a difference could be significant."""
    comparisons = {name: one.comparisons for name, one in found.contests.items() if not _untestable(found, name)}
    return ranking.rank_by_tests(found.teams, comparisons)


def _untestable(found: _Standings, dataset: str) -> str | None:
    one = found.contests[dataset]
    return ranking.untestable(len(found.teams), one.n_units if one.batches else None)


def _scheme_row(one: ranking.SideBySide) -> Row:
    return {
        "dataset": one.dataset,
        "team": one.team,
        "aggregate_then_rank": one.ranks[Scheme.AGGREGATE],
        "rank_then_aggregate": one.ranks[Scheme.RANKS],
        "test_based": one.ranks[Scheme.TESTS],
        "moves": "yes" if one.moves else "no",
    }


def _tests(found: _Standings) -> Table:
    rows: list[Row] = [
        {
            "dataset": name,
            "better": comparison.better,
            "worse": comparison.worse,
            "difference": comparison.difference,
            "p": comparison.p,
            "p_holm": comparison.p_holm,
            "significant": "yes" if comparison.significant else "no",
            "unit": one.unit,
            "n": one.n_units,
        }
        for name, one in found.contests.items()
        for comparison in one.comparisons
    ]
    how = (
        "by a bootstrap of the cases, as many of each label as there are: p is the share of draws in which the better "
        "team is not better"
        if found.is_sample
        else "by a paired permutation: the signs of the batches' differences are flipped"
    )
    return table(
        "tests",
        "Which differences are significant",
        f"One-sided tests of every pair of teams, {how}. Holm's correction is for the tests of all ordered pairs of a "
        f"data set; significant is p ≤ {ALPHA} after it.",
        (
            _DATASET,
            Column(name="better", title="Better"),
            Column(name="worse", title="Worse"),
            Column(name="difference", title="Difference in AP", kind="number"),
            Column(name="p", title="p", kind="number", digits=4),
            Column(name="p_holm", title="p, corrected", kind="number", digits=4),
            Column(name="significant", title="Significant"),
            Column(name="unit", title="Unit"),
            Column(name="n", title="Units", kind="count"),
        ),
        rows,
        "The consensus has no test of its own: its scheme combines the data sets' test-based ranks.",
        *_about_tests(found),
        *found.notes,
    )


def _about_tests(found: _Standings) -> Iterator[str]:
    """Say where the units are too few for any difference to be significant."""
    for name in found.contests:
        if reason := _untestable(found, name):
            yield f"{name}: {reason}; test-based ranks are undefined."
