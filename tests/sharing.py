"""How two processes share all tests: `python -m pytest -p tests.sharing -n 2 tests`.

The tests of a file stay together, for what they make once. So do all that use the Docker engine or a whole running
system: some look at what is left there, and their ports are not drawn. (pytest-xdist 3.8 has groups for this, which do
nothing with pytest 9.)
"""

from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling


class Together(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a process a file's tests at once, or all that use the engine."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "engine" if uses_engine(self.config.rootpath, file) else file


@cache
def uses_engine(root: Path, file: str) -> bool:
    """The file is a whole system's, or has a test that says it needs the engine."""
    whole = PurePosixPath(file).is_relative_to("tests/integration")
    return whole or "mark.docker" in (root / file).read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)
