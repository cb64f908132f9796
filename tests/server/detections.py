"""Detections put into what scoring kept of a submission."""

from dataclasses import replace

from evaluator.details import Details
from evaluator.objects import Detection, Detections
from server.models import Job
from tests.server.world import World

BIG = Detection(volume_mm3=900.0, centre=(1, 2, 3), matched=True)
SMALL = Detection(volume_mm3=40.0, centre=(0, 1, 2), matched=False)
LARGE = Detection(volume_mm3=1500.0, centre=(3, 0, 1), matched=False)


def with_detections(world: World, submission: str, **cases: tuple[Detection, ...]) -> str:
    """Keep these detections of test0, test1, … on the first data set; gives the job's id."""
    with world.db.write() as s:
        job = s.get_one(Job, world.submission(submission).jobs[0].id)
        assert job.score is not None
        for row in job.score.cases:
            listed = cases.get(row.name.removesuffix(".nii.gz"), ())
            matched = sum(one.matched for one in listed)
            found = Detections(objects=1, detections=len(listed), true_positives=matched, largest=listed)
            kept = Details.from_bytes(world.store.get(row.details_sha256 or ""))
            row.details_sha256 = world.store.put(replace(kept, objects=found).to_bytes())
        return job.id
