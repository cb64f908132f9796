from contextlib import ExitStack

import pytest

from server.errors import NoRoom, OverQuota
from server.web.under_way import A_TEAM, SPARE_BYTES, UnderWay

ROOM_BYTES = 100


@pytest.fixture
def under_way() -> UnderWay:
    return UnderWay(lambda: SPARE_BYTES + ROOM_BYTES)


def test_a_team_has_few_uploads_at_a_time_and_the_others_do_not_notice(under_way: UnderWay) -> None:
    with ExitStack() as uploads:
        for _ in range(A_TEAM):
            uploads.enter_context(under_way.upload("a", 1))
        with pytest.raises(OverQuota), under_way.upload("a", 1):
            pass
        uploads.enter_context(under_way.upload("b", 1))
    with under_way.upload("a", 1):
        pass


def test_uploads_together_leave_the_disk_some_room(under_way: UnderWay) -> None:
    with under_way.upload("a", ROOM_BYTES - 10):
        with pytest.raises(NoRoom), under_way.upload("b", 11):
            pass
        with under_way.upload("b", 10):
            pass
    with under_way.upload("b", ROOM_BYTES):
        pass


def test_an_upload_that_breaks_off_is_on_its_way_no_more(under_way: UnderWay) -> None:
    with pytest.raises(ConnectionResetError), under_way.upload("a", ROOM_BYTES):
        raise ConnectionResetError
    with under_way.upload("a", ROOM_BYTES):
        pass
