import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from evaluator.analysis.entries import CaseSet, Entry, Facts
from evaluator.analysis.groups import measure, partition
from evaluator.metrics import samples
from evaluator.sketch import Sketch
from tests.evaluator.analysis.made import NORMAL, case_set, kind, of_scores, of_voxels, sketch

SMALL = {"a": kind("sphere"), "b": kind("sphere"), "c": kind("cube"), "n1": NORMAL, "n2": NORMAL, "n3": NORMAL}


def aps(entry: Entry, *, resamples: int = 10) -> dict[str, float]:
    parted = partition(entry.case_set, by_difficulty=False, resamples=resamples, seed=0)
    found = measure(entry, parted)
    return dict(zip((cell.subcategory for cell in parted.cells), found.ap.tolist(), strict=True))


def mixed(task: str, seed: int = 0) -> CaseSet:
    """Two kinds of 3 and 4 cases, and 5 normal ones."""
    rng = np.random.default_rng(seed)
    kinds = [*["sphere"] * 3, *["cube"] * 4, *[""] * 5]
    facts = {f"case{i}": kind(kinds[i]) if kinds[i] else NORMAL for i in rng.permutation(12)}
    return case_set(facts, task)


def voxels_of(cases: CaseSet, rng: np.random.Generator) -> dict[str, tuple[list[float], list[float]]]:
    """A few voxels a case, with ties: scores of anomalous and of normal ones."""
    grid = [0.0, 0.25, 0.5, 0.75, 1.0]
    return {
        case: (rng.choice(grid, 4 * label).tolist(), rng.choice(grid, 6).tolist())
        for case, label in cases.labels.items()
    }


def test_a_hand_worked_group_counts_normal_cases_as_much_as_its_anomalous_ones() -> None:
    # spheres .9 and .5, normal .7 .3 .1, each normal case weighing 2/3: at .9 precision 1,
    # at .5 two of 2 + 2/3; cube .3: normal .7 and .3 weigh 1/3 each, so one of 1 + 2/3
    found = aps(of_scores("A", case_set(SMALL), [0.9, 0.5, 0.3, 0.7, 0.3, 0.1]))
    assert found == pytest.approx({"sphere": (1 + 3 / 4) / 2, "cube": 3 / 5}, abs=1e-15)


def test_a_constant_score_has_exactly_one_half() -> None:
    assert aps(of_scores("A", case_set(SMALL), [0.2] * 6)) == {"sphere": 0.5, "cube": 0.5}


def test_a_constant_score_of_voxels_has_their_weighted_prevalence() -> None:
    # 2 spheres of 1 anomalous and 3 normal voxels, 3 normal cases of 4 voxels: 2 of 8 + 2/3 · 12 = 16
    cases = case_set(SMALL, "pixel")
    of = [Sketch.zeros(positive=label, negative=4 - label) for label in cases.labels.values()]
    assert aps(of_voxels("A", cases, of)) == {"sphere": 2 / 16, "cube": 1 / 8}


def test_samples_agree_with_scikit_learn() -> None:
    cases = mixed("sample")
    entry = of_scores("A", cases, np.random.default_rng(3).choice([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], 12))
    for subcategory, ap in aps(entry).items():
        of = [case for case in cases.labels if cases.facts[case].subcategory in (subcategory, "")]
        labels = [cases.labels[case] for case in of]
        weights = [1.0 if label else sum(labels) / 5 for label in labels]
        expected = average_precision_score(labels, [entry.scores[case] for case in of], sample_weight=weights)
        assert ap == pytest.approx(expected, abs=1e-12)


def test_voxels_agree_with_scikit_learn() -> None:
    cases = mixed("pixel")
    scores = voxels_of(cases, np.random.default_rng(4))
    entry = of_voxels("A", cases, [sketch(*scores[case]) for case in cases.labels])
    for subcategory, ap in aps(entry).items():
        of = [case for case in cases.labels if cases.facts[case].subcategory in (subcategory, "")]
        many = sum(cases.labels[case] for case in of)
        labels, values, weights = [], [], []
        for case in of:
            positive, negative = scores[case]
            labels += [1] * len(positive) + [0] * len(negative)
            values += positive + negative
            weights += [1.0 if cases.labels[case] else many / 5] * (len(positive) + len(negative))
        assert ap == pytest.approx(average_precision_score(labels, values, sample_weight=weights), abs=1e-12)


@pytest.mark.parametrize("task", ["sample", "pixel"])
def test_every_resample_is_what_scoring_its_cases_again_would_give(task: str) -> None:
    cases = mixed(task)
    rng = np.random.default_rng(5)
    scores = voxels_of(cases, rng)
    sketches = [sketch(*scores[case]) for case in cases.labels]
    entry = of_scores("A", cases, rng.random(12)) if task == "sample" else of_voxels("A", cases, sketches)
    parted = partition(cases, by_difficulty=False, resamples=6, seed=1)
    found = measure(entry, parted).resampled
    for cell, drawn in enumerate(parted.of_cells):
        for resample in range(6):
            again = drawn_again(
                entry,
                np.repeat(parted.cells[cell].cases, drawn[resample]).tolist(),
                np.repeat(parted.normals, parted.of_normals[resample]).tolist(),
            )
            assert found[cell, resample] == pytest.approx(aps(again)["drawn"], abs=1e-12)


def drawn_again(entry: Entry, anomalous: list[str], normals: list[str]) -> Entry:
    """A submission on the drawn cases, each under a name of its own."""
    drawn = {f"{i}": case for i, case in enumerate([*anomalous, *normals])}
    facts = {name: kind("drawn") if int(name) < len(anomalous) else NORMAL for name in drawn}
    cases = case_set(facts, entry.case_set.task)
    if entry.scores:
        return of_scores("A", cases, [entry.scores[case] for case in drawn.values()])
    return of_voxels("A", cases, [entry.sketches[case] for case in drawn.values()])


def test_a_resample_has_as_many_cases_of_each_cell_and_the_same_for_every_team() -> None:
    parted = partition(mixed("sample"), by_difficulty=False, resamples=50, seed=7)
    assert [set(drawn.sum(axis=1).tolist()) for drawn in (parted.of_normals, *parted.of_cells)] == [{5}, {4}, {3}]
    again = partition(mixed("pixel"), by_difficulty=False, resamples=50, seed=7)
    assert np.array_equal(parted.of_normals, again.of_normals)


def test_false_alarms_are_those_of_the_cell_and_all_normal_cases() -> None:
    entry = of_scores("A", case_set(SMALL), [0.9, 0.5, 0.3, 0.7, 0.3, 0.1])
    parted = partition(entry.case_set, by_difficulty=False, resamples=1, seed=0)
    found = measure(entry, parted).false_alarms.tolist()
    assert [cell.subcategory for cell in parted.cells] == ["cube", "sphere"]
    assert found == [
        samples.fpr_at_95tpr([0.3, 0.7, 0.3, 0.1], [1, 0, 0, 0]),
        samples.fpr_at_95tpr([0.9, 0.5, 0.7, 0.3, 0.1], [1, 1, 0, 0, 0]),
    ]
    assert found == [2 / 3, 1 / 3]


def test_cells_part_by_difficulty_where_asked() -> None:
    facts = {"a": kind("sphere", difficulty=1), "b": kind("sphere", difficulty=5), "c": kind("sphere", difficulty=None)}
    cases = case_set({**facts, "n": NORMAL})
    plain, graded = (partition(cases, by_difficulty=graded, resamples=1, seed=0) for graded in (False, True))
    assert [cell.cases for cell in plain.cells] == [("a", "b", "c")]
    assert [(cell.difficulty, cell.cases) for cell in graded.cells] == [(None, ("c",)), (1, ("a",)), (5, ("b",))]


def test_cases_without_facts_or_against_their_label_are_left_out_and_counted() -> None:
    facts = {"a": kind("sphere"), "n": NORMAL, "hidden": NORMAL, "empty": kind("cube")}
    cases = CaseSet(
        dataset="brain",
        name="analysis",
        task="sample",
        labels={"a": 1, "n": 0, "hidden": 1, "empty": 0, "unknown": 0},
        facts={**facts, "of another task": Facts(scope="global", category="destructions")},
        deal=(),
    )
    parted = partition(cases, by_difficulty=False, resamples=1, seed=0)
    assert (parted.normals, [cell.cases for cell in parted.cells], parted.left_out) == (("n",), [("a",)], 3)


def test_kinds_that_are_passed_over_are_not_left_out() -> None:
    without = [("local", "images", "sphere", "artificial")]
    parted = partition(case_set(SMALL), by_difficulty=False, resamples=1, seed=0, without=without)
    assert ([cell.subcategory for cell in parted.cells], parted.left_out) == (["cube"], 0)


def test_without_a_normal_case_nothing_is_measured() -> None:
    entry = of_scores("A", case_set({"a": kind("sphere")}), [0.5])
    found = measure(entry, partition(entry.case_set, by_difficulty=False, resamples=4, seed=0))
    assert (found.ap.size, found.resampled.shape) == (0, (0, 4))


@pytest.mark.parametrize(("scores", "constant"), [([0.4] * 6, True), ([0.4] * 5 + [0.5], False)])
def test_one_score_for_everything_is_noticed(scores: list[float], *, constant: bool) -> None:
    cases = case_set(SMALL)
    parted = partition(cases, by_difficulty=False, resamples=1, seed=0)
    assert measure(of_scores("A", cases, scores), parted).constant is constant
    in_voxels = case_set(SMALL, "pixel")
    of = [
        sketch([score], [score]) if label else sketch([], [score])
        for score, label in zip(scores, cases.labels.values(), strict=True)
    ]
    assert measure(of_voxels("A", in_voxels, of), parted).constant is constant
