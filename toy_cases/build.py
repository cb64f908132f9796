"""A whole small challenge folder from nothing, or from normal scans: cases, labels, deal and manifest.

What is written follows the published layout of a data set; names, order and times on disk say nothing
about a case. Everything follows from the seed.
"""

import csv
import os
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import cycle, islice
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt
import yaml

from evaluator import dataset as layout
from toy_cases import anomalies, rigid, sources
from toy_cases.nifti import write_volume
from toy_cases.phantoms import PHANTOMS

Array = npt.NDArray[np.float32]
TOY_SPHERES = 3  # as published: three spheres and a normal scan
SIZES = {"brain": 64, "abdom": 80}
TITLES = {"brain": "Brain MR", "abdom": "Abdominal CT"}
SMALLEST = 16  # voxels a side; below it a sphere has no room
THREADS = min(4, os.cpu_count() or 1)  # numpy and zlib let go of the interpreter; each holds a few volumes
CACHED_SCANS = 6  # 64 MB each at 256³
PHANTOM_SIDE_MM = {"brain": 220.0, "abdom": 420.0}  # of the whole cube
RULES = """\
Train on the normal volumes that are given, or on other data that you name. Hand in a container image that
gives a score for each scan (sample task) or for each voxel (pixel task); scores lie in [0, 1], higher is more
abnormal. The hidden cases leave nobody's machine but the organizer's."""
CASES_COLUMNS = (
    "case", "dataset", "split", "scope", "category", "subcategory", "origin", "base",
    "centre", "radius_voxels", "intensity", "voxels",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What was built."""

    folder: Path
    training: Path  # normal volumes, <training>/<dataset>/*.nii.gz: public, unlike the test set
    cases: dict[str, dict[str, int]]  # data set -> toy, test, test_normal, test_local, test_global, training
    scans: dict[str, int]  # data set -> distinct base scans
    sentences: tuple[str, ...]  # what a reader of the results must know

    def lines(self) -> list[str]:
        """Say it to a person."""
        counted = [
            f"{dataset}: {n['toy']} toy cases, {n['test']} hidden ({n['test_normal']} normal, {n['test_local']} "
            f"with a sphere, {n['test_global']} spoilt as a whole), {n['training']} normal ones for training"
            for dataset, n in self.cases.items()
        ]
        return [*counted, *self.sentences]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many volumes of each kind a data set gets, beside its toy cases."""

    normal: int
    local: int
    glob: int
    training: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One volume to be written."""

    name: str  # file name
    part: str  # toy, test or training
    scope: str  # normal, local or global
    base: int  # which scan
    moved: bool  # a rigid move makes it differ from its base
    index: int  # its place in the seed's sequence
    anomaly: anomalies.Global | None = None


class Scans(Protocol):
    """Normal volumes by number."""

    def name(self, base: int) -> str:
        """What an organizer calls it."""

    def volume(self, base: int) -> Array:
        """Give the scan as a cube of float32 in [0, 1]; the caller must not write to it."""

    def affine(self, base: int) -> npt.NDArray[np.float64]:
        """Give its voxel-to-mm affine."""


class PhantomScans:
    """As many drawn people as are asked for."""

    def __init__(self, dataset: str, size: int, seed: tuple[int, ...]) -> None:
        self._draw = partial(PHANTOMS[dataset], size)
        self._spacing_mm = PHANTOM_SIDE_MM[dataset] / size
        self._seed = seed

    def name(self, base: int) -> str:
        """Number it."""
        return f"phantom {base}"

    def volume(self, base: int) -> Array:
        """Draw it."""
        return self._draw(np.random.default_rng([*self._seed, base]))

    def affine(self, base: int) -> npt.NDArray[np.float64]:  # noqa: ARG002  the same for all
        """Scale it to a person's size."""
        return np.diag([self._spacing_mm] * 3 + [1.0])


class RealScans:
    """The scans of a folder, read once each as long as they fit."""

    def __init__(self, paths: list[Path], size: int) -> None:
        self._paths = paths
        self._read = lru_cache(maxsize=CACHED_SCANS)(partial(sources.read_scan, size=size))

    def name(self, base: int) -> str:
        """Name its file."""
        return self._paths[base].name

    def volume(self, base: int) -> Array:
        """Read it in the challenge's form."""
        return self._read(self._paths[base]).volume

    def affine(self, base: int) -> npt.NDArray[np.float64]:
        """Place the cube where the scan was."""
        return self._read(self._paths[base]).affine


def build_challenge(
    folder: Path,
    *,
    sizes: Mapping[str, int] = MappingProxyType(SIZES),
    n_test_normal: int = 12,
    n_test_local: int = 9,
    n_test_global: int = 3,
    n_training: int = 40,
    seed: int = 0,
    batch_size: int = 20,
    volumes: Path | None = None,
    slug: str = "demo",
    title: str = "Demonstration challenge",
    progress: Callable[[str], None] | None = None,
) -> BuildReport:
    """Write a challenge folder; the counts are for each data set, `sizes` gives each cube's side in voxels.

    `volumes` holds normal scans in one folder a data set, used instead of phantoms. Normal volumes for
    training go to `folder/training/<dataset>`: public, and no base of a case where scans suffice.
    Raises ValueError naming the file or the number at fault, and FileExistsError where `folder` is not empty.
    """
    _verify_counts(n_test_normal, n_test_local, sizes)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: name a new folder for the challenge")
    found = {dataset: sources.scan_paths(volumes / dataset) for dataset in sizes} if volumes else {}
    folder.mkdir(parents=True, exist_ok=True)
    wanted = Counts(normal=n_test_normal, local=n_test_local, glob=n_test_global, training=n_training)
    plans = {
        dataset: _plan(wanted, np.random.default_rng([seed, number, 0]), len(found.get(dataset, ())))
        for number, dataset in enumerate(sizes)
    }
    say = _Counter(progress, total=sum(len(plan) for plan in plans.values()))
    rows: list[dict[str, object]] = []
    for number, (dataset, size) in enumerate(sizes.items()):
        scans: Scans = RealScans(found[dataset], size) if volumes else PhantomScans(dataset, size, (seed, number, 1))
        writer = _Writer(folder=folder, dataset=dataset, scans=scans, seed=(seed, number, 2))
        # By name, which is random: the order in which files come to the disk says nothing either.
        ordered = sorted(plans[dataset], key=lambda one: one.name)
        with ThreadPoolExecutor(THREADS) as threads:
            for row in threads.map(writer.write, ordered):
                if row is not None:
                    rows.append(row)
                say(dataset)
    _write_challenge_file(folder, slug=slug, title=title, datasets=list(sizes), batch_size=batch_size)
    _write_cases(folder, rows)
    layout.build_manifest(folder, list(sizes), seed=seed, batch_size=batch_size).write(folder)
    return BuildReport(
        folder=folder,
        training=folder / "training",
        cases={dataset: _counted(plan) for dataset, plan in plans.items()},
        scans={dataset: len({one.base for one in plan}) for dataset, plan in plans.items()},
        sentences=tuple(_sentence(dataset, plan, real=volumes is not None) for dataset, plan in plans.items()),
    )


def write_training(
    folder: Path, *, sizes: Mapping[str, int] = MappingProxyType(SIZES), count: int, seed: int = 0
) -> None:
    """Write normal phantoms alone, to `folder/<dataset>`."""
    for number, (dataset, size) in enumerate(sizes.items()):
        scans = PhantomScans(dataset, size, (seed, number, 3))
        names = _names(count, np.random.default_rng([seed, number, 4]))
        for base, name in enumerate(names):
            write_volume(_inside(folder / dataset, name), scans.volume(base), scans.affine(base))


def _verify_counts(n_test_normal: int, n_test_local: int, sizes: Mapping[str, int]) -> None:
    if n_test_normal < 1 or n_test_local < 1:
        raise ValueError(f"{n_test_normal} normal and {n_test_local} local test cases: AP needs at least one of each")
    for dataset, size in sizes.items():
        if dataset not in PHANTOMS:
            raise ValueError(f"data set {dataset!r} is not known here; there are {', '.join(PHANTOMS)}")
        if size < SMALLEST:
            raise ValueError(f"{dataset}: a side of {size} voxels is too small, {SMALLEST} at least")


def _plan(wanted: Counts, rng: np.random.Generator, n_scans: int) -> list[Plan]:
    """Decide every volume of a data set; `n_scans` is 0 for phantoms, of which there are enough."""
    roles = [
        *[("toy", "normal")],
        *[("toy", "local")] * TOY_SPHERES,
        *[("test", "normal")] * wanted.normal,
        *[("test", "local")] * wanted.local,
        *[("test", "global")] * wanted.glob,
    ]
    n_cases = len(roles)
    roles += [("training", "normal")] * wanted.training
    bases = _bases(n_cases, wanted.training, n_scans or len(roles), rng)
    used = Counter(bases)
    names = _names(len(roles), rng)
    globals_seen = 0
    plans = []
    for index, ((part, scope), base) in enumerate(zip(roles, bases, strict=True)):
        anomaly = None
        if scope == "global":
            anomaly = anomalies.GLOBALS[globals_seen % len(anomalies.GLOBALS)]
            globals_seen += 1
        plans.append(
            Plan(
                name=names[index], part=part, scope=scope, base=base,
                moved=used[base] > 1, index=index, anomaly=anomaly,
            )
        )  # fmt: skip
    return plans


def _bases(n_cases: int, n_training: int, n_scans: int, rng: np.random.Generator) -> list[int]:
    """Which scan each volume comes from: each its own while they last, then round and round."""
    order = [int(base) for base in rng.permutation(n_scans)]
    for_cases = list(islice(cycle(order), n_cases))
    left = order[n_cases:] or order  # training shares scans with cases only where none is left
    return for_cases + list(islice(cycle(left), n_training))


def _names(count: int, rng: np.random.Generator) -> list[str]:
    """Different file names that say nothing."""
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        drawn[f"{rng.bytes(6).hex()}.nii.gz"] = None
    return list(drawn)


@dataclass(frozen=True, kw_only=True)
class _Writer:
    """Makes the planned volumes of one data set and puts them where they belong."""

    folder: Path
    dataset: str
    scans: Scans
    seed: tuple[int, ...]

    def write(self, plan: Plan) -> dict[str, object] | None:
        """Write one volume with its labels; gives its row of cases.csv (training volumes have none)."""
        rng = np.random.default_rng([*self.seed, plan.index])
        affine = self.scans.affine(plan.base)
        volume = self.scans.volume(plan.base)
        if plan.moved:
            volume = rigid.move(volume, rng)
        if plan.part == "training":
            write_volume(_inside(self.folder / "training" / self.dataset, plan.name), volume, affine)
            return None
        row: dict[str, object] = {
            "case": plan.name, "dataset": self.dataset, "split": plan.part, "scope": plan.scope,
            "origin": "artificial" if plan.scope != "normal" else "", "base": self.scans.name(plan.base),
        }  # fmt: skip
        if plan.scope == "local":
            ball = anomalies.sphere(volume, rng)
            self._put(plan, ball.volume, affine, mask=ball.mask)
            return row | {
                "category": "images", "subcategory": "sphere",
                "centre": " ".join(map(str, ball.centre)), "radius_voxels": round(ball.radius_voxels, 2),
                "intensity": round(ball.intensity, 4), "voxels": int(np.count_nonzero(ball.mask)),
            }  # fmt: skip
        if plan.anomaly is not None:
            self._put(plan, plan.anomaly.apply(volume, rng), affine, mask=None)
            return row | {"category": plan.anomaly.category, "subcategory": plan.anomaly.subcategory}
        self._put(plan, volume, affine, mask=np.zeros(volume.shape, dtype=np.bool_))
        return row

    def _put(
        self, plan: Plan, volume: Array, affine: npt.NDArray[np.float64], *, mask: npt.NDArray[np.bool_] | None
    ) -> None:
        home = self.folder / self.dataset
        write_volume(_inside(home / plan.part, plan.name), volume, affine)
        label = "0" if plan.scope == "normal" else "1"
        _inside(home / f"{plan.part}_label" / "sample", f"{plan.name}.txt").write_text(f"{label}\n")
        if mask is not None:
            write_volume(_inside(home / f"{plan.part}_label" / "pixel", plan.name), mask.astype(np.uint8), affine)


def _inside(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def _write_challenge_file(folder: Path, *, slug: str, title: str, datasets: list[str], batch_size: int) -> None:
    content = {
        "slug": slug,
        "title": title,
        "description": "Find what is out of the ordinary in a scan, having seen only ordinary ones.",
        "rules": RULES,
        "datasets": [{"name": name, "title": TITLES[name]} for name in datasets],
        "batch_size": batch_size,
    }
    (folder / "challenge.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _write_cases(folder: Path, rows: list[dict[str, object]]) -> None:
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, CASES_COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (str(row["dataset"]), str(row["case"]))))


def _counted(plans: list[Plan]) -> dict[str, int]:
    counts = Counter(plan.part for plan in plans)
    scopes = Counter(f"test_{plan.scope}" for plan in plans if plan.part == "test")
    return {
        name: (counts | scopes)[name]
        for name in ("toy", "test", "test_normal", "test_local", "test_global", "training")
    }


def _sentence(dataset: str, plans: list[Plan], *, real: bool) -> str:
    """Say how far the cases stand on scans of their own."""
    cases = [plan for plan in plans if plan.part != "training"]
    training = [plan for plan in plans if plan.part == "training"]
    bases = {plan.base for plan in cases}
    kind = "scan" if real else "phantom"
    if len(bases) == len(cases):
        said = f"{dataset}: each of the {len(cases)} cases has a {kind} of its own"
    else:
        most = max(Counter(plan.base for plan in cases).values())
        said = (
            f"{dataset}: {len(bases)} {kind}{'s' if len(bases) > 1 else ''} for {len(cases)} cases, so each "
            f"is the base of up to {most} (other spheres, small rigid moves): cases of one {kind} are not "
            f"independent, and a {kind} may be both normal and the base of an anomaly"
        )
    shared = bases & {plan.base for plan in training}
    if shared:
        said += f"; the {len(training)} training volumes are rigid moves of the same {kind}s"
    elif training:
        said += f"; the {len(training)} training volumes come from others"
    return said + "."


class _Counter:
    """Counts what is written and says so at each tenth."""

    def __init__(self, progress: Callable[[str], None] | None, *, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, dataset: str) -> None:
        self._done += 1
        if self._progress is not None and self._done * 10 // self._total > (self._done - 1) * 10 // self._total:
            self._progress(f"{self._done} of {self._total} volumes written (now {dataset})")
