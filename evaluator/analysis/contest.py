"""One data set's contest: official scores, the same of resamples of its cases, and tests of the differences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator import ranking, resampling
from evaluator.analysis.entries import CaseSet, Entry
from evaluator.ranking import Comparison
from evaluator.resampling import PERCENTILES
from evaluator.tasks import SAMPLE

Floats = NDArray[np.float64]

_AT_ONCE: Final = 10_000  # draws of cases
_TESTS: Final = 1  # the tests' draws are others than those of the ranks


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Every team on one data set; one without an entry has 0 everywhere."""

    case_set: CaseSet
    values: Mapping[str, float]  # team -> official score, of the teams that have one
    resampled: Mapping[str, Floats]  # team -> the score of each resample, [resamples]
    batches: Mapping[str, Sequence[float]]  # team -> average precision of each batch; none in the sample task
    comparisons: tuple[Comparison, ...]

    @property
    def unit(self) -> str:
        """What the tests permute or draw."""
        return "batch" if self.batches else "case"

    @property
    def n_units(self) -> int:
        """How many of them there are."""
        return len(self.case_set.deal) if self.batches else self.n_cases

    @property
    def n_cases(self) -> int:
        """All cases."""
        return sum(map(len, self.case_set.deal))

    @property
    def n_anomalous(self) -> int:
        """The anomalous ones."""
        return sum(self.case_set.labels[case] for batch in self.case_set.deal for case in batch)

    def bounds(self, team: str) -> tuple[float, float]:
        """Give the 2.5th and the 97.5th percentile of a team's scores in the resamples."""
        low, high = np.percentile(self.resampled[team], PERCENTILES)
        return float(low), float(high)


def contest(teams: Sequence[str], entries: Sequence[Entry], *, resamples: int, seed: Sequence[int]) -> Contest:
    """Compare the entries of one data set, at least one; every team's cases are drawn alike.

    Cases are drawn inside the batches of the official deal, as many of each label as there are, so that a resample's
    statistic is the official one: the mean of the batches' average precisions, or that of all cases together.
    """
    case_set = entries[0].case_set
    of_task = _samples if case_set.task == SAMPLE else _voxels
    return of_task(teams, case_set, {entry.team: entry for entry in entries}, resamples, seed)


def _voxels(
    teams: Sequence[str], case_set: CaseSet, entries: Mapping[str, Entry], resamples: int, seed: Sequence[int]
) -> Contest:
    drawn = resampling.draws(case_set.deal, case_set.labels, resamples=resamples, seed=seed)
    # The whole stands first, as one more resample: sketches are read once.
    counts = [np.vstack([np.ones((1, one.shape[1]), dtype=np.int32), one]) for one in drawn]
    found = {team: np.zeros((len(case_set.deal), 1 + resamples)) for team in teams}
    for team, entry in entries.items():
        found[team] = resampling.ap_of_batches(entry.sketches, case_set.deal, counts)
    batches = {team: one[:, 0].tolist() for team, one in found.items()}
    return Contest(
        case_set=case_set,
        values={team: entry.value for team, entry in entries.items()},
        resampled={team: one[:, 1:].mean(axis=0) for team, one in found.items()},
        batches=batches,
        comparisons=ranking.by_flipping(batches, seed=(*seed, _TESTS)),
    )


def _samples(
    teams: Sequence[str], case_set: CaseSet, entries: Mapping[str, Entry], resamples: int, seed: Sequence[int]
) -> Contest:
    cases = [case for batch in case_set.deal for case in batch]
    labels = [case_set.labels[case] for case in cases]
    scores = {team: [entry.scores[case] for case in cases] for team, entry in entries.items()}

    def drawn(many: int, its_seed: Sequence[int]) -> dict[str, Floats]:
        (counts,) = resampling.draws([cases], case_set.labels, resamples=many, seed=its_seed)
        found = {team: resampling.ap_of_scores(its, labels, counts) for team, its in scores.items()}
        return {team: np.nan_to_num(found.get(team, np.zeros(many)), nan=0.0) for team in teams}

    values = {team: entry.value for team, entry in entries.items()}
    every = {team: values.get(team, 0.0) for team in teams}
    parts = [drawn(many, (*seed, _TESTS, i)) for i, many in enumerate(_draws_of_tests(len(teams)))]
    again = {team: np.concatenate([part[team] for part in parts]) for team in teams} if parts else {}
    return Contest(
        case_set=case_set,
        values=values,
        resampled=drawn(resamples, seed),
        batches={},
        comparisons=ranking.by_resampling(every, again) if again else (),
    )


def _draws_of_tests(teams: int) -> Iterator[int]:
    """Cut the draws into parts that fit the memory; none where there is nothing to test."""
    needed = 0 if teams == 1 or ranking.untestable(teams) else ranking.draws_needed(teams)
    yield from (min(_AT_ONCE, needed - start) for start in range(0, needed, _AT_ONCE))
