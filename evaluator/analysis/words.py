"""The words and columns that several tables share."""

from collections.abc import Iterable, Sequence
from typing import Final

from evaluator.analysis.tables import Column

MEDIAN: Final = "median of submissions"
CONSTANT: Final = "constant"  # 0 everywhere
RANDOM: Final = "random"  # 0 or 1, by a coin
BASELINES: Final = (CONSTANT, RANDOM)
BASELINES_SAID: Final = "“constant” scores 0 everywhere, “random” 0 or 1 by a seeded coin."

DATASET: Final = Column(name="dataset", title="Data set")
TEAM: Final = Column(name="team", title="Team")
CATEGORY: Final = Column(name="category", title="Category")
SUBCATEGORY: Final = Column(name="subcategory", title="Subcategory")
AP: Final = Column(name="ap", title="AP", kind="number")
BAND: Final = (
    Column(name="ap_low", title="AP, 2.5th percentile", kind="number"),
    Column(name="ap_high", title="AP, 97.5th percentile", kind="number"),
)
CASES: Final = (
    Column(name="n_anomalous", title="Anomalous cases", kind="count", unit="cases"),
    Column(name="n_normal", title="Normal cases", kind="count", unit="cases"),
)


def listed(names: Iterable[str], most: int = 8) -> str:
    """List names in a sentence; what is left out is counted.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], most=2), listed(["a"])
    ('a, b and c', 'a, b and 2 more', 'a')
    """
    found = list(names)
    if len(found) > most:
        return f"{', '.join(found[:most])} and {len(found) - most} more"
    return " and ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))


def counted(number: int, noun: str) -> str:
    """Give a number with its noun.

    >>> counted(1, "case"), counted(2, "case"), counted(0, "subcategory")
    ('1 case', '2 cases', '0 subcategories')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"


def plural(of: Sequence[str], one: str, many: str) -> str:
    """Give the form that goes with so many."""
    return one if len(of) == 1 else many


def sentences(*parts: str | None) -> str:
    """Join what there is to say."""
    return " ".join(part for part in parts if part)


def by_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Sort teams as they are ranked; unranked ones last, by name."""
    places = {name: place for place, name in enumerate(order)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))
