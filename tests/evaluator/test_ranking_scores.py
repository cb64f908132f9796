"""Scores in a file, and the boards that follow: challengeR's columns, schemes, draws, and what is wrong with a file."""

import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from evaluator import ranking
from evaluator.ranking import Scheme, Scores, ScoresError

HEAD = "task,alg_name,value,case\n"


def read(folder: Path, text: str) -> Scores:
    path = folder / "scores.csv"
    path.write_text(text, encoding="utf-8")
    return ranking.read_scores(path)


def of(cases: dict[str, dict[str, list[float | None]]]) -> Scores:
    """Scores of numbered cases."""
    named = {
        name: {team: {str(i): value for i, value in enumerate(values)} for team, values in teams.items()}
        for name, teams in cases.items()
    }
    return Scores(cases=named, notes=())


def test_each_case_is_kept_and_gaps_count_zero(tmp_path: Path) -> None:
    found = read(
        tmp_path, HEAD + "brain,A,0.5,x\nbrain,B,NA,x\nbrain,A,0.7,y\nbrain,C,0.1,y\nabdom,A,0.3,x\nabdom,B,0.2,x\n"
    )
    assert found.units() == {
        "brain": {"A": [0.5, 0.7], "B": [0.0, 0.0], "C": [0.0, 0.1]},
        "abdom": {"A": [0.3], "B": [0.2], "C": [0.0]},
    }
    assert found.notes == (
        "brain: B has no value (NA, NaN or empty) in 1 row: counts 0.",
        "brain: B has no row for 1 case of 2: counts 0.",
        "brain: C has no row for 1 case of 2: counts 0.",
        "abdom: C has no row: counts 0.",
    )


def test_leaving_out_a_hard_case_does_not_help(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + "brain,A,0.9,easy\nbrain,A,0.1,hard\nbrain,B,0.9,easy\n")
    assert ranking.board(found).ranking.ranks() == {"A": 1, "B": 2}


def test_rows_of_one_case_are_averaged_and_told(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + "brain,A,0.5,x\nbrain,A,0.7,x\nbrain,A,0.5,y\nbrain,B,0.5,x\nbrain,B,0.5,y\n")
    assert found.units()["brain"]["A"] == [pytest.approx(0.6), 0.5]
    assert found.notes == ("brain: A has several rows for 1 case; they are averaged.",)


def test_rows_without_a_column_case_are_averaged_and_told(tmp_path: Path) -> None:
    found = read(tmp_path, "task,alg_name,value\nbrain,A,0.5\nbrain,A,0.7\nbrain,B,0.5\n")
    assert found.values() == {"brain": {"A": pytest.approx(0.6), "B": 0.5}}
    assert found.notes == (
        "There is no column case: the rows of a team on a data set are averaged, whatever their number.",
    )


def test_what_is_missing_is_never_above_values_below_zero(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + "d,A,-0.5,x\nd,A,-0.3,y\nd,B,-0.1,x\nd,B,NA,y\nd,C,-0.2,x\nd,C,-0.2,x\nd,C,NA,y\n")
    assert found.units()["d"] == {"A": [-0.5, -0.3], "B": [-0.1, -0.5], "C": [-0.2, -0.5]}
    assert "values are below 0, so what is missing counts as the lowest of them, -0.5" in found.notes[-1]


def test_two_columns_named_case_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScoresError, match="line 1, column case: stands there 2 times"):
        read(tmp_path, "task,alg_name,value,case,case\nd,A,1,x,x\n")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    cases: dict[str, dict[str, dict[str, float | None]]] = {
        "brain": {'A, "the" first': {"x": 1 / 3, "y": None}, "B": {"y": 0.25}},
        "abdom": {"B": {"x": 1e-300}},
    }
    text = ranking.write_csv(cases)
    assert len(list(csv.reader(io.StringIO(text)))) == 1 + 2 * 2 + 2 * 1  # every team has every case, for challengeR
    found = read(tmp_path, text).cases
    assert found["brain"]['A, "the" first'] == {"x": 1 / 3, "y": None}
    assert found["brain"]["B"] == {"x": None, "y": 0.25}
    assert found["abdom"] == {'A, "the" first': {"x": None}, "B": {"x": 1e-300}}


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=80)
    | st.lists(st.sampled_from(["d", "A", "B", "NA", "nan", "", "0.5", "-1e99", "1e308", "inf", '"', ",", "\n"])).map(
        lambda cells: (HEAD + ",".join(cells)).encode()
    )
)
def test_any_file_gives_a_board_or_a_sentence(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv"
        path.write_bytes(content)
        try:
            json.dumps(ranking.board(ranking.read_scores(path), resamples=3).as_dict(), allow_nan=False)
        except ScoresError as error:
            event(str(error)[len(str(path)) :][:40])


@given(
    st.dictionaries(
        st.sampled_from("de"),
        st.dictionaries(
            st.sampled_from("ABCD"), st.lists(st.none() | st.floats(-2, 2), min_size=2, max_size=3), min_size=1
        ),
        min_size=1,
    )
)
def test_a_team_that_lacks_all_of_a_data_set_is_above_nobody_who_has_some(
    cases: dict[str, dict[str, list[float | None]]],
) -> None:
    board = ranking.board(of(cases)).ranking
    for name, teams in cases.items():
        ranks = board.ranks(name)
        real = [ranks[team] for team, values in teams.items() if None not in values]
        lacking = [rank for team, rank in ranks.items() if all(value is None for value in teams.get(team, []))]
        assert max(real, default=0) <= min(lacking, default=9)


# --- boards ---------------------------------------------------------------------------------------------------------


def test_a_board_has_the_schemes_place_values() -> None:
    scores = of({"d": {"A": [0.2, 0.3, 1.0], "B": [0.3, 0.4, 0.5]}})
    by_mean, by_rank = (ranking.board(scores, scheme).ranking for scheme in (Scheme.AGGREGATE, Scheme.RANKS))
    assert [(place.team, place.value) for place in by_mean.datasets["d"]] == [("A", 0.5), ("B", pytest.approx(0.4))]
    assert [(place.team, place.value) for place in by_rank.datasets["d"]] == [("B", 4 / 3), ("A", 5 / 3)]


def test_draws_of_a_board_equal_every_choice_of_cases() -> None:
    # two cases, drawn twice: A's mean .9 .5 .5 .1, B's .5 .5 .5 .5 in a quarter each
    scores = of({"d": {"A": [0.9, 0.1], "B": [0.5, 0.5]}})
    drawn = ranking.board(scores, resamples=4000).drawn
    assert drawn is not None
    shares = drawn.ranks.datasets["d"].probabilities()
    assert shares[drawn.ranks.teams.index("A")] == pytest.approx([0.75, 0.25], abs=0.03)
    assert shares[drawn.ranks.teams.index("B")] == pytest.approx([0.75, 0.25], abs=0.03)
    (row,) = (one for one in drawn.as_dict()["datasets"]["d"] if one["team"] == "A")
    assert (row["value_low"], row["value_high"], row["rank_low"], row["rank_high"]) == (0.1, 0.9, 1, 2)


def test_draws_under_ranks_are_of_mean_ranks() -> None:
    # A is first in every case but loses the mean by one
    scores = of({"d": {"A": [0.5, 0.5, 0.5, 0.1], "B": [0.4, 0.4, 0.4, 0.0], "C": [0.3, 0.3, 0.3, 0.05]}})
    drawn = ranking.board(scores, Scheme.RANKS, resamples=200).drawn
    assert drawn is not None
    assert drawn.ranks.datasets["d"].intervals()[0] == (1, 1)
    assert set(drawn.values["d"]["A"]) == {1.0}
    assert set(drawn.values["d"]["B"]) <= {2.0, 2.25, 2.5, 2.75, 3.0}


def test_a_seed_gives_the_same_board() -> None:
    scores = of({"d": {"A": [0.2, 0.3, 1.0], "B": [0.3, 0.4, 0.5]}})
    first, again, other = (json.dumps(ranking.board(scores, resamples=50, seed=s).as_dict()) for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("scheme", list(Scheme))
@pytest.mark.parametrize("resamples", [0, 20])
@pytest.mark.parametrize(
    "cases",
    [
        {"d": {"A": [0.5]}},
        {"d": {"A": [0.5, 0.6]}},
        {"d": {"A": [0.5], "B": [0.5]}},
        {"d": {"A": [0.5, 0.5], "B": [0.5, 0.5], "C": [0.5, 0.5]}},
        {"d": {"A": [None, None], "B": [None, None]}},
        {"d": {"A": [0.5, 0.4], "B": [0.3, 0.2]}, "e": {"B": [0.5, 0.4]}},
        {"d": {"A": [0.5, 0.4] * 9, "B": [0.3, 0.2] * 9}, "e": {"B": [0.5]}},
        {"d": {"A": [0.0] * 20, "B": [0.1] * 20}},
    ],
)
def test_small_input_gives_the_best_the_first_place_or_a_sentence(
    cases: dict[str, dict[str, list[float | None]]], scheme: Scheme, resamples: int
) -> None:
    try:
        found = ranking.board(of(cases), scheme, resamples=resamples)
    except ScoresError:
        return
    json.dumps(found.as_dict(), allow_nan=False)
    for places in found.ranking.datasets.values():
        best = (min if scheme is Scheme.RANKS else max)(place.value for place in places)
        assert {place.value for place in places if place.rank == 1} == {best}


def test_what_is_undefined_says_so() -> None:
    one = of({"d": {"A": [0.5], "B": [0.4]}})
    few = of({"d": {"A": [0.5, 0.6, 0.7], "B": [0.4, 0.5, 0.6]}})
    with pytest.raises(ScoresError, match="one value a team on each data set"):
        ranking.board(one, resamples=10)
    with pytest.raises(ScoresError, match="rank-then-aggregate is undefined"):
        ranking.board(one, Scheme.RANKS)
    with pytest.raises(ScoresError, match="test-based is undefined on d: 3 units are too few"):
        ranking.board(few, Scheme.TESTS)
    with pytest.raises(ScoresError, match="test-based has no bootstrap"):
        ranking.board(few, Scheme.TESTS, resamples=10)


def test_a_board_tells_of_one_team_and_of_values_that_order_nobody() -> None:
    assert "A is the only team" in ranking.board(of({"d": {"A": [0.5, 0.6]}})).notes[0]
    equal = ranking.board(of({"d": {"A": [0.5, 0.6], "B": [0.5, 0.6]}, "e": {"A": [0.1], "B": [0.2]}}))
    assert equal.notes == ("d: all teams have the same values, so that it orders nobody.",)


def test_pairs_of_many_teams_are_tested_only_where_asked_for() -> None:
    scores = of({"d": {f"T{i:02}": [i + j / 100 for j in range(14)] for i in range(21)}})
    unasked, asked = (ranking.board(scores, scheme) for scheme in (Scheme.AGGREGATE, Scheme.TESTS))
    assert unasked.comparisons == {"d": ()}
    assert {one.ranks[Scheme.TESTS] for one in unasked.schemes} == {None}
    assert unasked.notes == ("Over 20 teams pairs are tested only where the scheme is test-based.",)
    assert len(asked.comparisons["d"]) == 210


def test_a_board_as_json_keeps_the_keys_of_the_first_form() -> None:
    found = ranking.board(of({"d": {"A": [0.5, 0.6], "B": [0.4, 0.3]}}), resamples=10).as_dict()
    assert found["datasets"] == {
        "d": [{"team": "A", "value": 0.55, "rank": 1}, {"team": "B", "value": 0.35, "rank": 2}]
    }
    assert found["consensus"] == [
        {"team": "A", "mean_rank": 1.0, "rank": 1},
        {"team": "B", "mean_rank": 2.0, "rank": 2},
    ]
    assert found["scheme"] == "aggregate-then-rank"
    assert found["schemes"][0] == {
        "dataset": "d",
        "team": "A",
        "moves": False,
        "aggregate_then_rank": 1,
        "rank_then_aggregate": 1,
        "test_based": None,
    }
    assert set(found["bootstrap"]) == {"resamples", "seed", "datasets", "consensus", "rank_agreement"}
    assert found["bootstrap"]["rank_agreement"]["consensus"] == {"tau_b": 1.0, "tau_b_low": 1.0, "tau_b_high": 1.0}
    assert found["bootstrap"]["consensus"][0] == {
        "team": "A",
        "rank_low": 1,
        "rank_high": 1,
        "probabilities": [1.0, 0.0],
    }
