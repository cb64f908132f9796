"""Public API: analyses, whole or a table at a time, as JSON, CSV, LaTeX and charts."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from evaluator.analysis.tables import Table
from server.errors import NotFound
from server.protocol import Task
from server.web import analysed, drawings
from server.web.api.errors import ERRORS
from server.web.charts import PAGE, teams_of
from server.web.deps import Now, SiteDep, Visitor
from server.web.latex import latex
from server.web.wide import readable

router = APIRouter(prefix="/api/v1/analyses", tags=["analyses"], responses=ERRORS)

Name = Annotated[str, Path(pattern="^[a-z_]{1,40}$")]


class Kind(StrEnum):
    """What a table can be had as."""

    CSV = "csv"  # rows, numbers in full
    JSON = "json"  # columns with units, rows, caption, notes
    TEX = "tex"  # as it is laid out for reading
    SVG = "svg"  # its chart
    PNG = "png"
    VL = "vl"  # the chart's Vega-Lite specification, with its data


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A table, and how its chart is to be drawn."""

    table: Table
    teams: tuple[str, ...]  # in the order of the consensus
    width: int  # px


WRITERS: Mapping[Kind, tuple[str, Callable[[Wish], str | bytes | None]]] = {
    Kind.CSV: ("text/csv", lambda wish: wish.table.csv()),
    Kind.JSON: ("application/json", lambda wish: json.dumps(wish.table.as_dict())),
    Kind.TEX: ("application/x-tex", lambda wish: latex(readable(wish.table))),
    Kind.SVG: ("image/svg+xml", lambda wish: drawings.svg(wish.table, teams=wish.teams)),
    Kind.PNG: ("image/png", lambda wish: drawings.png(wish.table, teams=wish.teams)),
    Kind.VL: ("application/json", lambda wish: drawings.spec(wish.table, width=wish.width, teams=wish.teams)),
}


@router.get("/{task}")
def document(task: Task, site: SiteDep, visitor: Visitor, now: Now) -> dict[str, Any]:
    """Give all tables of a task with what they were computed from. Organizers see them before they are published."""
    return analysed.document(site, visitor, task, now).as_dict()


@router.get("/{task}/{name}.{kind}", response_model=None)
def as_file(
    task: Task,
    name: Name,
    kind: Kind,
    site: SiteDep,
    visitor: Visitor,
    now: Now,
    width: Annotated[int, Query(ge=100, le=4000)] = PAGE,
) -> Response:
    """Give one table: rows (csv), with columns and notes (json), LaTeX (tex); or its chart (svg, png, vl: Vega-Lite).

    `width` is the place in pixels that a Vega-Lite chart is to fill.
    """
    tables = analysed.document(site, visitor, task, now).tables
    if name not in tables:
        raise NotFound(f"There is no table {name!r}; there are {', '.join(tables) or 'none'}.")
    media_type, write = WRITERS[kind]
    written = write(Wish(table=tables[name], teams=teams_of(tables), width=width))
    if written is None:
        raise NotFound(f"There is no chart of {name}.")
    end = "vl.json" if kind is Kind.VL else kind
    return Response(
        written, media_type=media_type, headers={"content-disposition": f'inline; filename="{task}-{name}.{end}"'}
    )
