import os
import re
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from reference_submissions import context
from reference_submissions.kit.costs import Cost
from reference_submissions.kit.detector import detector_in
from reference_submissions.method import HERE, Method
from tests.reference_submissions.conftest import SMALL_TORCH, importable
from tests.reference_submissions.indexes import environment, offer


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_context_holds_all_that_its_dockerfile_copies(weights: Path, tmp_path: Path) -> None:
    made = context.prepare(Method.find("pca"), weights / "pca", tmp_path / "context")

    dockerfile = (made / "Dockerfile").read_text()
    assert "COPY workspace/ /workspace/" in dockerfile
    assert " nibabel numpy " in dockerfile
    assert "{pins}" not in dockerfile
    assert {path.name for path in made.iterdir()} == {"Dockerfile", "workspace"}
    scripts = {path.name for path in (made / "workspace").glob("*.sh")}
    assert scripts == {f"run_{task}_{dataset}.sh" for task in ("sample", "pixel") for dataset in ("brain", "abdom")}
    assert "weights/brain/calibration.json" in files(made / "workspace")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Anybody's method, which imports one of ours; there are no weights yet in `weights` beside it."""
    folder = tmp_path / "mine"
    write(folder / "__init__.py")
    write(
        folder / "detector.py",
        "from reference_submissions.kit.detector import Detector\n"
        "from reference_submissions.pca.detector import Pca\n"
        "class Mine(Pca): name = 'mine'\n",
    )
    (tmp_path / "weights").mkdir()
    with importable(tmp_path, "mine", monkeypatch):
        yield folder


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def prepared(folder: Path) -> Path:
    return context.prepare(Method.find(str(folder)), folder.parent / "weights", folder.parent / "context")


def test_an_image_gets_the_kit_and_its_method_alone(weights: Path, tmp_path: Path) -> None:
    made = context.prepare(Method.find("pca"), weights / "pca", tmp_path / "context")

    code = files(made / "workspace" / "reference_submissions")
    assert {"__init__.py", "pca/detector.py", "kit/entry.py"} <= code
    assert {name.split("/")[0] for name in code} == {"__init__.py", "pca", "kit"}
    assert not [name for name in code if "skeleton" in name or "test_" in name or name.endswith((".md", ".pyc"))]


def test_a_method_brings_along_those_it_imports(mine: Path) -> None:
    code = files(prepared(mine) / "workspace")

    assert {"mine/detector.py", "reference_submissions/pca/detector.py"} <= code


def test_what_a_method_s_subfolders_import_is_brought_along(mine: Path) -> None:
    write(mine / "parts" / "net.py", "from reference_submissions.nets.convs import down\n")
    write(mine / "test_mine.py", "from reference_submissions.fpi.detector import Fpi\n")  # not in the image
    write(mine / "old" / "python2.py", "print 'nobody can import this'\n")

    code = files(prepared(mine) / "workspace")

    assert "reference_submissions/nets/convs.py" in code
    assert not [name for name in code if "fpi" in name]


def test_anybody_s_folder_goes_in_but_for_caches_tests_hidden_files_and_scans(mine: Path) -> None:
    kept = {"checks.py", "README.md", "skeleton/a.py", "parts/templates/b.npz"}
    left_out = {".env", ".git/config", "test_mine.py", "parts/test_net.py", "parts/__pycache__/net.pyc"}
    scans = {"TRAINING/brain/1.nii.gz", "atlas.nii"}
    for name in kept | left_out | scans:
        write(mine / name)

    code = files(prepared(mine) / "workspace" / "mine")

    assert code == {"__init__.py", "detector.py"} | kept
    assert {path.relative_to(mine).as_posix() for path in context.files(mine)} == code
    assert {path.relative_to(mine).as_posix() for path in context.scans(mine)} == scans


def test_anybody_s_method_names_its_packages(weights: Path, tmp_path: Path) -> None:
    made = context.prepare(Method.find(str(SMALL_TORCH)), weights / "small_torch", tmp_path / "context")

    assert " nibabel numpy torch " in (made / "Dockerfile").read_text()
    script = (made / "workspace" / "run_pixel_brain.sh").read_text()
    assert 'small_torch.detector "${0%/*}/weights/brain" pixel "$1" "$2"' in script
    assert not list((made / "workspace").glob("*abdom*"))  # it was not trained for that


@pytest.mark.parametrize(
    ("of_the_base", "needs", "torch"),
    [
        (None, ["torch", "timm >= 1.0"], "2.13.0"),
        (None, ["timm>=1.0"], "2.13.0"),  # which needs it
        (None, ["torch<2.10"], "2.9.0"),
        ("2.9.0+cu126", ["torch", "timm>=1.0"], "2.9.0+cu126"),
    ],
)
def test_a_dockerfile_pins_torch_unless_its_base_has_one(
    of_the_base: str | None, needs: list[str], torch: str, mine: Path, tmp_path: Path
) -> None:
    for name in ("nibabel", "numpy"):
        offer(tmp_path / "index", name, "1.0")
    for version in ("2.9.0", "2.13.0", "2.14.0"):
        offer(tmp_path / "index", "torch", version)
    offer(tmp_path / "index", "timm", "1.0.3", "torch")
    write(mine / "detector.py", f"{(mine / 'detector.py').read_text()}Mine.needs = {needs}\n")
    base = Base(tmp_path / "base", tmp_path / "index")
    if of_the_base is not None:
        offer(tmp_path / "of_the_base", "torch", of_the_base)
        base.call("python", "-m", "pip", "install", "--find-links", str(tmp_path / "of_the_base"), "torch==2.9.0+cu126")

    (installing,) = re.findall(
        r"^RUN (.*?[^\\])$", (prepared(mine) / "Dockerfile").read_text(), re.DOTALL | re.MULTILINE
    )
    base.call("sh", "-c", installing)

    assert f"torch=={torch}\n" in base.call("python", "-m", "pip", "list", "--format=freeze")
    assert not list(base.folder.glob("=*"))  # what a shell makes of >= without quotes


class Base:
    """A base image's Python, for which there is one index."""

    def __init__(self, folder: Path, index: Path) -> None:
        self.folder = folder
        self.environment = environment(index) | {"PATH": f"{folder}/bin:/usr/bin:/bin"}
        venv.create(folder, with_pip=True)

    def call(self, *command: str) -> str:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=self.folder, env=self.environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_what_is_no_requirement_is_refused_by_its_text(mine: Path) -> None:
    write(mine / "detector.py", f"{(mine / 'detector.py').read_text()}Mine.needs = ('timm=>1',)\n")

    with pytest.raises(ValueError, match=r"mine: needs names what is no requirement[^$]*timm=>1"):
        context.packages_of(Method.find(str(mine)))


def test_others_can_read_it_whatever_the_umask(weights: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = context.prepare(Method.find("pca"), weights / "pca", tmp_path / "context")
    finally:
        os.umask(before)

    assert all(path.stat().st_mode & 0o004 for path in [made, *made.rglob("*")])


def test_labels_say_what_it_costs_on_each_data_set(weights: Path) -> None:
    labels = context.labels(Method.find("pca"), weights / "pca")

    assert labels["mood.method"] == "pca"
    assert labels["mood.cost.brain"] == Cost.load(weights / "pca" / "brain").json()
    assert set(labels) == {"mood.method", "mood.cost.brain", "mood.cost.abdom"}


def test_the_kit_imports_torch_for_those_alone_who_ask_for_it() -> None:
    asking = {path.name for path in (HERE / "kit").glob("*.py") if "\nimport torch" in path.read_text(encoding="utf-8")}

    assert asking == {"device.py", "state.py", "training.py"}
    assert detector_in("reference_submissions.pca.detector").needs == ()
