"""Which analysis document a visitor may see, and the record of organizers who see one before the public does."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import analyses, challenges, leaderboard, views
from server.analyses import AnalysisDocument
from server.errors import NotFound
from server.models import View
from server.protocol import Task
from server.web.deps import Person
from server.web.site import Site

ONE_LOOK = timedelta(minutes=10)  # a page and the charts that it asks for are one look


def document(site: Site, visitor: Person | None, task: Task, now: datetime) -> AnalysisDocument:
    """Give the current challenge's. Raises NotFound where this visitor may not see it, or nothing was computed yet."""
    with site.db.read() as session:
        challenge = challenges.current(session)
        is_public = leaderboard.visible(session, challenge, task, now)
        if not is_public and (visitor is None or not visitor.is_organizer):
            raise NotFound(f"The analyses of the {task} task are not published yet.", "E-NOT-PUBLISHED")
        found = analyses.latest(session, challenge, task)
    if not is_public and visitor is not None:
        record(site, visitor, f"unpublished analyses, {task} task", now)
    if found is None:
        raise NotFound(f"The analyses of the {task} task have not been computed yet.", "E-NOT-COMPUTED")
    return found


def record(site: Site, person: Person, subject: str, now: datetime) -> None:
    """Record that an organizer looks at something hidden, once for a look."""
    with site.db.read() as session:
        if looked_lately(session, person, subject, now):
            return
    with site.db.write() as session:
        views.looked(session, person.account(session), subject, now)


def looked_lately(session: Session, person: Person, subject: str, now: datetime) -> bool:
    """Is this look recorded already?"""
    of = select(View.id).where(View.account_id == person.account_id, View.subject == subject, View.at > now - ONE_LOOK)
    return session.scalar(of.limit(1)) is not None
