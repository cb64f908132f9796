"""What of a build is complete: a line for each case with its files' hashes, so that a build can go on.

    {"fingerprint": …}                                  the plan that is being built
    {"case": …, "files": {path: sha256}, "row": {…}}    one for each case that is complete

Whoever kills the build may tear the last line; it is then as if the case had not been made.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from evaluator.dataset import file_entry
from toy_cases.nifti import write_bytes
from toy_cases.sets import SetName

NAME = "journal.jsonl"


class Journal:
    """Reads what is complete and adds to it. Without a path it keeps nothing."""

    def __init__(self, path: Path | None, fingerprint: str, complete: dict[str, dict[str, Any]]) -> None:
        self._path, self._fingerprint = path, fingerprint
        self.complete = complete  # key of a case -> its line

    @classmethod
    def open(cls, path: Path | None, fingerprint: str, folders: Mapping[SetName, Path]) -> Self:
        """Read a journal and keep the lines whose files are there, whole; begin one where there is none.

        Raises ValueError where it belongs to another plan.
        """
        lines = [] if path is None else _lines(path)
        if lines and lines[0].get("fingerprint") != fingerprint:
            raise ValueError(
                f"{path} is of another recipe, other scans or another version of the program: "
                "name a new folder, or remove this one"
            )
        complete = {line["case"]: line for line in lines[1:] if _holds(line, folders)}
        journal = cls(path, fingerprint, complete)
        journal.close()
        return journal

    def add(self, case: str, files: Mapping[str, str], row: Mapping[str, str] | None, remark: str) -> None:
        """Write down that a case is complete."""
        line = {"case": case, "files": dict(files), "row": None if row is None else dict(row), "remark": remark}
        self.complete[case] = line
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Write all lines anew, by case: whatever order they came in, complete builds have equal journals."""
        if self._path is not None:
            lines = [{"fingerprint": self._fingerprint}, *(self.complete[case] for case in sorted(self.complete))]
            content = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
            write_bytes(self._path, content.encode())


def _lines(path: Path) -> list[dict[str, Any]]:
    """Read whole lines up to the first that is torn."""
    found = []
    if not path.is_file():
        return []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found


def _holds(line: Mapping[str, Any], folders: Mapping[SetName, Path]) -> bool:
    """See whether a case's files are what the journal says."""
    home = folders[SetName(line["case"].split("/", 1)[0])]
    return all(_is(home / name, sha256) for name, sha256 in line["files"].items())


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and file_entry(path).sha256 == sha256
