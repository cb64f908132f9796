"""What killed workers leave behind goes; what belongs to the living stays."""

from pathlib import Path

from worker.reaper import LABEL, reap
from worker.runners.docker import Found
from worker.workspace import Scratch


class Shelf:
    """Containers by the worker's folder on their label: what of an engine the reaper uses."""

    def __init__(self, *folders: Path) -> None:
        self.running = {f"container of {folder.name}": f"{LABEL}={folder}" for folder in folders}

    def containers(self, label: str) -> list[Found]:
        return [Found(id=container, labels={}) for container, has in self.running.items() if has == label]

    def remove(self, container: str) -> None:
        del self.running[container]

    def remove_volumes(self, label: str) -> None:
        """There are none."""


def left_by(root: Path, name: str) -> Path:
    """The folder of a worker that was killed during a run."""
    with Scratch(root, name) as scratch:
        run = scratch.runs / "mood-1234"
        (run / "input").mkdir(parents=True)
    return scratch.folder


def test_a_dead_worker_s_containers_and_folders_go(tmp_path: Path) -> None:
    dead = left_by(tmp_path, "dead")
    shelf = Shelf(dead)
    with Scratch(tmp_path, "me") as me:
        assert reap(me, shelf) == 2
    assert shelf.running == {}
    assert list((dead / "runs").iterdir()) == []


def test_a_living_worker_s_stay(tmp_path: Path) -> None:
    with Scratch(tmp_path, "alive") as alive, Scratch(tmp_path, "me") as me:
        (alive.runs / "mood-1234").mkdir()
        shelf = Shelf(alive.folder)
        assert reap(me, shelf) == 0
        assert len(shelf.running) == 1
        assert (alive.runs / "mood-1234").exists()


def test_a_worker_s_own_leftovers_go_when_it_starts_again(tmp_path: Path) -> None:
    folder = left_by(tmp_path, "me")
    shelf = Shelf(folder)
    with Scratch(tmp_path, "me") as me:
        assert reap(me, shelf) == 2
    assert shelf.running == {}


def test_what_is_no_worker_s_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "somebody's" / "runs" / "x").mkdir(parents=True)
    with Scratch(tmp_path, "me") as me:
        assert reap(me, Shelf(tmp_path / "somebody's")) == 0
    assert (tmp_path / "somebody's" / "runs" / "x").exists()
