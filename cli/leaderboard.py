"""`mood leaderboard`: a published ranking."""

import json
from collections.abc import Sequence
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
    metric: str | None = typer.Option(None, help="by another metric, such as dataset_auroc; not official"),
    server: str | None = typer.Option(None, help="a server's address; without, the one you are logged in to"),
    as_json: bool = typer.Option(False, "--json", help="as the API gives it"),
) -> None:
    """Show a published ranking."""
    path = f"/leaderboards/{task}" + (f"/metrics/{metric}" if metric else "")
    board = (Remote(server, None) if server else remote()).get(path)
    if as_json:
        out.print_json(json.dumps(board))
    elif metric:
        out.print(metric_table(board))
    else:
        out.print(board_table(board))
        for line in remarks(board):
            out.print(line, markup=False, soft_wrap=True)


def board_table(board: Any) -> Table:
    """One row a team: rank with its interval, AP on each data set, mean rank."""
    as_of = f", as of {board['as_of'][:16].replace('T', ' ')} UTC" if board["as_of"] else ""
    shown = Table(title=f"{board['task']} task{as_of}", title_justify="left")
    shown.add_column("rank", justify="right")
    if board["resampling"]:
        shown.add_column("95 %", justify="right")
    shown.add_column("team")
    for dataset in board["datasets"]:
        shown.add_column(f"AP {dataset}", justify="right")
    shown.add_column("mean rank", justify="right")
    for row in board["rows"]:
        interval = [between(row["rank_interval"])] if board["resampling"] else []
        values = (f"{row['values'][dataset]:.4f}" for dataset in board["datasets"])
        shown.add_row(rank(row), *interval, row["team"], *values, f"{row['mean_rank']:.2f}")
    return shown


def metric_table(board: Any) -> Table:
    """One row a team: rank, the metric on each data set, mean and standard deviation."""
    better = "lower" if board["lower_is_better"] else "higher"
    title = f"{board['task']} task, {board['title']}: {better} is better, not the official ranking"
    shown = Table(title=title, title_justify="left")
    shown.add_column("rank", justify="right")
    shown.add_column("team")
    for column in (*board["datasets"], "mean", "SD"):
        shown.add_column(column, justify="right")
    for row in board["rows"]:
        values = (*(row["values"][dataset] for dataset in board["datasets"]), row["mean"], row["sd"])
        shown.add_row(rank(row), row["team"], *("n/a" if value is None else f"{value:.4f}" for value in values))
    return shown


def remarks(board: Any) -> list[str]:
    """Say what the table cannot: how intervals were made, and whom rounding may have ordered."""
    found = []
    if board["resampling"]:
        made = board["resampling"]
        found.append(f"95 %: of the ranks over {made['resamples']:,} resamples of the cases, seed {made['seed']}")
    elif board["rows"]:
        how = "could not be computed" if board["resampling_failed"] else "are being computed"
        found.append(f"Rank intervals {how}.")
    for dataset, pairs in board["close"].items():
        said = "; ".join(f"{one} and {other}" for one, other in pairs)
        found.append(f"{dataset}: without rounding to half precision, the order may be another: {said}")
    return found


def rank(row: Any) -> str:
    """Write a rank: 3= where others share it."""
    return f"{row['rank']}=" if row["is_tied"] else str(row["rank"])


def between(interval: Sequence[int] | None) -> str:
    """Write an interval."""
    return f"{interval[0]}–{interval[1]}" if interval else "n/a"
