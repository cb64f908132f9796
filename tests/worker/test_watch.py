"""What a container leaves while it runs, looked at without believing it."""

import os
from pathlib import Path

import pytest

from worker.runners.base import Ended
from worker.runners.watch import OutputWatch, end_reason


def watch(folder: Path, *, limit_bytes: int = 10**6) -> OutputWatch:
    return OutputWatch(folder, expected={"a", "b"}, limit_bytes=limit_bytes)


def test_a_prediction_is_seen_when_it_is_first_there(tmp_path: Path) -> None:
    looking = watch(tmp_path)
    looking.look(1.0)
    (tmp_path / "a").write_text("x", encoding="ascii")
    looking.look(2.0)
    looking.look(3.0)
    assert looking.seen_at_s == {"a": 2.0}
    assert looking.done == 1


def test_what_nobody_expects_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("x", encoding="ascii")
    looking = watch(tmp_path)
    looking.look(1.0)
    assert looking.done == 0


def test_an_empty_file_is_not_written_yet(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    looking = watch(tmp_path)
    looking.look(1.0)
    assert looking.done == 0


def test_links_folders_and_pipes_are_not_predictions(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "b")
    looking = watch(tmp_path)
    looking.look(1.0)
    assert looking.done == 0


def test_a_plain_folder_is_full_when_its_files_take_more_than_the_cap(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "file").write_bytes(os.urandom(50_000))
    assert not watch(tmp_path, limit_bytes=100_000).is_full()
    assert watch(tmp_path, limit_bytes=40_000).is_full()


def test_a_link_s_target_takes_no_room(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "large").write_bytes(os.urandom(50_000))
    (folder / "link").symlink_to(tmp_path / "large")
    (folder / "around").symlink_to(folder)
    assert not watch(folder, limit_bytes=10_000).is_full()


def test_a_plain_folder_is_full_when_it_has_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.runners.watch.ENTRIES_MAX", 3)
    for number in range(3):
        (tmp_path / str(number)).touch()
    assert not watch(tmp_path).is_full()
    (tmp_path / "one too many").touch()
    assert watch(tmp_path).is_full()


@pytest.mark.parametrize(
    ("exited", "full", "late", "cancelled", "reason"),
    [
        (False, False, False, False, None),
        (True, False, False, False, Ended.EXITED),
        (False, False, True, False, Ended.BUDGET),
        (False, True, False, False, Ended.OUTPUT_FULL),
        (False, False, False, True, Ended.CANCELLED),
        (True, True, False, False, Ended.OUTPUT_FULL),  # it ended because of that
        (True, False, True, False, Ended.EXITED),  # seen late, but it ended by itself
        (False, False, True, True, Ended.CANCELLED),  # nobody wants to know about its budget
    ],
)
def test_a_run_is_over_for_one_reason(
    *, exited: bool, full: bool, late: bool, cancelled: bool, reason: Ended | None
) -> None:
    assert end_reason(exited=exited, full=full, late=late, cancelled=cancelled) is reason
