"""`mood leaderboard`: a published ranking."""

import json
from typing import Any

import typer
from rich.table import Table

from cli.console import out
from cli.remote import Remote, remote
from server.protocol import Task

app = typer.Typer()


@app.command()
def leaderboard(
    task: Task = typer.Argument(help="which ranking"),
    server: str | None = typer.Option(None, help="a server's address; without, the one you are logged in to"),
    as_json: bool = typer.Option(False, "--json", help="as the API gives it"),
) -> None:
    """Show a published ranking."""
    board = (Remote(server, None) if server else remote()).get(f"/leaderboards/{task}")
    if as_json:
        out.print_json(json.dumps(board))
    else:
        out.print(board_table(board))
        for dataset, pairs in board["close"].items():
            said = "; ".join(f"{one} and {other}" for one, other in pairs)
            out.print(f"{dataset}: without rounding to half precision, the order may be another: {said}", markup=False)


def board_table(board: Any) -> Table:
    """One row a team: rank, AP on each data set, mean rank."""
    as_of = f", as of {board['as_of'][:16].replace('T', ' ')} UTC" if board["as_of"] else ""
    shown = Table(title=f"{board['task']} task{as_of}", title_justify="left")
    shown.add_column("rank", justify="right")
    shown.add_column("team")
    for dataset in board["datasets"]:
        shown.add_column(f"AP {dataset}", justify="right")
    shown.add_column("mean rank", justify="right")
    for row in board["rows"]:
        values = (f"{row['values'][dataset]:.4f}" for dataset in board["datasets"])
        shown.add_row(str(row["rank"]), row["team"], *values, f"{row['mean_rank']:.2f}")
    return shown
