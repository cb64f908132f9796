r"""One hash that says what a challenge is before it opens, so that anybody can see afterwards that nothing changed.

It is taken over lines as `sha256sum` writes them, `<sha256>  <path>`, sorted by path: of manifest.json, of
deal.json and of every label. The manifest holds the hash of every volume, of cases.csv and of the recipe, so
these are covered too. Without any program of ours:

    (cd FOLDER && find manifest.json deal.json */toy_label */test_label -type f ! -name '.*' \
        | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum)

It is not salted. Whoever would find labels by trying them needs the manifest's line too, which holds a hash of
every hidden volume: nobody who has not got all of these can guess it. commitment.json lists the lines and stays
with the labels, since a sample label's own hash gives it away. challenge.yaml is not covered: a deadline may move.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from evaluator.dataset import DEAL, MANIFEST, SPLITS, DatasetError, Manifest, file_entry

FILE: Final = "commitment.json"
VERSION: Final = 1


@dataclass(frozen=True, kw_only=True)
class Commitment:
    """The lines that are hashed."""

    lines: Mapping[str, str]  # path within the challenge's folder -> sha256

    @property
    def sha256(self) -> str:
        """The hash to publish."""
        text = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(self.lines.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Hash a challenge's folder as it is. Raises DatasetError where it has no manifest that can be read."""
        datasets = Manifest.read(folder).datasets
        places = (folder / dataset / f"{split}_label" for dataset in datasets for split in SPLITS)
        labels = (path for place in places for path in place.rglob("*") if path.is_file())
        found = [folder / MANIFEST, folder / DEAL, *(path for path in labels if not path.name.startswith("."))]
        return cls(lines={path.relative_to(folder).as_posix(): file_entry(path).sha256 for path in found})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read commitment.json. Raises DatasetError where it is absent or damaged."""
        try:
            fields: dict[str, Any] = json.loads((folder / FILE).read_bytes())
            kept = cls(lines={str(path): str(sha256) for path, sha256 in fields["lines"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError([f"{folder / FILE}: cannot be read: {error!r}"]) from error
        if kept.sha256 != fields.get("commitment"):
            raise DatasetError([f"{folder / FILE}: its lines are not what its own commitment says: it was changed"])
        return kept

    def write(self, folder: Path) -> None:
        """Write commitment.json: for the organizer, as the labels are."""
        fields = {"version": VERSION, "commitment": self.sha256, "lines": dict(sorted(self.lines.items()))}
        (folder / FILE).write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


def broken(folder: Path, commitment: str) -> list[str]:
    """Compare a challenge's folder with a published hash; gives a complaint for each thing that changed, or none.

    Volumes, tables and recipe are compared with the manifest, the rest with the lines of commitment.json. Raises
    DatasetError where the folder's manifest cannot be read.
    """
    found = Commitment.of(folder)
    manifest = Manifest.read(folder)
    complaints = [line for dataset in manifest.datasets for line in manifest.verify(folder, dataset)]
    complaints += manifest.verify_files(folder)
    if found.sha256 == commitment.strip().lower():
        return complaints
    return [*_changed(folder, found, commitment), *complaints]


def _changed(folder: Path, found: Commitment, commitment: str) -> list[str]:
    """Name what is not as it was, as far as commitment.json can tell."""
    said = f"the folder's commitment is {found.sha256}, not {commitment}"
    try:
        kept = Commitment.read(folder)
    except DatasetError as error:
        return [f"{said}; which file changed cannot be told: {error}"]
    if kept.sha256 != commitment.strip().lower():
        return [f"{said}; {FILE} is of another commitment, {kept.sha256}: which file changed cannot be told"]
    lines = [f"{path}: is not as it was" for path in sorted(kept.lines) if found.lines.get(path) != kept.lines[path]]
    lines += [f"{path}: was not there" for path in sorted(set(found.lines) - set(kept.lines))]
    return [said, *lines]
