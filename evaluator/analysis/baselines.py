"""What a constant score and a coin would have: entries like those of submissions, for all tables."""

from collections.abc import Mapping

import numpy as np

from evaluator.analysis.entries import CaseSet, Entry
from evaluator.analysis.words import CONSTANT, RANDOM
from evaluator.kernels import ONE
from evaluator.metrics import samples, voxels
from evaluator.report import or_0
from evaluator.sketch import Sketch
from evaluator.tasks import SAMPLE


def baselines(entry: Entry, *, seed: int) -> tuple[Entry, Entry]:
    """Give the constant 0 and random 0 or 1, a seeded coin for each case or voxel, on a submission's cases.

    The voxels of its cases are counted from its sketches, each asked for once. How many voxels of a case the coin
    gives 1 is drawn as a whole, since nothing else about them counts.
    """
    case_set, cases = entry.case_set, sorted(entry.case_set.labels)
    rng = np.random.default_rng([seed, *case_set.dataset.encode()])
    if case_set.task == SAMPLE:
        coins = dict(zip(cases, rng.integers(0, 2, len(cases)).astype(float).tolist(), strict=True))
        return _of_scores(CONSTANT, case_set, dict.fromkeys(cases, 0.0)), _of_scores(RANDOM, case_set, coins)
    constant, coin = {}, {}
    for case in cases:
        sketch = entry.sketches[case]
        positive, negative = sketch.n_positive, sketch.n_negative
        constant[case] = Sketch.zeros(positive=positive, negative=negative)
        coin[case] = _coins(positive, negative, rng)
    return _of_sketches(CONSTANT, case_set, constant), _of_sketches(RANDOM, case_set, coin)


def _of_scores(team: str, case_set: CaseSet, scores: Mapping[str, float]) -> Entry:
    labels = [case_set.labels[case] for case in scores]
    value = samples.average_precision(list(scores.values()), labels)
    return Entry(team=team, case_set=case_set, scores=scores, value=or_0(value))


def _of_sketches(team: str, case_set: CaseSet, sketches: Mapping[str, Sketch]) -> Entry:
    values = [
        voxels.batched_average_precision([Sketch.total(sketches[case] for case in batch) for batch in deal])
        for deal in (case_set.deal, case_set.validation)
    ]
    validation = or_0(values[1]) if case_set.validation else None
    return Entry(team=team, case_set=case_set, sketches=sketches, value=or_0(values[0]), validation=validation)


def _coins(positive: int, negative: int, rng: np.random.Generator) -> Sketch:
    ones = rng.binomial([positive, negative], 0.5)
    counts = np.array([[positive, negative] - ones, ones], dtype=np.uint64)
    there = counts.sum(axis=1) > 0
    return Sketch(bins=np.array([0, ONE], dtype=np.uint16)[there], positive=counts[there, 0], negative=counts[there, 1])
