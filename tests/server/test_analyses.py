"""The analysis document: what it is computed from, when it is made anew, and what it never holds."""

import json
import logging
import math
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

import evaluator
from evaluator.analysis.entries import Entry
from evaluator.analysis.tables import Column, Table, table
from server import accounts, analyses, challenges, leaderboard
from server.analyses import AnalysisDocument
from server.models import Job, Judgement, Score, Team
from server.protocol import Queue, Stage, Task
from server.queue import Doorbell
from server.sweeper import Sweeper
from tests.conftest import Backend
from tests.server.companion_maker import analyse, finish_on, load_companion, write_cases_csv
from tests.server.test_challenges import rewrite
from tests.server.test_leaderboard import anonymise, score
from tests.server.test_sweeper import wait_for
from tests.server.world import DATASETS, NOW, World, make_challenge

TABLES = (
    *("consensus", "places", "rank_probabilities", "rank_agreement", "schemes", "tests"),
    *("categories", "difficulty", "false_alarms", "sizes", "contrasts", "proxies", "levels", "level_histograms"),
    *("detections", "deals", "costs", "boards"),
)
SAMPLE, PIXEL = Task.SAMPLE, Task.PIXEL


def due(world: World) -> list[tuple[str, Task]]:
    with world.db.read() as s:
        return analyses.due(s, world.now)


def compute(world: World, task: Task = SAMPLE) -> AnalysisDocument:
    return analyses.compute(world.db, world.store, "tiny", task, world.now)


def latest(world: World, task: Task = SAMPLE) -> AnalysisDocument | None:
    with world.db.read() as s:
        return analyses.latest(s, world.challenge(s), task)


def is_current(world: World, task: Task = SAMPLE) -> bool:
    with world.db.read() as s:
        return analyses.is_current(s, world.challenge(s), task)


def entries(world: World, task: Task = SAMPLE) -> Mapping[str, Mapping[str, list[Entry]]]:
    with world.db.read() as s:
        return analyses.entries(s, world.store, world.challenge(s), task)


# --- the document ---------------------------------------------------------------------------------------


def test_a_document_survives_json() -> None:
    columns = (Column(name="team", title="Team"), Column(name="ap", title="AP", kind="number"))
    made = table("t", "T", "C", columns, [{"team": "A", "ap": 0.5}, {"team": "B", "ap": math.nan}], "A note.")
    document = AnalysisDocument(
        slug="tiny",
        title="Tiny",
        task="sample",
        made_at=NOW,
        evaluator_version="1",
        resamples=10,
        seed=1,
        facts={"teams": 2, "datasets": [{"shapes": [(4, 4, 4)]}]},
        tables={"t": made},
    )
    fields = json.loads(json.dumps(document.as_dict(), allow_nan=False))
    read = AnalysisDocument.from_dict(fields)
    assert read.tables == {"t": replace(made, rows=({"team": "A", "ap": 0.5}, {"team": "B", "ap": None}))}
    assert (read.made_at, read.error, read.facts["teams"]) == (NOW, None, 2)
    assert read.as_dict() == document.as_dict()


# --- when it is made ------------------------------------------------------------------------------------


def test_without_a_score_there_is_no_document(world: World) -> None:
    world.submit()
    assert due(world) == []
    assert latest(world) is None
    assert not is_current(world)


def test_it_is_made_once_for_what_is_there(world: World) -> None:
    score(world, "A")
    assert due(world) == [("tiny", SAMPLE)]
    made = compute(world)
    assert made.error is None
    assert latest(world) == made
    assert is_current(world)
    assert due(world) == []


def one_score(s: Session) -> Score:
    return s.scalars(select(Score).limit(1)).one()


def change_of_score(world: World, _folder: Path) -> None:
    score(world, "B")


def change_of_name(world: World, _folder: Path) -> None:
    anonymise(world, "A")


def change_of_rules(world: World, folder: Path) -> None:
    rewrite(folder, "slug: tiny", "slug: tiny\nbudget_s: 7")
    challenges.load(world.db, world.store, folder, world.now)


def change_of_facts(world: World, folder: Path) -> None:
    write_cases_csv(folder)
    challenges.load(world.db, world.store, folder, world.now)


def change_by_rescoring(world: World, _folder: Path) -> None:
    with world.db.write() as s:
        one_score(s).evaluator_version = "next"


def change_by_a_judgement(world: World, _folder: Path) -> None:
    with world.db.write() as s:
        job = one_score(s).job_id
        s.add(Judgement(job_id=job, case="test1.nii.gz", number=0, verdict="x", account_id=world.teams["A"], at=NOW))


@pytest.mark.parametrize(
    "change",
    [change_of_score, change_of_name, change_of_rules, change_of_facts, change_by_rescoring, change_by_a_judgement],
)
def test_it_is_made_anew_when_something_changed(world: World, own_challenge_folder: Path, change: object) -> None:
    assert callable(change)
    score(world, "A")
    compute(world)
    change(world, own_challenge_folder)
    assert not is_current(world)
    assert due(world) == [("tiny", SAMPLE)]
    compute(world)
    assert due(world) == []


def test_scores_on_companion_sets_make_it_anew(world: World, tmp_path: Path) -> None:
    score(world, "A")
    compute(world)
    load_companion(world, tmp_path / "a")
    compute(world)
    analyse(world)
    assert due(world) == []  # waiting changes nothing
    finish_on(world, "tiny-analysis")
    assert due(world) == [("tiny", SAMPLE)]


def test_toy_submissions_change_nothing(embedded_world: World) -> None:
    world = embedded_world
    score(world, "A")
    compute(world)
    world.submit("B", queue=Queue.TOY)
    for _ in range(2):
        world.finish(world.claim())
    assert due(world) == []


def test_what_fails_is_told_and_not_tried_in_a_loop(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_sets: object, _task: object) -> tuple[Table, ...]:
        raise ZeroDivisionError("test1.nii.gz")

    score(world, "A")
    compute(world)
    score(world, "B")
    with monkeypatch.context() as patched:
        patched.setattr(analyses, "tables_of", fails)
        compute(world)
    found = latest(world)
    assert found is not None
    assert found.error == "The analyses could not be computed (ZeroDivisionError): the server's log says more."
    assert found.tables == {}
    assert "analyses failed" in caplog.text
    assert "test1.nii.gz" in caplog.text
    assert due(world) == []
    world.later(minutes=61)
    assert due(world) == [("tiny", SAMPLE)]
    assert compute(world).error is None


def test_a_sketch_that_is_lost_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    score(world, "A", task=PIXEL)
    with world.db.read() as s:
        sha256 = one_score(s).cases[0].sketch_sha256
    world.store.delete(sha256 or "")
    with caplog.at_level(logging.CRITICAL):
        found = compute(world, PIXEL)
    assert found.error is not None
    assert found.error.startswith("The analyses could not be computed (FileNotFoundError)")


def test_the_sweeper_keeps_it_up_to_date(world: World, backend: Backend) -> None:
    sweeper = Sweeper(world.db, world.store, Doorbell(backend.broker_url), lambda: world.now, every_s=0.01)
    score(world, "A")
    score(world, "A", task=PIXEL)
    assert sweeper.analyse(world.now) == 2
    assert sweeper.analyse(world.now) == 0
    score(world, "B")
    sweeper.start()
    try:
        wait_for(lambda: is_current(world))
    finally:
        sweeper.stop()


def test_while_scores_come_in_the_sweeper_rests_between_documents(
    world: World, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([100.0, 110.0, 139.9, 140.1, 141.0])  # a document takes 10 s, so the next waits for 30
    monkeypatch.setattr("server.sweeper.monotonic", lambda: next(seconds))
    sweeper = Sweeper(world.db, world.store, Doorbell(backend.broker_url), lambda: world.now)
    score(world, "A")
    assert sweeper.analyse(world.now) == 1
    score(world, "B")
    assert sweeper.analyse(world.now) == 0
    assert sweeper.analyse(world.now) == 1


# --- what it is computed from ---------------------------------------------------------------------------


def test_entries_hold_what_scoring_kept(world: World) -> None:
    world.submit("A")
    for _ in range(2):
        spec = world.claim()
        run = world.run(spec, Stage.HIDDEN)
        world.run_ended(spec, run)
        world.finish(spec)
    found = entries(world)
    assert found.keys() == {"challenge", "toy"}
    (one,) = found["challenge"]["brain"]
    assert (one.team, one.value, one.validation, one.seconds) == ("A", 1.0, None, 2.5 / 4)
    assert dict(one.scores) == {"test0.nii.gz": 0.0, "test1.nii.gz": 1.0, "test2.nii.gz": 1.0, "test3.nii.gz": 1.0}
    assert one.case_set.labels == {name: int(value) for name, value in one.scores.items()}
    assert one.case_set.deal == (tuple(one.scores),)
    assert not one.sketches
    (toy,) = found["toy"]["abdom"]
    assert (toy.team, toy.value, toy.case_set.name) == ("A", 1.0, "toy")


@pytest.mark.parametrize("ap", [True, "0.5", [0.5], math.nan, math.inf, -0.1, 1.5, None])
def test_a_toy_score_that_is_none_is_left_out(embedded_world: World, ap: object) -> None:
    world = embedded_world
    score(world, "A")
    with world.db.write() as s:
        for job in s.scalars(select(Job)):
            job.toy_report = {"ap": ap if job.dataset.name == "brain" else 1, "changed": "yes"}
        s.flush()
        challenge = world.challenge(s)
        counting = leaderboard.valid_submissions(s, challenge, SAMPLE)
        names = leaderboard.shown_names(counting)
        found = {row.name: analyses.toy_entries(row, counting, names, SAMPLE) for row in challenge.datasets}
    assert found["brain"] == []
    assert [one.value for one in found["abdom"]] == [1.0]


def test_sketches_are_read_when_they_are_asked_for(world: World) -> None:
    score(world, "A", task=PIXEL)
    (one,) = entries(world, PIXEL)["challenge"]["abdom"]
    assert set(one.sketches) == {f"test{number}.nii.gz" for number in range(3)}
    assert one.case_set.labels == {"test0.nii.gz": 0, "test1.nii.gz": 1, "test2.nii.gz": 1}
    assert sorted(case for batch in one.case_set.deal for case in batch) == sorted(one.sketches)
    assert sorted(case for batch in one.case_set.validation for case in batch) == sorted(one.sketches)
    sketch = one.sketches["test1.nii.gz"]  # after the session was closed
    assert (sketch.n_voxels, sketch.n_positive) == (64, 1)
    assert np.isfinite(one.value)
    assert not one.scores


def test_companions_have_entries_of_what_is_scored_there(world: World, tmp_path: Path) -> None:
    for team in ("A", "B"):
        score(world, team)
    load_companion(world, tmp_path / "a")
    load_companion(world, tmp_path / "t", "toyish")
    analyse(world)
    finish_on(world, "tiny-toyish", constant=True)
    found = entries(world)
    assert found.keys() == {"challenge", "analysis", "toyish", "toy"}
    assert found["analysis"] == {"brain": [], "abdom": []}
    assert sorted((one.team, one.value) for one in found["toyish"]["brain"]) == [("A", 0.75), ("B", 0.75)]
    facts = found["toyish"]["brain"][0].case_set.facts
    assert (facts["test1.nii.gz"].category, facts["test1.nii.gz"].difficulty) == ("images", 3)
    assert {case: one.scope for case, one in facts.items()} == {
        "test0.nii.gz": "normal",
        "test1.nii.gz": "local",
        "test2.nii.gz": "local",
        "test3.nii.gz": "global",
    }


def test_facts_count_cases_and_name_hashes(world: World, tmp_path: Path) -> None:
    score(world, "A")
    load_companion(world, tmp_path / "a")
    with world.db.read() as s:
        challenge = world.challenge(s)
        facts = analyses.facts_of(s, challenge, SAMPLE)
        pixel = analyses.facts_of(s, challenge, PIXEL)
    assert facts["rules"]["budget_s"] == 600
    assert [one["name"] for one in facts["datasets"]] == list(DATASETS)
    own, companion = facts["sets"]
    assert (own["name"], own["submissions"], own["manifest_sha256"]) == ("challenge", 1, challenge.manifest_sha256)
    assert (companion["name"], companion["slug"], companion["submissions"]) == ("analysis", "tiny-analysis", 0)
    counts = companion["datasets"][0]
    assert (counts["cases"], counts["anomalous"], counts["normal"], counts["toy"]) == (4, 3, 1, 4)
    assert counts["scopes"] == {"global": 1, "local": 2, "normal": 1}
    assert pixel["sets"][0]["datasets"][0]["cases"] == 3
    assert pixel["sets"][0]["datasets"][0]["batches"] == 2
    (submission,) = facts["submissions"]
    assert submission["team"] == "A"
    assert submission["image_digest"].startswith("sha256:")


def test_an_anonymous_teams_name_and_image_are_nowhere(world: World) -> None:
    score(world, "Zebra")
    with world.db.write() as s:
        s.query(Team).one().anonymous = True
    made = compute(world)
    digest = world.submission(score(world, "Zebra")).image
    assert digest is not None
    text = json.dumps(made.as_dict())
    assert "Zebra" not in text
    assert digest.digest not in text
    assert made.facts["submissions"][0]["team"] == "Anonymous 1"


def test_no_case_is_named_and_every_table_is_there(world: World, tmp_path: Path) -> None:
    for team in ("A", "B"):
        score(world, team, task=PIXEL)
    for set_name in ("analysis", "toyish", "sweeps"):
        load_companion(world, tmp_path / set_name, set_name)
    analyse(world)
    while sum(finish_on(world, f"tiny-{set_name}") for set_name in ("analysis", "toyish", "sweeps")):
        pass
    made = compute(world, PIXEL)
    assert made.error is None
    assert list(made.tables) == list(TABLES)
    assert re.search(r"test\d|toy\d", json.dumps(made.as_dict())) is None
    read = latest(world, PIXEL)
    assert read is not None
    assert list(read.tables) == list(TABLES)


def test_a_name_that_is_taken_back_meanwhile_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    score(world, "Zebra")
    whole = analyses.tables_of

    def slow(sets: analyses.Sets, task: Task) -> tuple[Table, ...]:
        anonymise(world, "Zebra")
        return whole(sets, task)

    monkeypatch.setattr(analyses, "tables_of", slow)
    compute(world)
    assert latest(world) is None
    assert due(world) == [("tiny", SAMPLE)]
    compute(world)
    assert latest(world) is not None


def test_a_name_that_is_taken_back_while_they_are_kept_does_not_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(world, "Zebra")
    keep = analyses.keep

    def taken_back() -> None:
        with world.db.write() as s:
            account = world.account(s, "Zebra")
            assert account.team is not None
            accounts.show_name(s, account.team, shown=False, account=account, now=NOW)

    other = threading.Thread(target=taken_back)

    def slow(s: Session, challenge_id: str, document: AnalysisDocument, mark: str) -> None:
        other.start()
        other.join(0.5)  # ends only where it need not wait for us
        keep(s, challenge_id, document, mark)

    monkeypatch.setattr(analyses, "keep", slow)
    compute(world)
    other.join()
    assert latest(world) is None


def test_documents_of_two_challenges_are_two(embedded_world: World, tmp_path: Path) -> None:
    world = embedded_world
    score(world, "A")
    later = NOW + timedelta(hours=1)
    challenges.load(world.db, world.store, make_challenge(tmp_path / "other", slug="other"), later)
    score(world, "B")
    assert due(world) == [("other", SAMPLE), ("tiny", SAMPLE)]
    made = compute(world)
    assert [one["team"] for one in made.facts["submissions"]] == ["A"]
    assert made.evaluator_version == evaluator.__version__
