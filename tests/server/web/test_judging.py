import re

import pytest
from sqlalchemy import select

from server.judgements import Verdict
from server.models import Judgement, View
from server.protocol import Task
from tests.server.detections import BIG, LARGE, SMALL, with_detections
from tests.server.web.conftest import People, Play
from tests.server.web.test_html import check
from tests.server.world import World


@pytest.fixture
def job(world: World, play: Play) -> str:
    return with_detections(world, play.scored("A", task=Task.PIXEL), test0=(SMALL,), test1=(LARGE, BIG))


def test_judging_is_for_organizers(people: People, job: str) -> None:
    for path in ("/judging", f"/judging/{job}", "/judging.csv"):
        assert people.browser("A").get(path).status_code == 403
    assert people.visitor().get(f"/judging/{job}").headers["location"].startswith("/login")
    browser = people.browser("A")
    fields = {"case": "test1.nii.gz", "number": "0", "verdict": "false_positive"}
    assert browser.fill(f"/judging/{job}", **fields).status_code == 403


def test_a_verdict_is_kept_and_the_detection_waits_no_longer(people: People, world: World, job: str) -> None:
    organizer = people.organizer()
    page = organizer.get(f"/judging/{job}").text
    check(page, "/judging/job")
    assert "0 of 2 unmatched detections are judged" in page
    assert page.index("1,500 mm³") < page.index("40 mm³")
    assert "900 mm³" not in page  # a true positive
    answer = organizer.fill(f"/judging/{job}", case="test1.nii.gz", number="0", verdict="medical_condition")
    assert answer.status_code == 303
    page = organizer.get(answer.headers["location"]).text
    assert "1 of 2" in page
    assert "1,500 mm³" not in page
    page = organizer.get(f"/judging/{job}?everything=true").text
    assert "judged <strong>medical condition</strong>" in page
    with world.db.read() as session:
        assert session.scalars(select(Judgement.verdict)).all() == [Verdict.MEDICAL_CONDITION]
    overview = organizer.get("/judging").text
    check(overview, "/judging")
    assert re.search(r'<td class="number">1</td>\s*<td><a href="/judging/', overview)


def test_what_is_no_verdict_or_no_detection_is_refused(people: People, job: str) -> None:
    organizer = people.organizer()
    fields = {"case": "test1.nii.gz", "number": "0", "verdict": "false_positive"}
    assert organizer.fill(f"/judging/{job}", **fields | {"verdict": "nice"}).status_code == 422
    assert organizer.fill(f"/judging/{job}", **fields | {"number": "1"}).status_code == 404
    assert organizer.fill("/judging/nonsense", **fields).status_code == 404
    assert organizer.get("/judging/nonsense").status_code == 404


def test_looks_at_detections_are_recorded_once_for_a_while(people: People, world: World, job: str) -> None:
    organizer = people.organizer()
    for _ in range(2):
        organizer.get(f"/judging/{job}")
    world.later(minutes=11)
    organizer.get(f"/judging/{job}")
    organizer.get("/judging.csv")
    with world.db.read() as session:
        looks = session.scalars(select(View.subject)).all()
    assert sorted(looks) == ["judgements of all submissions", *[f"unmatched detections of job {job}"] * 2]


def test_pages_without_anything_to_judge(people: People, play: Play) -> None:
    organizer = people.organizer()
    assert "No submission of the pixel task" in organizer.get("/judging").text
    submission = play.scored("A", task=Task.PIXEL)
    job = with_detections(play.world, submission, test1=(BIG,))
    assert "There is no unmatched detection" in organizer.get(f"/judging/{job}").text
