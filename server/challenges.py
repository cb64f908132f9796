"""Challenges: what challenge.yaml may say, loading a folder, phases, the cases of a data set."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, Self, cast

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evaluator import dataset
from evaluator.analysis import facts as case_facts
from evaluator.analysis.facts import FactsError
from evaluator.dataset import Case, DatasetError, Manifest
from server.db import Database
from server.errors import Conflict, Invalid, NotFound
from server.models import Challenge, Dataset, Submission
from server.protocol import ContainerUser, Limits, Queue, Stage, SubmissionStatus, Task
from server.storage import Incoming, Store

Phase = Literal["before", "open", "closed"]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]  # it stands in addresses and file names
DatasetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,19}$")]  # it stands in the entry script's name

CASES, NORMAL = "cases.csv", "normal"  # docs/making-a-test-set.md
COMPLAINTS = 5  # told at a time
TOY_FOLDER = "toy-cases"  # what the archive of toy cases unpacks to
RULES = frozenset({"budget_s", "limits", "container_user", "architecture", "object_min_volume_mm3"})  # of a run
SPLITS = {Stage.TOY: dataset.TOY, Stage.HIDDEN: dataset.TEST}


class DatasetEntry(BaseModel):
    """A data set, as challenge.yaml names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: DatasetName
    title: str = Field(min_length=1, max_length=200)


class ChallengeFile(BaseModel):
    """challenge.yaml. Everything but slug, title and datasets has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: Slug
    title: str = Field(min_length=1, max_length=200)
    datasets: list[DatasetEntry] = Field(min_length=1)
    description: str = ""
    rules: str = ""
    opens_at: AwareDatetime | None = None  # None: open from the start
    closes_at: AwareDatetime | None = None  # None: never closes
    budget_s: float = Field(default=600.0, gt=0)  # wall clock, for each case of a container start
    final_submissions: int = Field(default=10, ge=1)  # a team and task
    container_user: ContainerUser = ContainerUser.NOBODY
    architecture: str = "amd64"  # of the hosts, as images name it
    max_archive_bytes: int = Field(default=10 * 2**30, ge=1)
    max_unpacked_bytes: int = Field(default=40 * 2**30, ge=1)
    limits: Limits = Limits()
    batch_size: int = Field(default=20, ge=1)  # cases; of the deals
    show: dict[DatasetName, list[str]] = Field(default_factory=dict)  # hidden cases whose slices may be kept and shown
    object_min_volume_mm3: float = Field(default=0.0, ge=0)  # smaller detections are dropped
    part_of: Slug | None = None  # a companion set: the challenge that it analyses
    set: Literal["challenge", "analysis", "toyish", "sweeps"] = "challenge"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """A companion says of what and which one it is, and leaves the rules to its challenge."""
        if (self.part_of is None) != (self.set == "challenge"):
            raise ValueError("part_of and set belong together: a companion set names its challenge and which set it is")
        return self


def read_folder(folder: Path) -> ChallengeFile:
    """Read challenge.yaml. Raises Invalid, naming the field and the complaint."""
    path = folder / "challenge.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Invalid(f"{path} is missing: `mood challenge init` writes one") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not YAML: {error}") from error
    try:
        read = ChallengeFile.model_validate(found)
    except ValidationError as error:
        raise Invalid(f"{path}: {complaints(error)}") from error
    said = sorted(RULES & read.model_fields_set)
    if read.part_of is not None and said:
        raise Invalid(f"{path}: a companion set runs by its challenge's rules: take out {', '.join(said)}")
    names = [entry.name for entry in read.datasets]
    if len(set(names)) != len(names):
        raise Invalid(f"{path}: datasets: {names} names one twice")
    return read


def complaints(error: ValidationError) -> str:
    """One clause a field."""
    parts = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']} (found {e['input']!r:.80})" for e in error.errors()]
    return "; ".join(parts)


def load(db: Database, store: Store, folder: Path, now: datetime) -> str:
    """Load or reload a challenge, or a companion set of a loaded one, from its folder; gives its slug.

    Reads the manifest, the deals, cases.csv and the toy cases, never a hidden volume. Raises Invalid where the
    folder does not fit together, Conflict where scores would no longer compare, NotFound for a companion whose
    challenge is not loaded.
    """
    read = read_folder(folder)
    try:
        manifest = Manifest.read(folder)
        manifest_sha256 = dataset.manifest_sha256(folder)
    except DatasetError as error:
        raise Invalid(f"{folder}: {error}") from error
    check_manifest(folder, read, manifest)
    facts = hidden_facts(folder, read, manifest)
    toy_sha256 = store_toy_cases(store, folder, read, manifest)
    with db.write() as s:
        row = challenge_to_write(s, read, manifest_sha256)
        row.title = read.title
        row.settings = read.model_dump(mode="json")
        row.part_of = read.part_of
        row.set_name = read.set
        row.manifest_sha256 = manifest_sha256
        row.deal_sha256 = hashlib.sha256(manifest.deals.to_bytes()).hexdigest()
        row.toy_sha256 = toy_sha256
        row.loaded_at = now
        row.datasets = datasets_of(row, read, manifest, facts)
        share_rules(s, row)
    return read.slug


def current(s: Session) -> Challenge:
    """Give the challenge that was loaded last; companion sets are none. Raises NotFound."""
    own = select(Challenge).where(Challenge.part_of.is_(None))
    found = s.scalar(own.order_by(Challenge.loaded_at.desc(), Challenge.id).limit(1))
    if found is None:
        raise NotFound("no challenge is loaded: `mood challenge load FOLDER`")
    return found


def by_slug(s: Session, slug: str) -> Challenge:
    """Give a challenge, no companion set, by its short name. Raises NotFound."""
    found = s.scalar(select(Challenge).where(Challenge.slug == slug, Challenge.part_of.is_(None)))
    if found is None:
        known = s.scalars(select(Challenge.slug).where(Challenge.part_of.is_(None)).order_by(Challenge.slug)).all()
        there = f"there are {', '.join(known)}" if known else "none is loaded"
        raise NotFound(f"there is no challenge {slug}: {there}")
    return found


def settings(challenge: Challenge) -> ChallengeFile:
    """What its challenge.yaml says."""
    return ChallengeFile.model_validate(challenge.settings)


def lock(s: Session, challenge_id: str) -> None:
    """Let one transaction at a time do what asks for this, until it ends; others read and write the challenge."""
    s.execute(select(Challenge.id).where(Challenge.id == challenge_id).with_for_update(key_share=True))


def phase(challenge: Challenge, now: datetime) -> Phase:
    """Does it take submissions?"""
    times = settings(challenge)
    if times.opens_at is not None and now < times.opens_at:
        return "before"
    if times.closes_at is not None and now >= times.closes_at:
        return "closed"
    return "open"


def cases(row: Dataset, stage: Stage, task: Task) -> tuple[Case, ...]:
    """Cases of the task that a container start of this stage sees, ordered by name."""
    every = map(Case.from_fields, row.cases[SPLITS[stage]])
    return tuple(case for case in every if task in case.tasks)


def script_names(names: list[str], task: Task) -> list[str]:
    """The entry scripts that an image needs for a task, one a data set."""
    return [f"run_{task}_{name}.sh" for name in names]


def check_manifest(folder: Path, read: ChallengeFile, manifest: Manifest) -> None:
    """Do manifest, deals and challenge.yaml speak of the same cases? Raises Invalid."""
    for entry in read.datasets:
        if entry.name not in manifest.datasets or entry.name not in manifest.deals.datasets:
            raise Invalid(
                f"{folder}: data set {entry.name} is not in manifest.json and deal.json: `mood challenge init`"
            )
        pixel = [case.name for case in manifest.cases(entry.name, dataset.TEST, Task.PIXEL)]
        deals = manifest.deals.datasets[entry.name]
        for name, batches in (("official", deals.official), ("validation", deals.validation)):
            if sorted(case for batch in batches for case in batch) != pixel:
                raise Invalid(f"{folder}: {entry.name}'s {name} deal does not hold each pixel case once")


def hidden_facts(folder: Path, read: ChallengeFile, manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Read cases.csv, where there is one: data set -> hidden case -> its line, all of it but the base scan.

    Raises Invalid where it cannot be read, is not the manifest's, or speaks of cases that there are not.
    """
    found: dict[str, dict[str, Any]] = {entry.name: {} for entry in read.datasets}
    path = folder / CASES
    if not path.is_file():
        return found
    content = path.read_bytes()
    if CASES in manifest.files and manifest.files[CASES].sha256 != hashlib.sha256(content).hexdigest():
        raise Invalid(f"{path} is not what manifest.json says: `mood challenge check` compares all files")
    try:
        lines = case_facts.read(content.decode())
    except (UnicodeDecodeError, FactsError) as error:
        raise Invalid(f"{path}: {error}") from error
    known = {
        (name, split, case.name): case
        for name, contents in manifest.datasets.items()
        for split, of_split in contents.cases.items()
        for case in of_split
    }
    complaints = []
    for line in lines:
        case = known.get((line.dataset, line.split, line.case))
        if case is None:
            complaints.append(f"{line.dataset} has no {line.split} case {line.case}")
        elif bool(case.label or case.positive_voxels) is (line.facts.scope == NORMAL):
            complaints.append(f"{line.dataset}'s {line.case} is {line.facts.scope}, its label says otherwise")
        elif line.dataset in found and line.split == dataset.TEST:
            found[line.dataset][line.case] = {name: cell for name, cell in line.row.items() if name != "source"}
    if complaints:
        more = f"; and {len(complaints) - COMPLAINTS} more" if len(complaints) > COMPLAINTS else ""
        raise Invalid(f"{path}: {'; '.join(complaints[:COMPLAINTS])}{more}")
    return found


def store_toy_cases(store: Store, folder: Path, read: ChallengeFile, manifest: Manifest) -> str:
    """Zip toy cases and labels of all data sets, the same bytes for the same cases; gives its sha256."""
    with store.receive() as incoming:
        with zipfile.ZipFile(cast("BinaryIO", Forward(incoming)), "w", zipfile.ZIP_STORED) as archive:
            for entry in read.datasets:
                files = manifest.datasets[entry.name].files
                for name in sorted(files):
                    if name.startswith(("toy/", "toy_label/")):
                        content = toy_file(folder / entry.name / name, files[name].sha256)
                        archive.writestr(zipfile.ZipInfo(f"{TOY_FOLDER}/{entry.name}/{name}"), content)
        return incoming.commit()


def toy_file(path: Path, sha256: str) -> bytes:
    """Read a toy case or label. Raises Invalid where it is not what the manifest says."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise Invalid(f"{path} is missing") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Invalid(f"{path} is not what manifest.json says: `mood challenge check` compares all files")
    return content


class Forward:
    """A file that can only be written to its end, as zipfile wants it."""

    def __init__(self, target: Incoming) -> None:
        self._target = target

    def write(self, data: bytes) -> int:
        """Append."""
        self._target.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""


def challenge_to_write(s: Session, read: ChallengeFile, manifest_sha256: str) -> Challenge:
    """A new row, or the one that is there. Raises Conflict where scores would no longer compare."""
    if read.part_of is not None:
        check_companion(s, read)
    row = s.scalar(select(Challenge).where(Challenge.slug == read.slug))
    if row is not None and (row.part_of, row.set_name) != (read.part_of, read.set):
        raise Conflict(f"{read.slug} is loaded as {whose(row)}: load this one under a slug of its own")
    if row is None:
        row = Challenge(slug=read.slug)
        s.add(row)
        return row
    other_data = row.manifest_sha256 != manifest_sha256 and used(s, row, ranked=True)
    other_sets = [d.name for d in row.datasets] != [entry.name for entry in read.datasets] and used(s, row)
    if other_data or other_sets:
        raise Conflict(
            f"challenge {read.slug} has submissions on other data, which would no longer compare: "
            "load the new data under a new slug"
        )
    return row


def check_companion(s: Session, read: ChallengeFile) -> None:
    """Is its challenge there, with these data sets? Raises NotFound or Invalid."""
    whole = by_slug(s, read.part_of or "")
    known = {row.name for row in whole.datasets}
    others = [entry.name for entry in read.datasets if entry.name not in known]
    if others:
        raise Invalid(
            f"{read.slug}: {whole.slug} has no data set {', '.join(others)}: a companion set has the same ones"
        )


def whose(row: Challenge) -> str:
    """Say what it is."""
    return f"the {row.set_name} set of {row.part_of}" if row.part_of else "a challenge"


def share_rules(s: Session, row: Challenge) -> None:
    """Let companion sets run by their challenge's rules, whichever of them was just loaded."""
    own = row if row.part_of is None else by_slug(s, row.part_of)
    rules = {name: value for name, value in own.settings.items() if name in RULES}
    companions = [row] if row is not own else list(s.scalars(select(Challenge).where(Challenge.part_of == row.slug)))
    for one in companions:
        one.settings = one.settings | rules


def datasets_of(
    row: Challenge, read: ChallengeFile, manifest: Manifest, facts: Mapping[str, dict[str, Any]]
) -> list[Dataset]:
    """Its data sets, those that are there already with new content."""
    known = {found.name: found for found in row.datasets}
    found = []
    for position, entry in enumerate(read.datasets):
        one = known.get(entry.name) or Dataset(name=entry.name)
        cases, deals = manifest.datasets[entry.name].cases, manifest.deals.datasets[entry.name]
        one.title = entry.title
        one.position = position
        one.cases = {split: [asdict(case) for case in of_split] for split, of_split in cases.items()}
        one.deal = asdict(deals)
        one.facts = facts[entry.name]
        found.append(one)
    return found


def used(s: Session, challenge: Challenge, *, ranked: bool = False) -> bool:
    """Has it submissions (that count for a leaderboard)?"""
    query = select(func.count()).select_from(Submission).where(Submission.challenge_id == challenge.id)
    if ranked:
        query = query.where(Submission.status == SubmissionStatus.SCORED, Submission.queue == Queue.FINAL)
    return bool(s.scalar(query))
