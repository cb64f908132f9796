"""The wheels an image needs, fetched outside it: for the image's own Python and platform, not for ours."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

# Where a method allows it. Whether this torch is for the CPU or brings gigabytes of CUDA along, the index decides.
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
    installed: Mapping[str, str]  # version by distribution, as indexes spell it; without TOOLS

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
        readable: dict[str, str] = {canonicalize_name(name): number for name, number in named if _is_version(number)}
        installed = {name: number for name, number in readable.items() if name not in TOOLS}
        return cls(python=f"{major}.{minor}", machine=machine, glibc_minor=int(glibc), installed=installed)

    @property
    def tags(self) -> list[str]:
        """Every platform tag whose wheels run there, as pip names them, newest first."""
        modern = [
            f"manylinux_2_{minor}_{self.machine}" for minor in range(self.glibc_minor, OLDEST_GLIBC_MINOR - 1, -1)
        ]
        return [*modern, f"manylinux2014_{self.machine}"]

    def lacks(self, packages: Sequence[str]) -> list[str]:
        """Those that are not installed there in a version that will do."""
        return [package for package in packages if not self._has(Requirement(package))]

    def _has(self, wanted: Requirement) -> bool:
        number = self.installed.get(canonicalize_name(wanted.name))
        return number is not None and wanted.specifier.contains(number, prereleases=True)


class WheelsNotFoundError(Exception):
    """Pip found no fitting wheels, or no registry."""


def is_pinned(package: str) -> bool:
    """Does PINS name it, whatever version is asked for?"""
    return canonicalize_name(Requirement(package).name) in PINS


def pins(packages: Sequence[str]) -> dict[str, str]:
    """Give those of PINS that some packages allow, whether or not they name them."""
    wanted = [Requirement(package) for package in packages]
    return {
        name: pin
        for name, pin in PINS.items()
        if all(
            each.specifier.contains(pin.partition("==")[2]) for each in wanted if canonicalize_name(each.name) == name
        )
    }


def download(platform: Platform, packages: Sequence[str], into: Path) -> None:
    """Put the wheels of some packages, and of what they need that is not installed, into a folder.

    What is installed keeps its version. Raises WheelsNotFoundError with what pip said.
    """
    into.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="mood-installed-") as folder:
        held = [_stand_in(name, number, Path(folder)) for name, number in platform.installed.items()]
        held += [pin for name, pin in pins(packages).items() if name not in platform.installed]
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("".join(f"{each}\n" for each in held), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", str(into)]
        command += ["--python-version", platform.python, "--implementation", "cp"]
        command += ["--find-links", folder, "--constraint", str(constraints)]
        for tag in platform.tags:
            command += ["--platform", tag]
        done = subprocess.run([*command, *packages], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise WheelsNotFoundError(f"pip download for {platform} ended with {done.returncode}:\n{done.stderr}")
    for wheel in into.glob("*.whl"):
        if canonicalize_name(wheel.name.split("-")[0]) in platform.installed:
            wheel.unlink()


def _stand_in(name: str, number: str, into: Path) -> str:
    """Write an empty wheel for what is installed, which pip takes for it; gives the constraint that makes it.

    No index has a GPU base's torch 2.9.0+cu126, and the torch 2.9.0 that it has may need another CUDA than the base's.
    """
    number = number if "+" in number else f"{number}+installed"  # a local version is no index's
    stem = f"{name.replace('-', '_')}-{number}"
    with ZipFile(into / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return f"{name}=={number}"


def _is_version(number: str) -> bool:
    """Can pip read it? Debian's own packages have others, which nothing on an index asks for."""
    try:
        Version(number)
    except InvalidVersion:
        return False
    return True
