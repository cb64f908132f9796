from datetime import UTC, datetime, timedelta, timezone

import pytest

from server.web.rendering import duration, iso, number, score, sentence, size, when


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (10.0, "10 s"),
        (59.9, "59 s"),
        (60.0, "1 min 00 s"),
        (3599.0, "59 min 59 s"),
        (3600.0, "1 h 00 min"),
        (90061.0, "25 h 01 min"),
    ],
)
def test_duration_has_the_two_units_that_matter(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (312_000_000, "312 MB"), (10**13, "10.0 TB")],
)
def test_size_is_in_units_of_1000(count: int | None, text: str) -> None:
    assert size(count) == text


def test_instant_is_written_in_utc_and_for_programs() -> None:
    at = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert when(at) == '<time datetime="2026-02-28T23:30:00.000Z">28 Feb 2026, 23:30 UTC</time>'
    assert iso(datetime(2026, 3, 1, tzinfo=UTC)) == "2026-03-01T00:00:00.000Z"
    assert when(None) == "–"


def test_undefined_score_is_not_a_number() -> None:
    assert (number(None), number(float("nan")), number(0.91666)) == ("n/a", "n/a", "0.917")
    assert (score(None), score(0.0412), score(1.0)) == ("n/a", "0.0412", "1")


def test_sentence_begins_with_a_capital_unless_it_begins_with_a_name() -> None:
    assert sentence("all tries are used") == "All tries are used."
    assert sentence("ada@example.org has an account already: log in") == (
        "ada@example.org has an account already: log in."
    )
    assert sentence("No.") == "No."
