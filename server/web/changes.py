"""Wakes those who watch a page when something they can see has changed.

One task asks the database once a second, and only while somebody watches; a watcher costs an event and
no connection.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

EVERY_S = 1.0
WATCHERS_MAX = 64  # of one team: each costs a look after each of its changes
EVERYBODY = ""  # the key of who watches all teams


class Changes:
    """Compares what `poll` says of each team with what it said before."""

    def __init__(self, poll: Callable[[], Mapping[str, object]], *, every_s: float = EVERY_S) -> None:
        self._poll = poll
        self._every_s = every_s
        self._watchers: dict[asyncio.Event, str] = {}
        self._seen: Mapping[str, object] = {}
        self._task: asyncio.Task[None] | None = None

    async def watch(self, team: str) -> AsyncGenerator[None]:
        """Come once at the start and then after every change of a team, or of any for EVERYBODY.

        Where a team has WATCHERS_MAX already, one more comes once and has to ask again: a browser does by itself.
        """
        if team != EVERYBODY and list(self._watchers.values()).count(team) >= WATCHERS_MAX:
            yield
            return
        event = asyncio.Event()
        event.set()
        self._watchers[event] = team
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="changes")
        try:
            while True:
                await event.wait()
                event.clear()
                yield
        finally:
            del self._watchers[event]

    async def stop(self) -> None:
        """End the task, where one runs."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while self._watchers:
            try:
                now = await asyncio.to_thread(self._poll)  # the loop waits for it at its end: no connection is lost
            except SQLAlchemyError:  # the database may be away for a moment; watchers stay
                log.exception("cannot ask for changes")
            else:
                self._wake(changed(self._seen, now))
                self._seen = now
            await asyncio.sleep(self._every_s)

    def _wake(self, teams: frozenset[str]) -> None:
        for event, team in self._watchers.items():
            if team in teams or (teams and team == EVERYBODY):
                event.set()


def changed(before: Mapping[str, object], now: Mapping[str, object]) -> frozenset[str]:
    """Teams of which something else is said now than before."""
    return frozenset(team for team in before.keys() | now.keys() if before.get(team) != now.get(team))
