"""A tiny challenge and tiny images, made once for the session."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import BRIGHTNESS, build_busybox_image
from toy_cases.build import build_challenge


@pytest.fixture(scope="session")
def tiny_challenge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Brain and abdomen at 24³, eight hidden cases each."""
    folder = tmp_path_factory.mktemp("challenge") / "tiny"
    build_challenge(
        folder,
        sizes={"brain": 24, "abdom": 24},
        n_test_normal=4,
        n_test_local=3,
        n_test_global=1,
        seed=1,
        volumes=None,
        progress=lambda _: None,
    )
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_images_left() -> Iterator[None]:
    """Remove what these tests built; layers that others use stay."""
    yield
    listed = ["docker", "image", "ls", "--quiet", "--filter", "reference=mood-test/*"]
    images = subprocess.run(listed, check=False, capture_output=True, text=True).stdout.split()
    if images:
        subprocess.run(["docker", "image", "rm", "--force", *set(images)], check=False, capture_output=True)


@pytest.fixture(scope="session")
def brightness_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image whose prediction is the input itself."""
    return build_busybox_image(tmp_path_factory.mktemp("images") / "brightness", "mood-test/brightness", BRIGHTNESS)
