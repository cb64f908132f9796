"""The images as an engine has them. No build here has a network."""

import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import images
from toy_cases.build import write_training
from worker.runners.docker import Engine

PROJECT = Path(__file__).resolve().parents[2]
LIST_WHEELS = ("sh", "-c", "find / -xdev \\( -name '*.whl' -o -path '*/.cache/pip' \\) 2>/dev/null; true")

BUILD = uuid.uuid4()
PREFIX = f"mood-test-{BUILD.hex[:8]}"  # nobody else's images

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def base(engine: Engine) -> str:
    return images.base_image(engine, cache=PROJECT / "var", say=print)


@pytest.fixture(scope="module")
def built(engine: Engine, base: str) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(uuid, "uuid4", lambda: BUILD)
        training = Path(folder) / "training"
        write_training(training, sizes={"brain": 20, "abdom": 20}, count=8)
        built = images.build_reference_images(
            engine,
            ["constant", "pca"],
            training=training,
            work=Path(folder) / "work",
            say=print,
            base=base,
            prefix=PREFIX,
        )
    yield built
    for name in built:
        engine.remove_image(images.tag_of(name, PREFIX))


def test_an_image_holds_no_wheels_and_no_cache_of_pip(engine: Engine, base: str, built: dict[str, str]) -> None:
    before = set(engine.output_of(base, LIST_WHEELS).split())

    assert set(engine.output_of(built["constant"], LIST_WHEELS).split()) <= before


def test_an_image_imports_what_it_needs_as_an_ordinary_user(engine: Engine, built: dict[str, str]) -> None:
    said = engine.output_of(
        built["pca"], ("python", "-c", "import nibabel, numpy, os; print(os.getuid(), numpy.ones(2).sum())")
    )

    assert said == "65534 2.0\n"
    facts = engine.image(built["pca"])
    assert facts is not None
    assert facts.user == "65534:65534"


def test_weights_and_entry_scripts_lie_in_the_workspace(engine: Engine, built: dict[str, str]) -> None:
    listed = engine.output_of(built["pca"], ("ls", "/workspace")).split()

    assert {"abdom.npz", "brain.npz", "predict.py", "run_pixel_abdom.sh", "run_sample_brain.sh"} <= set(listed)


def test_the_stages_of_a_build_are_gone(built: dict[str, str]) -> None:
    assert built

    listed = subprocess.run(
        ["docker", "images", "--all", "--quiet", "--filter", f"label=mood.stage={BUILD.hex}"],
        check=True,
        capture_output=True,
    )
    assert listed.stdout == b""
