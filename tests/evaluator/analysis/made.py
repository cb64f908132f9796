"""Small sets of cases and submissions on them, for the analyses' tests."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from evaluator.analysis.entries import ANALYSIS, CaseSet, Entry, Facts
from evaluator.analysis.tables import Table
from evaluator.sketch import Sketch

NORMAL = Facts(scope="normal")


def kind(
    subcategory: str,
    category: str = "images",
    *,
    scope: str = "local",
    origin: str = "artificial",
    difficulty: int | None = 3,
    parameters: Mapping[str, float | str] | None = None,
) -> Facts:
    return Facts(
        scope=scope,
        category=category,
        subcategory=subcategory,
        origin=origin,
        difficulty=difficulty,
        parameters=parameters or {},
    )


def case_set(
    facts: Mapping[str, Facts],
    task: str = "sample",
    name: str = ANALYSIS,
    dataset: str = "brain",
    deals: Sequence[Sequence[Sequence[str]]] = (),
) -> CaseSet:
    """Label the cases as their facts say; one batch, unless deals (official, validation) are given."""
    official, validation = deals or ([sorted(facts)], ())
    return CaseSet(
        dataset=dataset,
        name=name,
        task=task,
        labels={case: int(one.scope != "normal") for case, one in facts.items()},
        facts=facts,
        deal=tuple(tuple(batch) for batch in official),
        validation=tuple(tuple(batch) for batch in validation),
    )


def of_scores(team: str, cases: CaseSet, scores: Iterable[float], value: float = 0.5) -> Entry:
    """A submission of the sample task; scores in the order of the labels."""
    return Entry(team=team, case_set=cases, scores=dict(zip(cases.labels, scores, strict=True)), value=value)


def sketch(positive: Sequence[float], negative: Sequence[float]) -> Sketch:
    """Count voxels of these scores."""
    mask = np.array([True] * len(positive) + [False] * len(negative))
    return Sketch.of(np.array([*positive, *negative], dtype=np.float64), mask)


def of_voxels(team: str, cases: CaseSet, sketches: Iterable[Sketch], value: float = 0.5) -> Entry:
    """A submission of the pixel task; sketches in the order of the labels."""
    return Entry(team=team, case_set=cases, sketches=dict(zip(cases.labels, sketches, strict=True)), value=value)


def rows(found: Table, **equal: str | float | None) -> list[Mapping[str, Any]]:
    """Rows with these values."""
    return [row for row in found.rows if all(row[name] == value for name, value in equal.items())]


def row(found: Table, **equal: str | float | None) -> Mapping[str, Any]:
    """The one row with these values."""
    (one,) = rows(found, **equal)
    return one
