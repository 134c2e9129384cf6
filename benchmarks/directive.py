"""What a directive costs: ten years with one in force throughout, beside the same run without.

Run with `python -m benchmarks.directive`. Each run takes place in a process of its own that has
compiled everything before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.scenario import live
from model.scenario import Scenario, load
from model.world import World

NAME, ISSUER = "baseline_2025", "us_60_2028"
QUICK_DAYS = 365
WARM_UP_DAYS = 100
GOAL_RATIO = 2.0
# Nobody forks away, so that the tree of blocks is there to the end.
SETS = ('hypotheses.fork="none"', "start.us_share=0.6")


def case(directive: bool) -> Scenario:
    """The scenario without or with a directive from its first day on."""
    without = load(NAME, SETS)
    if not directive:
        return without
    order = load(ISSUER).events[-1].model_copy(update={"date": without.start_date})
    return without.model_copy(update={"events": (*without.events, order)})


def measure(directive: bool, days: int | None) -> float:
    """Seconds of one run in this process."""
    live(World(case(directive)), WARM_UP_DAYS)
    world = World(case(directive))
    start = time.perf_counter()
    live(world, world.days if days is None else days)
    if directive and world.politics.tree is None:
        raise RuntimeError("the directive did not stay in force to the end")
    return time.perf_counter() - start


def benchmark(days: int | None = None) -> dict[str, Any]:
    """Seconds without and with a directive, one process each, and their ratio."""
    environment = os.environ | {"NUMBA_NUM_THREADS": "1"}
    taken = {}
    for name, flag in (("without", 0), ("with", 1)):
        command = [sys.executable, "-m", "benchmarks.directive", f"--one={flag}"]
        command += [f"--days={days}"] if days else []
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=environment
        )
        taken[name] = float(json.loads(done.stdout.splitlines()[-1]))
    return {"days": days, "seconds": taken, "ratio": taken["with"] / taken["without"]}


def table(found: dict[str, Any]) -> Table:
    """Both runs and their ratio."""
    shown = Table(title=f"{NAME} under a directive")
    for heading in ("without, s", "with, s", "ratio"):
        shown.add_column(heading, justify="right")
    seconds = found["seconds"]
    shown.add_row(f"{seconds['without']:.1f}", f"{seconds['with']:.1f}", f"{found['ratio']:.2f}")
    return shown


def main() -> None:
    """Print the table, or the seconds of one run as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int)
    parser.add_argument("--one", type=int, choices=(0, 1), help="one run in this process")
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(bool(options.one), options.days)))
        return
    Console().print(table(benchmark(options.days)))


if __name__ == "__main__":
    main()
