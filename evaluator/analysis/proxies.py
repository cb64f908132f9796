"""Do toy cases tell who wins? Rank agreement of proxy sets with the test set: the thesis's table 4.3."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.analysis.entries import TOY, TOYISH, Entry
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import DATASET, listed
from evaluator.ranking import tau_b
from evaluator.report import or_none

COLUMNS = (
    DATASET,
    Column(name="proxy", title="Proxy"),
    Column(name="tau_b", title="Kendall's tau-b", kind="number"),
    Column(name="n_teams", title="Submissions", kind="count"),
)
CAPTION = (
    "Kendall's tau-b between the ranking on a proxy and the official one on the hidden test cases, for each data set, "
    "over the submissions that have both: 1 is the same order, 0 none, −1 the reverse; tied values count as ties. "
    "“toy” are the few toy cases of the challenge, “toyish” the proxy set of spheres and cubes of random size and "
    "intensity. With few submissions tau-b takes few values, and one exchange moves it far."
)
_WORDS = {TOY: "the toy cases", TOYISH: "the toy-ish set"}
_PAIR = 2
_FEW = 4  # submissions: six pairs

Values = Mapping[str, Mapping[str, float]]  # data set -> team -> value


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Teams that have both values."""

    dataset: str
    proxy: str
    here: Sequence[float]
    there: Sequence[float]

    @property
    def tau(self) -> float | None:
        if len(self.here) < _PAIR:
            return None
        return or_none(float(tau_b(np.array(self.there), np.array([self.here]))[0]))


def values(entries: Mapping[str, Sequence[Entry]]) -> dict[str, dict[str, float]]:
    """Give the official values of a set."""
    return {dataset: {entry.team: entry.value for entry in found} for dataset, found in entries.items()}


def proxies(official: Values, toy: Values, toyish: Values) -> Table:
    """Make the table."""
    pairs = [
        _paired(dataset, proxy, its[dataset], official[dataset])
        for dataset in official
        for proxy, its in ((TOY, toy), (TOYISH, toyish))
        if its.get(dataset)
    ]
    rows: list[Row] = [
        {"dataset": one.dataset, "proxy": one.proxy, "tau_b": one.tau, "n_teams": len(one.here)} for one in pairs
    ]
    notes = (*_missing({TOY: toy, TOYISH: toyish}, official), *(note for one in pairs for note in _notes(one)))
    return table("proxies", "Proxies of the test set", CAPTION, COLUMNS, rows, *notes)


def _paired(dataset: str, proxy: str, here: Mapping[str, float], there: Mapping[str, float]) -> _Pairs:
    teams = sorted(here.keys() & there.keys())
    return _Pairs(
        dataset=dataset, proxy=proxy, here=[here[team] for team in teams], there=[there[team] for team in teams]
    )


def _missing(proxies: Mapping[str, Values], official: Values) -> Iterator[str]:
    for proxy, its in proxies.items():
        absent = [dataset for dataset in official if not its.get(dataset)]
        if absent:
            yield f"{listed(absent)}: no submission is scored on {_WORDS[proxy]}."


def _notes(one: _Pairs) -> Iterator[str]:
    where = f"{one.dataset}, {_WORDS[one.proxy]}"
    if len(one.here) < _PAIR:
        yield f"{where}: fewer than two submissions have both values, so there is no order to compare."
    elif one.tau is None:
        yield f"{where}: all submissions have the same value on one side, so there is no order to compare."
    elif len(one.here) <= _FEW:
        yield f"{where}: {len(one.here)} submissions are too few to say anything."
