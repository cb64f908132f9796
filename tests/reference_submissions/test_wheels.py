import subprocess
import sys
from pathlib import Path

import pytest

from reference_submissions import wheels
from reference_submissions.wheels import PROBE, Platform
from tests.reference_submissions.indexes import environment, offer


def test_what_the_probe_prints_can_be_read() -> None:
    printed = subprocess.run([sys.executable, *PROBE[1:]], check=True, capture_output=True, text=True).stdout

    platform = Platform.parse(printed)

    assert platform.python == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert platform.lacks(["Numpy", "typing.extensions", "no-such-thing"]) == ["no-such-thing"]


def test_a_platform_takes_its_own_wheels_and_older_ones() -> None:
    platform = Platform.parse(
        "some warning\npython 3 11 x86_64 2.19\nhas Some_Thing 1.2+cpu\nhas setuptools 66\nhas debs 2ubuntu1\n"
    )

    assert platform == Platform(python="3.11", machine="x86_64", glibc_minor=19, installed={"some-thing": "1.2+cpu"})
    assert platform.tags == [
        "manylinux_2_19_x86_64",
        "manylinux_2_18_x86_64",
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
    ]


@pytest.mark.parametrize("printed", ["", "python 3 12 x86_64 none\n", "exec: python: not found"])
def test_a_base_that_will_not_do_is_refused(printed: str) -> None:
    with pytest.raises(ValueError, match="a base needs `python` 3 with pip, and glibc"):
        Platform.parse(printed)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks."""
    folder = tmp_path / "index"
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    return folder


def fetched(folder: Path, packages: list[str], **installed: str) -> set[str]:
    """What is fetched for a platform, as name-version."""
    platform = Platform(python="3.11", machine="x86_64", glibc_minor=36, installed=installed)
    wheels.download(platform, packages, folder / "wheels")
    return {"-".join(path.name.split("-")[:2]) for path in (folder / "wheels").iterdir()}


def test_what_is_installed_keeps_its_version_and_is_not_fetched(index: Path, tmp_path: Path) -> None:
    offer(index, "numpy", "2.2")
    offer(index, "tool", "1.0", "numpy>=2", "small")
    offer(index, "small", "1.0")

    assert fetched(tmp_path, ["tool"], numpy="2.1") == {"tool-1.0", "small-1.0"}


def test_a_gpu_base_s_torch_that_no_index_has_is_built_upon(index: Path, tmp_path: Path) -> None:
    offer(index, "torch", "2.9.0", "nvidia_cublas==12.8")  # the public build would want another CUDA than the base's
    offer(index, "torchvision", "0.24.0", "torch==2.9.0")

    of_the_base = {"torch": "2.9.0+cu126", "nvidia-cublas": "12.6"}
    assert fetched(tmp_path, ["torchvision"], **of_the_base) == {"torchvision-0.24.0"}


def test_what_is_installed_in_a_version_that_will_not_do_is_refused(index: Path, tmp_path: Path) -> None:
    offer(index, "timm", "1.0")

    with pytest.raises(wheels.WheelsNotFoundError, match=r"Cannot install timm>=1\.0"):
        fetched(tmp_path, ["timm>=1.0"], timm="0.4")


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        (["torch"], "torch-2.13.0"),
        (["Torch >= 2.4"], "torch-2.13.0"),
        (["monai"], "torch-2.13.0"),  # which needs it
        (["torch<2.10"], "torch-2.9.0"),
    ],
)
def test_torch_is_pinned_where_the_method_allows_that(
    packages: list[str], expected: str, index: Path, tmp_path: Path
) -> None:
    for version in ("2.9.0", "2.13.0", "2.14.0"):
        offer(index, "torch", version)
    offer(index, "monai", "1.0", "torch")

    assert expected in fetched(tmp_path, packages)


def test_what_lacks_is_told_by_a_requirement_s_name_and_versions() -> None:
    has = {"timm": "1.0.3", "torch": "2.9.0+cu126"}
    platform = Platform(python="3.11", machine="x86_64", glibc_minor=36, installed=has)

    asked = ["timm>=1.0", "Torch==2.9.0", "timm[extra]", "timm>=1.1", "monai>=1"]
    assert platform.lacks(asked) == ["timm>=1.1", "monai>=1"]


def test_what_pip_said_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "No matching distribution")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    platform = Platform(python="3.11", machine="x86_64", glibc_minor=36, installed={})

    with pytest.raises(wheels.WheelsNotFoundError, match="ended with 1:\nNo matching distribution"):
        wheels.download(platform, ["torch"], tmp_path / "wheels")


def test_what_is_pinned_is_known_by_its_name_whatever_is_asked_of_it() -> None:
    assert wheels.is_pinned("torch>=2.4")
    assert not wheels.is_pinned("torchio")
