"""Following submissions until they end: a live table on a terminal, a line for each change elsewhere."""

import time
from collections.abc import Sequence
from typing import Any

from rich.live import Live
from rich.table import Table

from cli.console import duration, out
from cli.remote import Remote
from server.protocol import SubmissionStatus

POLL_S = 0.5
FINAL = {status for status in SubmissionStatus if status.is_final}


def follow(remote: Remote, ids: Sequence[str]) -> list[Any]:
    """Show how submissions of one team go until all have ended; give their last views."""
    return follow_all([(remote, submission) for submission in ids])


def follow_all(submissions: Sequence[tuple[Remote, str]]) -> list[Any]:
    """As `follow`, for submissions of several teams: (that team's remote, submission's id)."""
    views = look(submissions)
    if out.is_terminal:
        with Live(table(views), console=out, refresh_per_second=4) as live:
            while not all(view["status"] in FINAL for view in views):
                time.sleep(POLL_S)
                views = look(submissions)
                live.update(table(views))
        return views
    said: dict[str, list[str]] = {}
    while True:
        for view in views:
            news = [view["status"], *(where(job) for job in view["jobs"])]
            if said.get(view["id"]) != news:
                out.print(sentence(view), markup=False, soft_wrap=True)
                said[view["id"]] = news
        if all(view["status"] in FINAL for view in views):
            return views
        time.sleep(POLL_S)
        views = look(submissions)


def look(submissions: Sequence[tuple[Remote, str]]) -> list[Any]:
    """Fetch every view once."""
    return [remote.get(f"/submissions/{submission}") for remote, submission in submissions]


def was_scored(views: Sequence[Any]) -> bool:
    """All of them ended as they should."""
    return all(view["status"] == "scored" for view in views)


def table(views: Sequence[Any]) -> Table:
    """One row a submission: its jobs' stages, cases and time."""
    shown = Table(box=None, pad_edge=False)
    for title in ("submission", "team", "task", "queue", "state"):
        shown.add_column(title)
    for name in dict.fromkeys(job["dataset"] for view in views for job in view["jobs"]):
        shown.add_column(name)
    for view in views:
        row = (view["id"], view["team"], view["task"], view["queue"], view["status"])
        shown.add_row(*row, *(progress(job) for job in view["jobs"]))
    return shown


def sentence(view: Any) -> str:
    """One line for one submission."""
    jobs = "; ".join(f"{job['dataset']} {progress(job)}" for job in view["jobs"])
    why = f" {view['code']}: {view['message']}" if view.get("code") else ""
    return f"{view['id']} {view['team']}, {view['task']}, {view['queue']}: {view['status']}{why}  {jobs}".rstrip()


def progress(job: Any) -> str:
    """Say where a job is and for how long."""
    elapsed = "" if job["elapsed_s"] is None else f", {duration(job['elapsed_s'])}"
    return where(job) + elapsed


def where(job: Any) -> str:
    """Say where a job is: its state and, while it predicts, the stage and the cases done of cases."""
    done, total = job["cases_done"], job["cases_total"]
    if job["status"] != "predicting" or not total:
        return str(job["status"])
    # Of hidden cases a team is told tenths of the whole.
    return (
        f"{job['stage']} cases {done}/{total}" if job["is_exact"] else f"{job['stage']} cases {done * 100 // total} %"
    )
