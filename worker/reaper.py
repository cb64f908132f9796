"""Removes what killed workers left behind: containers that still run, folders that are still mounted.

A worker is alive as long as it holds its lock; what belongs to one that is not, is nobody's.
"""

import logging
from pathlib import Path
from typing import Protocol

from worker.runners.docker import Found
from worker.workspace import RUNS, Scratch, abandoned, remove

log = logging.getLogger(__name__)

LABEL = "mood.worker"  # on every container and volume: its worker's scratch folder


class Containers(Protocol):
    """What of an engine is needed here."""

    def containers(self, label: str) -> list[Found]:
        """Give all containers with a label."""

    def remove(self, container: str) -> None:
        """Remove one, running or not."""

    def remove_volumes(self, label: str) -> None:
        """Remove the volumes with a label that no container uses."""


def reap(scratch: Scratch, engine: Containers) -> int:
    """Remove the leftovers of dead workers of this scratch, and this one's own.

    Call it between jobs only: everything of this worker goes. Gives how many containers and folders went.
    """
    gone = _clean(scratch.folder, engine)
    for neighbour in scratch.neighbours():
        with abandoned(neighbour) as dead:
            if dead:
                gone += _clean(neighbour, engine)
    return gone


def _clean(folder: Path, engine: Containers) -> int:
    label = f"{LABEL}={folder}"
    left = engine.containers(label)
    for container in left:
        log.warning("removing a container nobody watches", extra={"container": container.id})
        engine.remove(container.id)
    runs = sorted((folder / RUNS).iterdir()) if (folder / RUNS).is_dir() else []
    for run in runs:
        log.warning("removing a run's folder nobody needs", extra={"folder": str(run)})
        remove(run)
    engine.remove_volumes(label)
    return len(left) + len(runs)
