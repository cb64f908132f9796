"""Makes cases in processes of their own, each holding one volume at a time, or right here where one is enough."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from toy_cases.making import Made, Maker
from toy_cases.plan import PlannedCase

BYTES_PER_VOXEL = 70  # of a process at work: the greediest kinds (warps) were measured to take 60
FEW_VOXELS = 2e7  # starting processes takes longer than making so little
WAITING = 2  # cases handed to each process ahead of time
Item = TypeVar("Item")
Result = TypeVar("Result")


class Processes:
    """Makes cases, here or elsewhere; results come as they are ready, in any order."""

    def __init__(self, maker: Maker, executor: ProcessPoolExecutor | None, count: int) -> None:
        self._maker, self._executor, self._count = maker, executor, count

    @classmethod
    @contextmanager
    def start(cls, maker: Maker, count: int | None, *, largest_voxels: int, work_voxels: int) -> "Iterator[Processes]":
        """Start `count` processes, or as many as make sense; end them when all is done or something fails."""
        count = count or sensible_count(largest_voxels=largest_voxels, work_voxels=work_voxels)
        if count == 1:
            yield cls(maker, None, 1)
            return
        # Never a plain fork: threads of BLAS would not survive it.
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        executor = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(maker,))
        try:
            yield cls(maker, executor, count)
        except BrokenProcessPool as error:
            raise MemoryError(
                f"one of {count} processes was ended from outside, by the system for lack of memory most likely: "
                "call it again with fewer --processes, it goes on where it stopped"
            ) from error
        finally:
            executor.shutdown(cancel_futures=True)

    def verify(self, cases: Iterable[PlannedCase]) -> Iterator[None]:
        """Look at the scans of cases. Raises ValueError naming the first that will not do."""
        return self._each(self._maker.verify, _verify, cases)

    def make(self, cases: Iterable[PlannedCase]) -> Iterator[Made]:
        """Make cases. Raises what Maker.make raises."""
        return self._each(self._maker.make, _make, cases)

    def _each(
        self, here: Callable[[Item], Result], there: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        """Work on each item; few wait, so that a failure ends all soon."""
        if self._executor is None:
            yield from map(here, items)
            return
        running: set[Future[Result]] = set()
        for item in items:
            running.add(self._executor.submit(there, item))
            if len(running) >= self._count * (1 + WAITING):
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)


def sensible_count(*, largest_voxels: int, work_voxels: int) -> int:
    """Give one process for little work, else one a core as far as memory reaches."""
    if work_voxels < FEW_VOXELS:
        return 1
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # not on macOS
    return max(1, min(bound, free // (BYTES_PER_VOXEL * largest_voxels)))


_maker: list[Maker] = []  # of this process, once it has begun


def _begin(maker: Maker) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _maker.append(maker)


def _end_with_parent() -> None:
    """Leave nothing running where the build is killed: who waits for work would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _make(case: PlannedCase) -> Made:
    return _maker[0].make(case)


def _verify(case: PlannedCase) -> None:
    _maker[0].verify(case)
