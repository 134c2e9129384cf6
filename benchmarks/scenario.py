"""Wall time and memory of a whole scenario on one core.

Run with `python -m benchmarks.scenario [NAME]`. The run takes place in a process of its own that
has compiled everything before the clock starts.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import subprocess
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.kernels import peak_kb
from model.world import World

NAME = "baseline_2025"
QUICK_DAYS = 365
WARM_UP_DAYS = 100  # the first quarter: every slow decision has been taken once
GOAL_S = 20.0
GOAL_MB = 1024.0
SHOWN_FUNCTIONS = 15


def warm_up(name: str) -> None:
    """Live through a quarter of another world, so that everything is compiled."""
    world = World(name)
    for _ in range(min(WARM_UP_DAYS, world.days)):
        world.step()


def live(world: World, days: int) -> None:
    """Live through the days."""
    for _ in range(days):
        world.step()


def measure(name: str, days: int | None, profile: bool) -> dict[str, Any]:
    """One run in this process."""
    warm_up(name)
    start = time.perf_counter()
    world = World(name)
    built = time.perf_counter()
    days = world.days if days is None else min(days, world.days)
    first_fleets, first_sites = len(world.fleets), len(world.sites)
    profiler = cProfile.Profile() if profile else None
    if profiler:
        profiler.runcall(live, world, days)
    else:
        live(world, days)
    done = time.perf_counter()
    if profiler:
        statistics = pstats.Stats(profiler, stream=sys.stderr)
        statistics.sort_stats("cumulative").print_stats(SHOWN_FUNCTIONS)
    return {
        "scenario": name,
        "days": days,
        "build_s": built - start,
        "run_s": done - built,
        "ms_per_day": (done - built) / days * 1e3,
        "peak_mb": peak_kb() / 1024.0,
        "miners_set": world.case.start.miners,
        "sites_set": world.case.start.sites,
        "miners": len(world.miners),
        "sites_first": first_sites,
        "sites_last": len(world.sites),
        "fleets_first": first_fleets,
        "fleets_last": len(world.fleets),
        "fleet_rows": world.fleets.size,
    }


def benchmark(name: str = NAME, days: int | None = None, profile: bool = False) -> dict[str, Any]:
    """One run in a fresh process on one thread."""
    command = [sys.executable, "-m", "benchmarks.scenario", name, "--one"]
    command += [f"--days={days}"] if days else []
    command += ["--profile"] if profile else []
    environment = os.environ | {"NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(found: dict[str, Any]) -> Table:
    """The run in one row."""
    shown = Table(
        title=f"{found['scenario']}: {found['days']:,} days on one core, compiled before",
        caption=f"asked for: {found['miners_set']:,} miners and {found['sites_set']:,} sites "
        f"on the first day; at most {found['fleet_rows']:,} fleets at a time",
    )
    headings = ("build s", "run s", "ms a day", "peak MB", "miners", "sites", "fleets")
    for heading in headings:
        shown.add_column(heading, justify="right")
    shown.add_row(
        f"{found['build_s']:.2f}",
        f"{found['run_s']:.1f}",
        f"{found['ms_per_day']:.2f}",
        f"{found['peak_mb']:,.0f}",
        f"{found['miners']:,}",
        f"{found['sites_first']:,} to {found['sites_last']:,}",
        f"{found['fleets_first']:,} to {found['fleets_last']:,}",
    )
    return shown


def main() -> None:
    """Print the table, or one run as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default=NAME)
    parser.add_argument("--days", type=int)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--one", action="store_true", help="run in this process, print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.name, options.days, options.profile)))
        return
    Console().print(table(benchmark(options.name, options.days, options.profile)))


if __name__ == "__main__":
    main()
