"""The wheels an image needs, fetched outside it: for the image's own Python and platform, not for ours."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("nibabel", "numpy")
OLDEST_GLIBC_MINOR = 17  # manylinux2014; wheels for older ones have died out
# Printed by the image's own interpreter, which may be another version than ours.
PROBE = (
    "python",
    "-c",
    "import platform as p, sys; print('python', *sys.version_info[:2], p.machine(), p.libc_ver()[1] or 'none')",
)


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What decides which wheel fits."""

    python: str  # 3.11
    machine: str  # x86_64, aarch64
    glibc_minor: int  # of glibc 2

    @classmethod
    def parse(cls, printed: str) -> "Platform":
        """Read what PROBE printed. Raises ValueError with that text where it is something else."""
        found = re.search(r"^python (\d+) (\d+) (\w+) 2\.(\d+)", printed, re.MULTILINE)
        if found is None:
            raise ValueError(
                f"the base image's python said {printed.strip()!r}: a base needs `python` 3 with pip, and glibc"
            )
        major, minor, machine, glibc = found.groups()
        return cls(python=f"{major}.{minor}", machine=machine, glibc_minor=int(glibc))

    @property
    def tags(self) -> list[str]:
        """Every platform tag whose wheels run there, as pip names them, newest first."""
        modern = [
            f"manylinux_2_{minor}_{self.machine}" for minor in range(self.glibc_minor, OLDEST_GLIBC_MINOR - 1, -1)
        ]
        return [*modern, f"manylinux2014_{self.machine}"]


class WheelsNotFoundError(Exception):
    """Pip found no fitting wheels, or no registry."""


def download(platform: Platform, into: Path) -> None:
    """Put the wheels of PACKAGES and of what they need into a folder.

    Raises WheelsNotFoundError with what pip said.
    """
    into.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", str(into)]
    command += ["--python-version", platform.python, "--implementation", "cp"]
    for tag in platform.tags:
        command += ["--platform", tag]
    done = subprocess.run([*command, *PACKAGES], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise WheelsNotFoundError(f"pip download for {platform} ended with {done.returncode}:\n{done.stderr}")
