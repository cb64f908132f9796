"""`mood rank`: rank teams from a table of scores."""

import json
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.console import complain, err, out, write
from evaluator import ranking
from evaluator.ranking import CONSENSUS, Board, Scheme

app = typer.Typer()
STDOUT = "-"
DIGITS = {Scheme.AGGREGATE: 3, Scheme.RANKS: 2, Scheme.TESTS: 0}
TITLES = {Scheme.AGGREGATE: "value", Scheme.RANKS: "mean rank in a case", Scheme.TESTS: "significantly better than"}


@app.command()
def rank(
    scores: Path = typer.Argument(help="a CSV file with the columns task, alg_name, value, case"),
    json_out: str | None = typer.Option(None, "--json", help="write the ranking here; - is standard output"),
    scheme: Scheme = typer.Option(Scheme.AGGREGATE, "--scheme", help="how places follow from the cases of a data set"),
    resamples: int = typer.Option(
        0, "--bootstrap", metavar="N", min=0, max=1_000_000, help="draw the cases N times again, for rank intervals"
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="of all draws"),
) -> None:
    """Rank teams on each data set and over all, as MOOD did."""
    try:
        board = ranking.board(ranking.read_scores(scores), scheme, resamples=resamples, seed=seed)
    except ranking.ScoresError as error:
        complain(str(error))
    for note in board.notes:
        err.print(note, style="yellow", markup=False)
    content = json.dumps(board.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    if json_out == STDOUT:
        typer.echo(content)
        return
    show(board, out)
    if json_out is not None:
        write(Path(json_out), f"{content}\n")


def show(board: Board, console: Console) -> None:
    """Print a table for each data set, the consensus, and what other schemes make of it."""
    for name, places in board.ranking.datasets.items():
        table, cells = titled(name, TITLES[board.scheme], board), intervals(board, name)
        for place in places:
            value = f"{place.value:.{DIGITS[board.scheme]}f}"
            table.add_row(str(place.rank), escape(place.team), value, *cells.get(place.team, ()))
        console.print(table)
    table, cells = titled(CONSENSUS, "mean rank", board), intervals(board, None)
    for standing in board.ranking.consensus:
        row = (str(standing.rank), escape(standing.team), f"{standing.mean_rank:g}")
        table.add_row(*row, *cells.get(standing.team, ()))
    console.print(table)
    if board.schemes:
        console.print(side_by_side(board))


def titled(title: str, last: str, board: Board) -> Table:
    """Make an empty table: rank, team, one number, and where cases were drawn the interval of the rank."""
    table = Table(title=escape(title), title_justify="left")
    table.add_column("rank", justify="right")
    table.add_column("team")
    table.add_column(last, justify="right")
    if board.drawn:
        table.add_column("ranks (95 %)", justify="right")
    return table


def intervals(board: Board, dataset: str | None) -> dict[str, tuple[str]]:
    """Give each team's cell with its rank interval, on a data set or over all; none where nothing was drawn."""
    if board.drawn is None:
        return {}
    ranks = board.drawn.ranks
    firm = ranks.consensus if dataset is None else ranks.datasets[dataset]
    return {
        team: (f"{low}" if low == high else f"{low} to {high}",)
        for team, (low, high) in zip(ranks.teams, firm.intervals(), strict=True)
    }


def side_by_side(board: Board) -> Table:
    """Make a table of the consensus under each scheme."""
    table = Table(title="consensus under each scheme", title_justify="left")
    table.add_column("team")
    for scheme in Scheme:
        table.add_column(scheme, justify="right")
    for one in board.schemes:
        if one.dataset == CONSENSUS:
            table.add_row(escape(one.team), *("n/a" if rank is None else str(rank) for rank in one.ranks.values()))
    return table
