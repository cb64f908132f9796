"""Claims, leases, faults and ends: who may write what, and what follows from it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evaluator.dataset import build_manifest
from server import challenges, lifecycle, submissions
from server.errors import Conflict, Invalid, NotFound, StaleToken
from server.lifecycle import FAULTS, LEASE, SweepReport
from server.models import CaseScore, Host, Job
from server.protocol import (
    CaseResult,
    Failed,
    FailureCode,
    Faulted,
    Finished,
    JobSpec,
    JobStatus,
    JobWarning,
    Move,
    Queue,
    Released,
    Renewal,
    RunStarted,
    RunStatus,
    Stage,
    SubmissionStatus,
    Task,
    ToyReported,
    WarningCode,
)
from tests.server.world import World


def fail(world: World, spec: JobSpec, code: FailureCode = FailureCode.EXIT, stage: Stage = Stage.TOY) -> None:
    with world.db.write() as s:
        lifecycle.fail(s, spec.job, Failed(token=spec.token, code=code, stage=stage, detail="code 3"), world.now)


def fault(world: World, spec: JobSpec, reason: str = "disk full") -> None:
    with world.db.write() as s:
        lifecycle.fault(s, spec.job, Faulted(token=spec.token, reason=reason), world.now)


def release(world: World, spec: JobSpec) -> None:
    with world.db.write() as s:
        lifecycle.release(s, spec.job, Released(token=spec.token), world.now)


def renew(world: World, spec: JobSpec, **progress: Any) -> bool:
    with world.db.write() as s:
        return lifecycle.renew(s, spec.job, Renewal(token=spec.token, **progress), world.now).cancelled


def cancel(world: World, submission: str) -> None:
    with world.db.write() as s:
        submissions.cancel(s, account=world.account(s), submission_id=submission, now=world.now)


def sweep(world: World) -> SweepReport:
    with world.db.write() as s:
        return lifecycle.sweep(s, world.now)


def finish_with(world: World, spec: JobSpec, cases: list[CaseResult]) -> None:
    finished = Finished(token=spec.token, cases=cases, warnings=[], evaluator_version="0.1.0")
    lifecycle.finish(world.db, world.store, world.host(), spec.job, finished, world.now)


# --- claims ---------------------------------------------------------------------------------------------


def test_a_claim_gives_lease_and_token(world: World) -> None:
    submission = world.submit()
    spec = world.claim(datasets=("brain",))
    job = world.job(spec.job)
    assert (spec.dataset, spec.queue, spec.attempt) == ("brain", Queue.FINAL, 1)
    assert spec.image == world.submission(submission).image.digest  # type: ignore[union-attr]  # it was checked
    assert spec.manifest_sha256 == world.offers()[0].manifest_sha256
    assert job.lease_expires_at == world.now + LEASE
    assert job.status is JobStatus.PREPARING
    assert world.submission(submission).status is SubmissionStatus.RUNNING


def test_there_is_nothing_to_claim_before_the_check_is_over(world: World) -> None:
    world.upload()
    assert world.try_claim() is None


def test_toy_jobs_come_first_then_the_one_received_first(world: World) -> None:
    first = world.submit("A")
    world.later(minutes=1)
    second = world.submit("B")
    world.later(minutes=1)
    toy = world.submit("C", queue=Queue.TOY)
    order = [world.job(world.claim(datasets=("brain",)).job).submission_id for _ in range(3)]
    assert order == [toy, first, second]


def test_a_host_gets_only_what_it_holds(world: World) -> None:
    world.submit()
    assert world.claim(datasets=("abdom",)).dataset == "abdom"
    assert world.try_claim(datasets=("abdom",)) is None
    assert world.try_claim(datasets=()) is None


def test_a_host_with_another_manifest_gets_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.submit()
    others = [offer.model_copy(update={"manifest_sha256": "0" * 64}) for offer in world.offers()]
    monkeypatch.setattr(world, "offers", lambda _datasets: others)
    assert world.try_claim() is None


def test_an_image_of_another_architecture_waits(world: World) -> None:
    world.submit()
    assert world.try_claim(architecture="arm64") is None
    assert world.try_claim(architecture="amd64") is not None


def test_claims_at_once_never_give_a_job_twice(world: World) -> None:
    for number in range(6):
        world.submit(f"T{number}")
    world.host()

    def claim_all(_: int) -> list[str]:
        found = []
        misses = 0
        while misses < 3:  # a miss may only mean that the others hold every candidate
            spec = world.try_claim()
            if spec is None:
                misses += 1
            else:
                found.append(spec.job)
        return found

    with ThreadPoolExecutor(8) as pool:
        given = [job for found in pool.map(claim_all, range(8)) for job in found]
    assert len(given) == len(set(given)) == 12


# --- the holder's writes --------------------------------------------------------------------------------


def test_renewing_prolongs_the_lease_and_keeps_progress(world: World) -> None:
    world.submit()
    spec = world.claim()
    world.later(seconds=90)
    assert not renew(world, spec, stage=Stage.TOY, cases_done=2, cases_total=4)
    job = world.job(spec.job)
    assert job.lease_expires_at == world.now + LEASE
    assert (job.stage, job.cases_done, job.cases_total) == (Stage.TOY, 2, 4)


def test_moves_follow_the_table_and_count_once(world: World) -> None:
    world.submit()
    spec = world.claim()
    with pytest.raises(Conflict):
        world.move(spec, JobStatus.SCORING)
    world.move(spec, JobStatus.PREDICTING, JobStatus.PREDICTING, JobStatus.SCORING)
    with pytest.raises(Conflict):
        world.move(spec, JobStatus.PREDICTING)
    with pytest.raises(Invalid):
        world.move(spec, JobStatus.SCORED)
    assert world.history("job", spec.job) == ["queued", "preparing", "predicting", "scoring"]


Write = Callable[[Session, World, JobSpec], object]

WRITES: dict[str, Write] = {
    "renew": lambda s, w, spec: lifecycle.renew(s, spec.job, Renewal(token=spec.token), w.now),
    "move": lambda s, w, spec: lifecycle.move(s, spec.job, Move(token=spec.token, status=JobStatus.PREDICTING), w.now),
    "run": lambda s, w, spec: lifecycle.run_started(
        s, spec.job, RunStarted(token=spec.token, stage=Stage.TOY, cases=4), w.now
    ),
    "report": lambda s, w, spec: lifecycle.toy_reported(s, spec.job, ToyReported(token=spec.token, report={}), w.now),
    "fail": lambda s, w, spec: lifecycle.fail(
        s, spec.job, Failed(token=spec.token, code=FailureCode.EXIT, stage=Stage.TOY), w.now
    ),
    "fault": lambda s, w, spec: lifecycle.fault(s, spec.job, Faulted(token=spec.token, reason="x"), w.now),
    "release": lambda s, w, spec: lifecycle.release(s, spec.job, Released(token=spec.token), w.now),
    "sketch": lambda s, w, spec: lifecycle.holder(s, w.host(), spec.job, spec.token),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_worker_that_lost_its_lease_cannot_write(world: World, write: str) -> None:
    world.submit()
    old = world.claim(datasets=("brain",))
    world.later(minutes=3)
    assert sweep(world).expired == (old.job,)
    new = world.claim("gpu2", datasets=("brain",))
    assert (new.job, new.attempt) == (old.job, 2)
    before = world.history("job", old.job)
    with pytest.raises(StaleToken), world.db.write() as s:
        WRITES[write](s, world, old)
    assert world.history("job", old.job) == before


def test_a_token_is_good_for_its_host_alone(world: World) -> None:
    world.submit()
    spec = world.claim("gpu1")
    stranger: Host = world.host("gpu2")
    with pytest.raises(StaleToken), world.db.read() as s:
        lifecycle.holder(s, stranger, spec.job, spec.token)


def test_an_unknown_job_is_not_found(world: World) -> None:
    with pytest.raises(NotFound), world.db.write() as s:
        lifecycle.renew(s, "nosuchjobabc", Renewal(token="x"), world.now)


# --- runs -----------------------------------------------------------------------------------------------


def test_a_run_is_kept_with_its_log(world: World) -> None:
    world.submit()
    spec = world.claim()
    world.move(spec, JobStatus.PREDICTING)
    run = world.run(spec)
    world.run_ended(spec, run, log="hello")
    world.run_ended(spec, run, log="said twice")
    (kept,) = world.job(spec.job).runs
    assert (kept.status, kept.exit_code, kept.wall_s, kept.peak_memory_bytes) == (RunStatus.ENDED, 0, 2.5, None)
    assert kept.log_sha256 is not None
    assert world.store.get(kept.log_sha256) == b"hello"
    assert world.history("run", run) == ["started", "ended"]


def test_a_run_whose_worker_fell_silent_is_lost(world: World) -> None:
    world.submit()
    spec = world.claim()
    run = world.run(spec)
    world.later(minutes=3)
    sweep(world)
    assert world.history("run", run) == ["started", "lost"]


def test_a_cancelled_jobs_run_may_still_end(world: World) -> None:
    submission = world.submit()
    spec = world.claim()
    run = world.run(spec)
    cancel(world, submission)
    world.run_ended(spec, run)
    assert world.history("run", run) == ["started", "ended"]


def test_a_cancelled_jobs_run_is_lost_when_nobody_ends_it(world: World) -> None:
    submission = world.submit()
    spec = world.claim()
    run = world.run(spec)
    cancel(world, submission)
    assert sweep(world).lost_runs == ()
    world.later(minutes=3)
    assert sweep(world).lost_runs == (run,)


# --- faults ---------------------------------------------------------------------------------------------


def test_a_fault_sends_the_job_back_and_the_third_fails_it_at_no_cost(world: World) -> None:
    submission = world.submit()
    world.finish(world.claim(datasets=("abdom",)))
    for attempt in range(1, FAULTS + 1):
        spec = world.claim(datasets=("brain",))
        assert spec.attempt == attempt
        assert world.tries() == 1
        fault(world, spec)
    job = world.job(spec.job)
    assert (job.status, job.failure_code) == (JobStatus.FAILED, FailureCode.PLATFORM)
    found = world.submission(submission)
    assert (found.status, found.failure_code) == (SubmissionStatus.FAILED, FailureCode.PLATFORM)
    assert world.tries() == 0


def test_silence_counts_as_a_fault_and_release_does_not(world: World) -> None:
    world.submit()
    for _ in range(FAULTS):
        release(world, world.claim(datasets=("brain",)))
    for _ in range(FAULTS - 1):
        spec = world.claim(datasets=("brain",))
        world.later(minutes=2)
        assert sweep(world).expired == (spec.job,)
    assert world.job(spec.job).faults == FAULTS - 1
    world.finish(world.claim(datasets=("brain",)))


def test_a_worker_that_reports_the_platforms_code_reports_a_fault(world: World) -> None:
    world.submit()
    spec = world.claim()
    fail(world, spec, FailureCode.PLATFORM)
    assert world.job(spec.job).status is JobStatus.QUEUED


def test_two_sweeps_at_once_do_no_harm(world: World) -> None:
    for number in range(5):
        world.submit(f"T{number}")
    for _ in range(10):
        world.claim()
    world.later(minutes=5)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: sweep(world), range(8)))
    expired = [job for report in reports for job in report.expired]
    assert len(expired) == len(set(expired)) == 10
    with world.db.read() as s:
        assert {job.faults for job in s.query(Job)} == {1}


# --- ages -----------------------------------------------------------------------------------------------


def stay(world: World, spec: JobSpec, minutes: int) -> SweepReport:
    """Renew all the while, then sweep."""
    world.later(minutes=minutes)
    renew(world, spec)
    return sweep(world)


def test_preparing_for_too_long_is_a_fault(world: World) -> None:
    world.submit()
    spec = world.claim()
    assert stay(world, spec, 60).overdue == ()
    assert stay(world, spec, 1).overdue == (spec.job,)


def test_predicting_may_last_as_long_as_its_budgets(world: World) -> None:
    world.submit()
    spec = world.claim()
    world.move(spec, JobStatus.PREDICTING)
    # 4 toy and 4 hidden cases of 600 s, and half an hour.
    assert stay(world, spec, 110).overdue == ()
    assert stay(world, spec, 1).overdue == (spec.job,)


def test_predicting_a_toy_job_has_the_toy_cases_budget(world: World) -> None:
    world.submit(queue=Queue.TOY)
    spec = world.claim()
    world.move(spec, JobStatus.PREDICTING)
    assert stay(world, spec, 70).overdue == ()
    assert stay(world, spec, 1).overdue == (spec.job,)


def test_scoring_for_too_long_is_a_fault(world: World) -> None:
    world.submit()
    spec = world.claim()
    world.to_scoring(spec)
    assert stay(world, spec, 360).overdue == ()
    assert stay(world, spec, 1).overdue == (spec.job,)


def test_waiting_for_a_host_raises_an_alarm_and_nothing_else(world: World) -> None:
    submission = world.submit()
    jobs = {job.id for job in world.submission(submission).jobs}
    world.later(hours=6)
    assert sweep(world).waiting == ()
    world.later(days=30)
    assert set(sweep(world).waiting) == jobs
    assert world.submission(submission).status is SubmissionStatus.QUEUED


def test_a_check_that_never_ends_is_given_up_and_the_try_given_back(world: World) -> None:
    submission = world.upload()
    world.later(hours=3)
    assert sweep(world).given_up == (submission,)
    found = world.submission(submission)
    assert (found.status, found.failure_code) == (SubmissionStatus.FAILED, FailureCode.PLATFORM)
    assert world.tries() == 0


# --- ends -----------------------------------------------------------------------------------------------


def test_a_submission_is_scored_when_all_its_jobs_are(world: World) -> None:
    submission = world.submit()
    world.finish(world.claim())
    assert world.submission(submission).status is SubmissionStatus.RUNNING
    world.finish(world.claim())
    assert world.submission(submission).status is SubmissionStatus.SCORED
    assert world.history("submission", submission) == ["checking", "queued", "running", "scored"]


def test_a_failed_job_leaves_the_other_data_set_running(world: World) -> None:
    submission = world.submit()
    fail(world, world.claim(datasets=("brain",)))
    assert world.submission(submission).status is SubmissionStatus.RUNNING
    world.finish(world.claim(datasets=("abdom",)))
    found = world.submission(submission)
    assert (found.status, found.failure_code) == (SubmissionStatus.FAILED, FailureCode.EXIT)
    assert world.tries() == 1


def test_the_containers_failure_goes_before_ours(world: World) -> None:
    submission = world.submit()
    for _ in range(FAULTS):
        fault(world, world.claim(datasets=("brain",)))
    fail(world, world.claim(datasets=("abdom",)), FailureCode.MEMORY)
    assert world.submission(submission).failure_code is FailureCode.MEMORY
    assert world.tries() == 1


def test_failing_twice_counts_once(world: World) -> None:
    world.submit()
    spec = world.claim()
    fail(world, spec)
    fail(world, spec)
    assert world.history("job", spec.job) == ["queued", "preparing", "failed"]


def test_finishing_twice_counts_once(world: World) -> None:
    world.submit()
    spec = world.claim()
    world.to_scoring(spec)
    results = world.results(spec)
    finish_with(world, spec, results)
    finish_with(world, spec, results)
    assert world.history("job", spec.job)[-2:] == ["scoring", "scored"]
    with world.db.read() as s:
        assert s.scalar(select(func.count()).select_from(CaseScore)) == 4


def test_scores_are_computed_here_and_stored_with_what_made_them(world: World) -> None:
    world.submit(task=Task.PIXEL)
    spec = world.claim()
    world.finish(spec)
    score = world.job(spec.job).score
    assert score is not None
    assert (score.value, score.validation) == (1.0, 1.0)
    assert (score.low, score.high) == (1.0, 1.0)  # its scores are halves: rounding changed nothing
    assert [len(batches) for batches in score.details.values()] == [2, 2]
    assert score.evaluator_version == "0.1.0"
    assert score.manifest_sha256 == spec.manifest_sha256
    assert score.image_digest == spec.image
    with world.db.read() as s:
        assert score.deal_sha256 == world.challenge(s).deal_sha256


def test_a_constant_sample_score_is_worth_the_prevalence(world: World) -> None:
    world.submit()
    spec = world.claim()
    world.finish(spec, constant=True)
    score = world.job(spec.job).score
    assert score is not None
    assert score.value == 3 / 4  # three of the four hidden cases are anomalous


def test_a_toy_job_ends_with_its_report_and_without_a_score(world: World) -> None:
    submission = world.submit(queue=Queue.TOY)
    for _ in range(2):
        spec = world.claim()
        world.finish(spec)
        assert world.job(spec.job).score is None
        assert world.job(spec.job).toy_report == {"ap": 1.0}
    assert world.submission(submission).status is SubmissionStatus.SCORED


Wrong = Callable[[list[CaseResult]], list[CaseResult]]
WRONG: dict[str, tuple[Task, Wrong]] = {
    "incomplete": (Task.SAMPLE, lambda cases: cases[1:]),
    "repeated": (Task.SAMPLE, lambda cases: [*cases, cases[0]]),
    "unknown": (Task.SAMPLE, lambda cases: [*cases[1:], cases[0].model_copy(update={"case": "x.nii.gz"})]),
    "no score": (Task.SAMPLE, lambda cases: [*cases[1:], cases[0].model_copy(update={"score": None})]),
    "score above 1": (Task.SAMPLE, lambda cases: [*cases[1:], cases[0].model_copy(update={"score": 1.5})]),
    "another label": (
        Task.SAMPLE,
        lambda cases: [*cases[1:], cases[0].model_copy(update={"label": 1 - (cases[0].label or 0)})],
    ),
    "no sketch": (Task.PIXEL, lambda cases: [*cases[1:], cases[0].model_copy(update={"sketch_sha256": None})]),
    "sketch not sent": (
        Task.PIXEL,
        lambda cases: [*cases[1:], cases[0].model_copy(update={"sketch_sha256": "0" * 64})],
    ),
    "another case's sketch": (
        Task.PIXEL,
        lambda cases: [
            cases[0].model_copy(update={"sketch_sha256": cases[1].sketch_sha256}),
            *cases[1:],
        ],
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_results_that_cannot_be_scored_are_the_platforms_fault(world: World, wrong: str) -> None:
    task, spoil = WRONG[wrong]
    world.submit(task=task)
    spec = world.claim()
    world.to_scoring(spec)
    with pytest.raises(Invalid):
        finish_with(world, spec, spoil(world.results(spec)))
    job = world.job(spec.job)
    assert (job.status, job.faults, job.score) == (JobStatus.QUEUED, 1, None)


def test_a_damaged_sketch_is_the_platforms_fault(world: World) -> None:
    world.submit(task=Task.PIXEL)
    spec = world.claim()
    world.to_scoring(spec)
    damaged = world.store.put(b"no sketch")
    results = [case.model_copy(update={"sketch_sha256": damaged}) for case in world.results(spec)]
    with pytest.raises(Invalid):
        finish_with(world, spec, results)
    assert world.job(spec.job).faults == 1


def test_a_job_without_a_toy_report_is_not_finished(world: World) -> None:
    world.submit()
    spec = world.claim()
    world.move(spec, JobStatus.PREDICTING, JobStatus.SCORING)
    with pytest.raises(Invalid, match="toy cases"):
        finish_with(world, spec, world.results(spec))


def test_data_loaded_anew_while_a_job_runs_sends_it_back(world: World, own_challenge_folder: Path) -> None:
    world.submit()
    spec = world.claim(datasets=("brain",))
    world.to_scoring(spec)
    results = world.results(spec)
    (own_challenge_folder / "brain" / "toy_label" / "sample" / "toy0.nii.gz.txt").write_text("0\n\n")
    build_manifest(own_challenge_folder, ["brain", "abdom"], seed=1, batch_size=2).write(own_challenge_folder)
    challenges.load(world.db, world.store, own_challenge_folder, world.now)
    with pytest.raises(Invalid, match="loaded anew"):
        finish_with(world, spec, results)
    assert world.claim(datasets=("brain",)).manifest_sha256 != spec.manifest_sha256


def test_data_sets_that_finish_at_once_settle_the_submission(world: World) -> None:
    names = [world.submit(f"T{number}") for number in range(4)]
    specs = [world.claim() for _ in range(8)]
    for spec in specs:
        world.to_scoring(spec)
    results = {spec.job: world.results(spec) for spec in specs}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda spec: finish_with(world, spec, results[spec.job]), specs))
    assert {world.submission(name).status for name in names} == {SubmissionStatus.SCORED}


def test_warnings_are_kept(world: World) -> None:
    world.submit()
    spec = world.claim()
    world.to_scoring(spec)
    finished = Finished(
        token=spec.token,
        cases=world.results(spec),
        warnings=[JobWarning(code=WarningCode.MISSING, count=2)],
        evaluator_version="0.1.0",
    )
    lifecycle.finish(world.db, world.store, world.host(), spec.job, finished, world.now)
    assert world.job(spec.job).warnings == [{"code": "W-MISSING", "count": 2}]


# --- cancelling -----------------------------------------------------------------------------------------


def test_cancelling_before_anything_ran_gives_the_try_back(world: World) -> None:
    checking, queued = world.upload("A"), world.submit("B")
    for team, submission in (("A", checking), ("B", queued)):
        assert world.tries(team) == 1
        with world.db.write() as s:
            submissions.cancel(s, account=world.account(s, team), submission_id=submission, now=world.now)
        assert world.submission(submission).status is SubmissionStatus.CANCELLED
        assert world.tries(team) == 0
    assert world.try_claim() is None


def test_cancelling_what_runs_keeps_the_try_and_the_worker_hears_of_it(world: World) -> None:
    submission = world.submit()
    spec = world.claim()
    world.move(spec, JobStatus.PREDICTING)
    cancel(world, submission)
    assert renew(world, spec)
    assert world.tries() == 1
    assert {job.status for job in world.submission(submission).jobs} == {JobStatus.CANCELLED}
    with pytest.raises(StaleToken):
        world.move(spec, JobStatus.SCORING)


def test_what_is_being_scored_cannot_be_cancelled(world: World) -> None:
    submission = world.submit()
    world.to_scoring(world.claim())
    with pytest.raises(Conflict, match="being scored"):
        cancel(world, submission)


def test_what_is_final_cannot_be_cancelled(world: World) -> None:
    submission = world.submit()
    cancel(world, submission)
    with pytest.raises(Conflict, match="cancelled already"):
        cancel(world, submission)


def test_cancelling_one_data_set_left_keeps_a_failure(world: World) -> None:
    submission = world.submit()
    fail(world, world.claim(datasets=("brain",)))
    cancel(world, submission)
    assert world.submission(submission).status is SubmissionStatus.FAILED


def test_cancels_and_claims_at_once_leave_one_truth(world: World) -> None:
    names = [world.submit(f"T{number}") for number in range(8)]
    world.host()

    def cancel_one(number: int) -> None:
        with world.db.write() as s:
            account = world.account(s, f"T{number}")
            submissions.cancel(s, account=account, submission_id=names[number], now=world.now)

    with ThreadPoolExecutor(8) as pool:
        claims = [pool.submit(world.try_claim) for _ in range(8)]
        list(pool.map(cancel_one, range(8)))
        for claimed in claims:
            claimed.result(60)
    for name in names:
        found = world.submission(name)
        assert found.status is SubmissionStatus.CANCELLED
        assert {job.status for job in found.jobs} == {JobStatus.CANCELLED}


# --- history --------------------------------------------------------------------------------------------


def test_every_change_is_recorded_with_time_reason_and_host(world: World) -> None:
    world.submit()
    spec = world.claim()
    world.later(minutes=1)
    fault(world, spec, "disk full")
    with world.db.read() as s:
        events = lifecycle.history(s, "job", spec.job)
    found = [(event.from_status, event.to_status, event.host) for event in events]
    assert found == [(None, "queued", None), ("queued", "preparing", "gpu1"), ("preparing", "queued", "gpu1")]
    assert events[-1].reason == "fault: disk full"
    assert events[-1].at == world.now
