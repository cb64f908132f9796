"""Who imports whom, which technology lives where, and other rules that hold by being tested."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from server.protocol import WarningCode

ROOT = Path(__file__).parents[1]
PACKAGES = ("server", "worker", "evaluator", "toy_cases", "reference_submissions", "cli")

# package -> what it may import of ours, beside itself
ARROWS = {
    "evaluator": set[str](),
    "worker": {"server.protocol", "evaluator"},
    "server": {"evaluator"},
    "toy_cases": {"evaluator.formats", "evaluator.deal", "evaluator.dataset"},
    "reference_submissions": set[str](),
    "cli": {"server", "worker", "evaluator", "toy_cases", "reference_submissions"},
}

# technology -> the only places that import it
HOMES = {
    "docker": {"worker/runners/docker.py"},
    "celery": {"server/queue.py", "worker/app.py"},
    "kombu": {"server/queue.py", "worker/app.py"},
    "fastapi": {"server/web/"},
    "starlette": {"server/web/"},
    "jinja2": {"server/web/"},
    "torch": {"reference_submissions/", "toy_cases/"},
    "torchio": {"toy_cases/anomalies/artefacts.py"},
    "pydicom": {"toy_cases/dicom.py"},
    "nilearn": {"toy_cases/template.py"},
    "numba": {"evaluator/compiled.py"},
    "isal": {"evaluator/inflate.py"},
    "cc3d": {"evaluator/components.py"},
    "cv2": {"evaluator/boxes.py"},
    "shapely": {"evaluator/boxes.py"},
    "altair": {"server/web/charts/"},
    "vl_convert": {"server/web/vector.py"},
    "weasyprint": {"server/web/pdf.py"},
    "PIL": {"server/web/pictures.py", "toy_cases/"},
}


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of ours by its path from the root."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def imports(tree: ast.AST) -> Iterator[str]:
    """Each imported module, and for `from a import b` also a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def within(module: str, places: set[str]) -> bool:
    """Is the module one of these, or inside one?"""
    return any(module == place or module.startswith(f"{place}.") for place in places)


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_go_one_way(package: str) -> None:
    wrong = [
        f"{path} imports {module}"
        for path, tree in sources().items()
        if path.startswith(f"{package}/")
        for module in imports(tree)
        if module.split(".")[0] in PACKAGES and not within(module, ARROWS[package] | {package})
    ]
    assert not wrong


def test_only_cli_and_web_import_web() -> None:
    wrong = [
        path
        for path, tree in sources().items()
        if not path.startswith(("server/web/", "cli/"))
        and any(within(module, {"server.web"}) for module in imports(tree))
    ]
    assert not wrong


@pytest.mark.parametrize("technology", HOMES)
def test_each_technology_has_one_home(technology: str) -> None:
    wrong = [
        path
        for path, tree in sources().items()
        if any(within(module, {technology}) for module in imports(tree))
        and not any(path.startswith(home) for home in HOMES[technology])
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("module", "loaded"),
    [
        ("evaluator", set()),
        ("evaluator.evaluation", {"numpy", "nibabel"}),
        ("evaluator.metrics", {"numpy"}),
        ("evaluator.parser.child", {"numpy", "nibabel"}),
    ],
)
def test_the_evaluator_loads_no_more_than_it_needs(module: str, loaded: set[str]) -> None:
    heavy = {"numpy", "nibabel", "numba", "cc3d", "cv2", "shapely", "sklearn", "torch"}
    program = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(found.stdout.split()) <= loaded


def test_the_environment_is_read_in_settings_alone() -> None:
    pattern = re.compile(r"\bos\.(environ|getenv)\b")
    wrong = [
        path
        for path in sources()
        if pattern.search((ROOT / path).read_text(encoding="utf-8"))
        and path not in {"server/settings.py", "worker/settings.py"}
        and not path.startswith(("cli/", "reference_submissions/"))
    ]
    assert not wrong


def test_protocol_needs_pydantic_alone() -> None:
    allowed = {"datetime", "enum", "typing", "pydantic"}
    assert {module.split(".")[0] for module in imports(sources()["server/protocol.py"])} <= allowed
    assert not list(imports(sources()["server/__init__.py"]))


def test_lifecycle_is_the_only_writer_of_a_status() -> None:
    pattern = re.compile(r"\.status\s*=[^=]|values\([^)]*\bstatus=")
    wrong = [
        path
        for path in sources()
        if path.startswith("server/")
        and path != "server/lifecycle.py"
        and pattern.search((ROOT / path).read_text(encoding="utf-8"))
    ]
    assert not wrong


def test_modules_say_what_they_answer_for() -> None:
    silent = [
        path for path, tree in sources().items() if not path.endswith("__init__.py") and ast.get_docstring(tree) is None
    ]
    assert not silent


def test_imports_stand_at_the_top() -> None:
    deferred = [
        f"{path}:{node.lineno}"
        for path, tree in sources().items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not deferred


def test_evaluator_and_protocol_speak_of_the_same_warnings() -> None:
    notes = (ROOT / "evaluator" / "notes.py").read_text(encoding="utf-8")
    known = {str(code) for code in WarningCode}
    assert set(re.findall(r'"(W-[A-Z-]+)"', notes)) <= known
