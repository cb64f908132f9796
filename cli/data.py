"""`mood data`: from a recipe to a challenge's data."""

from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.console import complain, err, out
from cli.data_show import show
from toy_cases import recipe as recipes
from toy_cases.anomalies import NoPlaceError
from toy_cases.build import DiskFullError, build
from toy_cases.plan import make_plan
from toy_cases.sets import SetName

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def data() -> None:
    """A challenge's data, from normal scans."""


@app.command()
def recipe() -> None:
    """Print a commented recipe with a seed of its own."""
    print(recipes.example(), end="")


@app.command()
def make(
    recipe: Path = typer.Argument(help="a recipe.yaml; `mood data recipe` prints one"),
    folder: Path = typer.Argument(metavar="OUT", help="where to; an interrupted build there goes on"),
    processes: int | None = typer.Option(None, min=1, help="how many; as many as cores and memory allow"),
) -> None:
    """Make toy cases, a hidden test set and all else that a recipe asks for."""
    try:
        plan = make_plan(*recipes.read(recipe))
        with bar() as shown:
            task = shown.add_task("", total=len(plan.cases))
            report = build(
                plan,
                folder,
                processes=processes,
                progress=lambda done, of, what: shown.update(task, completed=done, total=of, description=what),
            )
    except (ValueError, FileExistsError, DiskFullError, MemoryError, NoPlaceError) as error:
        complain(str(error))
    for line in report.lines():
        out.print(line, markup=False, soft_wrap=True)
    for home in SetName:
        if report.folders[home].is_dir():
            out.print(f"{report.folders[home]}: {MEANING[home]}", markup=False, soft_wrap=True)


app.command()(show)

MEANING = {
    SetName.CHALLENGE: "hidden; `mood challenge commit` and `mood challenge load` take it",
    SetName.ANALYSIS: "hidden; as many cases of every subcategory, half normal",
    SetName.TOYISH: "hidden; the proxy set of spheres and cubes",
    SetName.SWEEPS: "hidden; one scan, a sphere that grows and one that brightens",
    SetName.PARTICIPANTS: "to hand out: toy cases with labels and normal volumes for training",
}


def bar() -> Progress:
    """One bar, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err)
