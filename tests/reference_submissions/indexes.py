"""An index of packages without code, the only one that pip sees."""

import os
from pathlib import Path
from zipfile import ZipFile


def offer(index: Path, name: str, version: str, *needs: str) -> None:
    """Put a wheel into an index."""
    index.mkdir(exist_ok=True)
    described = f"{name}-{version}.dist-info"
    with ZipFile(index / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        required = "".join(f"Requires-Dist: {need}\n" for need in needs)
        wheel.writestr(f"{described}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}")
        wheel.writestr(f"{described}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{described}/RECORD", "")


def environment(index: Path) -> dict[str, str]:
    """What tells pip to look nowhere else."""
    return {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
