"""A lease is kept, and what ends it ends the job."""

import pytest

from server.protocol import JobSpec, Renewal, RenewalReply, Stage
from tests.worker.memory_server import MemoryServer
from worker.lease import Interrupted, Interruption, Lease, Why


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def server(spec: JobSpec) -> MemoryServer:
    return MemoryServer(spec)


def make(server: MemoryServer) -> tuple[Lease, Interruption, Clock]:
    interruption, clock = Interruption(), Clock()
    return Lease(server.spec, server, interruption, clock=clock), interruption, clock


def test_a_renewal_carries_the_progress(server: MemoryServer) -> None:
    lease, _, _ = make(server)
    lease.progress(Stage.HIDDEN, 3, 6)
    assert lease.renew()
    assert server.renewals == [Renewal(token="token-1", stage=Stage.HIDDEN, cases_done=3, cases_total=6)]


def test_a_cancelled_job_is_dropped(server: MemoryServer) -> None:
    lease, interruption, _ = make(server)
    server.cancel()
    assert not lease.renew()
    assert interruption.why is Why.CANCELLED


def test_a_job_that_another_holds_is_dropped(server: MemoryServer) -> None:
    lease, interruption, _ = make(server)
    server.give_to_another()
    assert not lease.renew()
    assert interruption.why is Why.LOST


def test_a_server_that_is_away_for_a_while_changes_nothing(server: MemoryServer) -> None:
    lease, interruption, clock = make(server)
    server.is_away = True
    clock.now_s = server.spec.lease_s - 1
    assert lease.renew()
    server.is_away = False
    assert lease.renew()
    server.is_away = True
    clock.now_s = 2 * server.spec.lease_s - 2
    assert lease.renew()
    assert interruption.why is None


def test_a_lease_that_may_have_run_out_is_lost(server: MemoryServer) -> None:
    lease, interruption, clock = make(server)
    server.is_away = True
    clock.now_s = server.spec.lease_s + 1
    assert not lease.renew()
    assert interruption.why is Why.LOST


def test_the_thread_renews_at_once_and_ends_with_the_job(server: MemoryServer) -> None:
    lease, interruption, _ = make(server)
    with lease:
        pass
    assert interruption.why is None
    assert not lease._thread.is_alive()


def test_a_thread_that_breaks_drops_the_job(server: MemoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda _: None)  # a broken thread is the point
    lease, interruption, _ = make(server)
    monkeypatch.setattr(server, "renew", lambda *_: 1 / 0)
    with lease:
        assert interruption.event.wait(10)
    assert interruption.why is Why.LOST


def test_the_first_reason_stays() -> None:
    interruption = Interruption()
    interruption.check()
    interruption.now(Why.CANCELLED)
    interruption.now(Why.STOPPING)
    with pytest.raises(Interrupted) as caught:
        interruption.check()
    assert caught.value.why is Why.CANCELLED


def test_the_lease_is_measured_from_before_the_question(server: MemoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    lease, interruption, clock = make(server)
    answer = server.renew

    def slowly(job: str, renewal: Renewal) -> RenewalReply:
        clock.now_s += 100
        return answer(job, renewal)

    monkeypatch.setattr(server, "renew", slowly)
    assert lease.renew()  # asked at 0, answered at 100
    server.is_away = True
    clock.now_s = 21  # answered at 121, past a lease of 120 s
    assert not lease.renew()
    assert interruption.why is Why.LOST
