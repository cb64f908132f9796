"""Deals, costs, objects, other metrics and baselines."""

from dataclasses import replace
from statistics import stdev

import numpy as np
import pytest
from scipy.stats import binom

from evaluator.analysis.baselines import baselines
from evaluator.analysis.boards import boards
from evaluator.analysis.costs import costs
from evaluator.analysis.deals import deals, dealt
from evaluator.analysis.detections import detections, found_objects
from evaluator.analysis.entries import CHALLENGE, CaseSet, Entry
from evaluator.details import Details
from evaluator.objects import Detections
from tests.evaluator.analysis.made import NORMAL, case_set, kind, of_scores, of_voxels, row, rows, sketch

FACTS = {"a": kind("sphere"), "b": kind("cube"), "n": NORMAL, "m": NORMAL}


def in_two_batches() -> Entry:
    cases = case_set(FACTS, "pixel", CHALLENGE, deals=([["a", "n"], ["b", "m"]], [["a", "m"], ["b", "n"]]))
    # a's voxel is found first of all, b's behind one of n's or m's
    of = [sketch([0.9], [0.1]), sketch([0.3], [0.1]), sketch([], [0.5, 0.2]), sketch([], [0.6, 0.2])]
    return replace(of_voxels("A", cases, of, value=0.75), validation=0.76)


def with_objects(entry: Entry, **counts: tuple[int, int, int]) -> Entry:
    """Keep counts of objects, detections and true positives of these cases."""
    nothing = Details.total(())
    details = {
        case: replace(nothing, objects=Detections(objects=objects, detections=found, true_positives=true))
        for case, (objects, found, true) in counts.items()
    }
    return replace(entry, details=details, object_threshold=0.4, judged=1)


def test_deals_are_compared_with_the_spread_of_batches() -> None:
    found = deals({"brain": [dealt(in_two_batches())]}, "pixel")
    of = row(found)
    assert of["difference"] == pytest.approx(0.01, abs=1e-15)
    assert (of["sd_of_batches"], of["batches"]) == (pytest.approx(stdev([1, 1 / 2]), abs=1e-15), 2)
    assert found.notes == ("brain: the two deals differ by 0.0100 (root mean square; n = 1).",)


def test_one_batch_has_no_spread() -> None:
    entry = of_voxels("A", case_set(FACTS, "pixel"), [sketch([0.5] * (case in "ab"), [0.1]) for case in FACTS])
    found = deals({"brain": [dealt(entry)]}, "pixel")
    assert (row(found)["sd_of_batches"], row(found)["difference"]) == (None, None)
    assert any("there is one batch" in note for note in found.notes)


def test_the_sample_task_has_no_deal() -> None:
    assert deals({}, "sample").notes == ("There is no deal in the sample task: its AP is that of all cases together.",)


def test_objects_are_added_over_cases() -> None:
    entry = with_objects(in_two_batches(), a=(6, 4, 3), b=(0, 2, 0), n=(0, 1, 0), m=(0, 0, 0))
    found = detections({"brain": [found_objects(entry)]}, "pixel")
    assert row(found) == {
        "dataset": "brain",
        "team": "A",
        "threshold": 0.4,
        "objects": 6,
        "detections": 7,
        "true_positives": 3,
        "precision": 3 / 7,
        "recall": 1 / 2,
        "f1": 6 / 13,
        "unmatched": 4,
        "judged": 1,
    }
    assert not found.notes


def test_cases_without_details_are_told_and_leave_nothing_to_compare() -> None:
    entry = with_objects(in_two_batches(), a=(5, 5, 5))
    found = detections({"brain": [found_objects(entry)]}, "pixel")
    assert [row(found)[name] for name in ("detections", "precision", "recall", "f1")] == [5, None, None, None]
    assert found.notes == (
        "brain: without 3 cases of A, of which nothing is kept, so precision, recall and F1 are undefined.",
    )


def test_a_submission_without_objects_is_told_and_has_no_row() -> None:
    found = detections({"brain": [found_objects(in_two_batches())]}, "pixel")
    assert not found.rows
    assert found.notes[0].startswith("brain: nothing is kept of the objects of A:")


def test_details_that_are_damaged_are_told_and_cost_nothing_else() -> None:
    class Damaged(dict[str, Details]):
        def __getitem__(self, case: str) -> Details:
            if case == "b":
                raise ValueError("not a file of details")
            return super().__getitem__(case)

    whole = with_objects(in_two_batches(), a=(5, 5, 5), b=(5, 5, 5), n=(0, 0, 0), m=(0, 0, 0))
    entry = replace(whole, details=Damaged(whole.details))
    found = detections({"brain": [found_objects(entry)]}, "pixel")
    assert row(found)["objects"] == 5
    assert [note.partition(", so")[0] for note in found.notes] == [
        "brain: without 1 case of A, of which nothing is kept"
    ]


def test_few_objects_are_a_sentence() -> None:
    entry = with_objects(in_two_batches(), a=(4, 0, 0), b=(0, 0, 0), n=(0, 0, 0), m=(0, 0, 0))
    found = detections({"brain": [found_objects(entry)]}, "pixel")
    assert found.notes == ("brain: there are fewer than 5 annotated objects (4), too few to say anything.",)


def test_costs_are_in_seconds_and_gigabytes_and_what_was_not_measured_is_told() -> None:
    cases = case_set(FACTS)
    measured = replace(of_scores("A", cases, [0.5] * 4), seconds=12.5, peak_memory_bytes=2_500_000_000)
    found = costs({"brain": [measured, of_scores("B", cases, [0.5] * 4, value=0.25)]})
    assert [tuple(one.values()) for one in found.rows] == [
        ("brain", "A", 12.5, 2.5, 0.5),
        ("brain", "B", None, None, 0.25),
    ]
    assert found.notes == ("brain: the time of B was not measured.", "brain: the memory of B was not measured.")


def metric_of(team: str, value: float, cases: CaseSet, **metrics: float | None) -> Entry:
    return replace(of_scores(team, cases, [0.5] * 4, value=value), metrics=metrics)


def test_boards_rank_by_the_mean_and_share_ties() -> None:
    cases = case_set(FACTS)
    numbers = {"brain": {"A": (0.4, 0.9), "B": (0.6, 0.7), "C": (0.1, 0.7)}}
    numbers["abdom"] = {"A": (0.6, 0.5), "B": (0.4, 0.9), "C": (0.1, 0.7)}
    entries = {
        dataset: [metric_of(team, value, cases, dataset_auroc=auroc) for team, (value, auroc) in of.items()]
        for dataset, of in numbers.items()
    }
    found = boards(entries, {}, ["A", "B", "C"])
    assert [(one["team"], one["rank"], one["mean"]) for one in rows(found, metric="ap")] == [
        ("A", 1, 0.5),
        ("B", 1, 0.5),
        ("C", 3, 0.1),
    ]
    auroc = {one["team"]: (one["rank"], one["mean"], one["sd"]) for one in rows(found, metric="dataset_auroc")}
    assert auroc["B"] == (1, pytest.approx(0.8), pytest.approx(0.02**0.5))
    assert auroc["A"][0] == auroc["C"][0] == 2


def test_fewer_false_alarms_stand_before() -> None:
    cases = case_set(FACTS)
    of = [metric_of("A", 0.5, cases, dataset_fpr_at_95tpr=0.9), metric_of("B", 0.5, cases, dataset_fpr_at_95tpr=0.1)]
    found = rows(boards({"brain": of}, {}, ["A", "B"]), metric="dataset_fpr_at_95tpr")
    assert [(one["team"], one["rank"], one["sd"]) for one in found] == [("B", 1, None), ("A", 2, None)]


def test_what_is_missing_never_ranks_above_what_is_not() -> None:
    cases = case_set(FACTS)
    whole, part = metric_of("Whole", 0.1, cases, aupro_30=0.1), metric_of("Part", 0.9, cases, aupro_30=0.9)
    found = boards({"brain": [whole, part], "abdom": [whole]}, {}, ["Whole", "Part"])
    for metric in ("ap", "aupro_30"):
        places = [(one["team"], one["rank"], one["n_datasets"]) for one in rows(found, metric=metric)]
        assert places == [("Whole", 1, 2), ("Part", 2, 1)]
    assert "Part has 1 data set of 2." in found.notes


def test_a_metric_that_nobody_has_is_a_sentence_and_no_row() -> None:
    cases = case_set(FACTS)
    found = boards({"brain": [metric_of("A", 0.5, cases, pl_30=None)]}, {}, ["A"])
    assert not rows(found, metric="pl_30")
    assert "pl_30: undefined for all submissions." in found.notes


def test_baselines_are_on_every_board_without_a_rank() -> None:
    entry = in_two_batches()
    found = boards({"brain": [entry]}, {"brain": list(baselines(entry, seed=0))}, ["A"])
    assert [(one["team"], one["rank"]) for one in found.rows] == [("A", 1), ("constant", None), ("random", None)]


def test_a_constant_has_exactly_the_prevalence() -> None:
    constant, _ = baselines(of_scores("A", case_set(FACTS), [0.1, 0.2, 0.3, 0.4]), seed=0)
    assert (constant.value, set(constant.scores.values())) == (0.5, {0.0})
    in_voxels, _ = baselines(in_two_batches(), seed=0)
    # batches of 1 anomalous voxel in 4
    assert (in_voxels.value, in_voxels.validation) == (1 / 4, 1 / 4)


def test_a_coin_is_the_same_for_the_same_seed_and_data_set_alone() -> None:
    cases = case_set({f"c{i}": kind("sphere") for i in range(40)} | {"n": NORMAL})
    entry = of_scores("A", cases, [0.5] * 41)
    coins = [baselines(entry, seed=seed)[1].scores for seed in (0, 0, 1)]
    other = baselines(of_scores("A", replace(cases, dataset="abdom"), [0.5] * 41), seed=0)[1].scores
    assert coins[0] == coins[1]
    assert coins[0] not in (coins[2], other)
    assert set(coins[0].values()) == {0.0, 1.0}


def test_a_coin_gives_1_to_half_of_the_voxels() -> None:
    voxels = 1_000_000
    cases = case_set({"a": kind("sphere"), "n": NORMAL}, "pixel")
    of = [sketch([0.3] * 10, np.full(voxels, 0.5).tolist()), sketch([], [0.1])]
    _, coin = baselines(of_voxels("A", cases, of), seed=3)
    found = coin.sketches["a"]
    assert (found.n_positive, found.n_negative) == (10, voxels)
    low, high = binom.interval(1 - 1e-6, voxels, 0.5)
    assert low <= int(found.negative[-1]) <= high


def test_a_volume_without_anomalous_voxels_has_its_coin_too() -> None:
    _, coin = baselines(in_two_batches(), seed=0)
    assert coin.sketches["n"].n_positive == 0
    assert coin.sketches["n"].n_negative == 2
