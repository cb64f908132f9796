import pytest

from evaluator.analysis.entries import Facts
from evaluator.analysis.sweeps import CONTRASTS, SIZES, line, normals, swept
from tests.evaluator.analysis.made import NORMAL, case_set, kind, of_scores, of_voxels, rows, sketch


def step(name: str, radius: float, intensity: float) -> Facts:
    return kind(name, difficulty=None, parameters={"radius_voxels": radius, "intensity": intensity, "centre": "1 2 3"})


STEPS = {
    "b": step("radius sweep", 8.0, 1.0),
    "a": step("radius sweep", 4.0, 1.0),
    "c": step("intensity sweep", 25.6, 0.35),
    "n": NORMAL,
}


def test_a_step_of_the_pixel_task_is_the_ap_of_its_own_voxels() -> None:
    cases = case_set(STEPS, "pixel")
    # a: found second of three, 1/2; b: first and third of four, (1 + 2/3) / 2
    of = [sketch([0.9, 0.5], [0.7, 0.1]), sketch([0.5], [0.7, 0.1]), sketch([0.2], [0.1]), sketch([], [0.9])]
    entry = of_voxels("A", cases, of)
    assert line(entry, SIZES).points == pytest.approx({4.0: 1 / 2, 8.0: 5 / 6}, abs=1e-15)
    assert list(line(entry, SIZES).points) == [4.0, 8.0]
    assert line(entry, CONTRASTS).points == {0.35: 1.0}


def test_a_step_of_the_sample_task_stands_among_normal_cases_of_the_same_weight() -> None:
    entry = of_scores("A", case_set(STEPS), [0.9, 0.5, 0.05, 0.1])
    others = [*normals(entry), 0.5, 0.7]
    # a: .5 is reached by .5 and .7 of three; b by none; c by all
    assert line(entry, SIZES, others).points == pytest.approx({4.0: 1 / (1 + 2 / 3), 8.0: 1.0}, abs=1e-15)
    assert line(entry, CONTRASTS, others).points == {0.35: 0.5}


def test_a_constant_score_of_the_sample_task_has_one_half() -> None:
    entry = of_scores("A", case_set(STEPS), [0.0] * 4)
    assert set(line(entry, SIZES, normals(entry)).points.values()) == {0.5}


def test_without_a_normal_case_the_sample_task_has_no_point() -> None:
    entry = of_scores("A", case_set({case: facts for case, facts in STEPS.items() if case != "n"}), [0.9, 0.5, 0.4])
    assert line(entry, SIZES, normals(entry)).points == {}


def test_several_scans_with_one_radius_are_averaged() -> None:
    cases = case_set({"a": step("radius sweep", 4.0, 1.0), "b": step("radius sweep", 4.0, 1.0)}, "pixel")
    entry = of_voxels("A", cases, [sketch([0.9], [0.1]), sketch([0.1], [0.9])])
    assert line(entry, SIZES).points == {4.0: 0.75}


def test_steps_are_rows_of_the_table() -> None:
    entry = of_voxels("A", case_set(STEPS, "pixel"), [sketch([0.9], [0.1])] * 3 + [sketch([], [0.9])])
    found = swept(CONTRASTS, {"brain": [line(entry, CONTRASTS)]}, "pixel")
    assert found.rows == ({"dataset": "brain", "team": "A", "intensity": 0.35, "ap": 1.0},)
    assert not found.notes


def test_a_set_without_a_sweep_and_no_set_at_all_are_sentences() -> None:
    cases = case_set({"a": STEPS["a"], "n": NORMAL}, "pixel")
    entry = of_voxels("A", cases, [sketch([0.9], [0.1]), sketch([], [0.1])])
    assert swept(CONTRASTS, {"brain": [line(entry, CONTRASTS)]}, "pixel").notes == (
        "brain: the set of sweeps has no intensity sweep that is scored.",
    )
    (note,) = swept(SIZES, {}, "pixel").notes
    assert note.startswith("There is no set of sweeps")
    assert not rows(swept(SIZES, {}, "pixel"))
