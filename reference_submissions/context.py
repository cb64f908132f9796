"""A method's folder made into a build context that works wherever it is copied to."""

import shutil
from pathlib import Path

HERE = Path(__file__).resolve().parent
METHODS = ("constant", "intensity_distance", "pca")
KIT = ("__init__.py", "kit.py")  # what an image gets of this package


def prepare(name: str, into: Path, *, wheels: Path) -> Path:
    """Copy a method's Dockerfile and workspace, the kit and the wheels into a new folder; gives it.

    Weights, where the method has any, are added to `into/workspace` by whoever trains it.
    """
    method = HERE / name
    if name not in METHODS:
        raise ValueError(f"no reference submission {name!r}; there are {', '.join(METHODS)}")
    into.mkdir(parents=True)
    shutil.copy(method / "Dockerfile", into)
    shutil.copytree(method / "workspace", into / "workspace", ignore=shutil.ignore_patterns("__*__*", "*.npz"))
    kit = into / "kit" / "reference_submissions"
    kit.mkdir(parents=True)
    for file in KIT:
        shutil.copy(HERE / file, kit)
    shutil.copytree(wheels, into / "wheels")
    return into
