"""`mood data show`: a challenge folder's cases as pictures."""

from pathlib import Path

import typer
from rich.progress import Progress

from cli.console import complain, err, out
from toy_cases import show as showing

MOST = 240  # cases of one PNG, some 20,000 pixels high


def show(
    folder: Path = typer.Argument(help="a challenge folder with cases.csv, such as OUT/challenge"),
    to: Path | None = typer.Option(None, "--out", help="where to; FOLDER-sheets beside it, if not given"),
    dataset: str | None = typer.Option(None, help="this data set alone"),
    most: int = typer.Option(showing.MOST, min=1, max=MOST, help="cases of a category, or of the normal ones"),
) -> None:
    """Draw contact sheets by category, anomalies outlined, and a page of them. They are as secret as the labels."""
    place = to or folder.absolute().with_name(f"{folder.absolute().name}-sheets")
    try:
        with Progress(console=err) as bar:
            task = bar.add_task("")
            shown = showing.show(
                folder,
                place,
                dataset=dataset,
                most=most,
                progress=lambda done, of, what: bar.update(task, completed=done, total=of, description=what),
            )
    except (ValueError, OSError) as error:
        complain(str(error))
    for line in shown.sentences:
        out.print(line, markup=False, soft_wrap=True)
    out.print(f"{shown.page}: open it in a browser; {len(shown.sheets)} sheets lie beside it", soft_wrap=True)
