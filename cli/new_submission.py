"""`mood new-submission`: a folder with a method that works, to write over."""

import re
from importlib.util import find_spec
from pathlib import Path

import typer

from cli.console import complain, out
from cli.images import tag_of
from reference_submissions.method import CODE, HERE, METHODS, Method

app = typer.Typer()
SKELETON = HERE / "kit" / "skeleton"
TESTS = HERE.parent / "tests" / HERE.name  # of a checkout


@app.command("new-submission")
def new_submission(name: str = typer.Argument(help="of the method, or the path of its folder")) -> None:
    """Write a folder with a method that works, its test and its README; change detector.py, and it is yours."""
    folder = Path(name).resolve()
    wrong = complaint(folder)
    if wrong:
        complain(wrong)
    written = write(Method(folder))
    for path in written:
        out.print(path, soft_wrap=True)
    out.print(
        f"Next: pytest {written[-1]}, then mood images {folder}; docs/making-an-image.md says more.", soft_wrap=True
    )


def complaint(folder: Path) -> str | None:
    """Say why a folder cannot be a new method; None: it can."""
    name = folder.name
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return f"{name!r} is no name for a method: lower-case letters, digits and underscores make one"
    if folder.exists():
        return f"{folder} exists: name a new folder"
    if folder.parent != HERE and name in METHODS:
        return f"{name!r} is a reference submission, whose image it would replace: choose another name"
    if folder.parent != HERE and find_spec(name) is not None:
        return f"{name!r} is a module that is installed here, which it would hide: choose another name"
    return None


def write(method: Method) -> list[Path]:
    """Copy the skeleton under a method's name; gives the files, the test last. A checkout's tests get that of ours."""
    ours = method.folder.parent == HERE and TESTS.is_dir()
    test = TESTS / f"test_{method.name}.py" if ours else method.folder / "test_detector.py"
    places = {file: method.folder / file for file in ("__init__.py", "README.md", CODE)} | {"test_detector.py": test}
    method.folder.mkdir(parents=True)
    for file, place in places.items():
        text = (SKELETON / file).read_text(encoding="utf-8").replace(f"{HERE.name}.kit.skeleton", method.package)
        text = text.replace(tag_of("skeleton"), tag_of(method.name))
        text = text.replace("Skeleton", camel_case(method.name)).replace("skeleton", method.name)
        place.write_text(text, encoding="utf-8")
    return list(places.values())


def camel_case(name: str) -> str:
    """Name a class as its module.

    >>> camel_case("patch_core_2")
    'PatchCore2'
    """
    return "".join(word.capitalize() for word in name.split("_"))
