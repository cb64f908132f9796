"""What `mood leaderboard` makes of what the API says."""

from typing import Any

import pytest
from typer.testing import CliRunner

from cli import leaderboard

ROW = {
    "rank": 1,
    "is_tied": True,
    "team": "[red]A",
    "values": {"brain": 0.5},
    "mean_rank": 1.5,
    "rank_interval": [1, 2],
}
BOARD: dict[str, Any] = {
    "task": "pixel",
    "as_of": "2026-03-01T12:00:00Z",
    "datasets": ["brain"],
    "rows": [ROW, {**ROW, "team": "B", "rank_interval": None}],
    "close": {"brain": [["[red]A", "B"]]},
    "resampling": {"resamples": 1000, "seed": 7},
    "resampling_failed": False,
}
METRIC = {
    "task": "pixel",
    "title": "FPR@95TPR (voxels)",
    "lower_is_better": True,
    "datasets": ["brain"],
    "rows": [{**ROW, "values": {"brain": None}, "mean": None, "sd": None}],
}


class Server:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def get(self, path: str) -> Any:
        self.asked.append(path)
        return self.answer


def call(monkeypatch: pytest.MonkeyPatch, answer: Any, *arguments: str) -> tuple[str, list[str]]:
    server = Server(answer)
    monkeypatch.setattr(leaderboard, "remote", lambda: server)
    done = CliRunner().invoke(leaderboard.app, list(arguments), env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    return done.output, server.asked


def test_ties_and_intervals_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    said, asked = call(monkeypatch, BOARD, "pixel")
    assert asked == ["/leaderboards/pixel"]
    assert "1=" in said
    assert "1–2" in said
    assert "n/a" in said
    assert "0.5000" in said
    assert "1,000 resamples of the cases, seed 7" in said
    assert "the order may be another: [red]A and B" in said


def test_intervals_that_are_not_there_yet_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said, _ = call(monkeypatch, {**BOARD, "resampling": None}, "pixel")
    assert "are being computed" in said
    assert "95 %" not in said


def test_intervals_that_could_not_be_computed_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said, _ = call(monkeypatch, {**BOARD, "resampling": None, "resampling_failed": True}, "pixel")
    assert "could not be computed" in said


def test_another_metric_has_its_own_board(monkeypatch: pytest.MonkeyPatch) -> None:
    said, asked = call(monkeypatch, METRIC, "pixel", "--metric", "dataset_fpr_at_95tpr")
    assert asked == ["/leaderboards/pixel/metrics/dataset_fpr_at_95tpr"]
    assert "lower is better" in said
    assert "n/a" in said
