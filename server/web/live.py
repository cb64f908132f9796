"""Server-sent events: looks again when something has changed, and sends what is new.

While nothing changes a watcher holds a task and an event, no thread and no database connection.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from server.web.changes import Changes


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a watcher sees at one instant."""

    parts: Mapping[str, object]  # for pages: element id -> HTML
    is_over: bool = False  # nothing will change any more
    is_stale: bool = False  # the page shows other things than there are now


async def follow(changes: Changes, team: str, look: Callable[[], Look]) -> AsyncIterator[ServerSentEvent]:
    """Send the parts that are new after each change of a team, as event `parts`; `end` or `reload` at the end."""
    sent: Mapping[str, object] = {}
    async with aclosing(changes.watch(team)) as wakings:
        async for _ in wakings:
            seen = await run_in_threadpool(look)
            if seen.is_stale:
                yield ServerSentEvent(event="reload", data={})
                return
            new = {name: part for name, part in seen.parts.items() if sent.get(name) != part}
            if new:
                yield ServerSentEvent(event="parts", data=new)
            sent = seen.parts
            if seen.is_over:
                yield ServerSentEvent(event="end", data={})
                return
