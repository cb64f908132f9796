"""From a plan to folders: makes every case, in processes if there are many, and seals each set with a manifest.

A build that was cut off goes on where it stopped. A set's manifest is its last file: what is half written is no
challenge. `build_challenge` and `write_training` make small ones of phantoms or given scans without a recipe file.
"""

import csv
import errno
import io
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from evaluator import dataset as layout
from toy_cases.anomalies import Category, Scope
from toy_cases.journal import NAME as JOURNAL
from toy_cases.journal import Journal
from toy_cases.making import Maker
from toy_cases.nifti import remove_parts, write_bytes, write_volume
from toy_cases.phantoms import PHANTOMS
from toy_cases.plan import DatasetPlan, Plan, PlannedCase, libraries, make_plan
from toy_cases.processes import Processes
from toy_cases.recipe import (
    SMALLEST,
    DatasetRecipe,
    Recipe,
    SourceRecipe,
    TestRecipe,
    sha256_of,
)
from toy_cases.sets import SetName, Split
from toy_cases.sources import open_source

CASES, RECIPE, CHALLENGE = "cases.csv", "recipe.yaml", "challenge.yaml"
COLUMNS = (
    "case", "dataset", "split", "scope", "category", "subcategory", "origin", "difficulty",
    "size_voxels", "contrast", "source", "parameters",
)  # fmt: skip
PACKED_BYTES = 0.7  # of a voxel on disk, label included, at the least: phantoms take 0.76 at 256³, real scans more
SIZES = {"brain": 64, "abdom": 80}
TITLES = {"brain": "Brain MR", "abdom": "Abdominal CT"}
RULES = """\
Train on the normal volumes that are given, or on other data that you name. Hand in a container image that
gives a score for each scan (sample task) or for each voxel (pixel task); scores lie in [0, 1], higher is more
abnormal. The hidden cases leave nobody's machine but the organizer's."""
Progress = Callable[[int, int, str], None]  # done, of, what


class DiskFullError(RuntimeError):
    """No room for what is to be written; what is complete stays."""


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What was built."""

    folder: Path  # of the challenge
    folders: Mapping[SetName, Path]
    cases: dict[str, dict[str, int]]  # data set -> toy, test, test_normal, test_local, test_global, training
    scans: dict[str, int]  # data set -> distinct base scans
    sentences: tuple[str, ...]  # what a reader of the results must know

    @property
    def training(self) -> Path:
        """Normal volumes, <training>/<dataset>/*.nii.gz: public, unlike the test set."""
        return self.folders[SetName.PARTICIPANTS] / Split.TRAINING

    def lines(self) -> list[str]:
        """Say it to a person."""
        counted = [
            f"{dataset}: {n['toy']} toy cases, {n['test']} hidden ({n['test_normal']} normal, {n['test_local']} with a "
            f"local anomaly, {n['test_global']} abnormal as a whole), {n['training']} normal ones for training"
            for dataset, n in self.cases.items()
        ]
        return [*counted, *self.sentences]


def build(plan: Plan, out: Path, *, processes: int | None = None, progress: Progress | None = None) -> BuildReport:
    """Make all that a plan holds, a folder a set, below `out`; the journal there lets it go on after an interruption.

    processes: None for as many as cores and memory allow. The bytes do not depend on it.
    Raises ValueError naming the file or the number at fault, FileExistsError where `out` holds other things, and
    DiskFullError.
    """
    return _build(plan, {home: out / home for home in SetName}, out / JOURNAL, processes, progress)


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
    recipe = Recipe(
        slug=slug,
        title=title,
        rules=RULES,
        seed=seed,
        batch_size=batch_size,
        reuse_scans=True,
        datasets=[
            DatasetRecipe(
                name=name,
                title=TITLES[name],
                source=SourceRecipe(kind="folder", path=volumes / name) if volumes else SourceRecipe(kind="phantoms"),
                size=size,
                training=n_training,
                test=TestRecipe(normal=n_test_normal, anomalous=_evenly(n_test_local, n_test_global)),
            )
            for name, size in sizes.items()
        ],
    )
    plan = make_plan(recipe, recipe.to_yaml())
    return _build(plan, dict.fromkeys(SetName, folder), None, None, _tenths(progress))


def write_training(
    folder: Path, *, sizes: Mapping[str, int] = MappingProxyType(SIZES), count: int, seed: int = 0
) -> None:
    """Write normal phantoms alone, to `folder/<dataset>`."""
    for number, (dataset, size) in enumerate(sizes.items()):
        source = open_source("phantoms", dataset=dataset, size=size, seed=(seed, number, 3), count=count)
        (folder / dataset).mkdir(parents=True, exist_ok=True)
        for ref in source.names():
            scan = source.read(ref)
            write_volume(folder / dataset / f"{ref.patient[:12]}.nii.gz", scan.volume, scan.affine)


def _build(
    plan: Plan,
    folders: Mapping[SetName, Path],
    journal_path: Path | None,
    processes: int | None,
    progress: Progress | None,
) -> BuildReport:
    out = folders[SetName.CHALLENGE] if journal_path is None else journal_path.parent
    if out.exists() and any(out.iterdir()) and not (journal_path and journal_path.is_file()):
        raise FileExistsError(f"{out} is not empty: name a new folder for the challenge")
    out.mkdir(parents=True, exist_ok=True)
    with _disk(out):
        remove_parts(out)
        journal = Journal.open(journal_path, plan.fingerprint, folders)
        to_make = [case for case in plan.cases if case.key not in journal.complete]
        if to_make:
            for folder in folders.values():
                (folder / layout.MANIFEST).unlink(missing_ok=True)
        _verify_room(out, plan, to_make)
        _make_all(plan, folders, to_make, journal, processes, progress)
        report = _report(plan, folders, journal)
        for home in SetName:
            if home is SetName.PARTICIPANTS:
                _hand_out_toy_cases(plan, folders)
            else:
                _seal(plan, home, folders, journal, report.sentences)
        journal.close()
    return report


def _make_all(
    plan: Plan,
    folders: Mapping[SetName, Path],
    to_make: Sequence[PlannedCase],
    journal: Journal,
    processes: int | None,
    progress: Progress | None,
) -> None:
    """Look at every scan first, then make every case."""
    say = progress or (lambda _done, _of, _what: None)
    total, done = len(plan.cases), len(plan.cases) - len(to_make)
    largest = max(_voxels(planned.recipe) for planned in plan.datasets)
    work = sum(_voxels(_planned(plan, case.dataset).recipe) for case in to_make)
    with Processes.start(Maker(plan, folders), processes, largest_voxels=largest, work_voxels=work) as pool:
        first_uses = {(case.dataset, case.scan): case for case in reversed(to_make)}.values()
        for looked_at, _ in enumerate(pool.verify(first_uses), start=1):
            say(looked_at, len(first_uses), "scans looked at")
        for made in pool.make(to_make):
            journal.add(made.case.key, made.files, made.row, made.remark)
            done += 1
            say(done, total, made.case.dataset)


def _seal(
    plan: Plan, home: SetName, folders: Mapping[SetName, Path], journal: Journal, sentences: Sequence[str]
) -> None:
    """Complete a set: its toy cases, its tables, its manifest last."""
    datasets = [planned for planned in plan.datasets if home in planned.homes]
    if not datasets:
        return
    folder = folders[home]
    names = [planned.recipe.name for planned in datasets]
    if home is not SetName.CHALLENGE:
        for name in names:
            _copy_toy_cases(folders[SetName.CHALLENGE] / name, folder / name)
    write_bytes(folder / CHALLENGE, _challenge_file(plan.recipe, home, datasets))
    write_bytes(folder / CASES, _table(_rows(plan, home, names, journal)))
    write_bytes(folder / RECIPE, plan.recipe_text)
    built = layout.build_manifest(folder, names, seed=plan.recipe.seed, batch_size=plan.recipe.batch_size)
    layout.Manifest(
        datasets=built.datasets,
        deals=built.deals,
        files={name: layout.file_entry(folder / name) for name in (CASES, RECIPE)},
        made={
            "recipe_sha256": sha256_of(plan.recipe_text),
            "libraries": libraries(plan.recipe),
            "reuse_scans": plan.recipe.reuse_scans,
            "remarks": list(sentences),
        },
    ).write(folder)


def _rows(plan: Plan, home: SetName, names: Sequence[str], journal: Journal) -> list[Mapping[str, str]]:
    """Give the lines of a set: its own and the toy cases, by name."""
    rows = [
        row
        for case in plan.cases
        if case.dataset in names and (case.role.home is home or case.role.split is Split.TOY)
        if (row := journal.complete[case.key]["row"]) is not None
    ]
    return sorted(rows, key=lambda row: (row["dataset"], row["case"]))


def _table(rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _challenge_file(recipe: Recipe, home: SetName, datasets: Sequence[DatasetPlan]) -> bytes:
    main = home is SetName.CHALLENGE
    content = {
        "slug": recipe.slug if main else f"{recipe.slug[:28]}-{home}",
        "title": recipe.title if main else f"{recipe.title[:180]}: {home}",
        "description": recipe.description,
        "rules": recipe.rules,
        "datasets": [
            {"name": planned.recipe.name, "title": planned.recipe.title or planned.recipe.name} for planned in datasets
        ],
        "batch_size": recipe.batch_size,
    }
    if not main:
        content |= {"part_of": recipe.slug, "set": str(home)}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def _hand_out_toy_cases(plan: Plan, folders: Mapping[SetName, Path]) -> None:
    """Put the toy cases beside the training volumes, unless both lie in the challenge's own folder."""
    source, target = folders[SetName.CHALLENGE], folders[SetName.PARTICIPANTS]
    if source != target:
        for planned in plan.datasets:
            _copy_toy_cases(source / planned.recipe.name, target / planned.recipe.name)


def _copy_toy_cases(source: Path, target: Path) -> None:
    for part in (layout.TOY, f"{layout.TOY}_label"):
        shutil.copytree(source / part, target / part, dirs_exist_ok=True)  # times too


def _report(plan: Plan, folders: Mapping[SetName, Path], journal: Journal) -> BuildReport:
    remarks = sorted({line["remark"] for line in journal.complete.values() if line.get("remark")})
    return BuildReport(
        folder=folders[SetName.CHALLENGE],
        folders=folders,
        cases={planned.recipe.name: _counted(planned.cases) for planned in plan.datasets},
        scans={planned.recipe.name: len({case.scan for case in planned.cases}) for planned in plan.datasets},
        sentences=(*(_sentence(planned) for planned in plan.datasets), *remarks),
    )


def _counted(cases: Sequence[PlannedCase]) -> dict[str, int]:
    roles = [case.role for case in cases if case.role.home in {SetName.CHALLENGE, SetName.PARTICIPANTS}]
    splits = Counter(str(role.split) for role in roles)
    scopes = Counter(f"test_{role.scope}" for role in roles if role.split is Split.TEST)
    names = ("toy", "test", *(f"test_{scope}" for scope in Scope), "training")
    return {name: (splits | scopes)[name] for name in names}


def _sentence(planned: DatasetPlan) -> str:
    """Say how far the cases stand on scans of their own."""
    name, kind = planned.recipe.name, "phantom" if planned.recipe.source.kind == "phantoms" else "scan"
    training = [case for case in planned.cases if case.role.split is Split.TRAINING]
    cases = [case for case in planned.cases if case.role.split is not Split.TRAINING and not case.role.given]
    bases = {case.scan for case in cases}
    if not planned.reused:
        said = f"{name}: each of the {len(cases)} cases has a {kind} of its own"
        shared = len(cases) - len(bases)
        if shared:
            said = f"{name}: {len(bases)} {kind}s for {len(cases)} cases of all sets, none twice in a set"
    else:
        most = max(Counter(case.scan for case in cases).values())
        said = (
            f"{name}: {len(bases)} {kind}{'s' if len(bases) > 1 else ''} for {len(cases)} cases, so each is the base "
            f"of up to {most} (small rigid moves): cases of one {kind} are not independent"
        )
        if _overlap(cases):
            said += f", and a {kind} may be both normal and the base of an anomaly"
    if training:
        scans = {case.scan for case in training}
        of = f"{len(scans)} of the same {kind}s" if scans & bases else f"{len(scans)} others"
        moved = "are rigid moves of" if len(scans) < len(training) or scans & bases else "come from"
        said += f"; the {len(training)} training volumes {moved} {of if planned.reused else 'others'}"
    if planned.set_aside:
        said += f"; {planned.set_aside} scans of patients with a condition were left out"
    return said + "."


def _overlap(cases: Sequence[PlannedCase]) -> bool:
    """Is a scan both a normal test case and the base of an anomalous one?"""
    tests = [case for case in cases if case.role.split is Split.TEST and case.role.home is not SetName.SWEEPS]
    normal = {case.scan for case in tests if case.role.scope is Scope.NORMAL}
    return any(case.scan in normal for case in tests if case.role.scope is not Scope.NORMAL)


def _verify_counts(n_test_normal: int, n_test_local: int, sizes: Mapping[str, int]) -> None:
    if n_test_normal < 1 or n_test_local < 1:
        raise ValueError(f"{n_test_normal} normal and {n_test_local} local test cases: AP needs at least one of each")
    for dataset, size in sizes.items():
        if dataset not in PHANTOMS:
            raise ValueError(f"data set {dataset!r} is not known here; there are {', '.join(PHANTOMS)}")
        if size < SMALLEST:
            raise ValueError(f"{dataset}: a side of {size} voxels is too small, {SMALLEST} at least")


def _evenly(n_local: int, n_global: int) -> dict[Category, int | dict[str, int]]:
    """Spread numbers over the categories that can be drawn."""
    parts: dict[Category, int | dict[str, int]] = {}
    drawn = [category for category in Category if category is not Category.MEDICAL_CONDITIONS]
    for scope, count in ((Scope.LOCAL, n_local), (Scope.GLOBAL, n_global)):
        categories = [category for category in drawn if category.scope is scope]
        n = len(categories)
        parts |= {category: (count + n - 1 - i) // n for i, category in enumerate(categories)}
    return parts


def _planned(plan: Plan, dataset: str) -> DatasetPlan:
    (found,) = (planned for planned in plan.datasets if planned.recipe.name == dataset)
    return found


def _voxels(recipe: DatasetRecipe) -> int:
    x, y, z = recipe.shape
    return x * y * z


def _verify_room(out: Path, plan: Plan, to_make: Sequence[PlannedCase]) -> None:
    """Refuse what can never fit. An estimate from below: what needs more ends with the same error, later."""
    needed = int(sum(PACKED_BYTES * _voxels(_planned(plan, case.dataset).recipe) for case in to_make))
    free = shutil.disk_usage(out).free
    if needed > free:
        raise DiskFullError(
            f"{out}: {len(to_make)} volumes take {needed / 1e9:.1f} GB or more, {free / 1e9:.1f} GB are free: "
            "make room or choose another folder; nothing was written"
        )


@contextmanager
def _disk(out: Path) -> Iterator[None]:
    """Translate what a full disk raises."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise DiskFullError(
            f"{out}: the disk is full. The volumes that are complete stay, and nothing looks like a challenge yet: "
            "make room and call it again, it goes on where it stopped"
        ) from error


def _tenths(progress: Callable[[str], None] | None) -> Progress | None:
    """Tell each tenth in a sentence."""
    if progress is None:
        return None

    def say(done: int, total: int, what: str) -> None:
        if what in PHANTOMS and done * 10 // total > (done - 1) * 10 // total:
            progress(f"{done} of {total} volumes written (now {what})")

    return say
