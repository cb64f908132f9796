import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.rank import app

CSV = "task,alg_name,value,case\nbrain,[red]A,0.75,all\nbrain,B,0.5,all\nabdom,B,0.25,all\n"
RANKING = {
    "datasets": {
        "brain": [{"team": "[red]A", "value": 0.75, "rank": 1}, {"team": "B", "value": 0.5, "rank": 2}],
        "abdom": [{"team": "B", "value": 0.25, "rank": 1}, {"team": "[red]A", "value": 0.0, "rank": 2}],
    },
    "consensus": [
        {"team": "B", "mean_rank": 1.5, "rank": 1},
        {"team": "[red]A", "mean_rank": 1.5, "rank": 1},
    ],
}


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    path = tmp_path / "scores.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_standard_output_carries_only_json(scores: Path) -> None:
    done = CliRunner().invoke(app, [str(scores), "--json", "-"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["datasets"] == RANKING["datasets"]
    assert sorted(found["consensus"], key=str) == sorted(RANKING["consensus"], key=str)


def test_file_and_tables_are_written(scores: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(scores), "--json", str(tmp_path / "ranking.json")])
    assert done.exit_code == 0
    assert json.loads((tmp_path / "ranking.json").read_text(encoding="utf-8"))["datasets"] == RANKING["datasets"]
    for shown in ("brain", "abdom", "consensus", "[red]A", "0.750", "1.5"):
        assert shown in done.stdout


def test_complaint_goes_to_standard_error(scores: Path) -> None:
    scores.write_text(CSV + "brain,C,high,all\n", encoding="utf-8")
    done = CliRunner().invoke(app, [str(scores), "--json", "-"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "line 5, column value: 'high' is not a number" in " ".join(done.stderr.split())


def test_output_that_cannot_be_written_is_named(scores: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(scores), "--json", str(tmp_path / "absent" / "ranking.json")])
    assert done.exit_code == 1
    assert "cannot be written" in " ".join(done.stderr.split())
