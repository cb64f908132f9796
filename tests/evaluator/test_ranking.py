"""Both published tables (MOOD 2020, tables 4.1 and 4.2), ties, and scores from a file."""

from pathlib import Path

import pytest

from evaluator.ranking import ScoresError, average_ranks, rank, read_csv, smallest_ranks

SAMPLE = {
    "FPI": (0.962, 0.874, 1),
    "Sergio Naval Marimont": (0.873, 0.874, 2),
    "Canon": (0.845, 0.871, 3),
    "NUDT": (0.792, 0.876, 4),
    "Nina Tuluptceva": (0.840, 0.861, 5),
    "A1": (0.831, 0.780, 6),
    "Victor Saase": (0.800, 0.770, 7),
    "A2": (0.634, 0.816, 7),
}
PIXEL = {
    "FPI": (0.449, 0.394, 1),
    "Canon": (0.416, 0.288, 2),
    "Nina Tuluptceva": (0.211, 0.221, 3),
    "Sergio Naval Marimont": (0.273, 0.217, 3),
    "NUDT": (0.201, 0.239, 5),
    "Victor Saase": (0.204, 0.014, 6),
    "A1": (0.160, 0.072, 7),
    "A2": (0.002, 0.014, 8),
}


@pytest.mark.parametrize("table", [SAMPLE, PIXEL])
def test_published_table_is_reproduced(table: dict[str, tuple[float, float, int]]) -> None:
    values = {
        "brain": {team: row[0] for team, row in table.items()},
        "abdom": {team: row[1] for team, row in table.items()},
    }
    board = rank(values)
    assert {place.team: place.rank for place in board.consensus} == {team: row[2] for team, row in table.items()}


def test_tied_teams_show_the_smallest_rank_and_count_the_average() -> None:
    values = {"A": 0.9, "B": 0.9, "C": 0.5, "D": 0.5, "E": 0.1}
    assert smallest_ranks(values) == {"A": 1, "B": 1, "C": 3, "D": 3, "E": 5}
    assert average_ranks(values) == {"A": 1.5, "B": 1.5, "C": 3.5, "D": 3.5, "E": 5.0}


def test_consensus_is_by_average_not_by_shown_ranks() -> None:
    board = rank({"a": {"A": 0.9, "B": 0.9, "C": 0.5}, "b": {"A": 0.5, "B": 0.4, "C": 0.9}})
    assert [(place.team, place.mean_rank, place.rank) for place in board.consensus] == [
        ("A", 1.75, 1),
        ("C", 2.0, 2),
        ("B", 2.25, 3),
    ]


def test_ties_in_the_consensus_share_the_smallest_rank_and_stand_by_name() -> None:
    board = rank({"a": {"B": 0.9, "A": 0.5, "C": 0.1}, "b": {"B": 0.5, "A": 0.9, "C": 0.1}})
    assert [(place.team, place.rank) for place in board.consensus] == [("A", 1), ("B", 1), ("C", 3)]


def test_three_data_sets_tie_exactly() -> None:
    wins = {"a": {"A": 3, "B": 2, "C": 1}, "b": {"A": 2, "B": 1, "C": 3}, "c": {"A": 1, "B": 3, "C": 2}}
    assert [place.rank for place in rank(wins).consensus] == [1, 1, 1]


def test_missing_and_nan_count_zero() -> None:
    board = rank({"a": {"A": 0.5, "B": float("nan")}, "b": {"B": 0.5}})
    assert [(place.team, place.value, place.rank) for place in board.datasets["a"]] == [("A", 0.5, 1), ("B", 0.0, 2)]
    assert [(place.team, place.value, place.rank) for place in board.datasets["b"]] == [("B", 0.5, 1), ("A", 0.0, 2)]


def test_ranking_of_nobody_is_empty() -> None:
    assert rank({"a": {}}).as_dict() == {"datasets": {"a": []}, "consensus": []}
    assert rank({}).as_dict() == {"datasets": {}, "consensus": []}


def test_as_dict_has_the_documented_form() -> None:
    assert rank({"brain": {"B": 0.25, "A": 0.25}}).as_dict() == {
        "datasets": {"brain": [{"team": "A", "value": 0.25, "rank": 1}, {"team": "B", "value": 0.25, "rank": 1}]},
        "consensus": [{"team": "A", "mean_rank": 1.5, "rank": 1}, {"team": "B", "mean_rank": 1.5, "rank": 1}],
    }


def csv_file(folder: Path, text: str) -> Path:
    path = folder / "scores.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_may_stand_in_any_order_with_others_between(tmp_path: Path) -> None:
    text = 'case,value, alg_name,note,task\nall,0.5,A,hello,brain\nall,0.25,"B, Inc.",,abdom\n\n'
    assert read_csv(csv_file(tmp_path, text)) == {"brain": {"A": 0.5}, "abdom": {"B, Inc.": 0.25}}


def test_rows_of_a_team_on_a_data_set_are_averaged_and_missing_ones_count_zero(tmp_path: Path) -> None:
    text = "task,alg_name,value,case\nbrain,A,0.5,1\nbrain,A,1,2\nbrain,A,NA,3\nbrain,A,,4\nbrain,B,nan,1\n"
    assert read_csv(csv_file(tmp_path, text)) == {"brain": {"A": 0.375, "B": 0.0}}


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert read_csv(csv_file(tmp_path, "\ufefftask,alg_name,value,case\r\nbrain,Ä,0.5,1\r\n")) == {"brain": {"Ä": 0.5}}


HEAD = "task,alg_name,value,case\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"scores\.csv, line 1, column task: stands there 0 times; found nothing"),
        ("task,alg_name,score\n", r"line 1, column value: stands there 0 times; found task, alg_name, score"),
        ("task,alg_name,value,value\n", r"line 1, column value: stands there 2 times"),
        ("task;alg_name;value\n", r"with commas between"),
        (HEAD, r"scores\.csv: holds no score"),
        (HEAD + "brain,A,0.5,1\nbrain,B,high,1\n", r"scores\.csv, line 3, column value: 'high' is not a number"),
        (HEAD + 'brain,A,"0,5",1\n', r"line 2, column value: '0,5' is not a number"),
        (HEAD + "brain,A,inf,1\n", r"line 2, column value: 'inf' is not finite"),
        (HEAD + "brain,A,0.5\n", r"line 2: not 4 cells"),
        (HEAD + "brain,A,0.5,1,2\n", r"line 2: not 4 cells"),
        (HEAD + "brain, ,0.5,1\n", r"line 2, column alg_name: ' ' is empty"),
        (HEAD + ",A,0.5,1\n", r"line 2, column task: '' is empty"),
    ],
)
def test_complaint_names_file_line_column_and_value(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ScoresError, match=complaint):
        read_csv(csv_file(tmp_path, text))


def test_file_that_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("scores.csv", "absent.csv"):
        with pytest.raises(ScoresError, match=name):
            read_csv(tmp_path / name)
