"""A challenge's data on disk: which cases there are, that they are what was published, and their deal.

    <challenge>/manifest.json   every file with its hash, every case with its shape and tasks
    <challenge>/deal.json       the batches of the pixel task, and a second, independent deal that validates the first
    <challenge>/<data set>/     toy/ test/ with <case>.nii.gz; toy_label/ test_label/ with sample/ and pixel/

A case belongs to a task where it has a label of it: sample/<case>.nii.gz.txt with 0 or 1 on its first line,
pixel/<case>.nii.gz, positive where its value is above 0.5.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from evaluator.deal import BATCH_SIZE, Deal, ImpossibleDealError, deal
from evaluator.formats import SUFFIX, LabelError, Shape, UnreadableError, Volume, read_label
from evaluator.inflate import GzipInflater
from evaluator.tasks import PIXEL, SAMPLE, TASKS
from evaluator.truth import count_positive

MANIFEST: Final = "manifest.json"
DEAL: Final = "deal.json"
VERSION: Final = 1
TOY: Final = "toy"
TEST: Final = "test"
SPLITS: Final = (TOY, TEST)
_DIMENSIONS: Final = 3


class DatasetError(ValueError):
    """A challenge's data cannot be used. `complaints` names each file and what to do about it."""

    def __init__(self, complaints: Sequence[str]) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = tuple(complaints)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case: its file's name, its shape in voxels, and what its labels say."""

    name: str  # ends in .nii.gz
    shape: Shape
    tasks: tuple[str, ...]  # of sample, pixel
    label: int | None = None  # 0 or 1; None: not in the sample task
    positive_voxels: int | None = None  # of the pixel label; None: not in the pixel task

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Read what `asdict` gave and JSON kept."""
        return cls(**{**fields, "shape": tuple(fields["shape"]), "tasks": tuple(fields["tasks"])})


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """A file's content."""

    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class DatasetDeal:
    """The batches of a data set's hidden pixel cases."""

    official: Deal = ()
    validation: Deal = ()  # independent of the official one


@dataclass(frozen=True, kw_only=True)
class Deals:
    """What deal.json holds."""

    batch_size: int = BATCH_SIZE
    datasets: Mapping[str, DatasetDeal] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Give the file's content."""
        return _json(asdict(self))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` gave. Raises DatasetError."""
        with _reading(DEAL):
            fields = json.loads(content)
            datasets = {
                name: DatasetDeal(official=_batches(found["official"]), validation=_batches(found["validation"]))
                for name, found in fields["datasets"].items()
            }
            return cls(batch_size=int(fields["batch_size"]), datasets=datasets)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """One data set: its files by their path within it, and its cases by split."""

    files: Mapping[str, FileEntry]
    cases: Mapping[str, tuple[Case, ...]]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What manifest.json and deal.json hold together."""

    datasets: Mapping[str, Contents]
    deals: Deals
    files: Mapping[str, FileEntry] = field(default_factory=dict)  # beside the data sets: recipe.yaml, cases.csv
    made: Mapping[str, Any] = field(default_factory=dict)  # how the data were made, where a program of ours made them

    def cases(self, dataset: str, split: str, task: str) -> tuple[Case, ...]:
        """Give the cases of a task, ordered by name."""
        return tuple(case for case in self.datasets[dataset].cases[split] if task in case.tasks)

    def to_bytes(self) -> bytes:
        """Give manifest.json's content; equal manifests have equal bytes."""
        datasets = {name: _contents_to_fields(found) for name, found in self.datasets.items()}
        deal_sha256 = hashlib.sha256(self.deals.to_bytes()).hexdigest()
        fields: dict[str, Any] = {"version": VERSION, "datasets": datasets, "deal_sha256": deal_sha256}
        if self.files:
            fields["files"] = {name: asdict(entry) for name, entry in self.files.items()}
        if self.made:
            fields["made"] = dict(self.made)
        return _json(fields)

    def write(self, folder: Path) -> None:
        """Write both files into a challenge's folder."""
        (folder / DEAL).write_bytes(self.deals.to_bytes())
        (folder / MANIFEST).write_bytes(self.to_bytes())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read both files. Raises DatasetError where one is absent, damaged or not the other's."""
        content, dealt = _content(folder / MANIFEST), _content(folder / DEAL)
        with _reading(MANIFEST):
            fields = json.loads(content)
            if fields["version"] != VERSION:
                raise DatasetError([f"{MANIFEST}: version {fields['version']}, this program reads {VERSION}"])
            datasets = {name: _contents(found) for name, found in fields["datasets"].items()}
            deal_sha256 = fields["deal_sha256"]
            files = {name: FileEntry(**entry) for name, entry in fields.get("files", {}).items()}
            made = dict(fields.get("made", {}))
        if hashlib.sha256(dealt).hexdigest() != deal_sha256:
            raise DatasetError([f"{DEAL} is not the one that {MANIFEST} was written with: copy both again"])
        return cls(datasets=datasets, deals=Deals.from_bytes(dealt), files=files, made=made)

    def verify(self, folder: Path, dataset: str) -> list[str]:
        """Hash every file of a data set; give a complaint for each that is not as it was, none if all is well."""
        place = folder / dataset
        expected = self.datasets[dataset].files
        present = {path.relative_to(place).as_posix() for path in _walk(place)}
        complaints = [f"{dataset}/{name}: is missing; copy it again" for name in sorted(set(expected) - present)]
        complaints += [f"{dataset}/{name}: is not in {MANIFEST}; remove it" for name in sorted(present - set(expected))]
        for name in sorted(present & set(expected)):
            if file_entry(place / name) != expected[name]:
                complaints.append(f"{dataset}/{name}: has other content than {MANIFEST} says; copy it again")
        return complaints

    def verify_files(self, folder: Path) -> list[str]:
        """Do likewise with the files beside the data sets."""
        complaints = []
        for name, expected in sorted(self.files.items()):
            if not (folder / name).is_file():
                complaints.append(f"{name}: is missing; copy it again")
            elif file_entry(folder / name) != expected:
                complaints.append(f"{name}: has other content than {MANIFEST} says; copy it again")
        return complaints


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was found in a data set's folder. With complaints, the contents are incomplete."""

    contents: Contents
    complaints: tuple[str, ...]  # each makes the data set unusable
    warnings: tuple[str, ...]  # each lets it be used


def build_manifest(folder: Path, datasets: Sequence[str], *, seed: int, batch_size: int = BATCH_SIZE) -> Manifest:
    """Read, check and hash a challenge's data sets, and deal their hidden pixel cases.

    The same files and seed give the same deal. Raises DatasetError with every complaint there is.
    """
    surveys = {name: survey(folder / name) for name in datasets}
    complaints = [complaint for found in surveys.values() for complaint in found.complaints]
    if complaints:
        raise DatasetError(complaints)
    contents = {name: found.contents for name, found in surveys.items()}
    dealt = {name: _dealt(name, found, seed, batch_size) for name, found in contents.items()}
    return Manifest(datasets=contents, deals=Deals(batch_size=batch_size, datasets=dealt))


def manifest_sha256(folder: Path) -> str:
    """Hash manifest.json: what a worker offers and a job names."""
    return hashlib.sha256(_content(folder / MANIFEST)).hexdigest()


def file_entry(path: Path) -> FileEntry:
    """Hash a file, piece by piece."""
    with path.open("rb") as file:
        return FileEntry(sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size)


def survey(place: Path) -> Survey:
    """Read one data set's folder: headers of volumes, labels, hashes."""
    if not place.is_dir():
        complaint = f"{place.name}/: is not a folder; a data set has toy/, toy_label/, test/ and test_label/"
        return Survey(contents=Contents(files={}, cases={}), complaints=(complaint,), warnings=())
    files = {path.relative_to(place).as_posix(): file_entry(path) for path in _walk(place)}
    surveyor = _Surveyor(place)
    cases = {split: surveyor.split(split) for split in SPLITS}
    surveyor.compare_splits(files)
    for name in files:
        surveyor.check_place(name)
    contents = Contents(files=files, cases=cases)
    return Survey(contents=contents, complaints=tuple(surveyor.complaints), warnings=tuple(surveyor.warnings))


class _Surveyor:
    """Reads a data set and collects what is wrong with it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.complaints: list[str] = []
        self.warnings: list[str] = []

    def split(self, split: str) -> tuple[Case, ...]:
        """Read the cases of toy/ or test/ with their labels."""
        names = sorted(path.name for path in _walk(self.place / split) if path.name.endswith(SUFFIX))
        cases = [case for name in names if (case := self._case(split, name))]
        self._check_labels_have_cases(split, set(names))
        if not names:
            self._complain(f"{split}/", f"holds no case: put the volumes there as <case>{SUFFIX}")
        self._check_classes(split, cases)
        return tuple(cases)

    def compare_splits(self, files: Mapping[str, FileEntry]) -> None:
        """Toy cases are published: none of them may be a hidden one, whatever its name."""
        toy, test = ({name: e for name, e in files.items() if name.startswith(f"{s}/")} for s in SPLITS)
        hidden = {entry.sha256: name for name, entry in test.items()}
        for name, entry in toy.items():
            twin = name.replace(TOY, TEST, 1)
            if twin in test:
                self._complain(name, f"stands in {TEST}/ too: toy cases are published, give it another name")
            elif entry.sha256 in hidden:
                self._complain(name, f"is the same volume as {hidden[entry.sha256]}: toy cases are published")

    def check_place(self, name: str) -> None:
        """Complain about a file that no task will ever read."""
        parts = name.split("/")
        known = {(split,) for split in SPLITS} | {(f"{split}_label", task) for split in SPLITS for task in TASKS}
        suffix = f"{SUFFIX}.txt" if parts[-2:-1] == [SAMPLE] else SUFFIX
        if tuple(parts[:-1]) not in known:
            self._complain(name, "is not read by any task: remove it, or move it to where its task looks")
        elif not name.endswith(suffix):
            self._complain(name, f"does not end in {suffix}: rename it")

    def _case(self, split: str, name: str) -> Case | None:
        """Read one case; None where its volume cannot be read."""
        where = f"{split}/{name}"
        shape = self._shape(where)
        label = self._sample_label(f"{split}_label/{SAMPLE}/{name}.txt")
        positive = self._pixel_label(f"{split}_label/{PIXEL}/{name}", shape) if shape else None
        if shape is None:
            return None
        if label is None and positive is None:
            wanted = f"{split}_label/{SAMPLE}/{name}.txt or {split}_label/{PIXEL}/{name}"
            self._complain(where, f"has no label that can be read: add {wanted}")
        if label == 0 and positive:
            self._complain(where, f"its sample label is 0, but {positive} voxels of its pixel label are anomalous")
        if label == 1 and positive == 0:
            self.warnings.append(self._line(where, "its sample label is 1, but its pixel label is all zero"))
        tasks = tuple(task for task, found in ((SAMPLE, label), (PIXEL, positive)) if found is not None)
        return Case(name=name, shape=shape, tasks=tasks, label=label, positive_voxels=positive)

    def _shape(self, where: str) -> Shape | None:
        """Read a volume's header."""
        try:
            with (self.place / where).open("rb") as file:
                origin = GzipInflater(file).header
                file.seek(0)
                shape = Volume.open(file).shape
        except ValueError as error:
            self._complain(where, f"cannot be read as a volume: {error}")
            return None
        if origin.name or origin.written_at:
            hint = f"its gzip header says when and from which file it was written ({origin.name[:80]!r})"
            self.warnings.append(self._line(where, f"{hint}: compress it with `gzip -n`, it may be a hint"))
        if len(shape) != _DIMENSIONS or min(shape) < 1:
            self._complain(where, f"has the shape {shape}; a case is one volume of {_DIMENSIONS} dimensions")
            return None
        return shape

    def _sample_label(self, where: str) -> int | None:
        path = self.place / where
        if not path.is_file():
            return None
        try:
            return read_label(path.read_bytes())
        except LabelError as error:
            self._complain(where, str(error))
            return None

    def _pixel_label(self, where: str, shape: Shape) -> int | None:
        """Count a pixel label's anomalous voxels, slab by slab."""
        path = self.place / where
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file:
                return count_positive(file, shape)
        except UnreadableError as error:
            self._complain(where, str(error))
            return None

    def _check_labels_have_cases(self, split: str, names: set[str]) -> None:
        for task, suffix in ((SAMPLE, ".txt"), (PIXEL, "")):
            for path in _walk(self.place / f"{split}_label" / task):
                if path.name.removesuffix(suffix) not in names:
                    where = path.relative_to(self.place).as_posix()
                    self._complain(where, f"is a label without a case: add {split}/{path.name.removesuffix(suffix)}")

    def _check_classes(self, split: str, cases: Sequence[Case]) -> None:
        """Average precision needs an anomalous case, and says little without a normal one."""
        found = {SAMPLE: [case.label for case in cases], PIXEL: [case.positive_voxels for case in cases]}
        for task, labels in found.items():
            known = [label for label in labels if label is not None]
            if known and not any(known):
                self._complain(f"{split}_label/{task}/", "marks no case as anomalous: scores would be undefined")
            if known and all(known):
                self.warnings.append(self._line(f"{split}_label/{task}/", "marks every case as anomalous"))

    def _complain(self, where: str, complaint: str) -> None:
        self.complaints.append(self._line(where, complaint))

    def _line(self, where: str, complaint: str) -> str:
        return f"{self.place.name}/{where}: {complaint}"


def _dealt(name: str, contents: Contents, seed: int, batch_size: int) -> DatasetDeal:
    """Deal twice; each data set and each deal has a random stream of its own."""
    cases = [case for case in contents.cases[TEST] if PIXEL in case.tasks]
    anomalous = {case.name for case in cases if case.positive_voxels}
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    streams = (np.random.default_rng([seed, key, number]) for number in range(2))
    try:
        official, validation = (
            deal([case.name for case in cases], anomalous, batch_size=batch_size, rng=stream) for stream in streams
        )
    except ImpossibleDealError as error:
        raise DatasetError([f"{name}/{TEST}/: {error}"]) from error
    return DatasetDeal(official=official, validation=validation)


def _walk(place: Path) -> Iterator[Path]:
    """Give every file below, hidden ones left out."""
    return (path for path in sorted(place.rglob("*")) if path.is_file() and not path.name.startswith("."))


def _json(fields: Mapping[str, Any]) -> bytes:
    return (json.dumps(fields, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _contents_to_fields(contents: Contents) -> dict[str, Any]:
    return {
        "files": {name: asdict(entry) for name, entry in contents.files.items()},
        "cases": {split: [asdict(case) for case in cases] for split, cases in contents.cases.items()},
    }


def _contents(fields: Mapping[str, Any]) -> Contents:
    return Contents(
        files={name: FileEntry(**entry) for name, entry in fields["files"].items()},
        cases={split: tuple(Case.from_fields(case) for case in cases) for split, cases in fields["cases"].items()},
    )


def _batches(fields: Sequence[Sequence[str]]) -> Deal:
    return tuple(tuple(batch) for batch in fields)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError([f"{path}: cannot be read ({error.strerror}); `mood challenge init` writes it"]) from error


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Say which file is damaged."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError([f"{name}: is damaged ({error!r}); write it again with `mood challenge init`"]) from error
