"""What a container holds now, read where the kernel keeps it: its control group, many times a second.

The engine answers the same question once a second, too seldom for a short run. Where the engine is not on
this machine its control groups are not to be seen either; then nothing is read here.
"""

from pathlib import Path, PurePosixPath

ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")


def control_group(pid: int, container: str, *, root: Path = ROOT, proc: Path = PROC) -> Path | None:
    """Find the folder that accounts for a container's memory by its main process (cgroup v1 or v2).

    None: it has ended, or it is not on this machine.
    """
    try:
        lines = (proc / str(pid) / "cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        hierarchy, controllers, path = line.split(":", 2)
        if container not in path:  # another process got the number
            continue
        relative = PurePosixPath(path).relative_to("/")
        if "memory" in controllers.split(","):
            return root / "memory" / relative
        if hierarchy == "0" and (root / relative / "memory.current").exists():
            return root / relative
    return None


def held_bytes(group: Path) -> int | None:
    """What a control group holds now, without the page cache that could be dropped. None: it is gone."""
    v1 = (group / "memory.usage_in_bytes", "total_inactive_file")
    v2 = (group / "memory.current", "inactive_file")
    usage, droppable = v1 if v1[0].exists() else v2
    try:
        used = int(usage.read_text(encoding="ascii"))
        detail = dict(line.split(" ", 1) for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
    except OSError:
        return None
    return max(0, used - int(detail.get(droppable, 0)))
