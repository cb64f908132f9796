"""The leaderboard of the reference submissions on a generated challenge, and what it answers, as Markdown.

    .venv/bin/python benchmarks/methods.py [METHOD ...] [--keep DIR] [--made DIR] [--weights DIR] [--preset small]

Makes the challenge of `RECIPE` (phantoms; 84 hidden cases, 80 toy-ish cases and 42 of sweeps for each of two data
sets), trains on its training volumes what is not trained, and predicts every case with the kit: what an image writes,
without the image. All of it is kept in `--keep`, so that a second run scores alone; predictions are made again where
weights or cases have changed. `--made` and `--weights` name folders that are there already (`mood data make`,
`mood images --weights`). With all methods the first run takes hours on two cores.

Scores, intervals and groups are the evaluator's: the official pixel AP is the mean of the batches of the challenge's
deal; intervals are the 2.5th and 97.5th percentile of resamples of cases, the same for all methods; groups of anomalies
are half normal (docs/analyses.md). Each subcategory has one case here, so a group is a category. `brightness` is no
method: a voxel's own intensity, and for a case their mean.

Training is told in seconds of a clock, as the kit measured it. Predicting is told in seconds of the processor, which
other work on the machine slows less: read, score and calibrate, nothing written.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the working tree's own
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # as in an image, before they are read

import numpy as np  # noqa: E402  found without the line above, but stands with what is not
import numpy.typing as npt  # noqa: E402  as above

from cli.images import train  # noqa: E402  found by the line above
from evaluator.analysis import facts as case_facts  # noqa: E402  as above
from evaluator.analysis.bars import Bars  # noqa: E402  as above
from evaluator.analysis.contest import Contest, contest  # noqa: E402  as above
from evaluator.analysis.entries import CHALLENGE, SWEEPS, TOYISH, CaseSet, Entry, Facts  # noqa: E402  as above
from evaluator.analysis.groups import Measured, measure, partition  # noqa: E402  as above
from evaluator.analysis.proxies import proxies, values  # noqa: E402  as above
from evaluator.analysis.sweeps import CONTRASTS, SIZES, Sweep, line  # noqa: E402  as above
from evaluator.dataset import MANIFEST, TEST, Case, Manifest, manifest_sha256  # noqa: E402  as above
from evaluator.formats import SUFFIX  # noqa: E402  as above
from evaluator.metrics import samples, voxels  # noqa: E402  as above
from evaluator.ranking import rank  # noqa: E402  as above
from evaluator.report import or_0  # noqa: E402  as above
from evaluator.resampling import PERCENTILES  # noqa: E402  as above
from evaluator.sketch import Sketch  # noqa: E402  as above
from evaluator.tasks import PIXEL, SAMPLE, TASKS  # noqa: E402  as above
from reference_submissions.kit import nifti  # noqa: E402  as above
from reference_submissions.kit.costs import FILE as COST  # noqa: E402  as above
from reference_submissions.kit.costs import Cost  # noqa: E402  as above
from reference_submissions.kit.detector import Array, Preset, Scores  # noqa: E402  as above
from reference_submissions.kit.fitted import Fitted  # noqa: E402  as above
from reference_submissions.method import METHODS, Method  # noqa: E402  as above
from toy_cases.build import CASES, build  # noqa: E402  as above
from toy_cases.plan import make_plan  # noqa: E402  as above
from toy_cases.recipe import parse  # noqa: E402  as above
from toy_cases.sets import SetName, Split  # noqa: E402  as above

RECIPE = b"""\
slug: reference
title: Reference challenge
description: The reference submissions on phantoms with anomalies of every kind.
rules: None; it is a measurement.
seed: 20201122
batch_size: 20
datasets:
  - name: brain
    title: Brain MR
    source: {kind: phantoms}
    size: 64
    training: 40
    toy: {spheres: 3, normal: 1}
    test:
      normal: half
      anomalous: {images: 8, pathologies: 8, local corruptions: 8, corruptions: 6, alterations: 6, destructions: 6}
    toyish: {count: 40}
    sweeps: {radius: true, intensity: true}
  - name: abdom
    title: Abdominal CT
    source: {kind: phantoms}
    size: 80
    training: 40
    toy: {spheres: 3, normal: 1}
    test:
      normal: half
      anomalous: {images: 8, pathologies: 8, local corruptions: 8, corruptions: 6, alterations: 6, destructions: 6}
    toyish: {count: 40}
    sweeps: {radius: true, intensity: true}
"""
DATASETS = ("brain", "abdom")
SETS = (CHALLENGE, TOYISH, SWEEPS)
BRIGHTNESS = "brightness"  # beside the methods
PLAIN = "intensity_distance"  # what others are compared with
SCOPES = {
    "local": ("images", "pathologies", "local corruptions"),
    "global": ("corruptions", "alterations", "destructions"),
}
DARK, BRIGHT = "dark", "bright"
SCORES = "scores.json"
RESAMPLES = 1000
SEED = 2020
COLUMNS = 6  # of a sweep's steps
NO_BREAK = "\N{NO-BREAK SPACE}"  # keeps an interval on one line

INTERVALS = "In brackets the 2.5th and 97.5th percentile of 1,000 resamples of the cases, the same for all methods."
HALF_NORMAL = (
    "Each category is half normal by weight, beside the same normal cases, and columns are means over categories; in "
    "brackets in the heading their anomalous cases, in brackets beside a difference the 2.5th and 97.5th percentile of "
    "1,000 resamples."
)
COSTS = (
    "Numbers that are learnt, or brought along; seconds of a clock to train and calibrate on 40 volumes; seconds of "
    "the processor to read and score one; highest memory of predicting. Brain (64³) / abdomen (80³) where they differ."
)
AGREEMENT = "Kendall's tau-b between the order of the methods on the toy-ish and on the hidden cases."
TONES = "Bright or dark is an anomaly whose voxels became brighter or darker by at least half of their change."
ONE_SCAN = "Each number is of one scan, at some of the steps, then the mean over all of them."

Score = Callable[[Array], Scores]
Entries = Mapping[str, Sequence[Entry]]  # data set -> a method each


# --- predicting ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Source:
    """The hidden cases of one data set in one set."""

    name: str  # challenge, toyish, sweeps
    dataset: str
    folder: Path  # of the set

    @cached_property
    def manifest(self) -> Manifest:
        """What is there."""
        return Manifest.read(self.folder)

    @property
    def cases(self) -> Sequence[Case]:
        """All, in both tasks or in one."""
        return self.manifest.datasets[self.dataset].cases[TEST]

    def scan(self, case: Case) -> Array:
        """Read a scan."""
        return nifti.read(self.folder / self.dataset / TEST / case.name).voxels

    def mask(self, case: Case) -> npt.NDArray[np.bool_]:
        """Read a pixel label."""
        return nifti.read(self.folder / self.dataset / f"{TEST}_label" / PIXEL / case.name).voxels > 0.5  # noqa: PLR2004  the contract's

    def case_set(self, task: str) -> CaseSet:
        """What analyses want to know of the cases, as the server tells it."""
        cases = self.manifest.cases(self.dataset, TEST, task)
        labels = {case.name: int(bool(case.label if task == SAMPLE else case.positive_voxels)) for case in cases}
        lines = case_facts.read((self.folder / CASES).read_text(encoding="utf-8"))
        return CaseSet(
            dataset=self.dataset,
            name=self.name,
            task=task,
            labels=labels,
            facts={one.case: one.facts for one in lines if one.dataset == self.dataset and one.split == TEST},
            deal=(tuple(labels),) if task == SAMPLE else self.manifest.deals.datasets[self.dataset].official,
        )


@dataclass(frozen=True)
class Sketches(Mapping[str, Sketch]):
    """Kept pixel predictions, as scoring keeps them; read when asked for."""

    folder: Path

    def __getitem__(self, case: str) -> Sketch:
        return Sketch.from_bytes((self.folder / case.replace(SUFFIX, ".npz")).read_bytes())

    def __iter__(self) -> Iterator[str]:
        return (path.name.replace(".npz", SUFFIX) for path in sorted(self.folder.glob("*.npz")))

    def __len__(self) -> int:
        return len(list(self.folder.glob("*.npz")))


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One method's predictions of a source's cases."""

    folder: Path

    @property
    def of(self) -> str | None:
        """What they were made of; None: they are not complete."""
        return str(self._read()["of"]) if (self.folder / SCORES).is_file() else None

    @property
    def volume_s(self) -> float:
        """Seconds of the processor a volume."""
        return float(self._read()["volume_s"])

    def predict(self, score: Score, source: Source, made_of: str) -> None:
        """Predict all cases; SCORES is written last."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / SCORES).unlink(missing_ok=True)
        scores, spent_s = {}, 0.0
        for case in source.cases:
            start = time.process_time()
            found = score(source.scan(case))
            spent_s += time.process_time() - start
            scores[case.name] = found.sample
            if PIXEL in case.tasks:
                sketch = Sketch.of(found.voxels.astype(np.float32), source.mask(case))  # float32: as an image writes it
                (self.folder / case.name.replace(SUFFIX, ".npz")).write_bytes(sketch.to_bytes())
        told = {"of": made_of, "volume_s": spent_s / len(scores), "scores": scores}
        (self.folder / SCORES).write_text(json.dumps(told), encoding="utf-8")

    def entry(self, method: str, case_set: CaseSet) -> Entry:
        """Score them."""
        if case_set.task == SAMPLE:
            scores = {case: float(self._read()["scores"][case]) for case in case_set.labels}
            value = samples.average_precision(list(scores.values()), list(case_set.labels.values()))
            return Entry(team=method, case_set=case_set, scores=scores, value=or_0(value))
        sketches = Sketches(self.folder)
        batches = [Sketch.total(sketches[case] for case in batch) for batch in case_set.deal]
        value = voxels.batched_average_precision(batches)
        return Entry(team=method, case_set=case_set, sketches=sketches, value=or_0(value))

    def _read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / SCORES).read_text(encoding="utf-8"))
        return found


def brightness(volume: Array) -> Scores:
    """Score a voxel by its intensity."""
    return Scores(sample=float(volume.mean()), voxels=np.clip(volume, 0, 1))


def predict(methods: Sequence[str], sources: Sequence[Source], *, weights: Path, predictions: Path) -> None:
    """Predict what is not there, or was made of other weights or cases."""
    for method in methods:
        for source in sources:
            kept = kept_of(predictions, method, source)
            place = weights / method / source.dataset
            made_of = " ".join((manifest_sha256(source.folder), digest(place)))
            if kept.of == made_of:
                continue
            print(f"{method}: {source.name}, {source.dataset}", file=sys.stderr, flush=True)
            if method == BRIGHTNESS:
                score: Score = brightness
            else:
                score = Fitted.load(Method.find(method).detector(), place).score
            kept.predict(score, source, made_of)


def kept_of(predictions: Path, method: str, source: Source) -> Kept:
    """Say where a method's predictions lie."""
    return Kept(folder=predictions / method / source.name / source.dataset)


def digest(weights: Path) -> str:
    """Hash a folder's files but what they cost; of none, of nothing."""
    found = hashlib.sha256()
    for path in sorted(set(weights.glob("*")) - {weights / COST}):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


# --- tables --------------------------------------------------------------------------------------------------


def entries(methods: Sequence[str], sources: Sequence[Source], predictions: Path, name: str, task: str) -> Entries:
    """Score all methods on one set."""
    found = {}
    for source in sources:
        if source.name == name:
            case_set = source.case_set(task)
            found[source.dataset] = [kept_of(predictions, one, source).entry(one, case_set) for one in methods]
    return found


def ranks_of(of: Entries) -> dict[str, int]:
    """Rank over both data sets, as the challenge does."""
    return rank({name: {one.team: one.value for one in found} for name, found in of.items()}).ranks()


def contests_of(of: Entries, seed: int) -> dict[str, Contest]:
    """Draw the cases of each data set again and again."""
    return {
        name: contest([one.team for one in found], found, resamples=RESAMPLES, seed=(seed, number))
        for number, (name, found) in enumerate(of.items())
    }


def leaderboard(contests: Mapping[str, Mapping[str, Contest]], ranks: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """AP with its interval and the rank over both data sets, for each task; in the order of the pixel task."""
    header = [f"{task}, {name}" for task, of in contests.items() for name in of]
    rows = []
    for method in sorted(ranks[PIXEL], key=lambda one: (ranks[PIXEL][one], ranks[SAMPLE][one])):
        cells = [interval(one.values[method], *one.bounds(method)) for of in contests.values() for one in of.values()]
        rows.append([method, *cells, *(str(ranks[task][method]) for task in contests)])
    return markdown(["method", *header, *(f"rank, {task}" for task in contests)], rows)


def differences(methods: Sequence[str], contests: Mapping[str, Contest]) -> Iterator[str]:
    """AP less that of `PLAIN`, on the same resamples."""
    rows = []
    for method in methods:
        cells = []
        for one in contests.values():
            low, high = np.percentile(one.resampled[method] - one.resampled[PLAIN], PERCENTILES)
            cells.append(interval(one.values[method] - one.values[PLAIN], low, high, sign="+"))
        rows.append([method, *cells])
    return markdown(["method", *contests], rows)


def costs(methods: Sequence[str], sources: Sequence[Source], weights: Path, predictions: Path) -> Iterator[str]:
    """What a method costs; of both data sets where they differ."""
    header = ["method", "learnt", "fixed", "training, s", "a volume, s", "memory, MB"]
    rows = []
    for method in methods:
        if method == BRIGHTNESS:
            continue
        found = [Cost.load(weights / method / name) for name in DATASETS]
        volume_s = [
            kept_of(predictions, method, source).volume_s
            for name in DATASETS
            for source in sources
            if (source.name, source.dataset) == (CHALLENGE, name)
        ]
        cells = (
            [f"{one.trainable_parameters:,}" for one in found],
            [f"{one.fixed_parameters:,}" for one in found],
            [f"{one.training_s:.0f}" for one in found],
            [f"{one:.2f}" for one in volume_s],
            [f"{one.predicting.memory_bytes / 1e6:.0f}" for one in found],
        )
        rows.append([method, *(" / ".join(dict.fromkeys(cell)) for cell in cells)])
    return markdown(header, rows)


def bars_of(found: Sequence[Entry], group: Callable[[Facts], str], seed: int) -> Bars:
    """Measure all methods on groups of anomalous cases of one data set, each group half normal.

    `group` names a case's group; cases of the group "" are left out.
    """
    case_set = regrouped(found[0].case_set, group)
    parted = partition(case_set, by_difficulty=False, resamples=RESAMPLES, seed=seed)
    measured = [measure(replace(one, case_set=case_set), parted) for one in found]
    return Bars(case_set=case_set, parted=parted, submissions=measured, baselines=[])


def regrouped(case_set: CaseSet, group: Callable[[Facts], str]) -> CaseSet:
    """Put anomalous cases into groups of our own in place of their kinds."""
    facts = {
        case: Facts(scope=one.scope, category="" if one.scope == "normal" else group(one))
        for case, one in case_set.facts.items()
    }
    there = {case: one for case, one in facts.items() if one.scope == "normal" or one.category}
    return replace(case_set, facts=there)


def category(facts: Facts) -> str:
    """Give a case's own."""
    return facts.category


def tone(facts: Facts) -> str:
    """Tell whether an anomaly is brighter or darker than what was there; "" where it is neither.

    It is where the mean change of its voxels is at least half of their mean absolute change.

    >>> tone(Facts(scope="local", contrast=0.2, parameters={"shift": -0.15})), tone(Facts(scope="local", contrast=0.2))
    ('dark', '')
    """
    shift, contrast = facts.parameters.get("shift"), facts.contrast
    if not isinstance(shift, int | float) or not contrast or abs(shift) < contrast / 2:
        return ""
    return BRIGHT if shift > 0 else DARK


def pairs(of: Entries, group: Callable[[Facts], str], two: Mapping[str, Sequence[str]], seed: int) -> Iterator[str]:
    """AP of two columns of each data set, each the mean over some groups, and the first less the second."""
    header, columns = ["method"], []
    for dataset, found in of.items():
        bars = bars_of(found, group, seed)
        places = [[number for part in parts for number in bars.where(category=part)] for parts in two.values()]
        names = [f"{dataset}, {name} ({bars.many(cells)})" for name, cells in zip(two, places, strict=True)]
        header += [*names, "difference"]
        columns.append([_pair(one, *places) for one in bars.submissions])
    methods = [one.team for one in next(iter(of.values()))]
    return markdown(header, ([method, *chain(*cells)] for method, *cells in zip(methods, *columns, strict=True)))


def _pair(one: Measured, first: Sequence[int], second: Sequence[int]) -> list[str]:
    """Write a method's mean AP of some cells, of some others, and the difference."""
    here, there = (float(one.ap[cells].mean()) for cells in (first, second))
    drawn = one.resampled[first].mean(axis=0) - one.resampled[second].mean(axis=0)
    low, high = np.percentile(drawn, PERCENTILES)
    return [f"{here:.2f}", f"{there:.2f}", interval(here - there, low, high, sign="+")]


def by_category(found: Sequence[Entry], names: Sequence[str], seed: int) -> Iterator[str]:
    """AP of each category of one data set."""
    bars = bars_of(found, category, seed)
    cells = {name: bars.where(category=name) for name in names}
    rows = [[one.team, *(f"{one.ap[place].mean():.2f}" for place in cells.values())] for one in bars.submissions]
    return markdown(["method", *(f"{name} ({bars.many(place)})" for name, place in cells.items())], rows)


def sweep(found: Sequence[Entry], what: Sweep) -> Iterator[str]:
    """AP of one sphere at some steps of a sweep, and its mean over all of them."""
    lines = [line(entry, what) for entry in found]
    steps = list(lines[0].points)
    shown = [steps[place] for place in np.linspace(0, len(steps) - 1, COLUMNS).round().astype(int)]
    rows = [
        [one.team, *(f"{one.points[step]:.2f}" for step in shown), f"{np.mean(list(one.points.values())):.2f}"]
        for one in lines
    ]
    return markdown(["method", *(f"{step:g}" for step in shown), f"mean of {len(steps)}"], rows)


def agreement(challenge: Mapping[str, Entries], toyish: Mapping[str, Entries]) -> Iterator[str]:
    """Kendall's tau-b between the order of the toy-ish set and that of the hidden cases."""
    tables = {task: proxies(values(challenge[task]), {}, values(toyish[task])) for task in challenge}
    rows = [[task, *(f"{row['tau_b']:.2f}" for row in table.rows)] for task, table in tables.items()]
    return markdown(["task", *DATASETS], rows)


def interval(value: float, low: float, high: float, sign: str = "") -> str:
    """Write it without a place to break.

    >>> interval(0.5, 0.25, 0.75).replace(NO_BREAK, " "), interval(0.5, -0.25, 0.75, sign="+").replace(NO_BREAK, " ")
    ('0.50 (0.25 to 0.75)', '+0.50 (-0.25 to +0.75)')
    """
    value, low, high = (round(one, 2) + 0.0 for one in (value, low, high))  # no -0.00
    return f"{value:{sign}.2f} ({low:{sign}.2f} to {high:{sign}.2f})".replace(" ", NO_BREAK)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table.

    >>> list(markdown(["method", "AP"], [["pca", "0.5"]]))
    ['| method | AP |', '| --- | ---: |', '| pca | 0.5 |']
    """
    yield f"| {' | '.join(header)} |"
    yield f"| --- | {' | '.join(['---:'] * (len(header) - 1))} |"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def report(methods: Sequence[str], sources: Sequence[Source], *, weights: Path, predictions: Path, seed: int) -> None:
    """Print every table, methods in the order of the pixel task."""
    ranks = {task: ranks_of(entries(methods, sources, predictions, CHALLENGE, task)) for task in TASKS}
    methods = sorted(methods, key=lambda one: (ranks[PIXEL][one], ranks[SAMPLE][one]))
    challenge, toyish = (
        {task: entries(methods, sources, predictions, name, task) for task in TASKS} for name in (CHALLENGE, TOYISH)
    )
    contests, of_toyish = ({task: contests_of(of, seed) for task, of in found.items()} for found in (challenge, toyish))
    toyish_ranks = {task: ranks_of(of) for task, of in toyish.items()}
    everything = [*SCOPES["local"], *SCOPES["global"]]
    tones = {name: [name] for name in (BRIGHT, DARK)}
    show("AP of the hidden cases", f"{INTERVALS} {counts_of(contests)}", leaderboard(contests, ranks))
    show("What it costs", COSTS, costs(methods, sources, weights, predictions))
    show(f"Pixel AP less that of {PLAIN}", INTERVALS, differences(methods, contests[PIXEL]))
    show("Sample AP of local and of global anomalies", HALF_NORMAL, pairs(challenge[SAMPLE], category, SCOPES, seed))
    for name, found in challenge[SAMPLE].items():
        show(f"Sample AP by category, {name}", HALF_NORMAL, by_category(found, everything, seed))
    for name, found in challenge[PIXEL].items():
        show(f"Pixel AP by category, {name}", HALF_NORMAL, by_category(found, SCOPES["local"], seed))
    show("AP of the toy-ish cases", f"{INTERVALS} {counts_of(of_toyish)}", leaderboard(of_toyish, toyish_ranks))
    show("Do toy-ish cases tell who wins?", AGREEMENT, agreement(challenge, toyish))
    for said, of in (("toy-ish", toyish), ("hidden", challenge)):
        title = f"Pixel AP of bright and of dark anomalies, {said} cases"
        show(title, f"{TONES} {HALF_NORMAL}", pairs(of[PIXEL], tone, tones, seed))
    for name, found in entries(methods, sources, predictions, SWEEPS, PIXEL).items():
        show(f"Pixel AP of one sphere by its intensity, {name}", ONE_SCAN, sweep(found, CONTRASTS))
        show(f"Pixel AP of one white sphere by its radius in voxels, {name}", ONE_SCAN, sweep(found, SIZES))


def counts_of(contests: Mapping[str, Mapping[str, Contest]]) -> str:
    """Say how many cases there are."""
    said = (
        f"{task} task, {name}: {one.n_cases} cases, {one.n_anomalous} anomalous"
        for task, of in contests.items()
        for name, one in of.items()
    )
    return f"{'; '.join(said)}."


def show(title: str, caption: str, lines: Iterable[str]) -> None:
    """Print a table under its title."""
    print(f"## {title}\n\n{caption}\n", *lines, "", sep="\n", flush=True)


def main() -> None:
    """Make, train and predict what is missing, and print all tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("methods", nargs="*", metavar="METHOD", help="all where none is named")
    asked.add_argument("--keep", type=Path, default=ROOT / "var" / "methods", help="where all of it is kept")
    asked.add_argument("--made", type=Path, help="what `mood data make` made of the recipe; made where it is not there")
    asked.add_argument("--weights", type=Path, help="what `mood images --weights` wrote; trained where it is not there")
    asked.add_argument("--preset", type=Preset, default=Preset.SMALL)
    asked.add_argument("--seed", type=int, default=SEED, help="of training and resamples")
    given = asked.parse_args()
    made, weights, predictions = given.made or given.keep / "made", given.weights, given.keep / "predictions"
    weights = weights or given.keep / "weights"

    def say(said: str) -> None:
        print(said, file=sys.stderr, flush=True)

    if not (made / SetName.SWEEPS / MANIFEST).is_file():
        say(f"making the challenge in {made}")
        build(make_plan(parse(RECIPE), RECIPE), made)
    methods = [BRIGHTNESS, *dict.fromkeys((*(given.methods or METHODS), PLAIN))]
    train(
        [Method.find(name) for name in methods if name != BRIGHTNESS],
        training=made / SetName.PARTICIPANTS / Split.TRAINING,
        weights=weights,
        preset=given.preset,
        seed=given.seed,
        say=say,
    )
    sources = [Source(name=name, dataset=dataset, folder=made / name) for name in SETS for dataset in DATASETS]
    predict(methods, sources, weights=weights, predictions=predictions)
    print(f"# The reference submissions, measured\n\nPreset `{given.preset}`, seed {given.seed}.\n")
    report(methods, sources, weights=weights, predictions=predictions, seed=given.seed)


if __name__ == "__main__":
    main()
