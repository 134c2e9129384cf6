"""Where the jobs of a study run: in this process, in several, or on a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

from model.complaint import ScenarioError, nearest_to

ENGINES = ("serial", "processes", "dask")
SCHEDULER_ANSWERS_S = 5.0
# Jobs handed to a scheduler for each thread of its workers, so that none waits for the next.
AHEAD = 2
# Ctrl-C is the parent's to handle: source text that a worker of dask's runs when it starts.
_IGNORES_INTERRUPTS = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"


@dataclass(frozen=True)
class Done:
    """A job that ended: its place among the jobs, and its result or its error."""

    position: int
    result: Any = None
    error: str | None = None


# Closing it ends what still runs.
Endings = Generator[Done, None, None]


class SchedulerLostError(Exception):
    """The scheduler went away while it had jobs."""


class Engine(Protocol):
    """What every engine can do."""

    def map(self, run: Callable[[Any], Any], jobs: Iterable[Any]) -> Endings:
        """Run every job, yielding each as it ends; an error costs only its own job.

        Jobs are taken when there is somebody to run them, so that there may be any number.
        """
        ...


class Serial:
    """One job after another, in this process."""

    def map(self, run: Callable[[Any], Any], jobs: Iterable[Any]) -> Endings:
        """Run every job in order."""
        for position, job in enumerate(jobs):
            yield _attempt(run, position, job)


class Processes:
    """Several jobs at a time, in processes of their own with one numba thread each."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, run: Callable[[Any], Any], jobs: Iterable[Any]) -> Endings:
        """Run every job; one that was running when a worker died is tried once more, alone."""
        waiting = _Waiting(jobs)
        while waiting:
            suspects: list[tuple[int, Any]] = []
            yield from self._until_a_worker_dies(run, waiting, suspects)
            for position, job in suspects:
                yield _alone(run, position, job)

    def _until_a_worker_dies(
        self,
        run: Callable[[Any], Any],
        waiting: _Waiting,
        suspects: list[tuple[int, Any]],
    ) -> Iterator[Done]:
        """Take jobs from `waiting`; those that a dead worker may have held go to `suspects`."""
        running: dict[Future[Done], tuple[int, Any]] = {}
        with _pool(self.workers) as pool:
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
        waiting: _Waiting,
        running: dict[Future[Done], tuple[int, Any]],
    ) -> bool:
        """Give every worker a job, and no more, so that a dead one costs few; False if one died."""
        try:
            while waiting and len(running) < self.workers:
                position, job = waiting.first
                future = pool.submit(_attempt_apart, run, position, job)
                running[future] = (position, job)
                waiting.drop()
        except BrokenProcessPool:
            return False
        return True


class Dask:
    """Jobs on the workers of a dask scheduler: of a cluster, or of one started on this machine."""

    def __init__(self, workers: int, scheduler: str | None = None) -> None:
        self.workers, self.scheduler = workers, scheduler
        if scheduler is not None:
            # Asked before anything is written, so that a wrong address costs nothing.
            _ask(scheduler)

    def map(self, run: Callable[[Any], Any], jobs: Iterable[Any]) -> Endings:
        """Run every job; those that a dead worker held are given to others by the scheduler."""
        from distributed import as_completed

        waiting, running = _Waiting(jobs), dict[str, int]()
        with _quiet(), self._client() as client:
            ended = as_completed(raise_errors=False, loop=client.loop)
            self._fill(client, run, waiting, running, ended)
            for future in ended:
                yield _ended(client, future, running.pop(future.key))
                # The scheduler forgets a job when nobody holds its future.
                del future
                self._fill(client, run, waiting, running, ended)

    def _fill(
        self,
        client: Any,
        run: Callable[[Any], Any],
        waiting: _Waiting,
        running: dict[str, int],
        ended: Any,
    ) -> None:
        """Hand out some jobs for each thread there is."""
        while waiting and len(running) < AHEAD * self._threads(client, len(running)):
            position, job = waiting.first
            future = client.submit(_attempt_apart, run, position, job, pure=False)
            running[future.key] = position
            ended.add(future)
            waiting.drop()

    def _threads(self, client: Any, running: int) -> int:
        """Threads of all workers now, at least one, so that jobs wait for workers yet to come."""
        if self.scheduler is None or running == 0:
            return self.workers
        return max(sum(client.nthreads().values()), 1)

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        """A client of the scheduler, or of a cluster that lives as long as the client."""
        from distributed import Client, LocalCluster

        if self.scheduler is not None:
            with Client(self.scheduler, set_as_default=False) as client:
                yield client
            return
        with (
            LocalCluster(
                n_workers=self.workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                worker_dashboard_address=None,
                memory_limit=0,
                env={"NUMBA_NUM_THREADS": "1"},
                preload=[_IGNORES_INTERRUPTS],
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client


def engine(workers: int, name: str | None = None, scheduler: str | None = None) -> Engine:
    """The engine of that name; without a name, one that fits the workers or the scheduler."""
    chosen = name or (
        "dask" if scheduler is not None else "serial" if workers == 1 else "processes"
    )
    if chosen not in ENGINES:
        allowed = f"one of {', '.join(ENGINES)}"
        raise ScenarioError("--engine", chosen, allowed, nearest_to(chosen, ENGINES))
    if scheduler is not None and chosen != "dask":
        raise ScenarioError("--scheduler", scheduler, "nothing, or --engine dask")
    if chosen == "dask":
        return Dask(workers, scheduler)
    if chosen == "serial" and workers > 1:
        raise ScenarioError("--workers", workers, "1 with --engine serial")
    return Serial() if chosen == "serial" else Processes(workers)


class _Waiting:
    """Numbered jobs, of which only the next one is made."""

    def __init__(self, jobs: Iterable[Any]) -> None:
        self._numbered = enumerate(jobs)
        self._first = next(self._numbered, None)

    def __bool__(self) -> bool:
        return self._first is not None

    @property
    def first(self) -> tuple[int, Any]:
        """The next job and its number."""
        if self._first is None:
            raise IndexError("no job waits")
        return self._first

    def drop(self) -> None:
        """The next job has been taken."""
        self._first = next(self._numbered, None)


def _attempt(run: Callable[[Any], Any], position: int, job: Any) -> Done:
    """Run one job; an exception becomes text, which crosses process borders whole."""
    try:
        return Done(position, result=run(job))
    except Exception:
        return Done(position, error=traceback.format_exc())


def _attempt_apart(run: Callable[[Any], Any], position: int, job: Any) -> Done:
    """Run one job in a worker, and free its world at once.

    A world refers to itself in rings, so that its columns stay until Python looks for rings, which
    it does by the number of objects and not by their size. What the first job leaves in a process
    of its own, modules and compiled code, is set aside, or each look would take as long as a short
    run.
    """
    done = _attempt(run, position, job)
    gc.collect()
    if gc.get_freeze_count() == 0 and multiprocessing.parent_process() is not None:
        gc.freeze()
    return done


def _outcome(future: Future[Done], position: int) -> Done:
    """Result of a future, whose job may have been impossible to send to a process."""
    error = future.exception()
    return Done(position, error=repr(error)) if error else future.result()


def _alone(run: Callable[[Any], Any], position: int, job: Any) -> Done:
    """Run one job in a process of its own."""
    with _pool(1) as pool:
        return _outcome(pool.submit(_attempt_apart, run, position, job), position)


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
    """One numba thread a process; Ctrl-C is the parent's to handle; no life after the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if "numba" in sys.modules:
        # The variable is read at import; changing it afterwards makes numba refuse to compile.
        sys.modules["numba"].set_num_threads(1)
    else:
        os.environ["NUMBA_NUM_THREADS"] = "1"


def _end_with_parent() -> None:
    """End this process when its parent does, even if that was killed and could tell nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _ask(scheduler: str) -> None:
    """Complain unless a scheduler answers at the address."""
    allowed = "address of a dask scheduler that answers, such as tcp://HOST:8786"
    try:
        with _quiet():
            kind = asyncio.run(_kind_of(scheduler))
    except TimeoutError:
        found = f"{scheduler} (no answer in {SCHEDULER_ANSWERS_S:g} s)"
        raise ScenarioError("--scheduler", found, allowed) from None
    except Exception as error:  # whoever answers there may answer anything
        found = f"{scheduler} ({_first_line(error)})"
        raise ScenarioError("--scheduler", found, allowed) from None
    if kind != "Scheduler":
        raise ScenarioError("--scheduler", f"{scheduler}, a {kind.lower()}", allowed)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep dask's log to itself: what matters of it is told by the sweep."""
    import distributed  # noqa: F401  (its loggers have levels of their own from here on)

    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


async def _kind_of(address: str) -> str:
    """What answers at the address: a scheduler, or another part of dask."""
    from distributed import rpc

    async with rpc(address, timeout=SCHEDULER_ANSWERS_S) as remote:
        told = await asyncio.wait_for(remote.identity(), SCHEDULER_ANSWERS_S)
    return str(told["type"])


def _first_line(error: BaseException) -> str:
    """What went wrong, without the rest of the story."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _ended(client: Any, future: Any, position: int) -> Done:
    """Result of a future of dask's, whose workers may all have died."""
    if future.status == "finished":
        return future.result()
    if future.status == "error":
        return Done(position, error=repr(future.exception()))
    raise SchedulerLostError(f"the scheduler at {client.scheduler.address} is gone")
