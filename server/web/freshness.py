"""Whether analyses are of what is there now, asked of the database every few seconds: to find out reads every score."""

from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy.orm import Session

from server import analyses
from server.models import Challenge
from server.protocol import Task

KEPT_FOR = timedelta(seconds=5)


class Freshness:
    """Keeps the answers found last, one for each challenge and task. Nothing secret may hang on them: they are old."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, Task], tuple[datetime, datetime, bool]] = {}  # made, asked at, is current
        self._lock = Lock()

    def is_current(self, s: Session, challenge: Challenge, task: Task, made_at: datetime, now: datetime) -> bool:
        """Is the document that was made then of what is there now, or was it a few seconds ago?"""
        with self._lock:  # who comes while another one asks waits for that answer
            made, asked_at, answer = self._answers.get((challenge.id, task), (None, now, False))
            if made != made_at or not asked_at <= now < asked_at + KEPT_FOR:
                answer = analyses.is_current(s, challenge, task)
                self._answers[challenge.id, task] = made_at, now, answer
            return answer
