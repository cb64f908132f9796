"""Public API: the challenge."""

from fastapi import APIRouter

from server import challenges
from server.web.api.errors import ERRORS
from server.web.deps import Now, SiteDep
from server.web.showing import ChallengeView, challenge_view

router = APIRouter(prefix="/api/v1", tags=["challenge"], responses=ERRORS)


@router.get("/challenge")
def challenge(site: SiteDep, now: Now) -> ChallengeView:
    """Tell what is asked, until when, and on how many cases."""
    with site.db.read() as session:
        return challenge_view(session, challenges.current(session), now)
