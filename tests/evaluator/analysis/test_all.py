import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from evaluator.analysis.all import analyses
from evaluator.analysis.entries import ANALYSIS, CHALLENGE, SWEEPS, TOY, TOYISH, CaseSet, Entry, Facts
from evaluator.analysis.tables import Table
from evaluator.sketch import Sketch
from tests.evaluator.analysis.made import NORMAL, case_set, kind, of_scores, of_voxels, row, rows, sketch

NAMES = (
    "categories",
    "difficulty",
    "false_alarms",
    "sizes",
    "contrasts",
    "proxies",
    "levels",
    "level_histograms",
    "detections",
    "deals",
    "costs",
    "boards",
)
TASKS = ("sample", "pixel")
Sets = Mapping[str, Mapping[str, Sequence[Entry]]]


class Counting(Mapping[str, Sketch]):
    """Sketches that are made when they are asked for, and how often each was."""

    def __init__(self, sketches: Mapping[str, Sketch]) -> None:
        self.sketches = sketches
        self.asked = Counter[str]()

    def __getitem__(self, case: str) -> Sketch:
        self.asked[case] += 1
        return self.sketches[case]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sketches)

    def __len__(self) -> int:
        return len(self.sketches)


def facts_of(name: str) -> dict[str, Facts]:
    if name == SWEEPS:
        radii = {f"r{i}": kind("radius sweep", parameters={"radius_voxels": 4.0 * i}) for i in range(1, 4)}
        shades = {f"i{i}": kind("intensity sweep", parameters={"intensity": 0.25 * i}) for i in range(5)}
        return {**radii, **shades, "untouched": NORMAL}
    kinds = {"sphere": kind("sphere"), "lesion": kind("lesion", "pathologies", difficulty=1)}
    anomalous = {f"{subcategory}{i}": facts for subcategory, facts in kinds.items() for i in range(5)}
    return {**anomalous, **{f"normal{i}": NORMAL for i in range(10)}}


def entry(team: str, cases: CaseSet, seed: int) -> Entry:
    """A submission that is better than chance."""
    rng = np.random.default_rng([seed, *team.encode()])
    value = float(rng.random())
    if cases.task == "sample":
        return of_scores(team, cases, [0.3 * label + 0.7 * rng.random() for label in cases.labels.values()], value)
    of = [sketch((0.5 + rng.random(3 * label) / 2).tolist(), rng.random(9).tolist()) for label in cases.labels.values()]
    made = replace(of_voxels(team, cases, of, value), validation=value + 0.01)
    return replace(made, sketches=Counting(made.sketches))


def world(task: str, teams: Sequence[str] = ("A", "B", "C"), datasets: Sequence[str] = ("brain", "abdom")) -> Sets:
    """All sets of two data sets."""
    found: dict[str, dict[str, list[Entry]]] = {}
    for name in (CHALLENGE, ANALYSIS, TOYISH, SWEEPS):
        for seed, dataset in enumerate(datasets):
            cases = case_set(facts_of(name), task, name, dataset)
            found.setdefault(name, {})[dataset] = [entry(team, cases, seed) for team in teams]
    empty = {dataset: case_set({}, task, TOY, dataset) for dataset in datasets}
    found[TOY] = {
        dataset: [Entry(team=team, case_set=cases, value=0.1 * i) for i, team in enumerate(teams)]
        for dataset, cases in empty.items()
    }
    return found


def made(found: Sets, task: str, seed: int = 0) -> dict[str, Table]:
    return {table.name: table for table in analyses(found, task, resamples=20, seed=seed)}


@cache
def usual(task: str) -> Mapping[str, Table]:
    """The tables of the whole world; tests read them."""
    return made(world(task), task)


def told(table: Table) -> str:
    return " ".join((table.caption, *table.notes))


@pytest.mark.parametrize("task", TASKS)
def test_every_table_is_there_in_order(task: str) -> None:
    assert tuple(usual(task)) == NAMES


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("found", [{}, {CHALLENGE: {}}, {CHALLENGE: {"brain": []}, TOY: {"brain": []}}])
def test_a_challenge_without_submissions_has_empty_tables(task: str, found: Sets) -> None:
    tables = made(found, task)
    assert tuple(tables) == NAMES
    assert not any(table.rows for table in tables.values())


@pytest.mark.parametrize("task", TASKS)
def test_what_is_defined_for_the_task_has_rows(task: str) -> None:
    empty = {"false_alarms"} if task == "pixel" else {"levels", "level_histograms", "deals"}
    tables = usual(task)
    assert {name for name, table in tables.items() if not table.rows} == empty | {"detections"}
    assert all(table.rows or table.notes for table in tables.values())


@pytest.mark.parametrize("task", TASKS)
def test_tables_survive_json_and_hold_no_case_and_no_nan(task: str) -> None:
    cases = set(facts_of(CHALLENGE)) | set(facts_of(SWEEPS))
    for table in usual(task).values():
        written = json.dumps(table.as_dict(), allow_nan=False)
        assert Table.from_dict(json.loads(written)) == Table.from_dict(table.as_dict())
        assert not [case for case in cases if f'"{case}"' in written or case in told(table)]


@pytest.mark.parametrize("task", TASKS)
def test_every_table_explains_itself_in_sentences(task: str) -> None:
    for table in usual(task).values():
        assert table.caption.endswith(".")
        assert all(note.endswith(".") for note in table.notes)
        assert all(column.title[0].isupper() for column in table.columns)


def test_each_sketch_is_asked_for_once() -> None:
    found = world("pixel")
    made(found, "pixel")
    for name in (CHALLENGE, ANALYSIS, SWEEPS):
        for one in (one for of in found[name].values() for one in of):
            assert isinstance(one.sketches, Counting)
            assert one.sketches.asked == dict.fromkeys(one.case_set.labels, 1)


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_tables_and_another_one_other_bands(task: str) -> None:
    found = world(task)
    assert made(found, task) == usual(task)
    one, other = (tables["categories"] for tables in (usual(task), made(found, task, seed=1)))
    values = [[row["ap"] for row in table.rows if row["team"] != "random"] for table in (one, other)]
    assert values[0] == values[1]
    assert [row["ap_low"] for row in one.rows] != [row["ap_low"] for row in other.rows]


@pytest.mark.parametrize("task", TASKS)
def test_the_order_of_submissions_changes_nothing(task: str) -> None:
    found = world(task)
    turned = {name: {dataset: list(reversed(of)) for dataset, of in sets.items()} for name, sets in found.items()}
    assert made(turned, task) == usual(task)


def test_teams_stand_in_the_order_of_the_official_ranking() -> None:
    found = dict(world("pixel"))
    values = {"A": 0.1, "B": 0.9, "C": 0.5}
    found[CHALLENGE] = {
        dataset: [replace(one, value=values[one.team]) for one in of] for dataset, of in found[CHALLENGE].items()
    }
    tables = made(found, "pixel")
    for name in ("categories", "sizes", "contrasts", "levels", "deals", "costs"):
        teams = list(dict.fromkeys(row["team"] for row in tables[name].rows))
        assert teams[:3] == ["B", "C", "A"]


@pytest.mark.parametrize("task", TASKS)
def test_one_submission_is_a_sentence_where_it_matters(task: str) -> None:
    tables = made(world(task, teams=["A"]), task)
    for name in ("categories", "difficulty"):
        assert "one submission (A)" in told(tables[name])
    assert "fewer than two submissions" in told(tables["proxies"])
    median, own = (rows(tables["categories"], team=team) for team in ("median of submissions", "A"))
    assert [one["ap"] for one in median] == [one["ap"] for one in own]


@pytest.mark.parametrize("task", TASKS)
def test_submissions_that_score_everything_the_same_are_told(task: str) -> None:
    found = {}
    for name, sets in world(task).items():
        found[name] = {dataset: [flat(one) for one in of] for dataset, of in sets.items()}
    tables = made(found, task)
    assert "give everything the same score" in told(tables["categories"])
    ap, constant = ([one["ap"] for one in rows(tables["categories"], team=team)] for team in ("A", "constant"))
    assert ap == constant
    assert "the same value on one side" in told(tables["proxies"])


def flat(one: Entry) -> Entry:
    even = {case: Sketch.zeros(positive=of.n_positive, negative=of.n_negative) for case, of in one.sketches.items()}
    return replace(one, value=0.25, sketches=even, scores=dict.fromkeys(one.scores, 0.7))


@pytest.mark.parametrize("task", TASKS)
def test_a_team_without_one_data_set_stays_behind_and_is_told(task: str) -> None:
    found = {name: {dataset: list(of) for dataset, of in sets.items()} for name, sets in world(task).items()}
    for sets in found.values():
        sets["abdom"] = [one for one in sets["abdom"] if one.team != "A"]
    tables = made(found, task)
    assert "A has 1 data set of 2." in told(tables["boards"])
    assert row(tables["boards"], metric="ap", team="A")["rank"] == 3
    assert "abdom: no scores of A here" in told(tables["categories"])
    assert {one["team"] for one in rows(tables["costs"], dataset="abdom")} == {"B", "C"}


@pytest.mark.parametrize("task", TASKS)
def test_a_team_named_like_a_baseline_is_kept_apart(task: str) -> None:
    tables = made(world(task, teams=["constant", "A"]), task)
    assert len(rows(tables["categories"], team="constant (team)")) == len(rows(tables["categories"], team="A"))
    assert row(tables["boards"], metric="ap", team="constant (team)")["rank"] in {1, 2}
    assert row(tables["boards"], metric="ap", team="constant")["rank"] is None


@pytest.mark.parametrize("task", TASKS)
def test_baselines_are_on_sweeps_levels_and_deals(task: str) -> None:
    tables = usual(task)
    for name in ("sizes", "contrasts", "boards", *(("levels", "deals") if task == "pixel" else ())):
        assert {"constant", "random"} < {row["team"] for row in tables[name].rows}


def test_a_sweep_of_the_sample_task_stands_among_the_analysis_sets_normal_cases() -> None:
    found = world("sample", teams=["A"], datasets=["brain"])
    scores = {name: {**found[name]["brain"][0].scores} for name in (ANALYSIS, SWEEPS)}
    others = [score for case, score in scores[ANALYSIS].items() if case.startswith("normal")]
    others.append(scores[SWEEPS]["untouched"])
    alarms = sum(score >= scores[SWEEPS]["r2"] for score in others) / len(others)
    of = row(made(found, "sample")["sizes"], team="A", radius_voxels=8.0)
    assert of["ap"] == pytest.approx(1 / (1 + alarms), abs=1e-15)


def test_a_data_set_without_a_task_is_just_not_there() -> None:
    found = {name: {"brain": of["brain"]} for name, of in world("pixel").items()}
    assert {row["dataset"] for row in made(found, "pixel")["categories"].rows} == {"brain"}


def test_a_data_set_in_the_analysis_set_alone_is_shown() -> None:
    found = dict(world("sample"))
    found[CHALLENGE] = {"brain": found[CHALLENGE]["brain"]}
    tables = made(found, "sample")
    assert {row["dataset"] for row in tables["categories"].rows} == {"brain", "abdom"}
    assert {row["dataset"] for row in tables["costs"].rows} == {"brain"}
