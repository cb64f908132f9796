from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from evaluator.analysis.all import analyses
from evaluator.analysis.entries import ANALYSIS, CHALLENGE, CaseSet, Entry, Facts
from evaluator.analysis.tables import Table
from tests.evaluator.analysis.made import NORMAL, case_set, kind, of_scores, of_voxels, row, rows, sketch

FIVE_NORMAL = {f"n{i}": NORMAL for i in range(5)}


def tables(
    found: Mapping[str, Mapping[str, Sequence[Entry]]], task: str = "sample", resamples: int = 50
) -> dict[str, Table]:
    return {made.name: made for made in analyses(found, task, resamples=resamples, seed=0)}


def scored(cases: CaseSet, **teams: Mapping[str, float]) -> list[Entry]:
    """Submissions that score cases by name; 0 where none is given."""
    return [of_scores(team, cases, [scores.get(case, 0.0) for case in cases.labels]) for team, scores in teams.items()]


def in_cells(**kinds: int | tuple[int, Facts]) -> dict[str, Facts]:
    """So many cases of each subcategory: sphere0, sphere1, …, and five normal ones."""
    facts: dict[str, Facts] = {}
    for name, many in kinds.items():
        number, of = many if isinstance(many, tuple) else (many, kind(name))
        facts |= {f"{name}{i}": of for i in range(number)}
    return facts | FIVE_NORMAL


def ap_at(misses: int) -> float:
    """AP of cases that share a score which so many of the five normal ones, half of the weight, reach."""
    return 1 / (1 + misses / 5)


def levelled(cases: CaseSet, levels: Mapping[str, int]) -> dict[str, float]:
    """Scores for which so many normal cases score at least as much as a subcategory's cases."""
    scores = {f"n{i}": 0.1 + 0.1 * i for i in range(5)}
    for case, facts in cases.facts.items():
        if facts.scope != "normal":
            scores[case] = 0.55 - 0.1 * levels[facts.subcategory]
    return scores


def test_the_median_is_taken_for_each_subcategory_and_then_averaged() -> None:
    cases = case_set(in_cells(sphere=5, cube=5))
    levels = {"A": (0, 5), "B": (1, 0), "C": (2, 1)}
    of = {team: levelled(cases, {"sphere": sphere, "cube": cube}) for team, (sphere, cube) in levels.items()}
    found = tables({CHALLENGE: {"brain": scored(cases, **of)}})["categories"]
    median = {"team": "median of submissions"}
    assert row(found, group="sphere", **median)["ap"] == pytest.approx(ap_at(1), abs=1e-15)
    assert row(found, group="cube", **median)["ap"] == pytest.approx(ap_at(1), abs=1e-15)
    # The median of the teams' means would be another: (1 + ½) / 2, (5/6 + 1) / 2, (5/7 + 5/6) / 2.
    assert row(found, level="category", group="images", **median)["ap"] == pytest.approx(ap_at(1), abs=1e-15)
    team = row(found, level="category", group="images", team="A")["ap"]
    assert team == pytest.approx((ap_at(0) + ap_at(5)) / 2, abs=1e-15)


def test_a_subcategory_with_more_cases_weighs_as_much_as_another() -> None:
    cases = case_set(in_cells(sphere=9, cube=5))
    found = tables({CHALLENGE: {"brain": scored(cases, A=levelled(cases, {"sphere": 0, "cube": 5}))}})["categories"]
    for level in ("scope", "origin", "category"):
        assert [one["ap"] for one in rows(found, level=level, team="A")] == [pytest.approx(0.75, abs=1e-15)]
        assert {one["n_anomalous"] for one in rows(found, level=level)} == {14}
    assert {one["n_normal"] for one in found.rows} == {5}


def test_levels_come_in_order_and_subcategories_from_the_easiest() -> None:
    cases = case_set(
        in_cells(
            cube=5,
            sphere=5,
            tumour=(5, kind("tumour", "pathologies", origin="natural")),
            blur=(5, kind("blur", "alterations", scope="global")),
            own=(5, kind("own", "something else", scope="global")),
        )
    )
    hits = {"cube": 3, "sphere": 0, "tumour": 4, "blur": 1, "own": 2}
    found = tables({CHALLENGE: {"brain": scored(cases, A=levelled(cases, hits))}})["categories"]
    assert [(one["level"], one["group"], one["scope"]) for one in rows(found, team="A")] == [
        ("scope", "local", "local"),
        ("scope", "global", "global"),
        ("origin", "natural", "local"),
        ("origin", "artificial", "both"),
        ("category", "images", "local"),
        ("category", "pathologies", "local"),
        ("category", "alterations", "global"),
        ("category", "something else", "global"),
        ("subcategory", "sphere", "local"),
        ("subcategory", "blur", "global"),
        ("subcategory", "own", "global"),
        ("subcategory", "cube", "local"),
        ("subcategory", "tumour", "local"),
    ]


def test_one_name_in_two_categories_and_one_category_in_two_scopes_are_told_apart() -> None:
    cases = case_set(
        in_cells(
            here=(5, kind("noise", "corruptions")),
            there=(5, kind("noise", "corruptions", scope="global")),
            natural=(5, kind("tumour", "pathologies", origin="natural")),
            drawn=(5, kind("tumour", "pathologies")),
        )
    )
    found = tables({CHALLENGE: {"brain": scored(cases, A={})}})["categories"]
    groups = {one["group"] for one in rows(found, team="A") if one["level"] in ("category", "subcategory")}
    assert groups == {
        "corruptions (local)",
        "corruptions (global)",
        "pathologies",
        "noise (local)",
        "noise (global)",
        "tumour (natural)",
        "tumour (artificial)",
    }


def test_baselines_stand_in_every_group_and_the_constant_has_one_half() -> None:
    cases = case_set(in_cells(sphere=5, cube=6))
    found = tables({CHALLENGE: {"brain": scored(cases, A={"sphere0": 0.9})}})
    for name in ("categories", "difficulty"):
        assert {one["ap"] for one in rows(found[name], team="constant")} == {0.5}
        assert len(rows(found[name], team="random")) == len(rows(found[name], team="A"))
    assert {(one["ap_low"], one["ap_high"]) for one in rows(found["categories"], team="constant")} == {(0.5, 0.5)}


def test_a_group_of_few_cases_has_no_band_and_a_sentence() -> None:
    cases = case_set(in_cells(sphere=5, cube=4))
    found = tables({CHALLENGE: {"brain": scored(cases, A=levelled(cases, {"sphere": 1, "cube": 2}))}})["categories"]
    has_band = {
        group: row(found, group=group, team="A")["ap_low"] is not None
        for group in ("sphere", "cube", "images", "local", "artificial")
    }
    assert has_band == {"sphere": True, "cube": False, "images": True, "local": True, "artificial": True}
    assert row(found, group="cube", team="A")["ap"] == pytest.approx(ap_at(2), abs=1e-15)
    assert any("cube has fewer than 5 anomalous cases" in note for note in found.notes)
    assert not any("sphere" in note for note in found.notes)


def test_a_kind_of_one_case_is_in_no_larger_group() -> None:
    """Else its AP would be what the mean with it and those of the other kinds differ by."""
    cases = case_set(in_cells(sphere=5, tumour=(5, kind("tumour", "pathologies")), cube=1, ring=1))
    levels = {"sphere": 1, "tumour": 2, "ring": 0}
    unseen, found = (
        tables({CHALLENGE: {"brain": scored(cases, A=levelled(cases, {**levels, "cube": hits}))}}) for hits in (0, 5)
    )
    for name in ("categories", "difficulty"):
        assert unseen[name].rows == found[name].rows
    images = rows(found["categories"], level="category", group="images", team="A")
    assert [(one["ap"], one["n_anomalous"]) for one in images] == [(pytest.approx(ap_at(1), abs=1e-15), 5)]
    assert images[0]["ap_low"] is not None


def test_a_group_of_nothing_but_kinds_of_one_case_has_no_numbers() -> None:
    cases = case_set(in_cells(sphere=1, cube=1))
    found = tables({CHALLENGE: {"brain": scored(cases, A={"sphere0": 0.5})}})["categories"]
    assert {(one["ap"], one["ap_low"]) for one in found.rows} == {(None, None)}
    assert {one["n_anomalous"] for one in rows(found, level="category")} == {2}


def test_few_normal_cases_have_no_band_and_a_sentence() -> None:
    facts = {case: of for case, of in in_cells(sphere=5).items() if case != "n4"}
    cases = case_set(facts)
    found = tables({CHALLENGE: {"brain": scored(cases, A={})}})["categories"]
    assert {one["ap_low"] for one in found.rows} == {None}
    assert any("fewer than 5 normal cases (4)" in note for note in found.notes)


def test_nothing_is_told_of_a_single_hidden_case() -> None:
    cases = case_set(in_cells(sphere=5, cube=(1, kind("cube", difficulty=1))))
    made = tables({CHALLENGE: {"brain": scored(cases, A={"cube0": 0.7}, B={})}})
    of_cube = rows(made["categories"], group="cube"), rows(made["difficulty"], difficulty=1)
    for found, shown in zip((made["categories"], made["difficulty"]), of_cube, strict=True):
        assert len(shown) == 5
        assert {(one["ap"], one["ap_low"], one["ap_high"]) for one in shown} == {(None, None, None)}
        assert any("nothing is told of a single hidden case" in note for note in found.notes)
    of = row(made["false_alarms"], subcategory="cube")
    assert [of[name] for name in ("median", "best_submission", "best_of_all", "best_team")] == [None] * 4
    assert all(case not in str(table.as_dict()) for table in made.values() for case in cases.labels)


def test_a_band_holds_its_value_and_widens_with_fewer_cases() -> None:
    widths = []
    for many in (6, 60):
        facts = {f"s{i}": kind("sphere") for i in range(many)} | {f"n{i}": NORMAL for i in range(many)}
        cases = case_set(facts)
        ramp = [*(0.2 + 0.8 * i / many for i in range(many)), *(i / many for i in range(many))]
        entry = of_scores("A", cases, ramp)
        of = row(tables({CHALLENGE: {"brain": [entry]}}, resamples=400)["categories"], group="sphere", team="A")
        assert of["ap_low"] <= of["ap"] <= of["ap_high"]
        widths.append(of["ap_high"] - of["ap_low"])
    assert widths[0] > 2 * widths[1]


def test_the_analysis_set_goes_before_the_challenges_own_cases() -> None:
    challenge = case_set(in_cells(cube=6), name=CHALLENGE)
    own = case_set(in_cells(sphere=5), name=ANALYSIS)
    found = tables({CHALLENGE: {"brain": scored(challenge, A={})}, ANALYSIS: {"brain": scored(own, A={})}})[
        "categories"
    ]
    assert "Cases of the dedicated analysis set (brain: 5 anomalous and 5 normal cases)." in found.caption
    assert [one["group"] for one in rows(found, level="category", team="A")] == ["images"]
    assert row(found, level="category", team="A")["n_anomalous"] == 5


def test_kinds_that_the_analysis_set_lacks_come_from_the_challenges_own_cases() -> None:
    natural = kind("atrophy", "medical conditions", scope="global", origin="natural", difficulty=2)
    facts = {**in_cells(sphere=7, atrophy=(6, natural)), "n5": NORMAL}
    challenge, own = case_set(facts, name=CHALLENGE), case_set(in_cells(sphere=5), name=ANALYSIS)
    made = tables({CHALLENGE: {"brain": scored(challenge, A={})}, ANALYSIS: {"brain": scored(own, A={})}})
    found = made["categories"]
    sizes = {(one["group"], one["n_anomalous"], one["n_normal"]) for one in rows(found, team="A")}
    assert sizes == {
        ("local", 5, 5), ("artificial", 5, 5), ("images", 5, 5), ("sphere", 5, 5),
        ("global", 6, 6), ("natural", 6, 6), ("medical conditions", 6, 6), ("atrophy", 6, 6),
    }  # fmt: skip
    assert any("atrophy is not in the analysis set" in note and "6 normal cases" in note for note in found.notes)
    assert row(made["false_alarms"], subcategory="atrophy")["n_normal"] == 6
    assert {one["category"] for one in made["difficulty"].rows} == {"images", "medical conditions"}


def test_categories_without_a_case_are_named() -> None:
    for task, absent in (
        ("sample", "local corruptions, corruptions, medical conditions, alterations and destructions"),
        ("pixel", "local corruptions"),
    ):
        facts = in_cells(sphere=5, tumour=(5, kind("tumour", "pathologies")))
        cases = case_set(facts, task)
        entry = of_voxels("A", cases, [sketch([0.5] * label, [0.5]) for label in cases.labels.values()])
        found = scored(cases, A={}) if task == "sample" else [entry]
        notes = tables({CHALLENGE: {"brain": found}}, task)["categories"].notes
        assert any(f"no anomalous case of {absent}," in note for note in notes)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"a": kind("sphere"), "b": kind("sphere")}, "there is no normal case to compare"),
        (FIVE_NORMAL, "no anomalous case of the sample task"),
    ],
)
def test_cases_of_one_class_are_a_sentence(facts: dict[str, Facts], sentence: str) -> None:
    made = tables({CHALLENGE: {"brain": scored(case_set(facts), A={})}})
    for name in ("categories", "difficulty", "false_alarms"):
        assert not made[name].rows
        assert any(sentence in note for note in made[name].notes)


def test_without_cases_csv_there_is_a_sentence() -> None:
    cases = replace(case_set(in_cells(sphere=5)), facts={})
    found = tables({CHALLENGE: {"brain": scored(cases, A={})}})["categories"]
    assert not found.rows
    assert found.notes == ("brain: there is no cases.csv that says what each case is, so nothing is shown.",)


def test_one_submission_and_one_that_scores_everything_the_same_are_told() -> None:
    cases = case_set(in_cells(sphere=5))
    found = tables({CHALLENGE: {"brain": scored(cases, Even=dict.fromkeys(cases.labels, 0.3))}})["categories"]
    assert any("one submission (Even), so the median is its own value" in note for note in found.notes)
    assert any("Even gives everything the same score" in note for note in found.notes)


def test_a_team_that_lacks_the_analysis_set_is_told() -> None:
    challenge, own = (case_set(in_cells(sphere=5), name=name) for name in (CHALLENGE, ANALYSIS))
    found = {CHALLENGE: {"brain": scored(challenge, A={}, B={})}, ANALYSIS: {"brain": scored(own, A={})}}
    made = tables(found)["categories"]
    assert any("no scores of B here" in note for note in made.notes)
    assert not rows(made, team="B")


def test_unrated_cases_are_counted() -> None:
    cases = case_set(in_cells(sphere=5, cube=(3, kind("cube", difficulty=None))))
    found = tables({CHALLENGE: {"brain": scored(cases, A={})}})["difficulty"]
    assert {one["difficulty"] for one in found.rows} == {3}
    assert any("3 anomalous cases left out, of which no difficulty is known" in note for note in found.notes)


def test_a_class_of_difficulty_is_the_mean_over_its_subcategories() -> None:
    cases = case_set(in_cells(sphere=9, cube=5, cone=(5, kind("cone", difficulty=1))))
    hits = {"sphere": 0, "cube": 5, "cone": 1}
    found = tables({CHALLENGE: {"brain": scored(cases, A=levelled(cases, hits))}})["difficulty"]
    of = {one["difficulty"]: (one["ap"], one["n_anomalous"]) for one in rows(found, team="A")}
    assert of == {1: (pytest.approx(ap_at(1)), 5), 3: (pytest.approx(0.75), 14)}


def test_false_alarms_give_the_median_the_leader_and_the_best_of_all() -> None:
    cases = case_set(in_cells(sphere=5, cube=5))
    levels = {"A": (1, 4), "B": (0, 5), "C": (2, 1)}
    of = {team: levelled(cases, {"sphere": sphere, "cube": cube}) for team, (sphere, cube) in levels.items()}
    entries = [replace(entry, value={"A": 0.9, "B": 0.8, "C": 0.1}[entry.team]) for entry in scored(cases, **of)]
    found = tables({CHALLENGE: {"brain": entries}})["false_alarms"]
    assert "(A)" in found.caption
    names = ("subcategory", "median", "best_submission", "best_of_all", "best_team")
    assert [tuple(one[name] for name in names) for one in found.rows] == [
        ("cube", 4 / 5, 4 / 5, 1 / 5, "C"),
        ("sphere", 1 / 5, 1 / 5, 0.0, "B"),
    ]


def test_teams_that_share_the_best_false_alarms_are_named_together() -> None:
    cases = case_set(in_cells(sphere=5))
    entries = scored(cases, **{team: levelled(cases, {"sphere": 0}) for team in ("A", "B", "C", "D")})
    assert row(tables({CHALLENGE: {"brain": entries}})["false_alarms"])["best_team"] == "A, B and 2 more"


def test_the_pixel_task_has_no_false_alarms() -> None:
    cases = case_set(in_cells(sphere=5), "pixel")
    entry = of_voxels("A", cases, [sketch([0.5] * label, [0.5]) for label in cases.labels.values()])
    found = tables({CHALLENGE: {"brain": [entry]}}, "pixel")["false_alarms"]
    assert not found.rows
    assert len(found.notes) == 1
