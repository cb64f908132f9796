"""The images as an engine has them. No build here has a network."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import images
from cli.layers import with_packages
from reference_submissions.kit.detector import Preset
from reference_submissions.method import METHODS, Method
from server.protocol import Limits, Task
from tests.reference_submissions.conftest import SMALL_TORCH
from toy_cases.build import build_challenge, write_training
from worker.runners.docker import Engine
from worker.trial import try_image

PROJECT = Path(__file__).resolve().parents[2]
LIST_WHEELS = ("sh", "-c", "find / -xdev \\( -name '*.whl' -o -path '*/.cache/pip' \\) 2>/dev/null; true")
PREFIX = f"mood-test-{uuid.uuid4().hex[:8]}"  # nobody else's images
BUILT = ("constant", "pca", "small_torch")


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_training(folder, sizes={"brain": 20, "abdom": 20}, count=8)
    return folder


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(images.app, [str(argument) for argument in arguments])


def test_contexts_are_written_without_an_engine_and_training_is_not_done_twice(training: Path, tmp_path: Path) -> None:
    kept = tmp_path / "weights"
    first = invoke("pca", "--training", training, "--weights", kept, "--preset", "tiny", "--contexts", tmp_path / "a")
    again = invoke("pca", "--training", training, "--weights", kept, "--preset", "tiny", "--contexts", tmp_path / "b")
    bare = invoke("pca", "--weights", kept, "--contexts", tmp_path / "c")  # where the scans are not

    assert first.exit_code == again.exit_code == bare.exit_code == 0, first.output
    assert "training pca on brain\n  4 components of 5 volumes" in first.output
    assert "pca, brain: trained before" in again.output
    assert "drawing" not in bare.output
    for folder in ("a", "b", "c"):
        assert (tmp_path / folder / "pca" / "workspace" / "run_pixel_abdom.sh").is_file()


def test_what_is_no_method_is_refused(training: Path) -> None:
    done = invoke("magic", "--training", training)

    assert done.exit_code == 1
    assert "no reference submission 'magic'" in done.output


def test_methods_that_cannot_be_trained_here_are_left_out_unless_they_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_torch(method: Method) -> None:
        if method.name in {"fpi", "pca"}:
            raise ModuleNotFoundError(name="torch")

    monkeypatch.setattr(Method, "detector", without_torch)
    said: list[str] = []

    found = images.usable([], say=said.append)

    assert {method.name for method in found} == set(METHODS) - {"fpi", "pca"}
    get_it = "which is not installed here: pip install 'mood-challenge[methods]'"
    assert said == [f"left out: fpi, pca. Training needs torch, {get_it}"]
    with pytest.raises(ValueError, match="pca: training needs torch, ") as refused:
        images.usable(["pca"], say=said.append)
    assert str(refused.value).endswith(get_it)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def base(engine: Engine) -> str:
    return images.base_image(engine, cache=PROJECT / "var", say=print)


@pytest.fixture(scope="module")
def built(
    engine: Engine, base: str, training: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Images by method; the last one is a stranger's, on torch."""
    built = images.build_reference_images(
        engine,
        ["constant", "pca", str(SMALL_TORCH)],
        training=training,
        work=tmp_path_factory.mktemp("work"),
        say=print,
        base=base,
        prefix=PREFIX,
        preset=Preset.TINY,
    )
    yield built
    for name in built:
        engine.remove_image(images.tag_of(name, PREFIX))


@pytest.fixture(scope="module")
def challenge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("challenge") / "tiny"
    build_challenge(folder, sizes={"brain": 20, "abdom": 20}, n_test_normal=1, n_test_local=1, n_test_global=1)
    return folder


def inspected(image: str) -> dict[str, Any]:
    said = subprocess.run(["docker", "image", "inspect", image], check=True, capture_output=True)
    (facts,) = json.loads(said.stdout)
    return dict(facts)


@pytest.mark.docker
@pytest.mark.parametrize("name", BUILT)
@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("dataset", ["brain", "abdom"])
def test_mood_try_passes(
    engine: Engine, built: dict[str, str], challenge: Path, name: str, task: Task, dataset: str
) -> None:
    trial = try_image(built[name], challenge, dataset, task, engine=engine, limits=Limits(), budget_s=60)

    assert trial.failure is None, trial.outcome.log
    assert trial.report is not None
    assert {warning["code"] for warning in trial.report["warnings"]} <= (
        {"W-CONSTANT"} if name == "constant" else set()
    )


@pytest.mark.docker
def test_features_of_imagenet_travel_with_the_weights(
    engine: Engine, base: str, training: Path, challenge: Path, tmp_path: Path
) -> None:
    (tmp_path / "brains").mkdir()
    (tmp_path / "brains" / "brain").symlink_to(training / "brain")
    said: list[str] = []
    options: dict[str, Any] = {"work": tmp_path, "say": said.append, "base": base, "preset": Preset.TINY}

    image = images.build_reference_images(
        engine, ["patchcore"], training=tmp_path / "brains", prefix=PREFIX, **options
    )["patchcore"]

    try:
        for task in Task:
            trial = try_image(image, challenge, "brain", task, engine=engine, limits=Limits(), budget_s=60)
            assert trial.failure is None, trial.outcome.log
        assert not [line for line in said if "no pretrained weights" in line]
        assert engine.output_of(image, ("find", "/packages", "-iname", "*efficientnet*")) == ""
    finally:
        engine.remove_image(image)


@pytest.mark.docker
def test_an_image_holds_no_wheels_and_no_cache_of_pip(engine: Engine, base: str, built: dict[str, str]) -> None:
    before = set(engine.output_of(base, LIST_WHEELS).split())

    for image in built.values():
        assert set(engine.output_of(image, LIST_WHEELS).split()) <= before


@pytest.mark.docker
def test_an_image_imports_what_it_needs_as_an_ordinary_user(engine: Engine, built: dict[str, str]) -> None:
    said = engine.output_of(
        built["pca"], ("python", "-c", "import nibabel, numpy, os; print(os.getuid(), numpy.ones(2).sum())")
    )

    assert said == "65534 2.0\n"
    facts = engine.image(built["pca"])
    assert facts is not None
    assert facts.user == "65534:65534"


@pytest.mark.docker
def test_torch_is_in_those_images_alone_that_need_it_and_the_layers_below_are_shared(built: dict[str, str]) -> None:
    layers = {name: inspected(image)["RootFS"]["Layers"] for name, image in built.items()}
    own = 2  # pip's, which did nothing, and the workspace

    assert layers["constant"][:-own] == layers["pca"][:-own]
    assert layers["small_torch"][: -own - 1] == layers["pca"][:-own]
    assert inspected(built["small_torch"])["Size"] > 2 * inspected(built["pca"])["Size"]


@pytest.mark.docker
def test_a_second_build_adds_nothing_to_the_base(
    engine: Engine, base: str, built: dict[str, str], tmp_path: Path
) -> None:
    assert built
    said: list[str] = []

    packages = with_packages(engine, base, ["torch"], work=tmp_path / "wheels", say=said.append)

    assert said == []
    assert inspected(packages)["RootFS"]["Layers"] == inspected(built["small_torch"])["RootFS"]["Layers"][:-2]


@pytest.mark.docker
def test_weights_and_entry_scripts_lie_in_the_workspace(engine: Engine, built: dict[str, str]) -> None:
    listed = engine.output_of(built["pca"], ("find", "/workspace", "-type", "f")).split()

    assert {"/workspace/weights/brain/pca.npz", "/workspace/run_pixel_abdom.sh"} <= set(listed)


@pytest.mark.docker
def test_an_image_s_labels_say_what_it_costs(built: dict[str, str]) -> None:
    labels = inspected(built["small_torch"])["Config"]["Labels"]

    cost = json.loads(labels["mood.cost.brain"])
    assert labels["mood.method"] == "small_torch"
    assert cost["trainable_parameters"] == 77
    assert cost["predicting"]["volume_s"] > 0


@pytest.mark.docker
def test_the_stages_of_a_build_are_gone(built: dict[str, str]) -> None:
    assert built

    listed = subprocess.run(
        ["docker", "images", "--all", "--quiet", "--filter", "dangling=true", "--filter", "label=mood.stage"],
        check=True,
        capture_output=True,
    )
    assert listed.stdout == b""
