"""What the tables say, in sentences: the summary at the head of a report. Says nothing of a table that is not there."""

from collections.abc import Callable, Mapping, Sequence

from evaluator.analysis.tables import Row, Table, Value
from evaluator.analysis.words import counted, listed
from server.web.cells import UNDEFINED

CONSENSUS = "consensus"


def findings(tables: Mapping[str, Table]) -> tuple[str, ...]:
    """Give one sentence for each thing that a reader looks for first."""
    tellers: tuple[tuple[str, Callable[[Sequence[Row]], str]], ...] = (
        ("consensus", winner),
        ("rank_agreement", agreement),
        ("schemes", movers),
        ("tests", significance),
        ("deals", second_deal),
        ("proxies", proxies),
    )
    told = (tell(tables[name].rows) for name, tell in tellers if name in tables and tables[name].rows)
    return tuple(sentence for sentence in told if sentence)


def winner(rows: Sequence[Row]) -> str:
    """Who is first, and how sure that is."""
    first = [row for row in rows if row["rank"] == 1]
    many = f"{counted(len(rows), 'submission')} {'is' if len(rows) == 1 else 'are'} ranked"
    if len(rows) == 1:
        return f"{many}, that of {rows[0]['team']}; with one, nothing is compared."
    who = listed([str(row["team"]) for row in first])
    if len(first) > 1:
        return f"{many}. {who} share the first place."
    low, high = first[0]["rank_low"], first[0]["rank_high"]
    if low is None or high is None:
        return f"{many}. {who} is first."
    sure = "in 95 % of the resamples, too" if low == high == 1 else f"the 95 % interval of its rank is {low} to {high}"
    return f"{many}. {who} is first; {sure}." if low != high else f"{many}. {who} is first, {sure}."


def agreement(rows: Sequence[Row]) -> str:
    """How much rankings of resamples look like the full one."""
    parts = [
        f"{number(row['tau_b'])} [{number(row['tau_b_low'])}, {number(row['tau_b_high'])}] {of_dataset(row)}"
        for row in rows
        if row["tau_b"] is not None
    ]
    return f"Rankings of resampled cases agree with the full one at a Kendall τ-b of {listed(parts)}." if parts else ""


def movers(rows: Sequence[Row]) -> str:
    """Who would change place under another scheme."""
    teams = {row["team"] for row in rows if row["dataset"] == CONSENSUS}
    moved = list(dict.fromkeys(str(r["team"]) for r in rows if r["dataset"] == CONSENSUS and r["moves"] == "yes"))
    if len(teams) < 2:  # noqa: PLR2004  one alone cannot move
        return ""
    if not moved:
        return "No team would change its place in the consensus under another ranking scheme."
    return f"Under another ranking scheme {listed(moved)} would change place in the consensus."


def significance(rows: Sequence[Row]) -> str:
    """How many of the pairs can be told apart on each data set."""
    parts = []
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        pairs: dict[frozenset[Value], bool] = {}
        for row in rows:
            if row["dataset"] == dataset and row["p_holm"] is not None:
                pair = frozenset((row["better"], row["worse"]))
                pairs[pair] = pairs.get(pair, False) or row["significant"] == "yes"
        if pairs:
            parts.append(f"{sum(pairs.values())} of {len(pairs)} on {dataset}")
    said = f"Pairs of teams that differ significantly (5 %, one-sided, Holm): {listed(parts)}."
    return said if parts else ""


def second_deal(rows: Sequence[Row]) -> str:
    """How much the choice of batches matters."""
    found = [(abs(row["difference"]), row) for row in rows if isinstance(row["difference"], float)]
    if not found:
        return ""
    largest, row = max(found, key=lambda one: one[0])
    return (
        f"A second deal of the cases into batches changes a score by {largest:.3f} at most "
        f"({row['team']}, {row['dataset']})."
    )


def proxies(rows: Sequence[Row]) -> str:
    """Whether simple test sets would have ranked alike."""
    parts = [f"{number(row['tau_b'])} ({row['proxy']}, {row['dataset']})" for row in rows if row["tau_b"] is not None]
    return f"Kendall's τ-b between a proxy's ranking and the official one: {listed(parts)}." if parts else ""


def of_dataset(row: Row) -> str:
    """Name what a row is about."""
    return "for the consensus" if row["dataset"] == CONSENSUS else f"on {row['dataset']}"


def number(value: Value) -> str:
    """Write two digits: a summary needs no more."""
    return f"{value:.2f}".replace("-", "−") if isinstance(value, int | float) else UNDEFINED
