"""The API that workers speak: claim, report, fetch an image, put what is kept of cases. Nothing of teams or people."""

from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from evaluator import details, sketch, slices
from server import accounts, lifecycle
from server.errors import Invalid, NotFound
from server.models import Job
from server.protocol import (
    ClaimRequest,
    Failed,
    Faulted,
    Finished,
    HostReport,
    JobSpec,
    Move,
    Released,
    Renewal,
    RenewalReply,
    RunEnded,
    RunStarted,
    RunStartedReply,
    ToyReported,
)
from server.web.api.errors import ERRORS
from server.web.deps import Now, SiteDep, WorkerHost, host_row
from server.web.site import Site
from server.web.uploads import receive_body

BYTES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}

router = APIRouter(prefix="/api/host", tags=["workers"], responses=ERRORS)

Sha256Path = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
FencingToken = Annotated[str, Query(description="the fencing token of the job's claim")]


@router.post("/report", status_code=204)
def report(body: HostReport, host: WorkerHost, site: SiteDep, now: Now) -> None:
    """Say what this host is, holds and checked."""
    with site.db.write() as session:
        accounts.host_reported(session, host_row(session, host), body, now)


@router.post("/claim", response_model=JobSpec, responses={204: {"description": "there is no work for this host"}})
def claim(body: ClaimRequest, host: WorkerHost, site: SiteDep, now: Now) -> JobSpec | Response:
    """Ask for a job: its specification with lease and token, or 204."""
    with site.db.write() as session:
        job = lifecycle.claim(session, host_row(session, host), body, now)
        return lifecycle.spec(job) if job else Response(status_code=204)


@router.post("/jobs/{job}/renew")
def renew(job: str, body: Renewal, _host: WorkerHost, site: SiteDep, now: Now) -> RenewalReply:
    """Prolong the lease and say how far the job is."""
    with site.db.write() as session:
        return lifecycle.renew(session, job, body, now)


@router.post("/jobs/{job}/move", status_code=204)
def move(job: str, body: Move, _host: WorkerHost, site: SiteDep, now: Now) -> None:
    """Go on to predicting or scoring."""
    with site.db.write() as session:
        lifecycle.move(session, job, body, now)


@router.post("/jobs/{job}/runs")
def run_started(job: str, body: RunStarted, _host: WorkerHost, site: SiteDep, now: Now) -> RunStartedReply:
    """Say that a container starts; the answer is the run's id."""
    with site.db.write() as session:
        return RunStartedReply(run=lifecycle.run_started(session, job, body, now))


@router.post("/jobs/{job}/runs/ended", status_code=204)
def run_ended(job: str, body: RunEnded, _host: WorkerHost, site: SiteDep, now: Now) -> None:
    """Say how a container ended."""
    with site.db.write() as session:
        lifecycle.run_ended(session, site.store, job, body, now)


@router.post("/jobs/{job}/toy-report", status_code=204)
def toy_report(job: str, body: ToyReported, _host: WorkerHost, site: SiteDep, now: Now) -> None:
    """Hand in the report on the toy cases, as soon as there is one."""
    with site.db.write() as session:
        lifecycle.toy_reported(session, job, body, now)


@router.put("/jobs/{job}/sketches/{sha256}", status_code=204)
async def put_sketch(
    request: Request, job: str, sha256: Sha256Path, token: FencingToken, host: WorkerHost, site: SiteDep
) -> None:
    """Store the counts of one hidden case, by their sha256, for a job that this host holds."""
    await put(request, Held(site, host, job, token), sha256, sketch.MOST_BYTES)


@router.put("/jobs/{job}/details/{sha256}", status_code=204)
async def put_details(
    request: Request, job: str, sha256: Sha256Path, token: FencingToken, host: WorkerHost, site: SiteDep
) -> None:
    """Store what was kept of one hidden case beside its counts."""
    await put(request, Held(site, host, job, token), sha256, details.MOST_BYTES)


@router.put("/jobs/{job}/slices/{sha256}", status_code=204)
async def put_slices(
    request: Request, job: str, sha256: Sha256Path, token: FencingToken, host: WorkerHost, site: SiteDep
) -> None:
    """Store a slice of a toy case, or of a hidden one that the challenge marks for show."""
    await put(request, Held(site, host, job, token), sha256, slices.MOST_BYTES)


@router.post("/jobs/{job}/finish", status_code=204)
def finish(job: str, body: Finished, host: WorkerHost, site: SiteDep, now: Now) -> None:
    """Hand in what the hidden cases gave; scores are computed here."""
    with site.db.read() as session:
        row = host_row(session, host)
        session.expunge(row)
    lifecycle.finish(site.db, site.store, row, job, body, now)


@router.post("/jobs/{job}/fail", status_code=204)
def fail(job: str, body: Failed, _host: WorkerHost, site: SiteDep, now: Now) -> None:
    """Say that the container failed: a result."""
    with site.db.write() as session:
        lifecycle.fail(session, job, body, now)


@router.post("/jobs/{job}/fault", status_code=204)
def fault(job: str, body: Faulted, _host: WorkerHost, site: SiteDep, now: Now) -> None:
    """Say that the platform failed: the job goes back to the queue."""
    with site.db.write() as session:
        lifecycle.fault(session, job, body, now)


@router.post("/jobs/{job}/release", status_code=204)
def release(job: str, body: Released, _host: WorkerHost, site: SiteDep, now: Now) -> None:
    """Give a job back because the worker stops."""
    with site.db.write() as session:
        lifecycle.release(session, job, body, now)


@router.get("/jobs/{job}/archive", response_model=None, responses=BYTES)
def archive(job: str, token: FencingToken, host: WorkerHost, site: SiteDep) -> FileResponse:
    """Fetch the image's archive, as docker save wrote it, for a job that this host holds."""
    sha256 = held_archive(site, host, job, token)
    if not site.store.exists(sha256):
        raise NotFound(f"The archive of job {job} is no longer stored.")
    return FileResponse(site.store.path(sha256), media_type="application/octet-stream")


class Held(NamedTuple):
    """A claim to a job, to be looked at before anything is received."""

    site: Site
    host_id: str
    job_id: str
    token: str


async def put(request: Request, claimed: Held, sha256: str, most_bytes: int) -> None:
    """Store what comes under its sha256, for a host that holds the job by this token."""
    await run_in_threadpool(held_archive, *claimed)
    incoming = await receive_body(request, claimed.site.store, limit_bytes=most_bytes)
    with incoming:
        if incoming.sha256 != sha256:
            raise Invalid(f"The bytes hash to {incoming.sha256}, the address says {sha256}.")
        await run_in_threadpool(incoming.commit)


def held_archive(site: Site, host_id: str, job_id: str, token: str) -> str:
    """Give the sha256 of the archive of a job that this host holds by this token; StaleToken otherwise."""
    with site.db.read() as session:
        job: Job = lifecycle.holder(session, host_row(session, host_id), job_id, token)
        return lifecycle.spec(job).archive_sha256
