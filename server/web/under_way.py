"""Which uploads are on their way: how many a team may have, and whether the disk has room for one more.

Counted in this process; two servers beside each other allow twice as much.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from server.errors import NoRoom, OverQuota

A_TEAM = 4  # one for each task and queue
SPARE_BYTES = 2 * 2**30  # stay free, for the database and what workers report


class UnderWay:
    """The uploads that are being received."""

    def __init__(self, free_bytes: Callable[[], int]) -> None:
        self._free_bytes = free_bytes
        self._teams: Counter[str] = Counter()
        self._announced_bytes = 0
        self._lock = Lock()

    @contextmanager
    def upload(self, team_id: str, announced_bytes: int) -> Iterator[None]:
        """Let one upload in, as long as the block lasts. Raises OverQuota or NoRoom."""
        self._enter(team_id, announced_bytes)
        try:
            yield
        finally:
            with self._lock:
                self._teams[team_id] -= 1
                self._teams += Counter()  # forgets teams without any
                self._announced_bytes -= announced_bytes

    def _enter(self, team_id: str, announced_bytes: int) -> None:
        with self._lock:
            if self._teams[team_id] >= A_TEAM:
                raise OverQuota(f"{A_TEAM} uploads of your team are on their way: wait until one has ended")
            # What the others have written already is counted twice: rather too careful than too late.
            if self._announced_bytes + announced_bytes > self._free_bytes() - SPARE_BYTES:
                raise NoRoom("the server has no room for an archive of this size now: try again later")
            self._teams[team_id] += 1
            self._announced_bytes += announced_bytes
