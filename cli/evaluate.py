"""`mood evaluate`: score a folder of predictions against a folder of labels."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.console import complain, duration, err, out, write
from evaluator.evaluation import EvaluationError, evaluate, read_deal, toy_threshold
from evaluator.evaluation import Progress as OnCase
from evaluator.objects import ObjectRule
from evaluator.tasks import PIXEL, SAMPLE
from evaluator.wording import number

app = typer.Typer()
STDOUT = "-"
MOST_LINES = 10  # of each kind of complaint; the JSON names all
Numbers = Mapping[str, Any]


class Task(StrEnum):
    """What is scored."""

    SAMPLE = SAMPLE
    PIXEL = PIXEL


@app.command(name="evaluate")
def main(
    task: Task = typer.Option(help="one score a voxel, or one a case"),
    predictions: Path = typer.Option(help="folder of <case>.nii.gz (pixel) or <case>.nii.gz.txt (sample)"),
    labels: Path = typer.Option(help="folder of the same names"),
    deal: Path | None = typer.Option(None, help="JSON: a list of lists of case file names, or a challenge's deal.json"),
    dataset: str | None = typer.Option(None, help="the data set, where --deal is a challenge's deal.json"),
    seed: int = typer.Option(0, min=0, help="of the deal, where none is given"),
    workers: int = typer.Option(1, min=1, help="processes that read predictions"),
    json_out: str | None = typer.Option(None, "--json", help="write every number here; - is standard output"),
    voxels_only: bool = typer.Option(
        False, "--voxels-only", help="leave out slices, lesions and boxes: twice as quick"
    ),
    threshold: float | None = typer.Option(None, min=0, max=1, help="Dice at this score too"),
    object_threshold: float | None = typer.Option(None, help="object-level detection too, of scores from here on"),
    object_min_mm3: float = typer.Option(0.0, min=0, help="detected objects under this volume are dropped"),
    object_factor: float = typer.Option(2.0, min=1, help="sizes of object and detection may differ by this factor"),
    toy_predictions: Path | None = typer.Option(None, help="toy cases, whose best Dice gives both thresholds"),
    toy_labels: Path | None = typer.Option(None, help="their labels"),
) -> None:
    """Score predictions as the challenge does, and by every other metric that papers report."""
    if task is Task.SAMPLE and (object_threshold is not None or toy_predictions or toy_labels):
        complain("objects and toy thresholds are of the pixel task")
    if voxels_only and object_threshold is not None:
        complain("--object-threshold asks for objects, --voxels-only for none")
    if (toy_predictions is None) != (toy_labels is None):
        complain("--toy-predictions and --toy-labels go together")
    try:
        if toy_predictions and toy_labels:
            with progress("toy cases") as on_case:
                found = toy_threshold(toy_predictions, toy_labels, workers=workers, progress=on_case)
            threshold = found if threshold is None else threshold
            object_threshold = found if object_threshold is None and not voxels_only else object_threshold
        dealt = read_deal(deal, dataset, task=task) if deal else None
        with progress(task) as on_case:
            evaluation = evaluate(
                task,
                predictions,
                labels,
                deal=dealt,
                seed=seed,
                workers=workers,
                detailed=not voxels_only,
                rule=object_rule(object_threshold, object_min_mm3, object_factor),
                threshold=threshold,
                progress=on_case,
            )
    except EvaluationError as error:
        complain(str(error))
    numbers = evaluation.as_dict()
    content = json.dumps(numbers, indent=2, ensure_ascii=False, allow_nan=False)
    if json_out == STDOUT:
        typer.echo(content)
        return
    show(numbers, out)
    if json_out is not None:
        write(Path(json_out), f"{content}\n")


def object_rule(threshold: float | None, min_volume_mm3: float, size_factor: float) -> ObjectRule | None:
    """Give the rule that was asked for; None where none was."""
    if threshold is None:
        return None
    try:
        return ObjectRule(threshold=threshold, min_volume_mm3=min_volume_mm3, size_factor=size_factor)
    except ValueError as error:
        complain(str(error))


@contextmanager
def progress(what: str) -> Iterator[OnCase | None]:
    """Show a bar on standard error while cases are read; nothing where it is not a terminal."""
    if not err.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        shown = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(shown, completed=done, total=total)


def show(numbers: Numbers, console: Console) -> None:
    """Print what matters of an evaluation; `--json` has the rest."""
    for line in headline(numbers):
        console.print(line, markup=False)
    console.print(levels(numbers))
    for line in (*details(numbers), *complaints(numbers)):
        console.print(line, markup=False, soft_wrap=True)


def headline(numbers: Numbers) -> list[str]:
    """Give what was scored, and the official score."""
    cases, batches = numbers["cases"], numbers["batches"]
    anomalous = sum(case["label"] for case in cases.values())
    sizes = f"{counted(len(cases), 'case')}, {anomalous} anomalous, {counted(len(batches), 'batch', 'batches')}"
    lines = [
        f"{numbers['task']} task, {sizes}, {duration(numbers['wall_s'])}",
        "",
        f"official AP              {numbers['ap']:.6f}",
    ]
    if numbers.get("validation"):
        lines.append(f"  by a second deal       {numbers['validation']['ap']:.6f}")
    low, high = numbers.get("ap_bounds") or (None, None)
    if low != high:
        lines.append(f"  in full precision      {number(low)} to {number(high)}")
    return [*lines, f"distinct scores          {numbers['distinct']}", ""]


def levels(numbers: Numbers) -> Table:
    """Give AP and the like of the whole data set and, of the pixel task, by scan and slice."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("")
    for column in ("n", "AP", "AUROC", "max Dice", "FPR@95TPR"):
        shown.add_column(column, justify="right")
    names = ("ap", "auroc", "max_dice", "fpr_at_95tpr")
    if numbers["task"] == SAMPLE:
        shown.add_row("cases", *row(numbers, len(numbers["cases"]), [f"dataset_{name}" for name in names]))
        return shown
    shown.add_row("all voxels", *row(numbers, len(numbers["cases"]), [f"dataset_{name}" for name in names]))
    if numbers["slices"]:
        shown.add_row("slices", *row(numbers["slices"], numbers["slices"]["n"], names))
    scans = numbers["scan_level"]
    for what in ("mean", "median"):
        values = {name: scans[name][what] for name in scans}
        shown.add_row(f"scans, {what}", *row(values, scans["ap"]["n"], names))
    return shown


def row(numbers: Numbers, n: int, names: Sequence[str]) -> list[str]:
    """Write one line of numbers; empty where a level has no such number."""
    return [str(n), *(number(numbers[name])[:8] if name in numbers else "" for name in names)]


def details(numbers: Numbers) -> list[str]:
    """Give what counts lesions and objects, and what was asked for at a threshold."""
    lines = []
    if numbers.get("lesions"):
        found = numbers["lesions"]
        boxes = counted(found["boxes"], "box of a slice", "boxes of slices")
        lines += [
            f"AUPRO (FPR ≤ 0.3)        {number(numbers['aupro_30'])}   over {counted(found['components'], 'lesion')}",
            f"PL, IoU > 0.3 | 0.5      {number(numbers['pl_30'])} | {number(numbers['pl_50'])}   over {boxes}",
            f"  the package's          {number(numbers['pl_package_30'])} | {number(numbers['pl_package_50'])}",
        ]
    if numbers["dice_at"]:
        found = numbers["dice_at"]
        lines.append(f"Dice at {found['threshold']:<16.4g} {number(found['dice'])}")
    if numbers.get("objects"):
        found = numbers["objects"]
        lines.append(
            f"objects                  precision {number(found['precision'])}, recall {number(found['recall'])}, "
            f"F1 {number(found['f1'])}"
        )
    return ["", *lines] if lines else []


def complaints(numbers: Numbers) -> list[str]:
    """Name the predictions that count 0, what was left out, and every warning."""
    missing = {name: case["reason"] for name, case in numbers["cases"].items() if case["missing"]}
    lines = [""] if missing or numbers["ignored"] or numbers["not_dealt"] or numbers["warnings"] else []
    lines += some([f"{name}: {reason}" for name, reason in missing.items()])
    lines += some([f"{name}: ignored, it has no label" for name in numbers["ignored"]])
    lines += some([f"{name}: not in the deal, so not in the official AP" for name in numbers["not_dealt"]])
    return lines + [f"{found['code']} ×{found['count']}: {found['sentence']}" for found in numbers["warnings"]]


def some(lines: Sequence[str]) -> list[str]:
    """Give the first lines, and how many there are more."""
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], *([f"… and {more} more: --json names all"] if more > 0 else [])]


def counted(count: int, one: str, several: str | None = None) -> str:
    """Write a number of things.

    >>> counted(1, "batch", "batches"), counted(2, "case")
    ('1 batch', '2 cases')
    """
    return f"{count} {one if count == 1 else several or f'{one}s'}"
