"""A container's memory is read from its own control group, and from nobody else's."""

from pathlib import Path

import pytest

from worker.runners.memory import control_group, held_bytes

ID = "5f" * 32


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "proc" / "7").mkdir(parents=True)
    return tmp_path / "proc"


def test_version_1_names_the_memory_hierarchy(tmp_path: Path, proc: Path) -> None:
    (proc / "7" / "cgroup").write_text(f"8:pids:/docker/{ID}\n4:memory:/docker/{ID}\n0::/\n")
    assert control_group(7, ID, root=tmp_path, proc=proc) == tmp_path / "memory" / "docker" / ID


def test_version_2_has_one_hierarchy(tmp_path: Path, proc: Path) -> None:
    group = tmp_path / "system.slice" / f"docker-{ID}.scope"
    group.mkdir(parents=True)
    (group / "memory.current").write_text("1\n")
    (proc / "7" / "cgroup").write_text(f"0::/system.slice/docker-{ID}.scope\n")
    assert control_group(7, ID, root=tmp_path, proc=proc) == group


def test_a_number_that_another_process_got_is_not_taken_for_the_container(tmp_path: Path, proc: Path) -> None:
    (proc / "7" / "cgroup").write_text("4:memory:/user.slice\n")
    assert control_group(7, ID, root=tmp_path, proc=proc) is None


def test_a_process_that_ended_has_no_group(tmp_path: Path, proc: Path) -> None:
    assert control_group(8, ID, root=tmp_path, proc=proc) is None


@pytest.mark.parametrize(
    ("usage", "droppable"), [("memory.usage_in_bytes", "total_inactive_file"), ("memory.current", "inactive_file")]
)
def test_cache_that_could_be_dropped_is_left_out(tmp_path: Path, usage: str, droppable: str) -> None:
    (tmp_path / usage).write_text("1000\n")
    (tmp_path / "memory.stat").write_text(f"cache 900\n{droppable} 300\n")
    assert held_bytes(tmp_path) == 700


def test_a_group_that_is_gone_holds_nothing_known(tmp_path: Path) -> None:
    assert held_bytes(tmp_path / "gone") is None
