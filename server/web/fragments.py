"""The pieces of pages that change while they are watched: element id -> HTML, for the page and for events."""

from markupsafe import Markup

from server import challenges, submissions, views
from server.models import Challenge
from server.views import SubmissionView
from server.web.deps import Person, Slice
from server.web.showing import history_views, report_view
from server.web.site import Site

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
    readable = ((job.dataset, report_view(job.toy_report)) for job in shown.jobs if job.toy_report)
    reports = {dataset: report for dataset, report in readable if report is not None}
    part = site.pages.part
    return {
        "state": part("submission_state.html", person, submission=shown),
        "jobs": part("submission_jobs.html", person, submission=shown, reports=reports, logs=tails),
        "changes": part("submission_history.html", person, history=history),
    }, shown


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
