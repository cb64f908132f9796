import pytest

from server import lifecycle
from server.protocol import Failed, FailureCode, JobStatus, Queue, Released, Renewal, Stage, SubmissionStatus, Task
from tests.server.archive_maker import Image
from tests.server.web.conftest import People, Play
from tests.server.world import World

ARCHIVE = {"archive": ("image.tar", Image().save(), "application/x-tar")}


def test_form_hands_in_an_archive_without_javascript(people: People, world: World) -> None:
    answer = people.browser().post("/submit?task=pixel&queue=final", files=ARCHIVE)
    assert answer.status_code == 303
    submission = world.submission(answer.headers["location"].removeprefix("/submissions/"))
    assert (submission.task, submission.queue, submission.status) == (
        Task.PIXEL,
        Queue.FINAL,
        SubmissionStatus.CHECKING,
    )
    assert world.store.get(submission.archive_sha256) == Image().save()


def test_script_is_told_the_address_or_the_sentence_as_json(people: People, world: World) -> None:
    browser = people.browser()
    accept = {"accept": "application/json"}
    first = browser.post("/submit?task=pixel&queue=toy", files=ARCHIVE, headers=accept)
    assert first.status_code == 201
    assert world.submission(first.headers["location"].removeprefix("/submissions/"))
    second = browser.post("/submit?task=pixel&queue=toy", files=ARCHIVE, headers=accept)
    assert (second.status_code, second.json()["code"]) == (429, "E-QUOTA")


def test_form_without_a_file_says_so(people: People) -> None:
    answer = people.browser().post("/submit?task=pixel&queue=final", files={"archive": ("", b"")})
    assert answer.status_code == 422
    assert "Choose one archive" in answer.text


def test_submit_page_says_why_nothing_can_be_handed_in(people: People, world: World) -> None:
    browser = people.browser()
    world.upload(task=Task.SAMPLE, queue=Queue.TOY)
    refused = "Nothing can be handed in here now"
    assert refused in browser.get("/submit?task=sample&queue=toy").text
    assert refused not in browser.get("/submit?task=pixel&queue=toy").text
    assert "10 of 10 tries left" in browser.get("/submit").text


def test_organizer_without_a_team_cannot_submit(people: People) -> None:
    organizer = people.organizer()
    assert organizer.get("/submit").status_code == 403
    assert organizer.post("/submit?task=pixel&queue=final", files=ARCHIVE).status_code == 403


@pytest.mark.parametrize("path", ["", "/log/brain", "/events"])
def test_submission_of_another_team_is_not_there(people: People, world: World, path: str) -> None:
    submission = world.submit("Owner")
    assert people.browser("Stranger").get(f"/submissions/{submission}{path}").status_code == 404
    assert people.browser("Owner").get(f"/submissions/{submission}").status_code == 200


def test_list_shows_only_the_own_teams(people: People, world: World) -> None:
    other, own = world.submit("Other"), world.submit("Own")
    page = people.browser("Own").get("/submissions").text
    assert own in page
    assert other not in page


def test_long_list_has_pages(people: People, world: World) -> None:
    for _ in range(3):
        world.later(minutes=1)
        newest = world.upload(archive=b"x")
    browser = people.browser()
    first = browser.get("/submissions?limit=2").text
    assert newest in first
    assert "offset=2&amp;limit=2" in first
    second = browser.get("/submissions?offset=2&limit=2").text
    assert newest not in second
    assert "Newer" in second
    assert "There are no older submissions" in browser.get("/submissions?offset=9").text


def test_submission_is_cancelled_by_its_team_alone(people: People, world: World) -> None:
    submission = world.submit("Owner")
    assert people.browser("Stranger").fill(f"/submissions/{submission}/cancel").status_code == 404
    assert world.submission(submission).status is SubmissionStatus.QUEUED
    assert people.browser("Owner").fill(f"/submissions/{submission}/cancel").status_code == 303
    assert world.submission(submission).status is SubmissionStatus.CANCELLED


def test_cancelling_what_is_over_says_so(people: People, play: Play) -> None:
    submission = play.scored()
    answer = people.browser().fill(f"/submissions/{submission}/cancel")
    assert answer.status_code == 409
    assert "nothing is left to cancel" in answer.text


def test_toy_report_and_log_are_shown_as_soon_as_they_are_there(people: People, world: World, play: Play) -> None:
    submission = world.submit()
    browser = people.browser()
    assert "toy1.nii.gz" not in browser.get(f"/submissions/{submission}").text
    play.toy(world.claim(), log="hello from <the> container")
    page = browser.get(f"/submissions/{submission}").text
    assert "toy1.nii.gz" in page
    assert "0.875" in page
    assert "no prediction: counts 0" in page
    assert "12 s" in page
    assert "3.0 MB" in page
    assert "hello from &lt;the&gt; container" in page
    log = browser.get(f"/submissions/{submission}/log/brain")
    assert log.text == "hello from <the> container"
    assert log.headers["content-type"].startswith("text/plain")


def test_report_that_a_worker_garbled_does_not_hide_the_page(people: People, world: World, play: Play) -> None:
    submission = world.submit()
    play.toy(world.claim(), cases="many", wall_s=None)
    assert people.browser().get(f"/submissions/{submission}").status_code == 200


def test_team_sees_tenths_of_hidden_cases_and_the_organizer_each(people: People, world: World, play: Play) -> None:
    submission = world.submit()
    spec = world.claim()
    play.toy(spec)
    play.hidden(spec, cases=542)
    with world.db.write() as session:
        progress = Renewal(token=spec.token, stage=Stage.HIDDEN, cases_done=233, cases_total=542)
        lifecycle.renew(session, spec.job, progress, world.now)
    team = people.browser().get(f"/submissions/{submission}").text
    assert "about 40 %" in team
    assert "233" not in team
    assert "542" not in team
    assert "233 of 542" in people.organizer().get(f"/submissions/{submission}").text


def test_failure_says_what_to_do_and_nothing_of_hidden_cases(people: People, world: World, play: Play) -> None:
    submission = world.submit()
    spec = world.claim()
    play.toy(spec)
    failed = Failed(token=spec.token, code=FailureCode.EXIT, stage=Stage.HIDDEN, detail="died at case hidden42")
    with world.db.write() as session:
        lifecycle.fail(session, spec.job, failed, world.now)
    world.finish(world.claim())
    page = people.browser().get(f"/submissions/{submission}").text
    assert "E-EXIT" in page
    assert "<code>mood try</code>" in page
    assert "hidden42" not in page
    assert "hidden42" in people.organizer().get(f"/submissions/{submission}").text


def test_history_tells_a_team_no_reason_of_a_job(people: People, world: World) -> None:
    submission = world.submit()
    spec = world.claim()
    with world.db.write() as session:
        released = Released(token=spec.token)
        lifecycle.release(session, spec.job, released, world.now)
    assert "released by its worker" not in people.browser().get(f"/submissions/{submission}").text
    assert "released by its worker" in people.organizer().get(f"/submissions/{submission}").text


def test_scores_of_hidden_cases_are_for_organizers(people: People, world: World, play: Play) -> None:
    submission = play.scored()
    assert world.submission(submission).status is SubmissionStatus.SCORED
    assert "AP 1.000000" not in people.browser().get(f"/submissions/{submission}").text
    assert "AP 1.000000" in people.organizer().get(f"/submissions/{submission}").text


def test_job_states_are_all_shown(people: People, world: World) -> None:
    submission = world.submit()
    spec = world.claim()
    world.move(spec, JobStatus.PREDICTING)
    page = people.browser().get(f"/submissions/{submission}").text
    assert "predicting" in page
    assert "queued" in page
