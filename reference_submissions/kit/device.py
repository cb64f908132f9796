"""Where a method on torch computes: the GPU if there is one, else as many threads as the container may use."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from reference_submissions.kit.detector import Array

QUOTAS = (  # processor time a period, as the kernel's two kinds of control groups state it
    (Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu.max")),
    (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")),
)


def best() -> torch.device:
    """CUDA if it is there, else the CPU, with no more threads than processors may be used, or OMP_NUM_THREADS says."""
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")  # TF32: 10 bits of mantissa, as half precision has
        return torch.device("cuda")
    torch.set_num_threads(min(torch.get_num_threads(), processors()))
    return torch.device("cpu")


def autocast(device: torch.device, *, training: bool = False) -> AbstractContextManager[None]:
    """Mixed precision on CUDA: bfloat16 while training (no loss scaling), float16 (three bits finer) to predict.

    On a CPU all stays float32. Leave it out where scores are gradients or small differences.
    """
    kind = torch.bfloat16 if training else torch.float16
    return torch.autocast(device.type, dtype=kind, enabled=device.type == "cuda")


def tensor(array: npt.NDArray[np.floating], device: torch.device) -> torch.Tensor:
    """Numbers as float32 on a device."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(device)


def array(values: torch.Tensor) -> Array:
    """Numbers as float32 in numpy."""
    return np.asarray(values.detach().float().cpu().numpy(), dtype=np.float32)


def processors() -> int:
    """How many processors this process may use: those it is bound to, or its container's share of time, rounded up.

    Without this, torch starts a thread for each processor of the host, and they wait for each other.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # not on macOS
    for quota_file, period_file in QUOTAS:
        if quota_file.is_file() and period_file.is_file():
            quota, period = quota_file.read_text().split()[0], period_file.read_text().split()[-1]
            if quota not in {"max", "-1"}:
                return max(1, min(bound, -(-int(quota) // int(period))))
    return bound
