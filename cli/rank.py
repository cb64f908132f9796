"""`mood rank`: rank teams from a table of scores."""

import json
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.console import complain, out
from evaluator import ranking

app = typer.Typer()
STDOUT = "-"


@app.command()
def rank(
    scores: Path = typer.Argument(help="a CSV file with the columns task, alg_name, value, case"),
    json_out: str | None = typer.Option(None, "--json", help="write the ranking here; - is standard output"),
) -> None:
    """Rank teams on each data set and over all, as MOOD did."""
    try:
        board = ranking.rank(ranking.read_csv(scores))
    except ranking.ScoresError as error:
        complain(str(error))
    content = json.dumps(board.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    if json_out == STDOUT:
        typer.echo(content)
        return
    show(board, out)
    if json_out is not None:
        write(Path(json_out), f"{content}\n")


def show(board: ranking.Ranking, console: Console) -> None:
    """Print a table for each data set, and the consensus."""
    for name, places in board.datasets.items():
        table = titled(name, "value")
        for place in places:
            table.add_row(str(place.rank), escape(place.team), f"{place.value:.3f}")
        console.print(table)
    table = titled("consensus", "mean rank")
    for standing in board.consensus:
        table.add_row(str(standing.rank), escape(standing.team), f"{standing.mean_rank:g}")
    console.print(table)


def titled(title: str, last: str) -> Table:
    """Make an empty table: rank, team, and one number."""
    table = Table(title=escape(title), title_justify="left")
    table.add_column("rank", justify="right")
    table.add_column("team")
    table.add_column(last, justify="right")
    return table


def write(path: Path, content: str) -> None:
    """Write the ranking, or say why it cannot be written."""
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        complain(f"{path}: cannot be written: {error.strerror}")
