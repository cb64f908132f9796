import os
from pathlib import Path

import numpy as np
import pytest
import torch

from reference_submissions.kit import device


@pytest.mark.parametrize(
    ("quota", "expected"), [("200000 100000\n", 2), ("150000 100000\n", 2), ("max 100000\n", 8), ("1000 100000\n", 1)]
)
def test_threads_follow_the_container_s_share(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(device, "QUOTAS", ((tmp_path / "cpu.max", tmp_path / "cpu.max"),))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))

    assert device.processors() == expected


def test_where_a_process_cannot_be_bound_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setattr(device, "QUOTAS", ())

    assert device.processors() == 5


def test_older_control_groups_state_it_in_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quota").write_text("-1\n")
    (tmp_path / "period").write_text("100000\n")
    monkeypatch.setattr(device, "QUOTAS", ((tmp_path / "quota", tmp_path / "period"),))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)))

    assert device.processors() == 3
    (tmp_path / "quota").write_text("100000\n")
    assert device.processors() == 1


def test_fewer_threads_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "processors", lambda: 8)
    try:
        torch.set_num_threads(1)

        assert device.best() == torch.device("cpu")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_numbers_go_to_the_device_and_come_back() -> None:
    values = np.arange(6, dtype=np.float64).reshape(2, 3).T

    there = device.tensor(values, torch.device("cpu"))

    assert there.dtype == torch.float32
    np.testing.assert_array_equal(device.array(there.requires_grad_()), values)


def test_a_cpu_computes_in_single_precision() -> None:
    with device.autocast(torch.device("cpu"), training=True):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
