"""What an expert says of detections without an annotation, and what is told of it."""

import pytest

from server import judgements
from server.errors import NotFound
from server.judgements import Verdict
from server.models import CaseScore, Judgement, Score
from server.protocol import Task
from tests.server.detections import BIG, LARGE, SMALL, with_detections
from tests.server.world import World


@pytest.fixture
def job(world: World) -> str:
    submission = world.submit("A", task=Task.PIXEL)
    for _ in range(2):
        world.finish(world.claim())
    return with_detections(world, submission, test0=(SMALL,), test1=(LARGE, BIG, SMALL))


def judge(world: World, job: str, case: str, number: int, verdict: Verdict) -> None:
    with world.db.write() as s:
        judgements.judge(s, world.store, job, case, number, verdict, world.account(s, "A"), world.now)


def unmatched(world: World, job: str) -> list[judgements.Unmatched]:
    with world.db.read() as s:
        return judgements.unmatched(s, world.store, job)


def test_unmatched_detections_come_largest_first(world: World, job: str) -> None:
    found = unmatched(world, job)
    assert [(one.case, one.number, one.volume_mm3) for one in found] == [
        ("test1.nii.gz", 0, 1500.0),
        ("test0.nii.gz", 0, 40.0),
        ("test1.nii.gz", 2, 40.0),
    ]
    assert found[0].centre == (3, 0, 1)
    assert {one.verdict for one in found} == {None}


def test_a_later_verdict_takes_the_place_of_an_earlier_one(world: World, job: str) -> None:
    judge(world, job, "test1.nii.gz", 0, Verdict.FALSE_POSITIVE)
    judge(world, job, "test1.nii.gz", 0, Verdict.MEDICAL_CONDITION)
    assert unmatched(world, job)[0].verdict is Verdict.MEDICAL_CONDITION
    with world.db.read() as s:
        assert s.query(Judgement).count() == 1


@pytest.mark.parametrize(("case", "number"), [("test1.nii.gz", 1), ("test1.nii.gz", 3), ("test1.nii.gz", -1), ("x", 0)])
def test_what_is_no_unmatched_detection_cannot_be_judged(world: World, job: str, case: str, number: int) -> None:
    with pytest.raises(NotFound):
        judge(world, job, case, number, Verdict.FALSE_POSITIVE)


def test_tallies_count_the_verdicts_of_counting_submissions(world: World, job: str) -> None:
    judge(world, job, "test1.nii.gz", 0, Verdict.NOT_RELEVANT)
    judge(world, job, "test0.nii.gz", 0, Verdict.NOT_RELEVANT)
    with world.db.read() as s:
        brain, abdom = judgements.tallies(s, world.challenge(s))
        assert judgements.tally(s, world.challenge(s), job) == brain
        with pytest.raises(NotFound):
            judgements.tally(s, world.challenge(s), "nonsense")
    assert (brain.team, brain.dataset, brain.judged, brain.verdicts[Verdict.NOT_RELEVANT]) == ("A", "brain", 2, 2)
    assert (abdom.dataset, abdom.judged) == ("abdom", 0)


def test_judgements_as_csv(world: World, job: str) -> None:
    judge(world, job, "test1.nii.gz", 2, Verdict.IMAGING_ARTEFACT)
    with world.db.read() as s:
        lines = judgements.csv(s, world.store, world.challenge(s)).splitlines()
    assert lines == [
        "team,dataset,case,number,volume_mm3,x,y,z,verdict",
        "A,brain,test1.nii.gz,2,40.0,0,1,2,imaging_artefact",
    ]


def test_damaged_details_hide_no_other_case(world: World, job: str, caplog: pytest.LogCaptureFixture) -> None:
    with world.db.write() as s:
        row = s.query(CaseScore).join(Score).filter(Score.job_id == job, CaseScore.name == "test1.nii.gz").one()
        row.details_sha256 = world.store.put(b"damaged")
    assert [one.case for one in unmatched(world, job)] == ["test0.nii.gz"]
    assert "details cannot be read" in caplog.text
