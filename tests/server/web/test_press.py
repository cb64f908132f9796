from dataclasses import replace
from datetime import timedelta

import pytest

from server.errors import Conflict
from server.web.press import KEPT, WAITING, Edition, Press
from server.web.rendering import Pages
from server.web.report import Source
from tests.server.web.test_report import document


def source(minutes: int = 0, *, is_published: bool = False) -> Source:
    made = document(("One",))
    later = replace(made, made_at=made.made_at + timedelta(minutes=minutes))
    return Source(document=later, galleries=lambda: (), is_published=is_published, is_current=True)


def name(edition: Edition) -> bytes:
    return str(id(edition)).encode()


def test_report_is_made_once_until_something_changes() -> None:
    press = Press(Pages(""))
    first = press.print(source(), name)
    assert press.print(source(), name) == first
    others = {press.print(source(1), name), press.print(source(is_published=True), name)}
    assert len(others | {first}) == 3


def test_old_editions_are_let_go_of() -> None:
    press = Press(Pages(""))
    for minutes in range(KEPT + 2):
        press.print(source(minutes), name)
    assert len(press._editions) == KEPT


def test_who_would_wait_behind_many_is_told_to_come_back() -> None:
    press = Press(Pages(""))
    for _ in range(WAITING):
        press._places.acquire()
    with pytest.raises(Conflict, match="Open it again"):
        press.print(source(), name)
    press._places.release()
    assert press.print(source(), name)


def test_failure_while_printing_leaves_room_for_the_next() -> None:
    def fail(_edition: Edition) -> bytes:
        raise ValueError("no paper")

    press = Press(Pages(""))
    for _ in range(WAITING + 1):
        with pytest.raises(ValueError, match="no paper"):
            press.print(source(), fail)
    assert press.print(source(), name)
