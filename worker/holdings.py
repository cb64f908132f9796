"""The data sets that this host holds: which of them are whole, and where a case's volume and label stand.

A data set is offered when its files are what the manifest says. Hashing a test set takes minutes, so a verdict
is kept as long as no file's name, size or time has changed.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evaluator.dataset import TEST, TOY, DatasetError, Manifest, manifest_sha256
from server.protocol import DatasetOffer, JobSpec, Stage, Task
from worker.starts import Case, prediction_name

log = logging.getLogger(__name__)

SPLITS = {Stage.TOY: TOY, Stage.HIDDEN: TEST}


class NotHeld(Exception):  # noqa: N818  fault is the word for ours
    """The job is of a data set that this host does not hold, or not in this form."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """One data set on this host."""

    offer: DatasetOffer
    folder: Path  # the challenge folder
    manifest: Manifest
    complaints: tuple[str, ...]  # why it is not offered; empty: it is

    def cases(self, stage: Stage, task: Task) -> tuple[Case, ...]:
        """Give the cases that a container start of a task sees, with their labels."""
        dataset, split = self.offer.dataset, SPLITS[stage]
        return tuple(
            case_in(
                self.folder / dataset,
                split,
                task,
                name=case.name,
                shape=case.shape,
                positive_voxels=case.positive_voxels,
            )
            for case in self.manifest.cases(dataset, split, task.value)
        )


def case_in(
    folder: Path,
    split: str,
    task: Task,
    *,
    name: str,
    shape: tuple[int, ...],
    positive_voxels: int | None = None,
) -> Case:
    """Give a case of a data-set folder (`evaluator.dataset` has the layout)."""
    return Case(
        name=name,
        volume=folder / split / name,
        label=folder / f"{split}_label" / task.value / prediction_name(task, name),
        shape=shape,
        positive_voxels=positive_voxels,
    )


class Holdings:
    """All data sets of all challenge folders of this host."""

    def __init__(self, folders: tuple[Path, ...], *, memory: Path) -> None:
        self._folders = folders
        self._memory = memory  # file that keeps verdicts

    def look(self) -> list[Held]:
        """Give what is there now, verified. A folder that cannot be read holds nothing."""
        found = []
        for folder in self._folders:
            try:
                found += self._look_at(folder)
            except (DatasetError, OSError, KeyError, yaml.YAMLError) as error:
                log.error("challenge folder %s cannot be used: %s", folder, error)  # noqa: TRY400  no bug of ours
        return found

    def offers(self) -> list[DatasetOffer]:
        """Give what can be asked of this host."""
        return [held.offer for held in self.look() if not held.complaints]

    def find(self, spec: JobSpec) -> Held:
        """Give the data set of a job, by the very manifest it names. Raises `NotHeld`."""
        wanted = DatasetOffer(challenge=spec.challenge, dataset=spec.dataset, manifest_sha256=spec.manifest_sha256)
        for held in self.look():
            if held.offer == wanted and not held.complaints:
                return held
        raise NotHeld(
            f"job {spec.job} wants {spec.dataset} of {spec.challenge} by manifest {spec.manifest_sha256[:12]}, "
            "which no folder here holds whole"
        )

    def _look_at(self, folder: Path) -> list[Held]:
        manifest, sha256 = Manifest.read(folder), manifest_sha256(folder)
        return [
            Held(
                offer=DatasetOffer(challenge=_slug(folder), dataset=dataset, manifest_sha256=sha256),
                folder=folder,
                manifest=manifest,
                complaints=self._verified(folder, dataset, manifest, sha256),
            )
            for dataset in sorted(manifest.datasets)
        ]

    def _verified(self, folder: Path, dataset: str, manifest: Manifest, sha256: str) -> tuple[str, ...]:
        key = f"{folder}/{dataset}"
        form = _form(folder / dataset, sha256)
        verdicts = self._recall()
        known = verdicts.get(key)
        if isinstance(known, dict) and known.get("form") == form:
            return tuple(known.get("complaints", ()))
        complaints = manifest.verify(folder, dataset)
        for complaint in complaints:
            log.error("data set %s is not offered: %s", dataset, complaint)
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        verdict = {"form": form, "complaints": complaints}
        self._memory.write_text(json.dumps(verdicts | {key: verdict}), encoding="utf-8")
        return tuple(complaints)

    def _recall(self) -> dict[str, Any]:
        try:
            verdicts = json.loads(self._memory.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return verdicts if isinstance(verdicts, dict) else {}


def _slug(folder: Path) -> str:
    """Give the challenge's name in addresses, from its challenge.yaml."""
    return str(yaml.safe_load((folder / "challenge.yaml").read_text(encoding="utf-8"))["slug"])


def _form(folder: Path, sha256: str) -> str:
    """Hash what changes when a file does: names, sizes and times."""
    found = hashlib.sha256(sha256.encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            stat = path.stat()
            found.update(f"{path.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return found.hexdigest()
