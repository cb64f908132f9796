"""The pieces of pages that change while they are watched: element id -> HTML, for the page and for events."""

from markupsafe import Markup

from server import challenges, submissions, views
from server.errors import NotFound
from server.models import Challenge
from server.views import SubmissionView
from server.web.deps import Person, Slice
from server.web.examples import kept_slices
from server.web.pictures import pair, png
from server.web.showing import history_views
from server.web.site import Site
from server.web.toy_report import Picture, report_view, stored, window_of

LOG_SHOWN = 20_000  # characters of a log's end; the rest is one click away

Parts = dict[str, Markup]


def team_list(site: Site, person: Person, at: Slice) -> tuple[list[SubmissionView], bool]:
    """A slice of the team's submissions, and whether there are older ones."""
    with site.db.read() as session:
        found = submissions.for_team(session, person.team_row(session), at.limit + 1, at.offset)
        account = person.account(session)
        shown = views.submission_views(found[: at.limit], account=account, now=site.clock())
    return shown, len(found) > at.limit


def whole_list(site: Site, person: Person, at: Slice) -> tuple[list[SubmissionView], bool]:
    """A slice of everybody's submissions, for an organizer."""
    with site.db.read() as session:
        challenge: Challenge = challenges.current(session)
        found = submissions.all_submissions(session, challenge, at.limit + 1, at.offset)
        account = person.account(session)
        shown = views.submission_views(found[: at.limit], account=account, now=site.clock())
    return shown, len(found) > at.limit


def rows(site: Site, person: Person, shown: list[SubmissionView], *, with_team: bool = False) -> Parts:
    """One row of a list for each submission."""
    return {
        f"row-{one.id}": site.pages.part("submission_row.html", person, submission=one, with_team=with_team)
        for one in shown
    }


def one_submission(site: Site, person: Person, submission_id: str) -> tuple[Parts, SubmissionView]:
    """The page of one submission: its state, its jobs with reports, its history. NotFound for another team's."""
    with site.db.read() as session:
        account = person.account(session)
        found = submissions.get_for(session, account, submission_id)
        shown = views.submission_view(found, account=account, now=site.clock())
        history = history_views(session, found, everything=account.organizer)
        logs = {job.dataset: views.toy_log(found, job.dataset) for job in shown.jobs if job.has_log}
    tails = {dataset: log_text(site, sha256)[-LOG_SHOWN:] for dataset, sha256 in logs.items()}
    readable = (
        (job.dataset, report_view(job.toy_report, picture_at(submission_id, job.dataset)))
        for job in shown.jobs
        if job.toy_report
    )
    reports = {dataset: report for dataset, report in readable if report is not None}
    part = site.pages.part
    return {
        "state": part("submission_state.html", person, submission=shown),
        "jobs": part("submission_jobs.html", person, submission=shown, reports=reports, logs=tails),
        "changes": part("submission_history.html", person, history=history),
    }, shown


def picture_at(submission_id: str, dataset: str) -> Picture:
    """Where the page finds pictures of slices; another content has another address, so that browsers may keep it."""
    return lambda place, sha256: f"/submissions/{submission_id}/slices/{dataset}/{place}.png?v={sha256[:12]}"


def slices_picture(site: Site, person: Person, submission_id: str, dataset: str, place: int) -> bytes:
    """A toy case as PNG, truth and scores side by side. NotFound for another team's, or where nothing was kept."""
    with site.db.read() as session:
        found = submissions.get_for(session, person.account(session), submission_id)
        reports = [job.toy_report for job in found.jobs if job.dataset.name == dataset and job.toy_report]
    report = stored(reports[0]) if reports else None
    sha256 = report.cases[place].slices_sha256 if report and place < len(report.cases) else None
    slices = kept_slices(site.store, sha256) if sha256 else None
    if report is None or slices is None:
        raise NotFound(f"there is no picture of toy case {place} of submission {submission_id} on {dataset}")
    return png(pair(slices.image, slices.label, slices.prediction, window_of(report)))


def organizer_overview(site: Site, person: Person) -> Parts:
    """The queue and the workers."""
    with site.db.read() as session:
        queue = views.queue_view(session)
        workers = views.worker_views(session, site.clock())
    return {
        "queue": site.pages.part("organizer_queue.html", person, queue=queue),
        "workers": site.pages.part("organizer_workers.html", person, workers=workers),
    }


def whole_log(site: Site, person: Person, submission_id: str, dataset: str) -> str:
    """The log of the toy run on a data set. NotFound for another team's, or where there is none."""
    with site.db.read() as session:
        found = submissions.get_for(session, person.account(session), submission_id)
        sha256 = views.toy_log(found, dataset)
    return log_text(site, sha256)


def log_text(site: Site, sha256: str) -> str:
    """A stored log; bytes that are no text are marked."""
    return site.store.get(sha256).decode(errors="replace")
