"""One scenario run once, or many times under different seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.scenario import Scenario
from study import runfolder
from study.engines import Done, engine


@dataclass(frozen=True)
class Job:
    """A scenario, seed included, and the folder its run goes to."""

    case: Scenario
    folder: Path


def simulate(job: Job, on_day: Callable[[int], object] | None = None) -> dict[str, Any]:
    """Run one scenario to its end and write its folder; return what run.json holds."""
    # Only here, so that list, show and every complaint come without compiling the model.
    from model.world import World

    began = time.perf_counter()
    world = World(job.case)
    while world.running and world.day < world.days:
        world.step()
        if on_day is not None:
            on_day(world.day)
    seconds = time.perf_counter() - began
    job.folder.mkdir(parents=True, exist_ok=True)
    return runfolder.write(
        job.folder, job.case, world.recorder, seconds, world.outcome(), world.summary()
    )


def replicate_jobs(case: Scenario, replicates: int, out: Path) -> list[Job]:
    """One job for each of the seeds seed, seed + 1, …, in the folder OUT/SEED."""
    seeds = range(case.seed, case.seed + replicates)
    return [Job(case.model_copy(update={"seed": seed}), out / str(seed)) for seed in seeds]


def run_jobs(jobs: Sequence[Job], workers: int = 1) -> Iterator[Done]:
    """Run the jobs, yielding each as it ends; a failing job costs only itself."""
    yield from engine(workers).map(simulate, jobs)
