"""One scenario run once, or many times under different seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.scenario import Scenario
from study import runfolder
from study.engines import Done, engine

if TYPE_CHECKING:
    from model.world import World


@dataclass(frozen=True)
class Job:
    """A scenario, seed included, the folder its run goes to, and whether it has a twin.

    The twin has the same seed and no directive; it tells what the directive did to the value.
    """

    case: Scenario
    folder: Path
    paired: bool = False


def simulate(job: Job, on_day: Callable[[int], object] | None = None) -> dict[str, Any]:
    """Run one scenario to its end and write its folder; return what run.json holds."""
    began = time.perf_counter()
    world = lived(job.case, job.paired, on_day)
    seconds = time.perf_counter() - began
    job.folder.mkdir(parents=True, exist_ok=True)
    return runfolder.write(
        job.folder, job.case, world.recorder, seconds, world.outcome(), world.summary()
    )


def lived(
    case: Scenario, paired: bool = False, on_day: Callable[[int], object] | None = None
) -> World:
    """The world of a scenario at its end; if paired it knows what its twin's coin is worth."""
    # Only here, so that list, show and every complaint come without compiling the model.
    from model.world import World

    world = World(case)
    days = 0

    def live(one: World) -> None:
        nonlocal days
        while one.running and one.day < one.days:
            one.step()
            days += 1
            if on_day is not None:
                on_day(days)

    live(world)
    if paired:
        twin = World(without_directives(case))
        live(twin)
        world.politics.paired_usd = sum(twin.coin_prices)
    return world


def without_directives(case: Scenario) -> Scenario:
    """The same scenario in which no nation orders anything."""
    events = tuple(event for event in case.events if event.kind != "directive")
    return case.model_copy(update={"events": events})


def replicate_jobs(case: Scenario, replicates: int, out: Path, paired: bool = False) -> list[Job]:
    """One job for each of the seeds seed, seed + 1, …, in the folder OUT/SEED."""
    seeds = range(case.seed, case.seed + replicates)
    return [Job(case.model_copy(update={"seed": seed}), out / str(seed), paired) for seed in seeds]


def run_jobs(jobs: Sequence[Job], workers: int = 1) -> Iterator[Done]:
    """Run the jobs, yielding each as it ends; a failing job costs only itself."""
    yield from engine(workers).map(simulate, jobs)
