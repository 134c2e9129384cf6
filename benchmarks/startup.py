"""How long it takes from nothing to the first day of a scenario.

Run with `python -m benchmarks.startup`. Every attempt is a fresh interpreter; the first one may
compile, the later ones find everything in the cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

NAME = "baseline_2025"
ATTEMPTS = 3
GOAL_S = 2.0
PROGRAM = """
import time
start = time.perf_counter()
from model.world import World
imported = time.perf_counter()
world = World({name!r})
built = time.perf_counter()
world.step()
done = time.perf_counter()
import json
print(json.dumps([imported - start, built - imported, done - built]))
"""


def attempt(name: str) -> dict[str, float]:
    """Seconds of one start, seen from outside and inside."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    total_s = time.perf_counter() - start
    import_s, build_s, step_s = json.loads(done.stdout.splitlines()[-1])
    return {"total_s": total_s, "import_s": import_s, "build_s": build_s, "step_s": step_s}


def benchmark(name: str = NAME, attempts: int = ATTEMPTS) -> dict[str, Any]:
    """The first start, which may compile, and the best of the later ones."""
    found = [attempt(name) for _ in range(attempts)]
    cached = min(found[1:], key=lambda one: one["total_s"])
    return {"scenario": name, "first": found[0], "cached": cached}


def table(found: dict[str, Any]) -> Table:
    """First and later starts beside each other."""
    shown = Table(title=f"From nothing to the first day of {found['scenario']}, seconds")
    for heading in ("start", "import", "build", "first step", "total"):
        shown.add_column(heading, justify="right")
    for label in ("first", "cached"):
        one = found[label]
        parts = (one[part] for part in ("import_s", "build_s", "step_s", "total_s"))
        shown.add_row(label, *(f"{part:.2f}" for part in parts))
    return shown


def main() -> None:
    """Print the table."""
    Console().print(table(benchmark()))


if __name__ == "__main__":
    main()
