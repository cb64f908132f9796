"""What a score carries beside its value, and the same computed again from the store."""

from pathlib import Path

import pytest

from evaluator.details import Details
from evaluator.sketch import Sketch
from server import challenges, lifecycle, scores
from server.errors import Invalid
from server.models import Job, Score
from server.protocol import CaseResult, Finished, JobSpec, Task
from server.scores import Unusable, Verdict
from tests.server.world import THRESHOLD, World, make_challenge

OBJECTS = {"object_f1", "object_precision", "object_recall"}
DETAILED = {"aupro_30", "pl_30", "pl_50", *OBJECTS}
SKETCHED = {"dataset_ap", "dataset_auroc", "dataset_max_dice", "dataset_fpr_at_95tpr"}


@pytest.fixture
def world(embedded_world: World) -> World:
    return embedded_world


def pixel_job(world: World) -> JobSpec:
    """A job that is about to be finished, with three hidden cases."""
    world.submit(task=Task.PIXEL)
    spec = world.claim(datasets=("brain",))
    world.to_scoring(spec)
    return spec


def finish(world: World, spec: JobSpec, cases: list[CaseResult], threshold: float | None = THRESHOLD) -> Score:
    finished = Finished(
        token=spec.token, cases=cases, warnings=[], evaluator_version="0.1.0", object_threshold=threshold
    )
    lifecycle.finish(world.db, world.store, world.host(), spec.job, finished, world.now)
    return score(world, spec)


def score(world: World, spec: JobSpec) -> Score:
    with world.db.read() as s:
        found = s.get_one(Job, spec.job).score
        assert found is not None
        assert found.cases
        return found


def rejudged(world: World, spec: JobSpec) -> Verdict:
    with world.db.read() as s:
        return scores.rejudge(s, s.get_one(Job, spec.job), world.store)


def test_pixel_score_carries_every_metric(world: World) -> None:
    spec = pixel_job(world)
    found = finish(world, spec, world.results(spec))
    # Perfect: two lesions of one voxel each and nothing else.
    assert found.metrics == dict.fromkeys(SKETCHED | DETAILED, 1.0) | {"dataset_fpr_at_95tpr": 0.0}
    assert found.object_threshold == THRESHOLD
    assert all(case.details_sha256 for case in found.cases)


def test_constant_scores_are_worth_what_chance_is(world: World) -> None:
    spec = pixel_job(world)
    found = finish(world, spec, world.results(spec, constant=True))
    assert found.metrics["dataset_ap"] == pytest.approx(2 / (3 * 64))  # 2 of 3 scans have a lesion of a voxel
    assert found.metrics["dataset_auroc"] == 0.5
    assert found.metrics["aupro_30"] == pytest.approx(0.15)  # under the straight line up to 0.3
    assert (found.metrics["object_recall"], found.metrics["object_precision"]) == (0.0, None)


def test_sample_score_carries_what_a_case_s_number_allows(world: World) -> None:
    world.submit()
    spec = world.claim()
    world.finish(spec)
    found = score(world, spec)
    assert found.metrics == {"dataset_auroc": 1.0, "dataset_max_dice": 1.0, "dataset_fpr_at_95tpr": 0.0}
    assert found.object_threshold is None


@pytest.mark.parametrize("spoilt", ["absent", "not sent", "damaged", "of another case"])
def test_details_that_cannot_be_used_cost_no_score(world: World, spoilt: str, caplog: pytest.LogCaptureFixture) -> None:
    spec = pixel_job(world)
    first, *others = world.results(spec)
    foreign = next(other.details_sha256 for other in others if other.details_sha256 != first.details_sha256)
    details = {
        "absent": None,
        "not sent": "0" * 64,
        "damaged": world.store.put(b"PK"),
        "of another case": foreign,
    }[spoilt]
    found = finish(world, spec, [first.model_copy(update={"details_sha256": details}), *others])
    assert found.value == 1.0
    assert {name for name, value in found.metrics.items() if value is None} == DETAILED
    assert [case.details_sha256 is None for case in found.cases] == [True, False, False]
    assert "1 of 3 cases have no details" in caplog.text


def test_details_of_another_threshold_are_not_added_up(world: World) -> None:
    spec = pixel_job(world)
    found = finish(world, spec, world.results(spec), threshold=None)  # their objects were detected at one
    assert {name for name, value in found.metrics.items() if value is None} == DETAILED


def test_without_a_threshold_there_are_no_objects(world: World) -> None:
    spec = pixel_job(world)
    cases = [without_objects(world, case) for case in world.results(spec)]
    found = finish(world, spec, cases, threshold=None)
    assert {name for name, value in found.metrics.items() if value is None} == OBJECTS
    assert all(case.details_sha256 for case in found.cases)


def without_objects(world: World, case: CaseResult) -> CaseResult:
    assert case.details_sha256
    found = Details.from_bytes(world.store.get(case.details_sha256))
    stripped = Details(slices=found.slices, regions=found.regions, localised=found.localised)
    return case.model_copy(update={"details_sha256": world.store.put(stripped.to_bytes())})


@pytest.mark.parametrize("task", Task)
def test_judging_again_gives_the_same(world: World, task: Task) -> None:
    world.submit(task=task)
    spec = world.claim()
    world.finish(spec, constant=True)
    stored, again = score(world, spec), rejudged(world, spec)
    assert (again.value, again.validation, again.metrics) == (stored.value, stored.validation, stored.metrics)
    assert again.object_threshold == stored.object_threshold
    assert (again.deal_sha256, again.manifest_sha256, again.image_digest) == (
        stored.deal_sha256,
        stored.manifest_sha256,
        stored.image_digest,
    )


def test_judging_again_reads_the_store(world: World) -> None:
    spec = pixel_job(world)
    finish(world, spec, world.results(spec))
    lost = next(case.sketch_sha256 for case in score(world, spec).cases)
    assert lost
    world.store.delete(lost)
    with pytest.raises(Unusable, match="was not sent"):
        rejudged(world, spec)


def test_job_without_a_score_cannot_be_judged_again(world: World) -> None:
    spec = pixel_job(world)
    with pytest.raises(Unusable, match="has no score"):
        rejudged(world, spec)


def test_slices_are_kept_of_cases_for_show_alone(world: World, tmp_path: Path) -> None:
    folder = make_challenge(tmp_path / "shown", slug="shown", show={"brain": ["test1.nii.gz"]})
    challenges.load(world.db, world.store, folder, world.later(minutes=1))
    spec = pixel_job(world)
    assert spec.show == ["test1.nii.gz"]
    kept = world.store.put(b"slices")
    cases = world.results(spec)
    sliced = [case.model_copy(update={"slices_sha256": kept}) for case in cases]
    with pytest.raises(Invalid, match="slices of 2 cases that are not for show"):
        finish(world, spec, sliced)
    spec = world.claim(datasets=("brain",))
    world.to_scoring(spec)
    found = finish(
        world, spec, [two if two.case == "test1.nii.gz" else one for one, two in zip(cases, sliced, strict=True)]
    )
    assert {case.name: case.slices_sha256 for case in found.cases if case.slices_sha256} == {"test1.nii.gz": kept}


def test_specification_carries_the_least_volume_of_an_object(world: World, tmp_path: Path) -> None:
    folder = make_challenge(tmp_path / "volumes", slug="volumes", object_min_volume_mm3=12.5)
    challenges.load(world.db, world.store, folder, world.later(minutes=1))
    assert pixel_job(world).object_min_volume_mm3 == 12.5


def test_many_cases_are_added_up_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_PARTS", 2)
    spec = pixel_job(world)
    assert finish(world, spec, world.results(spec)).metrics["aupro_30"] == 1.0


def test_sketch_of_another_volume_is_refused(world: World) -> None:
    spec = pixel_job(world)
    first, *others = world.results(spec)
    foreign = world.store.put(Sketch.zeros(positive=1, negative=1).to_bytes())
    with pytest.raises(Invalid, match="the manifest says"):
        finish(world, spec, [first.model_copy(update={"sketch_sha256": foreign}), *others])
