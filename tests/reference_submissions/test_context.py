import os
from pathlib import Path

from reference_submissions import context
from reference_submissions.kit.costs import Cost
from reference_submissions.kit.detector import detector_in
from reference_submissions.method import HERE, Method
from tests.reference_submissions.conftest import SMALL_TORCH


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_context_holds_all_that_its_dockerfile_copies(weights: Path, tmp_path: Path) -> None:
    made = context.prepare(Method.find("pca"), weights / "pca", tmp_path / "context")

    dockerfile = (made / "Dockerfile").read_text()
    assert "COPY workspace/ /workspace/" in dockerfile
    assert "nibabel numpy\n" in dockerfile
    assert "{" not in dockerfile.replace("${BASE}", "")
    assert {path.name for path in made.iterdir()} == {"Dockerfile", "workspace"}
    scripts = {path.name for path in (made / "workspace").glob("*.sh")}
    assert scripts == {f"run_{task}_{dataset}.sh" for task in ("sample", "pixel") for dataset in ("brain", "abdom")}
    assert "weights/brain/calibration.json" in files(made / "workspace")


def test_an_image_gets_the_kit_and_its_method_alone(weights: Path, tmp_path: Path) -> None:
    made = context.prepare(Method.find("pca"), weights / "pca", tmp_path / "context")

    code = files(made / "workspace" / "reference_submissions")
    assert {"__init__.py", "pca/detector.py", "kit/entry.py"} <= code
    assert {name.split("/")[0] for name in code} == {"__init__.py", "pca", "kit"}
    assert not [name for name in code if "skeleton" in name or "test_" in name or name.endswith((".md", ".pyc"))]


def test_a_method_brings_along_those_it_imports(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "__init__.py").touch()
    (mine / "detector.py").write_text(
        "from reference_submissions.kit.detector import Detector\n"
        "from reference_submissions.pca.detector import Pca\n"
        "class Mine(Pca): name = 'mine'\n"
    )
    (tmp_path / "weights").mkdir()

    made = context.prepare(Method.find(str(mine)), tmp_path / "weights", tmp_path / "context")

    assert {"mine/detector.py", "reference_submissions/pca/detector.py"} <= files(made / "workspace")


def test_anybody_s_method_names_its_packages(weights: Path, tmp_path: Path) -> None:
    made = context.prepare(Method.find(str(SMALL_TORCH)), weights / "small_torch", tmp_path / "context")

    assert "nibabel numpy torch\n" in (made / "Dockerfile").read_text()
    script = (made / "workspace" / "run_pixel_brain.sh").read_text()
    assert 'small_torch.detector "${0%/*}/weights/brain" pixel "$1" "$2"' in script
    assert not list((made / "workspace").glob("*abdom*"))  # it was not trained for that


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
