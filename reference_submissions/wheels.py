"""The wheels an image needs, fetched outside it: for the image's own Python and platform, not for ours."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

# Where any version would do but one: others of torch bring gigabytes of CUDA along.
PINS = MappingProxyType({"torch": "torch==2.13.0"})
TOOLS = {"pip", "setuptools", "wheel"}  # a base's own are old; who needs one brings a newer one along
OLDEST_GLIBC_MINOR = 17  # manylinux2014; wheels for older ones have died out
# Printed by the image's own interpreter, which may be another version than ours.
PROGRAM = """
import platform, sys
from importlib.metadata import distributions
print("python", *sys.version_info[:2], platform.machine(), platform.libc_ver()[1] or "none")
for each in distributions():
    print("has", each.metadata["Name"], each.version)
"""
PROBE = ("python", "-c", PROGRAM)


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What decides which wheel fits, and what is there already."""

    python: str  # 3.11
    machine: str  # x86_64, aarch64
    glibc_minor: int  # of glibc 2
    installed: Mapping[str, str]  # version by distribution, as `canonical` spells it; without TOOLS

    @classmethod
    def parse(cls, printed: str) -> "Platform":
        """Read what PROBE printed. Raises ValueError with that text where it is something else."""
        found = re.search(r"^python (\d+) (\d+) (\w+) 2\.(\d+)", printed, re.MULTILINE)
        if found is None:
            raise ValueError(
                f"the base image's python said {printed.strip()!r}: a base needs `python` 3 with pip, and glibc"
            )
        major, minor, machine, glibc = found.groups()
        named = re.findall(r"^has (\S+) (\S+)$", printed, re.MULTILINE)
        installed = {canonical(name): number for name, number in named if canonical(name) not in TOOLS}
        return cls(python=f"{major}.{minor}", machine=machine, glibc_minor=int(glibc), installed=installed)

    @property
    def tags(self) -> list[str]:
        """Every platform tag whose wheels run there, as pip names them, newest first."""
        modern = [
            f"manylinux_2_{minor}_{self.machine}" for minor in range(self.glibc_minor, OLDEST_GLIBC_MINOR - 1, -1)
        ]
        return [*modern, f"manylinux2014_{self.machine}"]

    def lacks(self, packages: Sequence[str]) -> list[str]:
        """Those that are not installed there."""
        return [package for package in packages if canonical(package) not in self.installed]


class WheelsNotFoundError(Exception):
    """Pip found no fitting wheels, or no registry."""


def canonical(distribution: str) -> str:
    """A distribution's name as indexes compare it: lower case, one hyphen between words."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def download(platform: Platform, packages: Sequence[str], into: Path) -> None:
    """Put the wheels of some packages, and of what they need that is not installed, into a folder.

    What is installed keeps its version. Raises WheelsNotFoundError with what pip said.
    """
    into.mkdir(parents=True)
    kept = into / "installed.txt"
    kept.write_text("".join(f"{name}=={number}\n" for name, number in platform.installed.items()), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", str(into)]
    command += ["--python-version", platform.python, "--implementation", "cp", "--constraint", str(kept)]
    for tag in platform.tags:
        command += ["--platform", tag]
    wanted = [PINS.get(package, package) for package in packages]
    done = subprocess.run([*command, *wanted], check=False, capture_output=True, text=True)
    kept.unlink()
    if done.returncode != 0:
        raise WheelsNotFoundError(f"pip download for {platform} ended with {done.returncode}:\n{done.stderr}")
    for wheel in into.glob("*.whl"):
        if canonical(wheel.name.split("-")[0]) in platform.installed:
            wheel.unlink()
