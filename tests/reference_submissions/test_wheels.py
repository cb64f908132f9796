import subprocess
import sys
from pathlib import Path

import pytest

from reference_submissions import wheels
from reference_submissions.wheels import PROBE, Platform


def test_what_the_probe_prints_can_be_read() -> None:
    printed = subprocess.run([sys.executable, *PROBE[1:]], check=True, capture_output=True, text=True).stdout

    platform = Platform.parse(printed)

    assert platform.python == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert platform.lacks(["Numpy", "typing.extensions", "no-such-thing"]) == ["no-such-thing"]


def test_a_platform_takes_its_own_wheels_and_older_ones() -> None:
    platform = Platform.parse("some warning\npython 3 11 x86_64 2.19\nhas Some_Thing 1.2+cpu\nhas setuptools 66\n")

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


def test_what_is_installed_keeps_its_version_and_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        constraints = Path(command[command.index("--constraint") + 1]).read_text()
        assert constraints == "numpy==2.1\n"
        assert command[-1] == "torch==2.13.0"
        for wheel in ("numpy-2.1-cp311-cp311-linux.whl", "torch-2.13.0-cp311-cp311-linux.whl"):
            (tmp_path / "wheels" / wheel).touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    platform = Platform(python="3.11", machine="x86_64", glibc_minor=36, installed={"numpy": "2.1"})

    wheels.download(platform, ["torch"], tmp_path / "wheels")

    assert [path.name for path in (tmp_path / "wheels").iterdir()] == ["torch-2.13.0-cp311-cp311-linux.whl"]


def test_what_pip_said_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "No matching distribution")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    platform = Platform(python="3.11", machine="x86_64", glibc_minor=36, installed={})

    with pytest.raises(wheels.WheelsNotFoundError, match="ended with 1:\nNo matching distribution"):
        wheels.download(platform, ["torch"], tmp_path / "wheels")
