"""Companion sets beside the tiny challenge: written, loaded, claimed from."""

from pathlib import Path
from typing import Any

from sqlalchemy import select

from server import challenges, companions, lifecycle
from server.models import Challenge, Submission
from server.protocol import ClaimRequest, DatasetOffer, JobSpec
from tests.server.world import DATASETS, World, make_challenge

HEADER = "case,dataset,split,scope,category,subcategory,origin,difficulty,source\n"
# The challenge's cases: 0 is normal, 1 and 2 are local anomalies, 3 is a global one.
KINDS = (
    "normal,,,,",
    "local,images,letter,artificial,3",
    "local,pathologies,lesion,natural,2",
    "global,destructions,noise,artificial,5",
)


def write_cases_csv(folder: Path) -> Path:
    """Say what each case of a tiny challenge is."""
    lines = [
        f"{split}{number}.nii.gz,{name},{split},{kind},patient {number}\n"
        for name in DATASETS
        for split in ("toy", "test")
        for number, kind in enumerate(KINDS)
    ]
    path = folder / "cases.csv"
    path.write_text(HEADER + "".join(lines))
    return path


def make_companion(folder: Path, set_name: str = "analysis", **options: Any) -> Path:
    """Write a companion set of the tiny challenge."""
    made = make_challenge(folder, **{"slug": f"tiny-{set_name}", "part_of": "tiny", "set": set_name, **options})
    write_cases_csv(made)
    return made


def load_companion(world: World, folder: Path, set_name: str = "analysis") -> str:
    """Write and load one; gives its slug."""
    return challenges.load(world.db, world.store, make_companion(folder, set_name), world.now)


def analyse(world: World) -> int:
    """As an organizer does."""
    with world.db.read() as s:
        challenge = world.challenge(s)
    return companions.analyse(world.db, challenge, world.now)


def claim_on(world: World, *slugs: str) -> JobSpec | None:
    """Ask for a job of any of these challenges."""
    with world.db.read() as s:
        rows = s.scalars(select(Challenge).where(Challenge.slug.in_(slugs))).all()
        offers = [
            DatasetOffer(challenge=row.slug, dataset=name, manifest_sha256=row.manifest_sha256)
            for row in rows
            for name in DATASETS
        ]
    request = ClaimRequest(worker="gpu1-0", architecture="amd64", datasets=offers)
    host = world.host()
    with world.db.write() as s:
        job = lifecycle.claim(s, host, request, world.now)
        return lifecycle.spec(job) if job else None


def finish_on(world: World, slug: str, *, constant: bool = False) -> int:
    """Finish all that waits there; gives the number of jobs."""
    done = 0
    while (spec := claim_on(world, slug)) is not None:
        world.finish(spec, constant=constant)
        done += 1
    return done


def companion_submissions(world: World) -> list[Submission]:
    """All there are, the first first."""
    with world.db.read() as s:
        found = s.scalars(select(Submission).where(Submission.analyses_id.is_not(None)))
        return sorted(found, key=lambda one: (one.received_at, one.id))
