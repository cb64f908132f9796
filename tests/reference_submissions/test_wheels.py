import subprocess
import sys

import pytest

from reference_submissions.wheels import PROBE, Platform


def test_what_the_probe_prints_can_be_read() -> None:
    printed = subprocess.run([sys.executable, *PROBE[1:]], check=True, capture_output=True, text=True).stdout

    assert Platform.parse(printed).python == f"{sys.version_info[0]}.{sys.version_info[1]}"


def test_a_platform_takes_its_own_wheels_and_older_ones() -> None:
    platform = Platform.parse("some warning\npython 3 11 x86_64 2.19\n")

    assert platform == Platform(python="3.11", machine="x86_64", glibc_minor=19)
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
