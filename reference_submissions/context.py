"""A trained method made into a build context: a folder that `docker build` takes, wherever it is copied to."""

import ast
import shlex
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from reference_submissions import wheels
from reference_submissions.kit.costs import Cost
from reference_submissions.method import HERE, Method

TEMPLATES = HERE / "kit" / "templates"
TASKS = ("sample", "pixel")
KIT = ("nibabel", "numpy")  # packages that every image needs
LEFT_OUT = ("__pycache__", ".*", "test_*.py")  # of any folder of code
LEFT_OUT_OF_OURS = ("README.md", "skeleton", "templates", "checks.py")
SCANS = ("*.nii", "*.nii.gz")  # left out too: patients' are nobody's to hand on


def prepare(method: Method, weights: Path, into: Path) -> Path:
    """Write Dockerfile, entry scripts, code and weights into a new folder; gives it.

    weights: a folder for each data set, as `Method.train` wrote it. The image has the two entry scripts of each.
    """
    packages = packages_of(method)
    workspace = into / "workspace"
    workspace.mkdir(parents=True)
    dockerfile = (TEMPLATES / "Dockerfile").read_text(encoding="utf-8")
    dockerfile = dockerfile.replace("{packages}", shlex.join(packages))
    dockerfile = dockerfile.replace("{pins}", shlex.join(wheels.pins(packages).values()))
    (into / "Dockerfile").write_text(dockerfile, encoding="utf-8")
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
    """What its image has to have, as pip reads it. Raises ValueError where pip could not."""
    try:
        return [*KIT, *(str(Requirement(need)) for need in method.detector().needs)]
    except InvalidRequirement as error:
        raise ValueError(f"{method.name}: needs names what is no requirement of pip's: {error}") from error


def files(folder: Path) -> list[Path]:
    """What of a folder of code goes into an image."""
    return [path for path in _walked(folder) if not _is_any(path, SCANS)]


def scans(folder: Path) -> list[Path]:
    """What would go in, were it no scan."""
    return [path for path in _walked(folder) if _is_any(path, SCANS)]


def labels(method: Method, weights: Path) -> dict[str, str]:
    """What the image says of itself: `docker inspect` shows what it costs."""
    costs = {f"mood.cost.{folder.name}": Cost.load(folder).json() for folder in sorted(weights.iterdir())}
    return {"mood.method": method.name, **costs}


def _copy_code(method: Method, into: Path) -> None:
    """Copy the kit, the method, and whatever of ours that imports."""
    ours = into / HERE.name
    _copy(HERE, [HERE / "__init__.py"], ours)
    if method.folder.parent != HERE:
        _copy(method.folder, files(method.folder), into / method.name)
    for name in sorted({"kit"} | _used(method.folder, {method.folder})):
        _copy(HERE / name, files(HERE / name), ours / name)


def _copy(folder: Path, paths: Iterable[Path], into: Path) -> None:
    for path in paths:
        target = into / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _walked(folder: Path) -> Iterator[Path]:
    left_out = (*LEFT_OUT, *LEFT_OUT_OF_OURS) if folder.is_relative_to(HERE) else LEFT_OUT
    for path in sorted(folder.iterdir()):
        if _is_any(path, left_out):
            continue
        if path.is_dir():
            yield from _walked(path)
        else:
            yield path


def _is_any(path: Path, patterns: Sequence[str]) -> bool:
    return any(path.match(pattern) for pattern in patterns)


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
    for path in files(folder):
        if path.suffix != ".py":
            continue
        with suppress(SyntaxError):  # what cannot be read is imported by nobody
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Import):
                    yield from (name.name for name in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield from (f"{node.module}.{name.name}" for name in node.names)
