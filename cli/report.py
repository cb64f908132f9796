"""`mood report`: a challenge's report and all of its tables and figures, as files."""

from datetime import UTC, datetime
from pathlib import Path

import typer

from cli.console import complain, err, out
from cli.facts import facts, server_settings
from evaluator.analysis.words import counted
from server import analyses, challenges
from server.db import Database
from server.errors import NotFound
from server.protocol import Task
from server.storage import Store
from server.web.press import Edition
from server.web.rendering import Pages
from server.web.report import Source, source

app = typer.Typer()


@app.command()
def report(
    task: Task | None = typer.Option(None, help="this task alone"),
    to: Path = typer.Option(Path("report"), "--out", help="folder to write to; made if it is not there"),
    slug: str | None = typer.Option(None, "--challenge", help="its short name; without, the one loaded last"),
    home: Path | None = typer.Option(None, help="folder that holds all that the server keeps"),
) -> None:
    """Write the report of each task: one HTML page, a PDF, every table as CSV and LaTeX, every figure as SVG.

    What is there is brought up to date first. The files are the organizers' until the leaderboard is published.
    """
    settings = server_settings(home=home)
    store = Store(settings.store_dir)
    now = datetime.now(UTC)
    with facts(settings) as db:
        try:
            with db.read() as session:
                found = challenges.by_slug(session, slug) if slug else challenges.current(session)
                name, title = found.slug, found.title
        except NotFound as error:
            complain(error.message)
        err.print(f"{title}", style="dim", markup=False)
        written = [write(up_to_date(db, store, name, one, now), to / one) for one in ([task] if task else Task)]
    if not any(written):
        complain("There is nothing to report: no submission in the final queue is scored on all data sets.")


def up_to_date(db: Database, store: Store, slug: str, task: Task, now: datetime) -> Source | None:
    """Give what a report is made of, computed anew where scores have changed. None: nothing is scored."""
    with db.read() as session:
        is_current = analyses.is_current(session, challenges.by_slug(session, slug), task)
    if not is_current:
        err.print(f"{task} task: computing", style="dim")
        analyses.compute(db, store, slug, task, now)
    found = source(db, store, slug, task, now)
    return found if found is not None and found.document.facts["teams"] else None


def write(made_of: Source | None, folder: Path) -> bool:
    """Write one report; tells whether there was one."""
    if made_of is None:
        return False
    document = made_of.document
    if document.error:
        err.print(f"{document.task} task: {document.error}", style="red", markup=False, soft_wrap=True)
    edition = Edition(made_of, Pages(""))
    for name, content in edition.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    holds = f"{counted(document.facts['teams'], 'submission')}, {counted(len(document.tables), 'table')}"
    secret = "" if made_of.is_published else "; not published, so keep it to the organizers"
    out.print(f"{folder / edition.stem}.pdf: {holds}{secret}", markup=False, soft_wrap=True)
    return True
