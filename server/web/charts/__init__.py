"""One chart for each table, the same on pages and on paper."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from altair.typing import ChartType

from evaluator.analysis.tables import Table
from server.web.charts import kinds, metrics, standings, sweeps
from server.web.charts.paper import Paper, finish

PAGE = 720  # px

CHARTS: Mapping[str, Callable[[Table, Paper], ChartType]] = {
    "consensus": standings.consensus,
    "places": standings.places,
    "rank_probabilities": standings.rank_probabilities,
    "rank_agreement": standings.rank_agreement,
    "schemes": standings.schemes,
    "tests": standings.tests,
    "categories": kinds.categories,
    "difficulty": kinds.difficulty,
    "false_alarms": kinds.false_alarms,
    "sizes": sweeps.sizes,
    "contrasts": sweeps.contrasts,
    "proxies": sweeps.proxies,
    "levels": metrics.levels,
    "level_histograms": metrics.level_histograms,
    "detections": metrics.detections,
    "deals": metrics.deals,
    "costs": sweeps.costs,
    "boards": metrics.boards,
}


def chart(table: Table, *, width: int = PAGE, teams: Sequence[str] = ()) -> dict[str, Any] | None:
    """Give the Vega-Lite 6 specification of a table's chart; None where there is none or no row to draw."""
    draw = CHARTS.get(table.name)
    if draw is None or not table.rows:
        return None
    paper = Paper(width=width, teams=tuple(teams))
    return finish(draw(table, paper), paper)


def teams_of(tables: Mapping[str, Table]) -> tuple[str, ...]:
    """Teams in the order of the consensus: given to every chart, a team looks the same in all of them."""
    ranked = tables.get("consensus")
    return tuple(str(row["team"]) for row in ranked.rows) if ranked else ()
