"""The images as an engine has them. No build here has a network."""

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import images
from cli.layers import with_packages
from reference_submissions.kit.detector import Detector, Preset
from reference_submissions.method import HERE, METHODS, Method
from server.protocol import Limits, Task
from tests.reference_submissions.conftest import SMALL_TORCH, importable
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


def says(done: Result, text: str) -> bool:
    """Did it say this, however its lines were broken?"""
    return "".join(text.split()) in "".join(done.output.split())


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
    def without_torch(method: Method) -> type[Detector]:
        if method.name in {"fpi", "pca"}:
            raise ModuleNotFoundError(name="torch")
        return Detector

    monkeypatch.setattr(Method, "detector", without_torch)
    said: list[str] = []

    found = images.usable([], say=said.append)

    assert {method.name for method in found} == set(METHODS) - {"fpi", "pca"}
    get_it = "which is not installed here: pip install 'mood-challenge[methods]'"
    assert said == [f"left out: fpi, pca. Training needs torch, {get_it}"]
    with pytest.raises(ValueError, match="pca: training needs torch, ") as refused:
        images.usable(["pca"], say=said.append)
    assert str(refused.value).endswith(get_it)


@pytest.mark.parametrize(
    "other", [("--preset", "paper"), ("--seed", "7"), ("--training", "SCANS", "--preset", "paper", "--seed", "7")]
)
def test_kept_weights_of_another_preset_or_seed_are_refused(
    other: tuple[str, ...], training: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "weights"
    asked: dict[str, Any] = {"training": training, "weights": kept, "say": print}
    images.train([Method.find("constant")], **asked, preset=Preset.TINY, seed=3)

    given = [training if each == "SCANS" else each for each in other]
    done = invoke("constant", "--weights", kept, "--contexts", tmp_path / "contexts", *given)
    with pytest.raises(ValueError, match="was trained with preset tiny, seed 3, and preset tiny, seed 7 is asked for"):
        images.train([Method.find("constant")], **asked, preset=Preset.TINY, seed=7)

    assert done.exit_code == 1
    assert says(done, f"{kept}/constant/abdom was trained with preset tiny, seed 3, and")
    assert not (tmp_path / "contexts").exists()


def test_kept_weights_whose_seed_nobody_wrote_down_are_refused(training: Path, tmp_path: Path) -> None:
    images.train([Method.find("constant")], training=training, weights=tmp_path, preset=Preset.TINY, seed=3, say=print)
    cost = tmp_path / "constant" / "brain" / "cost.json"
    cost.write_text(cost.read_text().replace('"seed": 3, ', ""))

    done = invoke("constant", "--weights", tmp_path, "--contexts", tmp_path / "contexts")

    assert done.exit_code == 1
    assert says(done, "'seed'): train again, elsewhere")


def test_a_training_folder_without_data_sets_is_refused(training: Path, tmp_path: Path) -> None:
    too_deep = invoke("constant", "--training", training / "brain", "--contexts", tmp_path)
    nowhere = invoke("constant", "--training", tmp_path / "nowhere", "--contexts", tmp_path)

    assert says(too_deep, f"--training {training}/brain: no folder in it, and it takes one for each data set")
    assert says(nowhere, f"--training {tmp_path}/nowhere: there is no such folder")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Anybody's method."""
    shutil.copytree(HERE / "kit" / "skeleton", tmp_path / "mine", ignore=shutil.ignore_patterns("__pycache__"))
    with importable(tmp_path, "mine", monkeypatch):
        yield tmp_path / "mine"


@pytest.mark.parametrize(
    ("option", "place"), [("--contexts", "mine/contexts"), ("--weights", "mine/kept"), ("--contexts", ".")]
)
def test_what_would_be_copied_into_itself_is_refused(option: str, place: str, mine: Path, training: Path) -> None:
    given = mine.parent / place

    done = invoke(mine, "--training", training, "--preset", "tiny", option, given)

    assert done.exit_code == 1
    assert says(done, f"{option} {given} would write into {mine}, which goes into the image")
    assert "training" not in done.output


def test_contexts_are_not_written_into_the_weights(training: Path, tmp_path: Path) -> None:
    done = invoke("constant", "--training", training, "--weights", tmp_path, "--contexts", tmp_path)

    assert done.exit_code == 1
    assert says(done, f"--contexts {tmp_path} would write into {tmp_path}/constant, which goes into the image")


def test_what_goes_in_and_what_does_not_is_told(mine: Path) -> None:
    for path in mine.iterdir():
        path.unlink()
    (mine / "detector.py").write_bytes(bytes(1_500_000))
    (mine / "scan.nii.gz").touch()

    assert images.contents(Method(mine)) == f"1.5 MB of {mine}, without the scans there (1)"


class FarBase(Engine):
    """An engine that has no image, and a registry that may have one."""

    def __init__(self, registry: dict[str, str]) -> None:
        self.registry = registry
        self.here: dict[str, str] = {}

    def image_id(self, name: str) -> str | None:
        return self.here.get(name)

    def pull(self, name: str, *, timeout_s: int) -> str | None:
        assert timeout_s >= 600  # gigabytes
        self.here |= {each: found for each, found in self.registry.items() if each == name}
        return self.here.get(name)


def test_a_named_base_is_pulled_once(tmp_path: Path) -> None:
    engine = FarBase({"pytorch/pytorch:2": "sha256:1"})
    said: list[str] = []

    for _ in range(2):
        images.build(engine, [], weights=tmp_path, work=tmp_path, say=said.append, base="pytorch/pytorch:2")

    assert said == ["pulling pytorch/pytorch:2: minutes, where it has gigabytes"]
    assert engine.here == engine.registry


def test_a_named_base_that_cannot_be_pulled_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(images.NoBaseError, match=r"^pytorch/pytorch:3 is not on this machine and cannot be pulled: "):
        images.build(FarBase({}), [], weights=tmp_path, work=tmp_path, say=print, base="pytorch/pytorch:3")


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
