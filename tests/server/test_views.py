"""Who is shown what: a team, another, an organizer."""

from dataclasses import asdict
from typing import Any

import pytest
from sqlalchemy import select

from server import accounts, lifecycle, submissions, views
from server.errors import NotFound
from server.models import Account, View
from server.protocol import (
    DatasetOffer,
    Failed,
    FailureCode,
    Finished,
    HostReport,
    JobSpec,
    JobStatus,
    JobWarning,
    Queue,
    Renewal,
    RunEnded,
    Stage,
    WarningCode,
)
from server.views import JobView, SubmissionView
from tests.server.world import World


def shown(world: World, submission: str, *, organizer: str | None = None) -> SubmissionView:
    with world.db.read() as s:
        account = s.get_one(Account, organizer) if organizer else world.account(s)
        found = submissions.get_for(s, account, submission)
        return views.submission_view(found, account=account, now=world.now)


def job(view: SubmissionView, dataset: str = "brain") -> JobView:
    return next(one for one in view.jobs if one.dataset == dataset)


def progress(world: World, spec: JobSpec, stage: Stage, done: int, total: int) -> None:
    with world.db.write() as s:
        renewal = Renewal(token=spec.token, stage=stage, cases_done=done, cases_total=total)
        lifecycle.renew(s, spec.job, renewal, world.now)


def test_a_submission_in_its_check_waits_without_jobs(world: World) -> None:
    view = shown(world, world.upload())
    assert (view.team, view.jobs, view.digest, view.can_cancel) == ("Team", (), None, True)
    assert view.waiting_text == "The archive is being checked."
    assert not view.is_final


def test_toy_progress_is_exact_and_hidden_progress_in_tenths(world: World) -> None:
    organizer = world.organizer()
    submission = world.submit()
    spec = world.claim(datasets=("brain",))
    world.move(spec, JobStatus.PREDICTING)
    progress(world, spec, Stage.TOY, 3, 4)
    assert job(shown(world, submission)).progress_text == "toy cases, 3 of 4"
    progress(world, spec, Stage.HIDDEN, 613, 688)
    team, boss = job(shown(world, submission)), job(shown(world, submission, organizer=organizer))
    assert (team.cases_done, team.cases_total, team.is_exact) == (8, 10, False)
    assert team.progress_text == "hidden cases, about 80 %"
    assert (boss.cases_done, boss.cases_total, boss.is_exact) == (613, 688, True)


def test_elapsed_time_counts_from_the_claim(world: World) -> None:
    submission = world.submit()
    world.later(minutes=5)
    world.claim(datasets=("brain",))
    world.later(seconds=7)
    view = shown(world, submission)
    assert view.elapsed_s == 307
    assert job(view).elapsed_s == 7
    assert job(view, "abdom").elapsed_s is None


def test_a_toy_run_is_shown_with_its_log_and_a_hidden_one_without(world: World) -> None:
    submission = world.submit()
    spec = world.claim(datasets=("brain",))
    world.move(spec, JobStatus.PREDICTING)
    assert not job(shown(world, submission)).has_log
    world.run_ended(spec, world.run(spec, Stage.TOY), log="toy log")
    world.later(seconds=1)
    world.run_ended(spec, world.run(spec, Stage.HIDDEN), log="hidden log")
    view = job(shown(world, submission))
    assert [(run.stage, run.exit_code, run.wall_s) for run in view.runs] == [
        (Stage.TOY, 0, 2.5),
        (Stage.HIDDEN, None, 3.0),
    ]
    assert view.has_log
    with world.db.read() as s:
        found = submissions.get_for(s, world.account(s), submission)
        assert world.store.get(views.toy_log(found, "brain")) == b"toy log"
        with pytest.raises(NotFound):
            views.toy_log(found, "abdom")


def test_what_a_hidden_run_took_of_memory_is_the_organizers(world: World) -> None:
    organizer = world.organizer()
    submission = world.submit()
    spec = world.claim(datasets=("brain",))
    world.move(spec, JobStatus.PREDICTING)
    for stage in (Stage.TOY, Stage.HIDDEN):
        ended = RunEnded(
            token=spec.token,
            run=world.run(spec, stage),
            exit_code=0,
            wall_s=2.5,
            peak_memory_bytes=12345,
            predicted_at_s={},
            log="",
            log_cut=False,
        )
        with world.db.write() as s:
            lifecycle.run_ended(s, world.store, spec.job, ended, world.now)
        world.later(seconds=1)
    team, boss = job(shown(world, submission)), job(shown(world, submission, organizer=organizer))
    assert [run.peak_memory_bytes for run in team.runs] == [12345, None]
    assert [run.peak_memory_bytes for run in boss.runs] == [12345, 12345]


def test_warnings_of_a_toy_submission_are_told_in_full(world: World) -> None:
    submission = world.submit(queue=Queue.TOY)
    for _ in range(2):
        spec = world.claim()
        world.to_scoring(spec)
        warnings = [JobWarning(code=WarningCode.MISSING, count=3)]
        finished = Finished(token=spec.token, cases=[], warnings=warnings, evaluator_version="0.1.0")
        lifecycle.finish(world.db, world.store, world.host(), spec.job, finished, world.now)
    (warning,) = job(shown(world, submission)).warnings
    assert (warning.count, warning.message[:7]) == (3, "3 cases")


def failed(world: World, stage: Stage) -> str:
    submission = world.submit()
    for dataset in ("brain", "abdom"):
        spec = world.claim(datasets=(dataset,))
        message = Failed(
            token=spec.token,
            code=FailureCode.EXIT,
            stage=stage,
            detail="test3.nii.gz: exit code 3",
            warnings=[JobWarning(code=WarningCode.MISSING, count=13)],
        )
        with world.db.write() as s:
            lifecycle.fail(s, spec.job, message, world.now)
    return submission


def test_a_failure_on_hidden_cases_is_a_code_and_a_stage(world: World) -> None:
    organizer = world.organizer()
    submission = failed(world, Stage.HIDDEN)
    team, boss = shown(world, submission), shown(world, submission, organizer=organizer)
    assert team.code is FailureCode.EXIT
    assert "on the hidden cases" in (team.message or "")
    assert "test3" not in str(asdict(team))
    assert "test3.nii.gz: exit code 3" in (job(boss).message or "")
    assert [(one.count, one.message[:19]) for one in job(team).warnings] == [(20, "On the hidden cases")]
    assert [one.count for one in job(boss).warnings] == [13]


def test_a_failure_on_toy_cases_is_told_in_full(world: World) -> None:
    view = shown(world, failed(world, Stage.TOY))
    assert "exit code 3" in (job(view).message or "")
    assert [one.count for one in job(view).warnings] == [13]


def test_scores_and_hidden_counts_are_the_organizers(world: World) -> None:
    organizer = world.organizer()
    submission = world.submit()
    for _ in range(2):
        spec = world.claim()
        world.to_scoring(spec)
        finished = Finished(
            token=spec.token,
            cases=world.results(spec),
            warnings=[JobWarning(code=WarningCode.MISSING, count=3)],
            evaluator_version="0.1.0",
        )
        lifecycle.finish(world.db, world.store, world.host(), spec.job, finished, world.now)
    team, boss = job(shown(world, submission)), job(shown(world, submission, organizer=organizer))
    assert (team.score, team.worker) == (None, None)
    assert [one.count for one in team.warnings] == [10]
    assert boss.score is not None
    assert boss.score.value == 1.0
    assert boss.worker == "gpu1-0"
    assert team.toy_report == {"ap": 1.0}


def test_what_is_scored_or_over_offers_no_cancelling(world: World) -> None:
    submission = world.submit()
    first = world.claim()
    world.to_scoring(first)
    assert not shown(world, submission).can_cancel


@pytest.mark.parametrize(("count", "rounded"), [(1, 10), (10, 10), (11, 20), (99, 100), (101, 200), (1234567, 2000000)])
def test_counts_of_hidden_cases_are_rounded_up(count: int, rounded: int) -> None:
    assert views.round_up(count) == rounded


@pytest.mark.parametrize(
    ("done", "total", "tenths"), [(0, 7, 0), (3, 7, 4), (6, 7, 8), (7, 7, 10), (0, 0, 0), (9, 7, 10)]
)
def test_tenths_are_full_ones(done: int, total: int, tenths: int) -> None:
    assert views.tenths(done, total) == tenths


def test_an_organizers_look_is_recorded_and_a_teams_is_not(world: World) -> None:
    organizer = world.organizer()
    world.team()
    with world.db.write() as s:
        views.looked(s, s.get_one(Account, organizer), "submission abc", world.now)
        views.looked(s, world.account(s), "submission abc", world.now)
    with world.db.read() as s:
        (look,) = s.scalars(select(View))
        assert (look.account_id, look.subject, look.at) == (organizer, "submission abc", world.now)


def marks(world: World) -> dict[str, Any]:
    with world.db.read() as s:
        return views.marks(s)


def test_a_mark_changes_with_what_its_team_can_see(world: World) -> None:
    def changes(step: Any) -> bool:
        before = marks(world)
        world.later(seconds=1)
        step()
        after = marks(world)
        with world.db.read() as s:
            other = world.account(s, "Other").team_id
            own = world.account(s).team_id
        assert before.get(str(other)) == after.get(str(other))
        return bool(before.get(str(own)) != after.get(str(own)))

    world.upload("Other")
    found: list[str] = []
    assert changes(lambda: found.append(world.upload()))
    assert changes(lambda: submissions.check(world.db, world.store, found[0], world.now))
    specs: list[JobSpec] = []
    assert changes(lambda: specs.append(world.claim()))
    spec = specs[0]
    assert changes(lambda: world.move(spec, JobStatus.PREDICTING))
    assert changes(lambda: progress(world, spec, Stage.TOY, 0, 4))
    assert changes(lambda: progress(world, spec, Stage.TOY, 1, 4))
    assert changes(lambda: progress(world, spec, Stage.HIDDEN, 0, 688))
    assert not changes(lambda: progress(world, spec, Stage.HIDDEN, 68, 688))
    assert changes(lambda: progress(world, spec, Stage.HIDDEN, 69, 688))
    assert not changes(lambda: None)


def test_workers_are_shown_with_what_is_wrong_with_them(world: World) -> None:
    world.submit()
    host = world.host()
    spec = world.claim()
    report = HostReport(
        worker="gpu1-0",
        architecture="amd64",
        engine="docker 20.10.24",
        gpus=["A100"],
        datasets=[DatasetOffer(challenge="tiny", dataset="brain", manifest_sha256="0" * 64)],
        checks={"disk": "ok", "network": "a container reached the network"},
        at=world.now,
    )
    with world.db.write() as s:
        accounts.host_reported(s, host, report, world.now)
    with world.db.read() as s:
        (worker,) = views.worker_views(s, world.now)
    assert (worker.host, worker.worker, worker.datasets, worker.job) == ("gpu1", "gpu1-0", ("tiny/brain",), spec.job)
    assert worker.complaints == {"network": "a container reached the network"}
    assert not worker.is_silent
    with world.db.read() as s:
        (worker,) = views.worker_views(s, world.later(minutes=4))
    assert worker.is_silent


def test_the_queue_is_counted(world: World) -> None:
    world.upload("A")
    world.submit("B")
    world.submit("C", queue=Queue.TOY)
    world.claim()
    with world.db.read() as s:
        found = views.queue_view(s)
    assert (found.checking, found.toy_queued, found.final_queued, found.running) == (1, 1, 2, 1)
    assert found.oldest_queued_at is not None
    assert found.oldest_queued_at >= world.now
