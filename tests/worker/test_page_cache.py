import os
from pathlib import Path

import pytest

from worker.page_cache import DROP, forget

BYTES = 2**20


def in_memory(file: int) -> bool:
    """Whether the first bytes of a file can be had without its disk."""
    try:
        return os.preadv(file, [bytearray(1)], 0, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False


@pytest.mark.skipif(not os.access(DROP, os.W_OK), reason="only root can drop the page cache")
def test_what_was_read_before_is_not_in_memory_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(bytes(BYTES))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        file.read()
        assert in_memory(file.fileno())
        assert forget() == ""
        assert not in_memory(file.fileno())


def test_where_it_cannot_be_dropped_the_reason_is_given(tmp_path: Path) -> None:
    assert "a container can read what an earlier one" in forget(tmp_path / "absent" / "drop_caches")
