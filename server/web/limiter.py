"""How often one address may try one thing: an in-process sliding window.

Two servers beside each other count apart; that doubles the allowance and opens nothing.
"""

from collections import deque
from datetime import datetime, timedelta
from threading import Lock

from server.errors import OverQuota

MAX_KEYS = 10_000  # bounds the memory that strangers can make us use


class TooManyAttempts(OverQuota):
    """429: wait."""

    code = "E-RATE"


class Limiter:
    """Refuses a key that came more than `allowed` times within `window`."""

    def __init__(self, *, allowed: int, window: timedelta) -> None:
        self.allowed = allowed
        self.window = window
        self._attempts: dict[str, deque[datetime]] = {}
        self._lock = Lock()

    def attempt(self, key: str, now: datetime) -> None:
        """Count one attempt, or refuse it."""
        with self._lock:
            recent = self._recent(key, now)
            if len(recent) >= self.allowed:
                wait_s = (recent[0] + self.window - now).total_seconds()
                raise TooManyAttempts(f"Too many attempts. Wait {max(1, round(wait_s / 60))} min and try again.")
            recent.append(now)

    def forget(self, key: str) -> None:
        """Start afresh: the attempt was right."""
        with self._lock:
            self._attempts.pop(key, None)

    def _recent(self, key: str, now: datetime) -> deque[datetime]:
        if key not in self._attempts and len(self._attempts) >= MAX_KEYS:
            self._drop_old(now)
        recent = self._attempts.setdefault(key, deque())
        while recent and recent[0] <= now - self.window:
            recent.popleft()
        return recent

    def _drop_old(self, now: datetime) -> None:
        kept = {key: times for key, times in self._attempts.items() if times and times[-1] > now - self.window}
        # Where an attacker fills the table within one window, forgetting all is the bounded choice.
        self._attempts = kept if len(kept) < MAX_KEYS else {}
