import asyncio
from collections.abc import AsyncIterator

from sqlalchemy.exc import OperationalError

from server.web.changes import EVERYBODY, WATCHERS_MAX, Changes, changed


def test_team_that_is_said_something_else_of_has_changed() -> None:
    assert changed({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "d": 1}) == {"b", "c", "d"}


class Story:
    """What the database says, one line a poll; the last line stays."""

    def __init__(self, *lines: dict[str, int] | Exception) -> None:
        self.lines = list(lines)

    def __call__(self) -> dict[str, int]:
        line = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        if isinstance(line, Exception):
            raise line
        return line


def wakings(story: Story, team: str, count: int) -> int:
    """Watch until `count` wakings came; the test would hang if they did not."""

    async def watch() -> int:
        changes = Changes(story, every_s=0)
        seen = 0
        watcher: AsyncIterator[None] = changes.watch(team)
        async for _ in watcher:
            seen += 1
            if seen == count:
                break
        await changes.stop()
        return seen

    return asyncio.run(asyncio.wait_for(watch(), 20))


def test_watcher_is_woken_at_the_start_and_by_its_own_team() -> None:
    # start, first poll, then one change of "a"
    assert wakings(Story({"a": 1}, {"a": 1, "b": 1}, {"a": 2, "b": 1}), "a", 3) == 3


def test_organizer_is_woken_by_every_team() -> None:
    assert wakings(Story({"a": 1}, {"a": 1, "b": 1}, {"a": 2, "b": 1}), EVERYBODY, 4) == 4


def test_database_that_is_away_for_a_moment_ends_no_watching() -> None:
    away = OperationalError("select", {}, Exception("away"))
    assert wakings(Story({"a": 1}, away, {"a": 2}), "a", 3) == 3


def test_watcher_of_another_team_sleeps() -> None:
    async def watch() -> None:
        changes = Changes(Story({"a": 1}, {"a": 2}, {"a": 3}), every_s=0)
        watcher = changes.watch("b")
        await anext(watcher)
        (event,) = changes._watchers
        for _ in range(50):
            await asyncio.sleep(0)
        assert not event.is_set()
        await changes.stop()

    asyncio.run(watch())


def test_nobody_is_asked_when_nobody_watches() -> None:
    async def watch() -> None:
        changes = Changes(Story({"a": 1}), every_s=0)
        watcher = changes.watch("a")
        await anext(watcher)
        await watcher.aclose()
        assert changes._task is not None
        await asyncio.wait_for(changes._task, 20)

    asyncio.run(watch())


def test_one_watcher_too_many_of_a_team_looks_once() -> None:
    async def watch() -> int:
        changes = Changes(Story({"a": 1}), every_s=0)
        watchers = [changes.watch("a") for _ in range(WATCHERS_MAX)]
        for watcher in watchers:
            await anext(watcher)
        late = [None async for _ in changes.watch("a")]
        other = changes.watch("b")
        await anext(other)
        for watcher in [*watchers, other]:
            await watcher.aclose()
        await changes.stop()
        return len(late)

    assert asyncio.run(asyncio.wait_for(watch(), 20)) == 1
