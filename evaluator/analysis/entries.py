"""What analyses are computed from: the cases of a set, and what each submission scored on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluator.deal import Deal
from evaluator.details import Details
from evaluator.sketch import Sketch

CHALLENGE, ANALYSIS, TOYISH, SWEEPS = "challenge", "analysis", "toyish", "sweeps"  # sets, as toy_cases names them
TOY = "toy"  # the toy cases of the main challenge: entries with the toy report's value and no cases


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What cases.csv says of a case (docs/making-a-test-set.md)."""

    scope: str  # normal, local, global
    category: str = ""
    subcategory: str = ""
    origin: str = ""  # natural, artificial
    difficulty: int | None = None  # 1 (hardest) to 5
    size_voxels: int | None = None
    contrast: float | None = None
    parameters: Mapping[str, float | str] = field(default_factory=dict)  # a sweep's radius and intensity stand here


@dataclass(frozen=True, kw_only=True)
class CaseSet:
    """The hidden cases of one data set in one set, as far as they are in a task. The same for all submissions."""

    dataset: str
    name: str  # challenge, analysis, toyish, sweeps
    task: str  # sample, pixel
    labels: Mapping[str, int]  # case -> 1 where it is anomalous (pixel: has an anomalous voxel)
    facts: Mapping[str, Facts]  # of the cases that cases.csv knows
    deal: Deal  # the official one; of the sample task, one batch of all cases
    validation: Deal = ()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One submission on one case set. `scores` or `sketches` has every case, the other is empty.

    Sketches may be read as they are asked for: take each once, one entry after the other.
    """

    team: str  # as it is shown
    case_set: CaseSet
    scores: Mapping[str, float] = field(default_factory=dict)  # sample task
    sketches: Mapping[str, Sketch] = field(default_factory=dict)  # pixel task
    details: Mapping[str, Details] = field(default_factory=dict)  # pixel task; cases that have some
    value: float  # the official score, as stored
    validation: float | None = None  # by the second deal
    seconds: float | None = None  # of the hidden container start, a case
    peak_memory_bytes: int | None = None
    object_threshold: float | None = None  # of its detections, from the team's toy cases
    metrics: Mapping[str, float | None] = field(default_factory=dict)  # the others, as stored; None: undefined
    judged: int = 0  # of its unmatched detections, how many an expert judged
