"""A trained method made into a build context: a folder that `docker build` takes, wherever it is copied to."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

from reference_submissions.kit.costs import Cost
from reference_submissions.method import HERE, Method

TEMPLATES = HERE / "kit" / "templates"
TASKS = ("sample", "pixel")
KIT = ("nibabel", "numpy")  # packages that every image needs
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "README.md", "test_*.py", "skeleton", "templates", "checks.py")


def prepare(method: Method, weights: Path, into: Path) -> Path:
    """Write Dockerfile, entry scripts, code and weights into a new folder; gives it.

    weights: a folder for each data set, as `Method.train` wrote it. The image has the two entry scripts of each.
    """
    workspace = into / "workspace"
    workspace.mkdir(parents=True)
    dockerfile = (TEMPLATES / "Dockerfile").read_text(encoding="utf-8")
    packages = " ".join(packages_of(method))
    (into / "Dockerfile").write_text(dockerfile.replace("{packages}", packages), encoding="utf-8")
    script = (TEMPLATES / "run.sh").read_text(encoding="utf-8")
    for dataset in sorted(path.name for path in weights.iterdir()):
        for task in TASKS:
            text = script.replace("{module}", method.module).replace("{dataset}", dataset).replace("{task}", task)
            (workspace / f"run_{task}_{dataset}.sh").write_text(text, encoding="utf-8")
    shutil.copytree(weights, workspace / "weights")
    _copy_code(method, workspace)
    for path in [into, *into.rglob("*")]:  # an ordinary user reads them, whatever our umask is
        path.chmod(0o755 if path.is_dir() else 0o644)
    return into


def packages_of(method: Method) -> list[str]:
    """What its image has to have, as pip names it."""
    return [*KIT, *method.detector().needs]


def labels(method: Method, weights: Path) -> dict[str, str]:
    """What the image says of itself: `docker inspect` shows what it costs."""
    costs = {f"mood.cost.{folder.name}": Cost.load(folder).json() for folder in sorted(weights.iterdir())}
    return {"mood.method": method.name, **costs}


def _copy_code(method: Method, into: Path) -> None:
    """Copy the kit, the method, and whatever of ours that imports."""
    ours = into / HERE.name
    ours.mkdir()
    shutil.copy(HERE / "__init__.py", ours)
    if method.folder.parent != HERE:
        shutil.copytree(method.folder, into / method.name, ignore=LEFT_OUT)
    for name in sorted({"kit"} | _used(method.folder, {method.folder})):
        shutil.copytree(HERE / name, ours / name, ignore=LEFT_OUT)


def _used(folder: Path, seen: set[Path]) -> set[str]:
    """The folders of ours that one needs: itself, and what it imports, and so on."""
    own = {folder.name} if folder.parent == HERE else set()
    for module in _imports(folder):
        package, _, name = module.partition(".")
        part = HERE / name.split(".")[0]
        if package == HERE.name and name and part.is_dir() and part not in seen:
            own |= _used(part, seen | {part})
    return own


def _imports(folder: Path) -> Iterator[str]:
    """Every module that the code of a folder imports."""
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{name.name}" for name in node.names)
