"""The report of `mood try` as one page that needs no other file, as a submission's page shows it."""

from pathlib import Path

from server.protocol import Task
from server.web import toy_report
from server.web.pictures import address, pair, png
from server.web.toy_report import stored, window_of
from worker.trial import Trial


def write(trial: Trial, path: Path, *, image: str, dataset: str, task: Task) -> None:
    """Write it. Raises ValueError where the trial has no report."""
    report = stored(trial.report or {})
    if trial.report is None or report is None:
        raise ValueError("there is no report to write")
    window = window_of(report)
    names = [case.case for case in report.cases]
    drawn = {
        names.index(case): address(png(pair(slices.image, slices.label, slices.prediction, window)))
        for case, slices in trial.slices.items()
        if case in names
    }
    view = toy_report.view_of(report, pictures=drawn)
    facts = (f"{task.value.capitalize()} task", f"data set {dataset}", f"evaluator {report.evaluator_version}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(toy_report.page(view, title=image, facts=facts, log_text=trial.outcome.log), encoding="utf-8")
