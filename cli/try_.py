"""`mood try`: an image on toy cases, here, as the server would run and score it."""

import json
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.console import complain, err, out
from cli.extras import loaded
from evaluator.wording import report_lines
from server.messages import failure
from server.protocol import ContainerUser, Limits, Stage, Task
from worker.runners.base import EngineFault
from worker.runners.docker import Engine
from worker.trial import CannotTry, Trial, try_image

app = typer.Typer()

LOG_LINES = 40  # of the end of a log
GB = 2**30


@app.command("try")
def try_(
    image: str = typer.Argument(help="a local image's name, or an archive written by docker save"),
    data: Path = typer.Option(help="the unpacked toy cases: a folder with toy/ and toy_label/, or one above it"),
    dataset: str = typer.Option(help="the data set: brain, abdom, …"),
    task: Task = typer.Option(help="what the image is asked"),
    keep: Path | None = typer.Option(None, help="copy the predictions to this folder"),
    memory: float = typer.Option(Limits().memory_bytes / GB, help="GiB the container may use"),
    cpus: float = typer.Option(Limits().cpus, help="processors the container may use"),
    budget: float = typer.Option(600.0, help="seconds of wall clock for each case"),
    gpu: str | None = typer.Option(None, help="a GPU of this machine, as the engine names it: 0, GPU-…"),
    as_json: bool = typer.Option(False, "--json", help="print the report as the server keeps it, every digit"),
    user: ContainerUser = typer.Option(ContainerUser.NOBODY, help="whom it runs as, where you are root"),
    html: Path | None = typer.Option(None, help="write the report to this file as a page, with plots and pictures"),
) -> None:
    """Run an image on toy cases here, as the server would; ends with 1 where the server would fail it."""
    # Before the run: who lacks a package hears of it at once.
    page = loaded("cli.trial_page", "mood try --html", "worker,server") if html is not None else None
    if html is not None and html.is_dir():
        complain(f"{html} is a folder: name the file that the page is to be written to.")
    limits = Limits(memory_bytes=round(memory * GB), cpus=cpus)
    columns = (TextColumn("Cases"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=err, transient=True) as bar:
            line = bar.add_task("cases", total=None)
            trial = try_image(
                image,
                data,
                dataset,
                task,
                engine=Engine(),
                limits=limits,
                budget_s=budget,
                user=user,
                gpu=gpu,
                keep=keep,
                progress=lambda done, total: bar.update(line, completed=done, total=total),
            )
    except (CannotTry, EngineFault) as error:
        complain(str(error))
    show(trial, as_json=as_json)
    if page is not None and html is not None and trial.report is not None:
        page.write(trial, html, image=image, dataset=dataset, task=task)
        err.print(f"{html}: the report as a page", markup=False, soft_wrap=True)
    if trial.failure is not None:
        raise typer.Exit(1)


def show(trial: Trial, *, as_json: bool) -> None:
    """Print the end of the log, then the report or the reason why there is none."""
    lines = trial.outcome.log.rstrip().splitlines()
    if len(lines) > LOG_LINES:
        err.print(f"… {len(lines) - LOG_LINES} lines of the log left out", style="dim")
    for said in lines[-LOG_LINES:]:
        err.print(f"  {said}", style="dim", markup=False, soft_wrap=True)
    if trial.report is not None and as_json:
        typer.echo(json.dumps(trial.report, indent=2))
    elif trial.report is not None:
        for said in report_lines(trial.report):
            out.print(said, markup=False, soft_wrap=True)
    if trial.failure is not None:
        detail = f"exit code {trial.outcome.exit_code}" if trial.outcome.exit_code else None
        said = f"{trial.failure}: {failure(trial.failure, Stage.TOY, detail)}"
        err.print(said, style="red", markup=False, soft_wrap=True)
