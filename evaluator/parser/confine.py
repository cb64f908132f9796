"""Gives up, for good, what reading a file does not need: network, files, privileges, processes, memory.

Linux only. As root a process can give up all of it; as an ordinary user what the kernel allows, and
`confine` says which is which.
"""

import ctypes
import os
import resource
import signal
from pathlib import Path
from typing import Final

_NEW_USER, _NEW_NET, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000  # unshare(2)
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_NO_NEW_PRIVS = 1, 4, 38  # prctl(2)
_CAPABILITY_VERSION_3: Final = 0x20080522
_NOBODY: Final = 65534
_SPARE_BYTES: Final = 512 << 20  # address space beyond what the loaded libraries take
_MOST_FILES: Final = 16

_libc = ctypes.CDLL(None, use_errno=True)


def confine() -> dict[str, str]:
    """Give up what can be given up; call it after every import. Gives thing -> "ok" or the complaint.

    As root the process leaves the file system too: it must have been started in an empty folder.
    """
    privileged = os.geteuid() == 0
    mapped_bytes = _address_space_bytes()
    network = _unshare(_NEW_NET | _NEW_IPC) if privileged else _unshare(_NEW_USER | _NEW_NET | _NEW_IPC)
    if privileged:
        os.chroot(".")
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    report = {"network": network, "files": "ok" if privileged else "readable: the parent is not root"}
    report["privileges"] = _drop_capabilities()
    for option, value in ((_SET_PDEATHSIG, signal.SIGKILL), (_SET_DUMPABLE, 0), (_SET_NO_NEW_PRIVS, 1)):
        if _libc.prctl(option, int(value), 0, 0, 0):
            report["privileges"] = os.strerror(ctypes.get_errno())
    _limit(mapped_bytes + _SPARE_BYTES)
    return report


def _limit(address_space_bytes: int) -> None:
    """Bound memory, files and processes; write nothing anywhere."""
    limits = {
        resource.RLIMIT_AS: address_space_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _MOST_FILES,
        resource.RLIMIT_NPROC: 0,
    }
    for which, most in limits.items():
        resource.setrlimit(which, (most, most))


def limit_cpu(more_s: int) -> None:
    """End this process when it has used so many seconds more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + more_s + 1, hard))


def _unshare(flags: int) -> str:
    return "ok" if _libc.unshare(flags) == 0 else f"reachable: {os.strerror(ctypes.get_errno())}"


def _drop_capabilities() -> str:
    """Empty the capabilities that a user namespace gave; root's went with its uid."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    return "ok" if _libc.capset(header, nothing) == 0 else os.strerror(ctypes.get_errno())


def _address_space_bytes() -> int:
    """Give what the process has mapped now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
