"""Standings: published rankings, hand-worked boards, resamples against naive rescoring, and what is too small."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from evaluator import resampling
from evaluator.analysis.entries import CHALLENGE, CaseSet, Entry
from evaluator.analysis.standings import standings
from evaluator.analysis.tables import Row, Table, Value
from evaluator.metrics import samples, voxels
from evaluator.report import or_0
from evaluator.sketch import Sketch
from tests.evaluator.analysis.made import row, rows
from tests.evaluator.test_ranking import PIXEL, SAMPLE

COLUMNS = {
    "consensus": "team mean_rank rank rank_low rank_high",
    "places": "dataset team value value_low value_high rank rank_low rank_high n_cases n_anomalous",
    "rank_probabilities": "dataset team rank probability",
    "rank_agreement": "dataset tau_b tau_b_low tau_b_high",
    "schemes": "dataset team aggregate_then_rank rank_then_aggregate test_based moves",
    "tests": "dataset better worse difference p p_holm significant unit n",
}


def cases(task: str, dataset: str = "brain", count: int = 24, batches: int = 1) -> CaseSet:
    """Half of them anomalous, dealt in turn, some of both in each batch."""
    names = [f"case-{i:03}" for i in range(count)]
    return CaseSet(
        dataset=dataset,
        name=CHALLENGE,
        task=task,
        labels={name: i // batches % 2 for i, name in enumerate(names)},
        facts={},
        deal=tuple(tuple(names[i::batches]) for i in range(batches)),
    )


def sampled(team: str, of: CaseSet, skill: float, seed: int = 0) -> Entry:
    """A submission of the sample task; the higher the skill, the better."""
    rng = np.random.default_rng(seed)
    scores = {name: float(np.clip(rng.normal(0.4 + skill * label, 0.1), 0, 1)) for name, label in of.labels.items()}
    return Entry(
        team=team,
        case_set=of,
        scores=scores,
        value=or_0(samples.average_precision([scores[name] for name in of.labels], list(of.labels.values()))),
    )


def drawn(team: str, of: CaseSet, skill: float, seed: int = 0, size: int = 40) -> Entry:
    """A submission of the pixel task."""
    rng = np.random.default_rng(seed)
    sketches = {}
    for name, label in of.labels.items():
        mask = (np.arange(size) < 6) & bool(label)
        sketches[name] = Sketch.of(np.clip(rng.normal(0.4, 0.1, size) + skill * mask, 0, 1), mask)
    return Entry(team=team, case_set=of, sketches=sketches, value=official(sketches, of))


def official(sketches: Mapping[str, Sketch], of: CaseSet) -> float:
    return or_0(voxels.batched_average_precision([Sketch.total(sketches[name] for name in one) for one in of.deal]))


def made(entries: Mapping[str, Sequence[Entry]], resamples: int = 60, seed: int = 0) -> dict[str, Table]:
    return {one.name: one for one in standings(entries, resamples=resamples, seed=seed)}


def check(found: Mapping[str, Table], cases_named: str = "case-") -> None:
    """What holds for any standings: the columns, no case's name, plain JSON, probabilities that add up."""
    assert {name: " ".join(column.name for column in one.columns) for name, one in found.items()} == COLUMNS
    text = json.dumps([one.as_dict() for one in found.values()], allow_nan=False)
    assert cases_named not in text
    assert [Table.from_dict(one) for one in json.loads(text)] == list(found.values())
    sums: dict[tuple[Value, Value], float] = {}
    for one in found["rank_probabilities"].rows:
        team = one["dataset"], one["team"]
        sums[team] = sums.get(team, 0.0) + number(one, "probability")
    assert list(sums.values()) == pytest.approx([1.0] * len(sums))


def number(one: Row, column: str) -> float:
    value = one[column]
    assert isinstance(value, int | float)
    return value


@pytest.mark.parametrize(("task", "published"), [("sample", SAMPLE), ("pixel", PIXEL)])
def test_published_rankings_are_reproduced(task: str, published: dict[str, tuple[float, float, int]]) -> None:
    entries = {}
    for i, name in enumerate(("brain", "abdom")):
        of = cases(task, name, batches=2 if task == "pixel" else 1)
        entries[name] = [
            Entry(
                team=team,
                case_set=of,
                scores=dict.fromkeys(of.labels, 0.5) if task == "sample" else {},
                sketches={} if task == "sample" else dict.fromkeys(of.labels, Sketch.zeros(positive=1, negative=3)),
                value=values[:2][i],
            )
            for team, values in published.items()
        ]
    found = made(entries)
    check(found)
    assert {one["team"]: one["rank"] for one in found["consensus"].rows} == {
        team: values[2] for team, values in published.items()
    }
    ordered = [one["rank"] for one in found["consensus"].rows]
    assert ordered == sorted(values[2] for values in published.values())


def test_intervals_of_pixel_scores_equal_naive_rescoring() -> None:
    of = cases("pixel", batches=3)
    rng = np.random.default_rng(4)
    volumes = {
        name: (rng.integers(0, 30, 50) / 32, (np.arange(50) < 9) & bool(label)) for name, label in of.labels.items()
    }
    sketches = {name: Sketch.of(*volume) for name, volume in volumes.items()}
    found = made(
        {"brain": [Entry(team="A", case_set=of, sketches=sketches, value=official(sketches, of))]}, resamples=40, seed=7
    )
    naive = np.zeros(40)
    for batch, counts in zip(of.deal, resampling.draws(of.deal, of.labels, resamples=40, seed=(7, 0)), strict=True):
        for i, row_of_counts in enumerate(counts):
            again = [volumes[name] for name, count in zip(batch, row_of_counts, strict=True) for _ in range(count)]
            scores, masks = (np.concatenate(parts) for parts in zip(*again, strict=True))
            naive[i] += average_precision_score(masks, scores) / 3
    place = row(found["places"], team="A")
    assert (place["value_low"], place["value_high"]) == pytest.approx(np.percentile(naive, [2.5, 97.5]), abs=1e-12)


def test_intervals_of_sample_scores_equal_naive_rescoring() -> None:
    of = cases("sample")
    entry = sampled("A", of, 0.1)
    found = made({"brain": [entry]}, resamples=40, seed=7)
    (counts,) = resampling.draws(of.deal, of.labels, resamples=40, seed=(7, 0))
    labels, scores = list(of.labels.values()), list(entry.scores.values())
    naive = [average_precision_score(np.repeat(labels, one), np.repeat(scores, one)) for one in counts]
    place = row(found["places"], team="A")
    assert (place["value_low"], place["value_high"]) == pytest.approx(np.percentile(naive, [2.5, 97.5]), abs=1e-12)


@pytest.mark.parametrize("task", ["sample", "pixel"])
def test_clear_differences_are_firm_and_significant(task: str) -> None:
    make = sampled if task == "sample" else drawn
    of = cases(task, count=80, batches=10 if task == "pixel" else 1)
    found = made(
        {"brain": [make(name, of, skill, seed=i) for i, (name, skill) in enumerate((("A", 0.1), ("B", 0.35)))]}
    )
    check(found)
    assert [(one["team"], one["rank"], one["rank_low"], one["rank_high"]) for one in found["consensus"].rows] == [
        ("B", 1, 1, 1),
        ("A", 2, 2, 2),
    ]
    assert row(found["rank_agreement"], dataset="consensus")["tau_b"] == 1.0
    test = row(found["tests"], better="B", worse="A")
    assert test["significant"] == "yes"
    assert (test["unit"], test["n"]) == (("case", 80) if task == "sample" else ("batch", 10))
    assert test["difference"] == pytest.approx(
        number(row(found["places"], team="B"), "value") - number(row(found["places"], team="A"), "value"), abs=1e-12
    )
    scheme = row(found["schemes"], dataset="brain", team="A")
    assert scheme["test_based"] == 2
    assert scheme["rank_then_aggregate"] == (None if task == "sample" else 2)
    assert scheme["moves"] == "no"


def test_what_the_sample_task_does_not_define_says_so() -> None:
    of = cases("sample")
    found = made({"brain": [sampled("A", of, 0.1), sampled("B", of, 0.2)]})
    assert any("one case has no average precision" in note for note in found["schemes"].notes)


def test_schemes_of_the_pixel_task_rank_batches() -> None:
    of = cases("pixel", count=12, batches=3)

    def entry(team: str, found: Sequence[bool]) -> Entry:
        """Perfect in some batches, constant in the others: 1 or the share of anomalous voxels, 1/4."""
        sketches = {}
        for batch, perfect in zip(of.deal, found, strict=True):
            for name in batch:
                mask = np.arange(4) < 2 * of.labels[name]
                sketches[name] = Sketch.of(mask * float(perfect), mask)
        return Entry(team=team, case_set=of, sketches=sketches, value=official(sketches, of))

    found = made(
        {"brain": [entry("A", (True, False, False)), entry("B", (False, True, True)), entry("C", (True, True, True))]}
    )
    # means 1/2, 3/4, 1; ranks in batches, ties share the smallest: A 1 3 3, B 3 1 1, C 1 1 1
    assert [(one["team"], one["value"], one["rank"]) for one in found["places"].rows] == [
        ("C", 1.0, 1),
        ("B", 0.75, 2),
        ("A", 0.5, 3),
    ]
    assert [(one["team"], one["rank_then_aggregate"]) for one in rows(found["schemes"], dataset="brain")] == [
        ("C", 1),
        ("B", 2),
        ("A", 3),
    ]
    assert {one["test_based"] for one in found["schemes"].rows} == {None}
    assert any("3 units are too few" in note for note in found["schemes"].notes)
    # C is never worse than B: one batch's sign decides, half of all choices
    assert row(found["tests"], better="C", worse="B")["p"] == 0.5


def test_a_team_without_one_data_set_counts_zero_there() -> None:
    brain, abdom = cases("sample", "brain"), cases("sample", "abdom")
    found = made(
        {
            "brain": [sampled("A", brain, 0.1), sampled("B", brain, 0.4, seed=1)],
            "abdom": [sampled("A", abdom, 0.1)],
        }
    )
    check(found)
    place = row(found["places"], dataset="abdom", team="B")
    assert (place["value"], place["value_low"], place["value_high"], place["rank"]) == (0.0, 0.0, 0.0, 2)
    assert (place["rank_low"], place["rank_high"], place["n_cases"]) == (2, 2, 24)
    assert "abdom: B has no score, which counts 0." in found["places"].notes
    assert [one["mean_rank"] for one in found["consensus"].rows] == [1.5, 1.5]
    assert row(found["tests"], dataset="abdom")["better"] == "A"


@pytest.mark.parametrize("task", ["sample", "pixel"])
def test_one_team_stands_alone(task: str) -> None:
    of = cases(task, batches=2 if task == "pixel" else 1)
    found = made({"brain": [(sampled if task == "sample" else drawn)("A", of, 0.1)]})
    check(found)
    assert [dict(one) for one in found["consensus"].rows] == [
        {"team": "A", "mean_rank": 1.0, "rank": 1, "rank_low": 1, "rank_high": 1}
    ]
    assert not found["tests"].rows
    assert found["rank_agreement"].rows[0]["tau_b"] is None
    assert "A is the only team: there is nobody to compare it with." in found["consensus"].notes


@pytest.mark.parametrize("task", ["sample", "pixel"])
def test_equal_teams_share_every_rank(task: str) -> None:
    of = cases(task, batches=2 if task == "pixel" else 1)
    make = sampled if task == "sample" else drawn
    found = made({"brain": [make(team, of, 0.1) for team in ("A", "B", "C")]})
    check(found)
    for one in found["places"].rows:
        assert (one["rank"], one["rank_low"], one["rank_high"]) == (1, 1, 1)
    assert {one["p"] for one in found["tests"].rows} == {1.0}
    assert {one["significant"] for one in found["tests"].rows} == {"no"}
    assert "brain: all teams have the same score, so that it orders nobody." in found["places"].notes
    assert any("no order to agree with" in note for note in found["rank_agreement"].notes)


def test_constant_scores_tie_whatever_the_constant() -> None:
    of = cases("pixel", batches=2)
    found = made(
        {
            "brain": [
                Entry(team=f"{score}", case_set=of, sketches=sketches, value=official(sketches, of))
                for score in (0.0, 0.1, 0.9)
                for sketches in [
                    {
                        name: Sketch.of(np.full(9, score), (np.arange(9) < 2) & bool(label))
                        for name, label in of.labels.items()
                    }
                ]
            ]
        }
    )
    for one in found["places"].rows:
        assert (one["rank"], one["rank_low"], one["rank_high"]) == (1, 1, 1)


@pytest.mark.parametrize("entries", [{}, {"brain": []}, {"brain": [], "abdom": []}])
def test_nobody_gives_empty_tables_and_a_sentence(entries: dict[str, list[Entry]]) -> None:
    found = made(entries)
    check(found)
    assert not any(one.rows for one in found.values())
    assert "No submission is scored yet." in found["consensus"].notes


def test_a_data_set_nobody_has_orders_nobody() -> None:
    of = cases("sample")
    found = made({"brain": [sampled("A", of, 0.1), sampled("B", of, 0.4)], "abdom": []})
    check(found)
    assert "abdom: no submission is scored." in found["places"].notes
    assert {one["rank"] for one in rows(found["places"], dataset="abdom")} == {1}
    assert {one["n_cases"] for one in rows(found["places"], dataset="abdom")} == {None}
    assert [one["rank"] for one in found["consensus"].rows] == [1, 2]


def test_few_cases_say_so() -> None:
    of = cases("pixel", count=8, batches=4)
    found = made({"brain": [drawn("A", of, 0.1), drawn("B", of, 0.2)]})
    notes = " ".join(found["places"].notes)
    assert "brain: 4 anomalous and 4 normal cases; intervals from so few say little." in notes
    assert "brain: 4 of 4 batches have a single anomalous case" in notes


def test_no_anomalous_case_counts_zero() -> None:
    of = cases("sample")
    normal = CaseSet(
        dataset="brain", name=CHALLENGE, task="sample", labels=dict.fromkeys(of.labels, 0), facts={}, deal=of.deal
    )
    found = made({"brain": [sampled("A", normal, 0.1), sampled("B", normal, 0.2, seed=1)]})
    check(found)
    assert {one["value"] for one in found["places"].rows} == {0.0}
    assert {one["value_high"] for one in found["places"].rows} == {0.0}


def test_the_same_arguments_give_the_same_tables_and_another_seed_others() -> None:
    of = cases("sample")
    entries = {"brain": [sampled("A", of, 0.05), sampled("B", of, 0.06, seed=1)]}
    first, again, other = (made(entries, seed=seed)["places"] for seed in (1, 1, 2))
    assert first == again
    assert first.rows != other.rows
    assert [one["value"] for one in first.rows] == [one["value"] for one in other.rows]


def test_too_many_teams_are_ranked_but_not_tested() -> None:
    of = cases("sample")
    found = made({"brain": [sampled(f"T{i:02}", of, 0.1, seed=i) for i in range(51)]}, resamples=5)
    check(found)
    assert len(found["consensus"].rows) == 51
    assert not found["tests"].rows
    assert any("51 teams are more than are tested" in note for note in found["tests"].notes)


class Counted(Mapping[str, Sketch]):
    """Sketches that remember how often each was asked for."""

    def __init__(self, sketches: Mapping[str, Sketch]) -> None:
        self.sketches = sketches
        self.asked: Counter[str] = Counter()

    def __getitem__(self, case: str) -> Sketch:
        self.asked[case] += 1
        return self.sketches[case]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sketches)

    def __len__(self) -> int:
        return len(self.sketches)


def test_each_sketch_is_asked_for_once() -> None:
    of = cases("pixel", batches=3)
    counted = Counted(drawn("A", of, 0.2).sketches)
    made({"brain": [Entry(team="A", case_set=of, sketches=counted, value=0.5)]})
    assert set(counted.asked) == set(of.labels)
    assert set(counted.asked.values()) == {1}
