"""Challenges: what challenge.yaml may say, loading a folder, phases, the cases of a data set."""

import hashlib
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, cast

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.db import Database
from server.errors import Conflict, Invalid, NotFound
from server.models import Challenge, Dataset, Submission
from server.protocol import ContainerUser, Limits, Stage, SubmissionStatus, Task
from server.storage import Store

Phase = Literal["before", "open", "closed"]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]  # it stands in addresses and file names
DatasetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,19}$")]  # it stands in the entry script's name

SPLITS = {Stage.TOY: "toy", Stage.HIDDEN: "test"}


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
    names = [entry.name for entry in read.datasets]
    if len(set(names)) != len(names):
        raise Invalid(f"{path}: datasets: {names} names one twice")
    return read


def complaints(error: ValidationError) -> str:
    """One clause a field."""
    parts = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']} (found {e['input']!r:.80})" for e in error.errors()]
    return "; ".join(parts)


def load(db: Database, store: Store, folder: Path, now: datetime) -> str:
    """Load or reload a challenge from its folder; gives its slug.

    Reads the manifest, the deals and the toy cases, never a hidden volume. Raises Invalid where the folder
    does not fit together, Conflict where scores would no longer compare.
    """
    read = read_folder(folder)
    manifest_bytes, deal_bytes = read_bytes(folder / "manifest.json"), read_bytes(folder / "deal.json")
    manifest, deal = json.loads(manifest_bytes), json.loads(deal_bytes)
    check_folder(folder, read, manifest, deal, deal_sha256=hashlib.sha256(deal_bytes).hexdigest())
    toy_sha256 = store_toy_cases(store, folder, read, manifest)
    with db.write() as s:
        write_challenge(
            s,
            read,
            manifest,
            deal,
            manifest_sha256=hashlib.sha256(manifest_bytes).hexdigest(),
            deal_sha256=hashlib.sha256(deal_bytes).hexdigest(),
            toy_sha256=toy_sha256,
            now=now,
        )
    return read.slug


def current(s: Session) -> Challenge:
    """Give the challenge that was loaded last. Raises NotFound."""
    found = s.scalar(select(Challenge).order_by(Challenge.loaded_at.desc(), Challenge.id).limit(1))
    if found is None:
        raise NotFound("no challenge is loaded: `mood challenge load FOLDER`")
    return found


def settings(challenge: Challenge) -> ChallengeFile:
    """What its challenge.yaml says."""
    return ChallengeFile.model_validate(challenge.settings)


def phase(challenge: Challenge, now: datetime) -> Phase:
    """Does it take submissions?"""
    times = settings(challenge)
    if times.opens_at is not None and now < times.opens_at:
        return "before"
    if times.closes_at is not None and now >= times.closes_at:
        return "closed"
    return "open"


def toy_archive(challenge: Challenge) -> str:
    """The sha256 of the zip of toy cases with labels, in the store."""
    return challenge.toy_sha256


def case_shapes(dataset: Dataset, stage: Stage, task: Task) -> dict[str, tuple[int, ...]]:
    """Cases of the task that a container start of this stage sees, with their shapes."""
    return {case["name"]: tuple(case["shape"]) for case in dataset.cases[SPLITS[stage]] if task in case["tasks"]}


def case_names(dataset: Dataset, stage: Stage, task: Task) -> list[str]:
    """Cases of the task that a container start of this stage sees."""
    return sorted(case_shapes(dataset, stage, task))


def script_names(names: list[str], task: Task) -> list[str]:
    """The entry scripts that an image needs for a task, one a data set."""
    return [f"run_{task}_{name}.sh" for name in names]


def read_bytes(path: Path) -> bytes:
    """Read a file of the folder. Raises Invalid where it is missing."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise Invalid(f"{path} is missing: `mood challenge init` writes it") from error


def check_folder(
    folder: Path, read: ChallengeFile, manifest: dict[str, Any], deal: dict[str, Any], *, deal_sha256: str
) -> None:
    """Do manifest, deals and challenge.yaml speak of the same cases? Raises Invalid."""
    if manifest["deal_sha256"] != deal_sha256:
        raise Invalid(f"{folder / 'deal.json'} is not the one that manifest.json names")
    for entry in read.datasets:
        if entry.name not in manifest["datasets"] or entry.name not in deal["datasets"]:
            raise Invalid(f"{folder}: data set {entry.name} is not in manifest.json and deal.json")
        cases = manifest["datasets"][entry.name]["cases"]
        pixel = sorted(case["name"] for case in cases["test"] if Task.PIXEL in case["tasks"])
        for name, batches in deal["datasets"][entry.name].items():
            if sorted(case for batch in batches for case in batch) != pixel:
                raise Invalid(f"{folder}: {entry.name}'s {name} deal does not hold each pixel case once")


def store_toy_cases(store: Store, folder: Path, read: ChallengeFile, manifest: dict[str, Any]) -> str:
    """Zip toy cases and labels of all data sets, the same bytes for the same cases; gives its sha256."""
    with store.receive() as incoming:
        with zipfile.ZipFile(cast("BinaryIO", Forward(incoming)), "w", zipfile.ZIP_STORED) as archive:
            for entry in read.datasets:
                files = manifest["datasets"][entry.name]["files"]
                for name in sorted(files):
                    if name.startswith(("toy/", "toy_label/")):
                        content = read_bytes(folder / entry.name / name)
                        if hashlib.sha256(content).hexdigest() != files[name]["sha256"]:
                            raise Invalid(f"{folder / entry.name / name} is not what manifest.json says")
                        archive.writestr(zipfile.ZipInfo(f"{entry.name}/{name}"), content)
        return incoming.commit()


class Forward:
    """A file that can only be written to its end, as zipfile wants it."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def write(self, data: bytes) -> int:
        """Append."""
        self._target.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""


def write_challenge(
    s: Session,
    read: ChallengeFile,
    manifest: dict[str, Any],
    deal: dict[str, Any],
    *,
    manifest_sha256: str,
    deal_sha256: str,
    toy_sha256: str,
    now: datetime,
) -> None:
    """Add it, or change what is there. Raises Conflict where scores would no longer compare."""
    row = s.scalar(select(Challenge).where(Challenge.slug == read.slug))
    names = [entry.name for entry in read.datasets]
    if row is None:
        row = Challenge(slug=read.slug)
        s.add(row)
    elif (row.manifest_sha256 != manifest_sha256 and used(s, row, SubmissionStatus.SCORED)) or (
        [d.name for d in row.datasets] != names and used(s, row)
    ):
        raise Conflict(
            f"challenge {read.slug} has submissions on other data, which would no longer compare: "
            "load the new data under a new slug"
        )
    row.title = read.title
    row.settings = read.model_dump(mode="json")
    row.manifest_sha256 = manifest_sha256
    row.deal_sha256 = deal_sha256
    row.toy_sha256 = toy_sha256
    row.loaded_at = now.astimezone(UTC)
    known = {d.name: d for d in row.datasets}
    row.datasets = [known.get(name) or Dataset(name=name) for name in names]
    for position, (entry, dataset) in enumerate(zip(read.datasets, row.datasets, strict=True)):
        dataset.title = entry.title
        dataset.position = position
        dataset.cases = manifest["datasets"][entry.name]["cases"]
        dataset.deal = deal["datasets"][entry.name]
    s.flush()


def used(s: Session, challenge: Challenge, status: SubmissionStatus | None = None) -> bool:
    """Has it submissions (in this state)?"""
    query = select(func.count()).select_from(Submission).where(Submission.challenge_id == challenge.id)
    if status is not None:
        query = query.where(Submission.status == status)
    return bool(s.scalar(query))
