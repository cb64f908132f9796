from datetime import UTC, datetime, timedelta

import pytest

from server.web import limiter
from server.web.limiter import Limiter, TooManyAttempts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_key_is_refused_after_its_attempts_and_admitted_when_they_are_old() -> None:
    limit = Limiter(allowed=2, window=timedelta(minutes=10))
    limit.attempt("a", NOW)
    limit.attempt("a", NOW + timedelta(minutes=4))
    with pytest.raises(TooManyAttempts, match="Wait 5 min"):
        limit.attempt("a", NOW + timedelta(minutes=5))
    limit.attempt("a", NOW + timedelta(minutes=10))


def test_keys_are_counted_apart() -> None:
    limit = Limiter(allowed=1, window=timedelta(minutes=10))
    limit.attempt("a", NOW)
    limit.attempt("b", NOW)


def test_forgotten_key_starts_afresh() -> None:
    limit = Limiter(allowed=1, window=timedelta(minutes=10))
    limit.attempt("a", NOW)
    limit.forget("a")
    limit.attempt("a", NOW)


def test_strangers_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "MAX_KEYS", 3)
    limit = Limiter(allowed=1, window=timedelta(minutes=10))
    for number in range(100):
        limit.attempt(str(number), NOW)
    assert len(limit._attempts) <= 3
