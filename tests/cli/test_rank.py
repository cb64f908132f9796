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


MANY = 12  # cases, A better than B and C in each

CASES = "task,alg_name,value,case\n" + "".join(
    f"{name},{team},{value + 0.01 * case:.2f},{case}\n"
    for name in ("brain", "abdom")
    for team, value in (("A", 0.6), ("B", 0.5), ("C", 0.5))
    for case in range(MANY)
)


def test_intervals_and_schemes_stand_beside_the_first_keys(scores: Path) -> None:
    scores.write_text(CASES, encoding="utf-8")
    done = CliRunner().invoke(app, [str(scores), "--json", "-", "--bootstrap", "50", "--seed", "3"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert [place["rank"] for place in found["consensus"]] == [1, 2, 2]
    assert (found["bootstrap"]["resamples"], found["bootstrap"]["seed"]) == (50, 3)
    assert found["bootstrap"]["consensus"][0] == {
        "team": "A",
        "rank_low": 1,
        "rank_high": 1,
        "probabilities": [1.0, 0.0, 0.0],
    }
    assert found["tests"]["brain"][0]["significant"] is True
    assert not any(row["moves"] for row in found["schemes"])
    assert "ranks (95 %)" in CliRunner().invoke(app, [str(scores), "--bootstrap", "50"]).stdout


@pytest.mark.parametrize(
    ("scheme", "value"), [("aggregate-then-rank", "0.655"), ("rank-then-aggregate", "1.00"), ("test-based", "2")]
)
def test_each_scheme_has_its_own_values(scores: Path, scheme: str, value: str) -> None:
    scores.write_text(CASES, encoding="utf-8")
    done = CliRunner().invoke(app, [str(scores), "--scheme", scheme])
    assert done.exit_code == 0
    first = next(line for line in done.stdout.splitlines() if " 1 " in line)
    assert first.split("│")[2:4] == [" A    ", f"{value:>{len(first.split('│')[3]) - 1}} "]


def test_what_counts_zero_is_said_on_standard_error(scores: Path) -> None:
    scores.write_text(CASES + "brain,D,NaN,0\n", encoding="utf-8")
    done = CliRunner().invoke(app, [str(scores), "--json", "-"])
    assert done.exit_code == 0
    said = " ".join(done.stderr.split())
    assert "brain: D has no value (NA, NaN or empty) in 1 row: counts 0." in said
    assert "abdom: D has no row: counts 0." in said
    found = json.loads(done.stdout)
    assert found["consensus"][-1] == {"team": "D", "mean_rank": 4.0, "rank": 4}
    assert len(found["notes"]) == 3


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--bootstrap", "10"], "one value a team on each data set"),
        (["--scheme", "rank-then-aggregate"], "rank-then-aggregate is undefined"),
        (["--scheme", "test-based"], "test-based is undefined on brain: 1 unit is too few"),
    ],
)
def test_what_is_undefined_ends_with_a_sentence(scores: Path, options: list[str], complaint: str) -> None:
    done = CliRunner().invoke(app, [str(scores), *options])
    assert (done.exit_code, done.stdout) == (1, "")
    assert complaint in " ".join(done.stderr.split())


@pytest.mark.parametrize("option", [["--bootstrap", "-1"], ["--seed", "-1"], ["--scheme", "best"]])
def test_options_out_of_range_are_refused(scores: Path, option: list[str]) -> None:
    assert CliRunner().invoke(app, [str(scores), *option]).exit_code == 2
