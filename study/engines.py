"""Where the jobs of a study run: in this process, or in several."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Done:
    """A job that ended: its place among the jobs, and its result or its error."""

    position: int
    result: Any = None
    error: str | None = None


class Engine(Protocol):
    """What every engine can do."""

    def map(self, run: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Done]:
        """Run every job, yielding each as it ends; an error costs only its own job."""
        ...


class Serial:
    """One job after another, in this process."""

    def map(self, run: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Done]:
        """Run every job in order."""
        for position, job in enumerate(jobs):
            yield _attempt(run, position, job)


class Processes:
    """Several jobs at a time, each in a fresh process with one numba thread."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, run: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Done]:
        """Run every job; one that was running when a worker died is tried once more, alone."""
        waiting = list(enumerate(jobs))
        while waiting:
            suspects: list[tuple[int, Any]] = []
            yield from self._until_a_worker_dies(run, waiting, suspects)
            for position, job in suspects:
                yield _alone(run, position, job)

    def _until_a_worker_dies(
        self,
        run: Callable[[Any], Any],
        waiting: list[tuple[int, Any]],
        suspects: list[tuple[int, Any]],
    ) -> Iterator[Done]:
        """Take jobs from `waiting`; those that a dead worker may have held go to `suspects`."""
        running: dict[Future[Done], tuple[int, Any]] = {}
        with _pool(min(self.workers, len(waiting))) as pool:
            whole = self._fill(pool, run, waiting, running)
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    job = running.pop(future)
                    if isinstance(future.exception(), BrokenProcessPool):
                        whole = False
                        suspects.append(job)
                    else:
                        yield _outcome(future, job[0])
                whole = whole and self._fill(pool, run, waiting, running)

    def _fill(
        self,
        pool: ProcessPoolExecutor,
        run: Callable[[Any], Any],
        waiting: list[tuple[int, Any]],
        running: dict[Future[Done], tuple[int, Any]],
    ) -> bool:
        """Give every worker a job, and no more, so that a dead one costs few; False if one died."""
        try:
            while waiting and len(running) < self.workers:
                position, job = waiting[0]
                running[pool.submit(_attempt, run, position, job)] = waiting.pop(0)
        except BrokenProcessPool:
            return False
        return True


def engine(workers: int) -> Engine:
    """The engine for that many workers."""
    return Serial() if workers == 1 else Processes(workers)


def _attempt(run: Callable[[Any], Any], position: int, job: Any) -> Done:
    """Run one job; an exception becomes text, which crosses process borders whole."""
    try:
        return Done(position, result=run(job))
    except Exception:
        return Done(position, error=traceback.format_exc())


def _outcome(future: Future[Done], position: int) -> Done:
    """Result of a future, whose job may have been impossible to send to a process."""
    error = future.exception()
    return Done(position, error=repr(error)) if error else future.result()


def _alone(run: Callable[[Any], Any], position: int, job: Any) -> Done:
    """Run one job in a process of its own."""
    with _pool(1) as pool:
        return _outcome(pool.submit(_attempt, run, position, job), position)


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of spawned processes, ended at once when this process is interrupted."""
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare_worker
    )
    try:
        yield pool
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare_worker() -> None:
    """One numba thread a process; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if "numba" in sys.modules:
        # The variable is read at import; changing it afterwards makes numba refuse to compile.
        sys.modules["numba"].set_num_threads(1)
    else:
        os.environ["NUMBA_NUM_THREADS"] = "1"
