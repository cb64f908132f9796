import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from server import challenges
from server.models import Submission
from server.protocol import Queue, SubmissionStatus, Task
from tests.server.archive_maker import Image
from tests.server.web.conftest import People, Play
from tests.server.world import World, make_challenge

BODY = Image().save()


def submit(client: TestClient, *, task: str = "sample", queue: str = "final", body: bytes = BODY) -> dict[str, object]:
    answer = client.post(f"/api/v1/submissions?task={task}&queue={queue}", content=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_archive_is_handed_in_as_the_body(people: People, world: World) -> None:
    view = submit(people.client())
    assert (view["status"], view["archive_bytes"], view["team"]) == ("checking", len(BODY), "Team")
    assert world.store.get(world.submission(str(view["id"])).archive_sha256) == BODY


def test_image_that_was_handed_in_before_is_not_uploaded_again(people: People, world: World) -> None:
    world.submit(queue=Queue.TOY)
    known = {"task": "sample", "queue": "final", "digest": Image().digest}
    view = people.client().post("/api/v1/submissions/known", json=known)
    assert (view.status_code, view.json()["status"]) == (201, "queued")
    assert [job["dataset"] for job in view.json()["jobs"]] == ["brain", "abdom"]


def test_image_of_another_team_is_not_known(people: People, world: World) -> None:
    world.submit("Owner")
    known = {"task": "sample", "queue": "final", "digest": Image().digest}
    answer = people.client("Stranger").post("/api/v1/submissions/known", json=known)
    assert (answer.status_code, answer.json()["code"]) == (404, "E-NOT-FOUND")


@pytest.mark.parametrize("path", ["", "/report", "/log/brain", "/events"])
def test_submission_of_another_team_is_not_there(people: People, world: World, path: str) -> None:
    submission = world.submit("Owner")
    answer = people.client("Stranger").get(f"/api/v1/submissions/{submission}{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "E-NOT-FOUND")


def test_submission_of_another_team_cannot_be_cancelled(people: People, world: World) -> None:
    submission = world.submit("Owner")
    assert people.client("Stranger").post(f"/api/v1/submissions/{submission}/cancel").status_code == 404
    assert people.client("Owner").post(f"/api/v1/submissions/{submission}/cancel").json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/me"),
        ("GET", "/submissions"),
        ("POST", "/submissions?task=sample&queue=toy"),
        ("POST", "/submissions/known"),
        ("GET", "/submissions/aaaaaaaaaaaa"),
        ("GET", "/submissions/aaaaaaaaaaaa/events"),
        ("POST", "/submissions/aaaaaaaaaaaa/cancel"),
        ("POST", "/leaderboards/sample/publish"),
    ],
)
def test_nobody_is_refused(people: People, method: str, path: str) -> None:
    body = {"published": True, "task": "sample", "queue": "toy", "digest": Image().digest}
    answer = people.visitor().request(method, f"/api/v1{path}", json=body if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (401, "E-SIGN-IN")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_list_has_the_teams_submissions_the_latest_first(people: People, world: World) -> None:
    world.submit("Other")
    first = world.upload(archive=b"1")
    world.later(minutes=1)
    second = world.upload(archive=b"2")
    page = people.client().get("/api/v1/submissions?limit=1").json()
    assert ([item["id"] for item in page["items"]], page["more"]) == ([second], True)
    page = people.client().get("/api/v1/submissions?limit=1&offset=1").json()
    assert ([item["id"] for item in page["items"]], page["more"]) == ([first], False)
    assert people.client().get("/api/v1/submissions?limit=1000").status_code == 422


def test_report_and_log_of_the_toy_run(people: People, world: World, play: Play) -> None:
    submission = world.submit()
    client = people.client()
    assert client.get(f"/api/v1/submissions/{submission}/report").json() == {}
    play.toy(world.claim(), log="hello")
    report = client.get(f"/api/v1/submissions/{submission}/report").json()
    assert report["brain"]["cases"][0]["score"] == 0.875
    assert client.get(f"/api/v1/submissions/{submission}/log/brain").text == "hello"
    assert client.get(f"/api/v1/submissions/{submission}/log/abdom").json()["code"] == "E-NOT-FOUND"


def test_refused_archive_carries_code_and_sentence(people: People, world: World) -> None:
    submission = world.submit(archive=b"not a tar" * 200)
    view = people.client().get(f"/api/v1/submissions/{submission}").json()
    assert (view["status"], view["code"], view["charged"]) == ("refused", "E-ARCHIVE-FORMAT", False)
    assert "docker save" in view["message"]


def test_quota_is_kept_and_nothing_of_a_refused_upload_stays(people: People, world: World) -> None:
    world.submit()
    for _ in range(9):
        world.again()
    answer = people.client().post("/api/v1/submissions?task=sample&queue=final", content=b"something else")
    assert (answer.status_code, answer.json()["code"]) == (429, "E-QUOTA")
    assert list(world.store.incoming.iterdir()) == []


def test_deadline_counts_when_the_upload_is_complete(
    people: People, world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    closes_at = world.now + timedelta(hours=1)
    folder = make_challenge(tmp_path_factory.mktemp("closing"), slug="closing", closes_at=closes_at.isoformat())
    challenges.load(world.db, world.store, folder, world.now + timedelta(seconds=1))
    client = people.client()
    body = Image(salt="late").save()

    def slow() -> Iterator[bytes]:
        yield body[:1000]
        world.now = closes_at  # the clock moves on while the bytes come
        yield body[1000:]

    headers = {"content-length": str(len(body))}
    answer = client.post("/api/v1/submissions?task=sample&queue=final", content=slow(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "E-CLOSED")
    with world.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Submission)) == 0
    stored = [path for path in world.store.folder.rglob("*") if path.is_file() and path.read_bytes() == body]
    assert stored == []


def test_upload_without_a_length_is_refused(people: People) -> None:
    answer = people.client().post("/api/v1/submissions?task=sample&queue=final", content=iter([b"x"]))
    assert (answer.status_code, answer.json()["code"]) == (411, "E-LENGTH")


def test_challenge_tells_counts_and_no_cases(people: People) -> None:
    answer = people.visitor().get("/api/v1/challenge")
    shown = answer.json()
    assert shown["phase"] == "open"
    assert shown["datasets"][0] == {
        "name": "brain",
        "title": "Brain",
        "toy_cases": 4,
        "hidden_cases": {"sample": 4, "pixel": 3},
    }
    assert "test0" not in answer.text


def test_toy_cases_come_with_labels_and_without_hidden_cases(people: People) -> None:
    answer = people.visitor().get("/toy-cases.zip")
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert "toy-cases/brain/toy/toy0.nii.gz" in names
    assert "toy-cases/abdom/toy_label/sample/toy0.nii.gz.txt" in names
    assert not [name for name in names if "test" in name]


def test_events_end_with_the_submission(people: People, play: Play) -> None:
    submission = play.scored()
    answer = people.client().get(f"/api/v1/submissions/{submission}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert events == ["parts", "end"]
    data = next(line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: "))
    shown = json.loads(data)["submission"]
    assert (shown["id"], shown["status"]) == (submission, SubmissionStatus.SCORED)


def test_tasks_and_queues_are_words_of_the_protocol(people: People) -> None:
    answer = people.client().post("/api/v1/submissions?task=voxel&queue=toy", content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (422, "E-INVALID")
    assert str(Task.PIXEL) in answer.json()["message"]
