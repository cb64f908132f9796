"""Drawn charts, kept for a while: a chart takes a moment to draw, and many readers ask for the same one."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

from evaluator.analysis.tables import Table
from server.web import charts, vector

KEPT = 256  # charts of each kind; one takes up to 300 kB
WIDTHS = (300, 320, 340, 370, 400, 480, 600, 720, 840, 960)  # px; others would fill what is kept

# One at a time: who asks for the same chart meanwhile finds it drawn. A page's charts need not wait for pictures.
_specifying, _picturing = Lock(), Lock()


def spec(table: Table, *, width: int = charts.PAGE, teams: Sequence[str] = ()) -> str | None:
    """Give a chart's specification as JSON, at the widest of WIDTHS that fits. None: there is no chart of it."""
    fitting = max((offer for offer in WIDTHS if offer <= width), default=WIDTHS[0])
    asked = json.dumps(table.as_dict())
    with _specifying:
        return _spec(asked, fitting, tuple(teams))


def svg(table: Table, *, teams: Sequence[str] = ()) -> str | None:
    """Give a chart as SVG, as wide as a page. None: there is no chart of it."""
    found = spec(table, teams=teams)
    with _picturing:
        return None if found is None else _svg(found)


def png(table: Table, *, teams: Sequence[str] = ()) -> bytes | None:
    """Give a chart as PNG, as wide as a page. None: there is no chart of it."""
    found = spec(table, teams=teams)
    with _picturing:
        return None if found is None else _png(found)


def drawer(tables: Mapping[str, Table]) -> Callable[[Table], str | None]:
    """Give what draws these tables as SVG, a team the same in all of them."""
    teams = charts.teams_of(tables)
    return lambda table: svg(table, teams=teams)


@lru_cache(maxsize=KEPT)
def _spec(table: str, width: int, teams: tuple[str, ...]) -> str | None:
    drawn: dict[str, Any] | None = charts.chart(Table.from_dict(json.loads(table)), width=width, teams=teams)
    return None if drawn is None else json.dumps(drawn)


@lru_cache(maxsize=KEPT)
def _svg(spec: str) -> str:
    return vector.svg(json.loads(spec))


@lru_cache(maxsize=KEPT // 4)
def _png(spec: str) -> bytes:
    return vector.png(json.loads(spec))
