import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import new_submission
from reference_submissions.method import HERE, Method


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(new_submission.app, [str(argument) for argument in arguments])


def test_what_is_written_is_a_method_and_passes_its_own_test(tmp_path: Path) -> None:
    done = invoke(tmp_path / "patch_core_2")

    assert done.exit_code == 0, done.output
    folder = tmp_path / "patch_core_2"
    assert {path.name for path in folder.iterdir()} == {"__init__.py", "README.md", "detector.py", "test_detector.py"}
    detector = Method.find(str(folder)).detector()
    assert (detector.__name__, detector.name) == ("PatchCore2", "patch_core_2")
    assert not [path for path in folder.iterdir() if path.is_file() and "skeleton" in path.read_text().lower()]
    assert "mood try mood-reference-patch-core-2:latest --data" in (folder / "README.md").read_text()  # as it is built
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(HERE.parent), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout


def test_a_checkout_gets_the_test_where_its_tests_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_submission, "HERE", tmp_path / "reference_submissions")
    monkeypatch.setattr(new_submission, "TESTS", tmp_path / "tests")
    monkeypatch.setattr("reference_submissions.method.HERE", tmp_path / "reference_submissions")
    (tmp_path / "tests").mkdir()

    written = new_submission.write(Method(tmp_path / "reference_submissions" / "mine"))

    assert written[-1] == tmp_path / "tests" / "test_mine.py"
    assert "from reference_submissions.mine.detector import Mine" in written[-1].read_text()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Mine", "'Mine' is no name for a method"),
        ("my-method", "'my-method' is no name"),
        ("json", "'json' is a module that is installed here"),
        ("numpy", "'numpy' is a module that is installed here"),
        ("pca", "'pca' is a reference submission, whose image it would replace"),
        (str(HERE / "pca"), "exists: name a new folder"),
    ],
)
def test_a_name_that_will_not_do_is_refused(
    name: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = invoke(name)

    assert done.exit_code == 1
    assert complaint in done.output.replace("\n", " ")
    assert not list(tmp_path.iterdir())
