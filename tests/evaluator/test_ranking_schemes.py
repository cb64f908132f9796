"""Schemes, tests and stability: small rankings worked by hand, and SciPy."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from evaluator import ranking
from evaluator.ranking import Scheme
from tests.evaluator.test_ranking import PIXEL, SAMPLE

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Case:
    """Values of units by data set and team; the ranks of A, B, C, … worked by hand."""

    name: str
    units: dict[str, dict[str, list[float]]]
    aggregate: dict[str, list[int]]  # data set, and "consensus"
    ranks: dict[str, list[int]]


BY_HAND = [
    Case(
        name="schemes agree",
        units={"d": {"A": [0.9, 0.8], "B": [0.5, 0.6], "C": [0.1, 0.2]}},
        aggregate={"d": [1, 2, 3], "consensus": [1, 2, 3]},
        ranks={"d": [1, 2, 3], "consensus": [1, 2, 3]},
    ),
    Case(  # means .5, .4; ranks in units A 2 2 1, B 1 1 2: mean ranks 5/3, 4/3
        name="one unit outweighs two in the mean, not in ranks",
        units={"d": {"A": [0.2, 0.3, 1.0], "B": [0.3, 0.4, 0.5]}},
        aggregate={"d": [1, 2], "consensus": [1, 2]},
        ranks={"d": [2, 1], "consensus": [2, 1]},
    ),
    Case(  # unit 1: A and B tie first, C third; unit 2: C first, A and B tie second; mean ranks 1.5, 1.5, 2
        name="ties share the smallest rank in a unit",
        units={"d": {"A": [0.5, 0.25], "B": [0.5, 0.25], "C": [0.125, 0.625]}},  # means .375 all
        aggregate={"d": [1, 1, 1], "consensus": [1, 1, 1]},
        ranks={"d": [1, 1, 3], "consensus": [1, 1, 3]},
    ),
    Case(  # d: A and B 1.5 each, C 3; e: C 1, A 2, B 3; mean average ranks 1.75, 2.25, 2
        name="consensus by average ranks",
        units={"d": {"A": [0.9], "B": [0.9], "C": [0.5]}, "e": {"A": [0.5], "B": [0.4], "C": [0.9]}},
        aggregate={"d": [1, 1, 3], "e": [2, 3, 1], "consensus": [1, 3, 2]},
        ranks={"d": [1, 1, 3], "e": [2, 3, 1], "consensus": [1, 3, 2]},
    ),
    Case(  # every team is first once, second once, third once
        name="three data sets in a circle",
        units={
            "d": {"A": [3.0], "B": [2.0], "C": [1.0]},
            "e": {"A": [2.0], "B": [1.0], "C": [3.0]},
            "f": {"A": [1.0], "B": [3.0], "C": [2.0]},
        },
        aggregate={"d": [1, 2, 3], "e": [2, 3, 1], "f": [3, 1, 2], "consensus": [1, 1, 1]},
        ranks={"d": [1, 2, 3], "e": [2, 3, 1], "f": [3, 1, 2], "consensus": [1, 1, 1]},
    ),
    Case(
        name="one team",
        units={"d": {"A": [0.4, 0.6]}},
        aggregate={"d": [1], "consensus": [1]},
        ranks={"d": [1], "consensus": [1]},
    ),
    Case(
        name="all values equal",
        units={"d": {"A": [0.5, 0.5], "B": [0.5, 0.5], "C": [0.5, 0.5]}},
        aggregate={"d": [1, 1, 1], "consensus": [1, 1, 1]},
        ranks={"d": [1, 1, 1], "consensus": [1, 1, 1]},
    ),
]


@pytest.mark.parametrize("case", BY_HAND, ids=lambda case: case.name)
def test_small_rankings_are_as_worked_by_hand(case: Case) -> None:
    for rank, expected in [
        (ranking.aggregate_then_rank, case.aggregate),
        (ranking.rank_then_aggregate, case.ranks),
    ]:
        board = rank(case.units)
        for name in case.units:
            assert list(dict(sorted(board.ranks(name).items())).values()) == expected[name]
        assert list(dict(sorted(board.ranks().items())).values()) == expected["consensus"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"d": {"A": 0.5, "B": NAN, "C": 0.1}}, {"A": 1, "B": 3, "C": 2}),
        ({"d": {"A": 0.5, "B": 0.0, "C": NAN}}, {"A": 1, "B": 2, "C": 2}),  # a real 0 ties with a missing one
        ({"d": {"A": -0.5, "B": NAN, "C": -0.1}}, {"A": 2, "B": 2, "C": 1}),  # not above a real one below 0
        ({"d": {"A": NAN, "B": NAN}}, {"A": 1, "B": 1}),
        ({"d": {"A": 0.9}, "e": {"A": 0.1, "B": 0.2}}, {"A": 1, "B": 1}),  # first and second each
        ({"d": {"A": 0.9}, "e": {"A": 0.3, "B": 0.2}}, {"A": 1, "B": 2}),
        ({"d": {}, "e": {"A": 0.3, "B": 0.2}}, {"A": 1, "B": 2}),  # a data set without a score orders nobody
    ],
)
def test_a_missing_value_never_ranks_above_a_real_one(
    values: dict[str, dict[str, float]], expected: dict[str, int]
) -> None:
    assert ranking.rank(values).ranks() == expected


def test_a_missing_value_never_ranks_above_a_real_one_where_lower_is_better() -> None:
    found = ranking.rank({"d": {"A": 2.0, "B": NAN, "C": 1.0}}, lower_is_better=True)
    assert found.ranks("d") == {"C": 1, "A": 2, "B": 2}
    assert [place.value for place in found.datasets["d"]] == [1.0, 2.0, 2.0]


@pytest.mark.parametrize("published", [SAMPLE, PIXEL], ids=["sample", "pixel"])
def test_published_tables_are_the_same_under_schemes_of_one_unit(
    published: dict[str, tuple[float, float, int]],
) -> None:
    units = {
        "brain": {team: [row[0]] for team, row in published.items()},
        "abdom": {team: [row[1]] for team, row in published.items()},
    }
    expected = {team: row[2] for team, row in published.items()}
    assert ranking.aggregate_then_rank(units).ranks() == expected
    assert ranking.rank_then_aggregate(units).ranks() == expected


# --- tests of pairs -------------------------------------------------------------------------------------------------


def test_all_choices_of_signs_are_counted() -> None:
    # differences .3 .2 -.1: of 8 sums of signs (±.3 ±.2 ±.1) those of at least .4 are .6 and .4
    (found,) = ranking.by_flipping({"A": [0.8, 0.7, 0.4], "B": [0.5, 0.5, 0.5]})
    assert (found.better, found.worse) == ("A", "B")
    assert found.difference == pytest.approx(0.4 / 3, abs=1e-15)
    assert found.p == 2 / 8
    assert found.p_holm == 4 / 8
    assert not found.significant


@pytest.mark.parametrize("units", [2, 4, 9])
def test_flipping_equals_scipys_permutation_test(units: int) -> None:
    rng = np.random.default_rng(units)
    a, b = np.round(rng.random(units), 2), np.round(rng.random(units), 2)
    found = ranking.by_flipping({"A": a.tolist(), "B": b.tolist()})[0]
    better, worse = (a, b) if found.better == "A" else (b, a)
    expected = stats.permutation_test(
        (better, worse),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)


def test_random_signs_come_near_all_signs() -> None:
    rng = np.random.default_rng(1)
    differences = rng.normal(0.15, 0.5, 17)  # one more than are counted out
    (found,) = ranking.by_flipping({"A": differences.tolist(), "B": [0.0] * 17})
    signs = 2 * (np.arange(1 << 17)[:, np.newaxis] >> np.arange(17) & 1) - 1
    exact = float(np.mean(signs @ differences >= differences.sum() - 1e-12))
    assert found.p == pytest.approx(exact, abs=4 * math.sqrt(exact / 9999))


def test_equal_teams_are_never_significant() -> None:
    found = ranking.by_flipping({"A": [0.5] * 20, "B": [0.5] * 20, "C": [0.1] * 20})
    by_pair = {(one.better, one.worse): one for one in found}
    assert by_pair["A", "B"].p == 1.0
    assert by_pair["A", "C"].significant
    assert by_pair["B", "C"].significant
    assert ranking.wins(["A", "B", "C"], found) == {"A": 1, "B": 1, "C": 0}


@pytest.mark.parametrize("units", [{}, {"A": []}, {"A": [0.5, 0.4]}, {"A": [], "B": []}])
def test_nobody_to_compare_gives_no_test(units: dict[str, list[float]]) -> None:
    assert ranking.by_flipping(units) == ()


def test_bootstrap_test_counts_draws_in_which_the_better_is_not() -> None:
    resampled = {"A": np.array([0.9, 0.8, 0.7, 0.5]), "B": np.array([0.5, 0.8, 0.6, 0.4])}
    (found,) = ranking.by_resampling({"A": 0.8, "B": 0.6}, resampled)
    assert (found.better, found.worse, found.p) == ("A", "B", 2 / 5)  # one tie, and the one found
    assert found.p_holm == 4 / 5


def test_holms_correction_is_as_in_the_textbook() -> None:
    # Holm 1979: p .01 .02 .03 .04 times 4 3 2 1, none below its forerunner
    assert ranking.holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert ranking.holm([0.5, 0.4]) == [0.8, 0.8]
    assert ranking.holm([0.01, 0.02], tests=6) == pytest.approx([0.06, 0.1])
    assert ranking.holm([]) == []


def test_tests_order_teams_by_how_many_they_beat() -> None:
    units = {"d": {"A": [0.9] * 10, "B": [0.8, 0.81] * 5, "C": [0.81, 0.8] * 5, "D": [0.1] * 10}}
    comparisons = {name: ranking.by_flipping(of) for name, of in units.items()}
    board = ranking.rank_by_tests(list("ABCD"), comparisons)
    assert [(place.team, place.value, place.rank) for place in board.datasets["d"]] == [
        ("A", 3, 1),
        ("B", 1, 2),
        ("C", 1, 2),
        ("D", 0, 4),
    ]


def test_random_draws_are_enough_for_the_correction_of_many_teams() -> None:
    rng = np.random.default_rng(0)
    units = {f"T{i:02}": (rng.random(30) / 100 + i).tolist() for i in range(20)}
    found = ranking.by_flipping(units)
    assert len(found) == 190
    assert all(one.significant for one in found)


def test_pairs_of_too_many_teams_are_not_tested() -> None:
    units = {f"T{i}": [float(i)] * 20 for i in range(51)}
    assert ranking.by_flipping(units) == ()
    assert "51 teams are more" in (ranking.untestable(51, 20) or "")


# --- side by side ---------------------------------------------------------------------------------------------------


def test_who_would_change_place_is_told() -> None:
    units = {"d": {"A": [0.2, 0.3, 1.0], "B": [0.3, 0.4, 0.5], "C": [0.1, 0.1, 0.1]}}
    found = ranking.side_by_side(
        {Scheme.AGGREGATE: ranking.aggregate_then_rank(units), Scheme.RANKS: ranking.rank_then_aggregate(units)}
    )
    assert [(one.dataset, one.team, *one.ranks.values(), one.moves) for one in found] == [
        ("d", "A", 1, 2, None, True),
        ("d", "B", 2, 1, None, True),
        ("d", "C", 3, 3, None, False),
        ("consensus", "A", 1, 2, None, True),
        ("consensus", "B", 2, 1, None, True),
        ("consensus", "C", 3, 3, None, False),
    ]


def test_a_scheme_that_lacks_a_data_set_is_undefined_there_and_over_all() -> None:
    units = {"d": {"A": [0.5], "B": [0.4]}, "e": {"A": [0.5], "B": [0.4]}}
    found = ranking.side_by_side(
        {
            Scheme.AGGREGATE: ranking.aggregate_then_rank(units),
            Scheme.TESTS: ranking.rank_by_tests(["A", "B"], {"e": ()}),
        }
    )
    assert [(one.dataset, one.ranks[Scheme.TESTS]) for one in found if one.team == "A"] == [
        ("d", None),
        ("e", 1),
        ("consensus", None),
    ]


# --- stability ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_tau_b_equals_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 12))
    one = rng.integers(1, rng.integers(3, 12), size)
    others = rng.integers(1, rng.integers(3, 12), (15, size))
    expected = [stats.kendalltau(one, other).statistic for other in others]
    assert ranking.tau_b(one, others) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_tau_b_of_eight_teams_by_hand() -> None:
    # 28 pairs, 23 in the same order and 5 not: 18/28, which MOOD printed as 0.642
    orders = [5, 1, 2, 3, 4, 6, 8, 7]
    assert ranking.tau_b(list(range(1, 9)), [orders])[0] == pytest.approx(18 / 28)


def test_tau_b_of_fewer_than_two_is_undefined() -> None:
    assert np.isnan(ranking.tau_b([1], [[1], [1]])).all()
    assert np.isnan(ranking.tau_b([], np.empty((2, 0)))).all()


def drawn(values: dict[str, dict[str, list[float]]], resampled: dict[str, dict[str, list[float]]]) -> ranking.Bootstrap:
    as_arrays = {name: {team: np.array(one) for team, one in of.items()} for name, of in resampled.items()}
    return ranking.bootstrap(ranking.aggregate_then_rank(values), as_arrays)


def test_resamples_are_ranked_as_the_whole() -> None:
    found = drawn(
        {"d": {"A": [0.9], "B": [0.5], "C": [0.1]}, "e": {"A": [0.9], "B": [0.5], "C": [0.1]}},
        {
            "d": {"A": [0.9, 0.9, 0.2, 0.9], "B": [0.9, 0.5, 0.8, 0.9], "C": [0.5, 0.1, 0.1, 0.9]},
            "e": {"A": [0.5, 0.6, 0.2, 0.1], "B": [0.4, 0.5, 0.3, 0.1], "C": [0.9, 0.4, 0.1, 0.1]},
        },
    )
    assert found.teams == ("A", "B", "C")
    assert found.datasets["d"].resampled.tolist() == [[1, 1, 3], [1, 2, 3], [2, 1, 3], [1, 1, 1]]
    assert found.datasets["e"].resampled.tolist() == [[2, 3, 1], [1, 2, 3], [2, 1, 3], [1, 1, 1]]
    # the first: average ranks 1.5 + 2, 1.5 + 3, 3 + 1
    assert found.consensus.resampled.tolist() == [[1, 3, 2], [1, 2, 3], [2, 1, 3], [1, 1, 1]]
    assert found.consensus.probabilities() == [[0.75, 0.25, 0.0], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]
    mean, low, high = found.consensus.agreement()  # 1/3, 1, 1/3; the last has no order
    assert mean == pytest.approx(5 / 9)
    assert low == pytest.approx(1 / 3)
    assert high == pytest.approx(1 / 3 + 0.95 * 2 / 3)  # 97.5 % lies 0.95 of the way from the second to the third


def test_rank_intervals_are_ranks_that_occur() -> None:
    # of 40 resamples A is second in one: 2.5 %; in two of 40 it counts
    values: dict[str, dict[str, list[float]]] = {"d": {"A": [0.9], "B": [0.5]}}
    rare = drawn(values, {"d": {"A": [0.9] * 39 + [0.1], "B": [0.5] * 40}})
    twice = drawn(values, {"d": {"A": [0.9] * 38 + [0.1] * 2, "B": [0.5] * 40}})
    assert rare.datasets["d"].intervals() == [(1, 1), (1, 2)]
    assert twice.datasets["d"].intervals() == [(1, 2), (1, 2)]


def test_a_team_that_lacks_a_data_set_is_last_in_its_resamples() -> None:
    found = drawn(
        {"d": {"A": [0.9], "B": [0.5]}, "e": {"A": [0.1], "B": [0.0]}},
        {"d": {"A": [0.9, 0.8], "B": [0.5, 0.9]}, "e": {"A": [0.1, 0.1]}},
    )
    assert found.datasets["e"].resampled.tolist() == [[1, 2], [1, 2]]


def test_no_data_set_cannot_be_drawn_from() -> None:
    with pytest.raises(ValueError, match="no data set"):
        ranking.bootstrap(ranking.rank({}), {})


def test_means_of_draws_are_alike_for_alike_teams() -> None:
    units = {"A": [0.1, 0.7, 0.3], "B": [0.3, 0.1, 0.7], "C": [0.1, 0.7, 0.3]}
    found = ranking.means_of_draws(units, resamples=300, seed=1)
    assert (found["A"] == found["C"]).all()
    assert not (found["A"] == found["B"]).all()
    assert found["A"].mean() == pytest.approx(1.1 / 3, abs=4 * float(np.std(units["A"])) / math.sqrt(900))
    assert ranking.means_of_draws({}, resamples=3) == {}
