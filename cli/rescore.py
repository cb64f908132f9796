"""`mood rescore`: all scores anew from what scoring stored, beside the old ones."""

from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.progress import Progress
from rich.table import Table

from cli.console import complain, err, out
from cli.facts import facts, server_settings
from server import challenges, rescoring
from server.db import Database
from server.errors import Refused
from server.rescoring import BoardChange, Comparison, Pair
from server.storage import Store

app = typer.Typer()

MOST_LEFT = 10  # lines about scores that stay as they are


@app.command()
def rescore(
    publish: bool = typer.Option(False, "--publish", help="put the new scores in the old ones' place at once"),
    leave: bool = typer.Option(
        False, "--leave", help="publish also where scores cannot be computed again and stay by another evaluator"
    ),
    home: Path | None = typer.Option(None, help="the server's folder [MOOD_HOME]"),
) -> None:
    """Compute all scores again from sketches and details, and show what would change. No volume is read."""
    settings = server_settings(home=home)
    with facts(settings) as database:
        try:
            made = computed(database, Store(settings.store_dir))
            for board in made.boards:
                out.print(board_table(board))
            say_what_changed(made)
            if not publish:
                out.print(
                    f"Nothing is published. See {settings.public_url}/organizer/rescoring/{made.id} and publish it "
                    "there, or call mood rescore --publish",
                    soft_wrap=True,
                )
                return
            with database.write() as session:
                replaced = rescoring.publish(session, made.id, datetime.now(UTC), None, leave=leave)
        except Refused as refused:
            complain(refused.message)
    out.print(f"Published: {replaced} scores are by evaluator {made.evaluator_version}; the old ones are kept")


def computed(database: Database, store: Store) -> Comparison:
    """Compute a re-scoring, with a bar where somebody watches."""
    with database.write() as session:
        made = rescoring.begin(session, challenges.current(session), datetime.now(UTC), None)
    with Progress(console=err, transient=True) as bar:
        task = bar.add_task("Scoring again")
        try:
            rescoring.compute(
                database,
                store,
                made,
                lambda: datetime.now(UTC),
                lambda done, total: bar.update(task, completed=done, total=total),
            )
        except KeyboardInterrupt:
            with database.write() as session:
                rescoring.drop(session, made, datetime.now(UTC), None)
            raise
    with database.read() as session:
        found = rescoring.comparison(session, made)
    if found.problem is not None:
        complain(f"The scores could not be computed: {found.problem}")
    return found


def board_table(board: BoardChange) -> Table:
    """One row a team: rank and values, old and new where they differ."""
    shown = Table(title=f"{board.task} task, {board.moved} ranks change", title_justify="left")
    shown.add_column("rank", justify="right")
    shown.add_column("team")
    for dataset in board.datasets:
        shown.add_column(f"AP {dataset}", justify="right")
    for team in board.teams:
        moved = team.old_rank != team.new_rank
        rank = f"{team.old_rank} → {team.new_rank}" if moved else str(team.new_rank)
        shown.add_row(rank, team.team, *(pair_text(team.values[name]) for name in board.datasets))
    return shown


def pair_text(pair: Pair) -> str:
    """Write a value once where it stays."""
    if pair.new is None:
        return "–" if pair.old is None else f"{pair.old:.4f} (stays)"
    old, new = (f"{value:.4f}" if value is not None else "–" for value in (pair.old, pair.new))
    if pair.is_same:
        return new
    # A change below the fourth digit is one too.
    return f"{old} → {new}" if old != new else f"{pair.old} → {pair.new}"


def say_what_changed(made: Comparison) -> None:
    """Print the counts, and what could not be computed again."""
    by = ", ".join(made.old_versions)
    out.print(
        f"{made.scores} scores by evaluator {made.evaluator_version} (before: {by or 'none'}): {made.changed} change, "
        f"{made.metrics_changed} have other metrics that change",
        soft_wrap=True,
    )
    for one in made.left[:MOST_LEFT]:
        line = f"stays as it is: submission {one.submission} on {one.dataset}: {one.reason}"
        out.print(line, markup=False, soft_wrap=True)
    if len(made.left) > MOST_LEFT:
        out.print(f"and {len(made.left) - MOST_LEFT} more stay as they are")
