import gzip
import hashlib

import pytest
from starlette.testclient import TestClient

from evaluator import details, sketch, slices
from server.protocol import (
    CaseResult,
    ClaimRequest,
    Failed,
    FailureCode,
    Faulted,
    Finished,
    HostReport,
    JobSpec,
    JobStatus,
    Message,
    Move,
    Queue,
    Released,
    Renewal,
    RunEnded,
    RunStarted,
    Stage,
    SubmissionStatus,
    Task,
    ToyReported,
)
from tests.server.archive_maker import Image
from tests.server.web.conftest import People, report
from tests.server.world import World


def post(worker: TestClient, path: str, body: Message, status: int = 204) -> object:
    answer = worker.post(f"/api/host{path}", json=body.model_dump(mode="json"))
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def claim(worker: TestClient, world: World) -> JobSpec:
    request = ClaimRequest(worker="w0", architecture="amd64", datasets=world.offers())
    return JobSpec.model_validate(post(worker, "/claim", request, 200))


def test_job_goes_from_claim_to_score(people: People, world: World) -> None:
    submission = world.submit(task=Task.PIXEL)
    worker = people.worker()
    for _ in range(2):
        spec = claim(worker, world)
        job, token = f"/jobs/{spec.job}", spec.token
        renewal = Renewal(token=token, stage=Stage.TOY, cases_done=1, cases_total=4)
        assert post(worker, f"{job}/renew", renewal, 200) == {"cancelled": False, "lease_s": spec.lease_s}
        post(worker, f"{job}/move", Move(token=token, status=JobStatus.PREDICTING))
        started = RunStarted(token=token, stage=Stage.TOY, cases=4)
        answer = post(worker, f"{job}/runs", started, 200)
        assert isinstance(answer, dict)
        ended = RunEnded(
            token=token,
            run=answer["run"],
            exit_code=0,
            wall_s=1.0,
            peak_memory_bytes=None,
            predicted_at_s={},
            log="log",
            log_cut=False,
        )
        post(worker, f"{job}/runs/ended", ended)
        post(worker, f"{job}/toy-report", ToyReported(token=token, report=report()))
        post(worker, f"{job}/move", Move(token=token, status=JobStatus.SCORING))
        for result in world.results(spec):
            assert result.sketch_sha256
            content = world.store.get(result.sketch_sha256)
            world.store.delete(result.sketch_sha256)
            put = worker.put(f"/api/host{job}/sketches/{result.sketch_sha256}?token={token}", content=content)
            assert put.status_code == 204
        finished = Finished(token=token, cases=results_of(world, spec), warnings=[], evaluator_version="0.1.0")
        post(worker, f"{job}/finish", finished)
        post(worker, f"{job}/finish", finished)  # said twice, it counts once
    assert world.submission(submission).status is SubmissionStatus.SCORED
    assert post_for_status(worker, world) == 204


def results_of(world: World, spec: JobSpec) -> list[CaseResult]:
    return world.results(spec)


def post_for_status(worker: TestClient, world: World) -> int:
    request = ClaimRequest(worker="w0", architecture="amd64", datasets=world.offers())
    return worker.post("/api/host/claim", json=request.model_dump(mode="json")).status_code


@pytest.mark.parametrize("path", ["/report", "/claim", "/jobs/x/renew", "/jobs/x/finish"])
def test_host_without_a_token_is_refused(people: People, path: str) -> None:
    answer = people.visitor().post(f"/api/host{path}", json={})
    assert answer.status_code == 401


def test_team_token_opens_nothing_of_the_hosts(people: People, world: World) -> None:
    request = ClaimRequest(worker="w0", architecture="amd64", datasets=world.offers())
    answer = people.client().post("/api/host/claim", json=request.model_dump(mode="json"))
    assert answer.status_code == 401


def test_host_token_opens_nothing_of_the_teams(people: People) -> None:
    assert people.worker().get("/api/v1/submissions").status_code == 401


def test_stale_token_is_answered_with_its_code(people: People, world: World) -> None:
    world.submit()
    worker = people.worker()
    spec = claim(worker, world)
    post(worker, f"/jobs/{spec.job}/release", Released(token=spec.token))
    for path, body in (
        ("renew", Renewal(token=spec.token)),
        ("move", Move(token=spec.token, status=JobStatus.PREDICTING)),
        ("fault", Faulted(token=spec.token, reason="x")),
        ("fail", Failed(token=spec.token, code=FailureCode.EXIT, stage=Stage.TOY)),
        ("finish", Finished(token=spec.token, cases=[], warnings=[], evaluator_version="0")),
    ):
        answer = post(worker, f"/jobs/{spec.job}/{path}", body, 409)
        assert isinstance(answer, dict)
        assert answer["code"] == "E-STALE"
    got = worker.get(f"/api/host/jobs/{spec.job}/archive?token={spec.token}")
    assert (got.status_code, got.json()["code"]) == (409, "E-STALE")


def test_archive_goes_to_the_holder_alone_and_as_it_came(people: People, world: World) -> None:
    archive = gzip.compress(Image(salt="packed").save())
    world.submit(archive=archive)
    worker, other = people.worker("gpu1"), people.worker("gpu2")
    spec = claim(worker, world)
    path = f"/api/host/jobs/{spec.job}/archive?token={spec.token}"
    got = worker.get(path)
    assert got.content == archive
    assert "content-encoding" not in got.headers
    assert other.get(path).json()["code"] == "E-STALE"


@pytest.mark.parametrize(
    ("kind", "most_bytes"),
    [("sketches", sketch.MOST_BYTES), ("details", details.MOST_BYTES), ("slices", slices.MOST_BYTES)],
)
def test_what_is_put_is_kept_under_its_own_hash_and_within_its_size(
    people: People, world: World, kind: str, most_bytes: int
) -> None:
    world.submit(task=Task.PIXEL)
    worker = people.worker()
    spec = claim(worker, world)
    content = b"what a worker kept"
    sha256 = hashlib.sha256(content).hexdigest()

    def put(name: str, body: bytes, token: str = spec.token) -> int:
        return worker.put(f"/api/host/jobs/{spec.job}/{kind}/{name}?token={token}", content=body).status_code

    large = b"x" * (most_bytes + 1)
    assert put(sha256, content, "stale") == 409
    assert put("0" * 64, content) == 422
    assert put("..%2Fx", content) in {404, 422}
    assert put(hashlib.sha256(large).hexdigest(), large) == 413
    assert not world.store.exists(sha256)
    assert put(sha256, content) == 204
    assert world.store.get(sha256) == content
    assert list(world.store.incoming.iterdir()) == []


def test_cancelled_job_is_told_with_the_renewal(people: People, world: World) -> None:
    submission = world.submit()
    worker = people.worker()
    spec = claim(worker, world)
    people.browser().fill(f"/submissions/{submission}/cancel")
    answer = post(worker, f"/jobs/{spec.job}/renew", Renewal(token=spec.token), 200)
    assert answer == {"cancelled": True, "lease_s": spec.lease_s}


def test_host_report_is_kept(people: People, world: World) -> None:
    worker = people.worker()
    body = HostReport(
        worker="w0", architecture="amd64", engine="x", gpus=[], datasets=[], checks={"engine": "ok"}, at=world.now
    )
    post(worker, "/report", body)
    assert "w0" in people.organizer().get("/organizer").text


def test_unknown_field_is_refused(people: People, world: World) -> None:
    request = ClaimRequest(worker="w0", architecture="amd64", datasets=world.offers()).model_dump(mode="json")
    answer = people.worker().post("/api/host/claim", json=request | {"team": "x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "E-INVALID")


def test_specification_of_a_toy_job_comes_first(people: People, world: World) -> None:
    world.submit("One", queue=Queue.FINAL)
    world.submit("Two", queue=Queue.TOY)
    assert claim(people.worker(), world).queue is Queue.TOY
