"""Doorbells on a folder and on Redis."""

from pathlib import Path

import pytest

from server.protocol import broker_settings, doorbell_queue
from server.queue import Doorbell
from tests.conftest import Backend
from tests.services import free_port


@pytest.fixture
def doorbell(backend: Backend) -> Doorbell:
    return Doorbell(backend.broker_url)


def test_a_bell_waits_in_its_data_sets_queue(doorbell: Doorbell) -> None:
    assert doorbell.waiting("brain") == 0
    assert doorbell.ring([("job1", "brain"), ("job2", "brain"), ("job3", "abdom")])
    assert doorbell.waiting("brain") == 2
    assert doorbell.waiting("abdom") == 1


def test_reminders_do_not_pile_up_while_nobody_listens(doorbell: Doorbell) -> None:
    for _ in range(3):
        assert doorbell.remind([("job1", "brain"), ("job2", "brain")])
    assert doorbell.waiting("brain") == 2


def test_nothing_to_ring_for_is_fine(doorbell: Doorbell) -> None:
    assert doorbell.ring([])
    assert doorbell.remind([])


def test_a_message_is_json_and_carries_an_id_alone(tmp_path: Path) -> None:
    doorbell = Doorbell(f"filesystem://{tmp_path}")
    doorbell.ring([("thejob", "brain")])
    (message,) = (tmp_path / "messages").iterdir()
    content = message.read_text()
    assert '"content-type": "application/json"' in content
    assert "mood.doorbell" in content


def test_a_broker_that_is_away_costs_a_log_line() -> None:
    doorbell = Doorbell(f"redis://127.0.0.1:{free_port()}/0")
    assert not doorbell.ring([("job", "brain")])
    assert doorbell.waiting("brain") is None
    assert not doorbell.remind([("job", "brain")])


def test_a_folder_that_cannot_be_written_is_a_broker_that_is_away(tmp_path: Path) -> None:
    doorbell = Doorbell(f"filesystem://{tmp_path}/broker")
    (tmp_path / "broker" / "messages").rmdir()
    (tmp_path / "broker" / "messages").write_text("a file")
    assert not doorbell.ring([("job", "brain")])


def test_a_folder_is_a_broker_of_its_own() -> None:
    address, options = broker_settings("filesystem:///home/mood/broker")
    assert address == "filesystem://"
    assert options["data_folder_in"] == options["data_folder_out"] == "/home/mood/broker/messages"
    assert broker_settings("redis://broker/1")[0] == "redis://broker/1"
    assert doorbell_queue("brain") == "doorbell.brain"
