"""What an ensemble gains by a second worker, what engines cost, and memory over many runs.

Run with `python -m benchmarks.sweep`; `--full` runs the ensemble over ten years, `--quick` runs
fewer replicates and fewer short runs. Ratios mean something only where nothing else runs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from model.scenario import Scenario, load, with_days
from study import design, sweep
from study.engines import Dask, Engine, Processes
from study.ensemble import Job, replicate_jobs, simulate

NAME = "baseline_2025"
REPLICATES, QUICK_REPLICATES = 64, 8
DAYS = 250
WORKERS = 2
GOAL_RATIO = 1.8
GOAL_OVERHEAD = 0.05
# Runs after which memory is read: all is imported and compiled by the first of them.
MARKS, QUICK_MARKS = (1_000, 10_000), (100, 400)
GOAL_GROWTH_MB = 10.0
SHORT_STUDY = """
question = "Does memory grow with the number of runs?"
scenario = "baseline_2025"
replicates = {runs}
days = 1
set = ["start.miners=10", "start.sites=10"]
outputs = ["end:hashrate_ehs", "hashrate_end_ehs", "class"]
[[factors]]
key = "energy.pue"
values = [1.1]
"""


def timed(job: Job) -> float:
    """Seconds of one run, its folder included."""
    began = time.perf_counter()
    simulate(job)
    return time.perf_counter() - began


def ensemble(engine: Engine, case: Scenario, replicates: int) -> dict[str, float]:
    """Seconds of an ensemble: until its first run ended, from then on, and of the runs themselves.

    What comes before the first end is start-up: processes, imports, compiled code read from disk.
    """
    with tempfile.TemporaryDirectory() as folder:
        jobs = replicate_jobs(case, replicates, Path(folder))
        began = time.perf_counter()
        first, last, work = 0.0, 0.0, 0.0
        for ended, done in enumerate(engine.map(timed, jobs), start=1):
            if done.error is not None:
                raise RuntimeError(done.error)
            last = time.perf_counter() - began
            if ended == 1:
                first = last
            else:
                work += done.result
        total = time.perf_counter() - began
    return {"total_s": total, "first_s": first, "later_s": last - first, "work_s": work}


def scaling(days: int | None, replicates: int) -> dict[str, Any]:
    """The same ensemble with one worker and with two, and what engines cost with one."""
    case = load(NAME)
    case = case if days is None else with_days(case, days)
    # Once unseen, so that nothing is compiled while the clock runs.
    ensemble(Processes(1), with_days(case, min(case.days, 100)), 1)
    one = ensemble(Processes(1), case, replicates)
    two = ensemble(Processes(WORKERS), case, replicates)
    dask = ensemble(Dask(1), case, max(replicates // 4, 4))
    return {
        "days": case.days,
        "replicates": replicates,
        "one": one,
        "two": two,
        "dask": dask,
        "ratio": one["total_s"] / two["total_s"],
        "overhead": {"processes": overhead(one), "dask": overhead(dask)},
    }


def overhead(found: dict[str, float]) -> float:
    """Time of one worker that was no run's, as a share of the runs', after the first run."""
    return found["later_s"] / found["work_s"] - 1.0


def memory(marks: tuple[int, int], engine: Engine | None = None) -> dict[str, Any]:
    """Resident memory of the parent and of its largest worker after some runs and after many."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "short.toml").write_text(SHORT_STUDY.format(runs=marks[-1]), encoding="utf-8")
        plan = design.read(folder / "short.toml")
        sweep.prepare(plan, folder / "out")
        seen: dict[int, dict[str, float]] = {}
        began = time.perf_counter()
        watch = _watch(marks, seen)
        todo = sweep.unfinished(plan, folder / "out")
        tally = sweep.sweep(plan, folder / "out", engine or Processes(WORKERS), todo, watch)
        sweep.gather(plan, folder / "out", tally)
        if tally.failed or tally.finished != marks[-1]:
            raise RuntimeError(f"{len(tally.failed)} of {marks[-1]} short runs failed")
        after = _resident_mb(psutil.Process())
    growth = {who: seen[marks[-1]][who] - seen[marks[0]][who] for who in ("parent_mb", "worker_mb")}
    return {
        "runs": list(marks),
        "seconds": time.perf_counter() - began,
        "seen": [seen[mark] for mark in marks],
        "gathered_mb": after,
        "growth_mb": growth,
    }


def _watch(marks: tuple[int, int], seen: dict[int, dict[str, float]]) -> Callable[[int], None]:
    """A reader of memory that looks when as many runs have ended as a mark says."""

    def watch(ended: int) -> None:
        if ended in marks:
            parent = psutil.Process()
            workers = [_resident_mb(child) for child in parent.children(recursive=True)]
            seen[ended] = {
                "parent_mb": _resident_mb(parent),
                "worker_mb": max(workers, default=0.0),
            }

    return watch


def _resident_mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


def benchmark(
    days: int | None = DAYS, replicates: int = REPLICATES, marks: tuple[int, int] = MARKS
) -> dict[str, Any]:
    """Everything, with the load of the machine before."""
    load_before = [round(load, 2) for load in os.getloadavg()]
    found = {"load_before": load_before} | scaling(days, replicates)
    return found | {"memory": memory(marks)}


def table(found: dict[str, Any]) -> Table:
    """Ratio, overheads and memory."""
    what = f"{found['replicates']} replicates of {NAME}, {found['days']:,} days"
    shown = Table(title=what)
    shown.add_column("what")
    shown.add_column("measured", justify="right")
    seen, growth = found["memory"], found["memory"]["growth_mb"]
    first, last = seen["runs"]
    rows = [
        ("one worker, s", f"{found['one']['total_s']:.1f}"),
        (f"{WORKERS} workers, s", f"{found['two']['total_s']:.1f}"),
        ("times faster", f"{found['ratio']:.2f}"),
        ("until the first run ended, processes, s", f"{found['one']['first_s']:.1f}"),
        ("until the first run ended, dask, s", f"{found['dask']['first_s']:.1f}"),
        ("overhead of processes, %", f"{100.0 * found['overhead']['processes']:.2f}"),
        ("overhead of dask, %", f"{100.0 * found['overhead']['dask']:.2f}"),
        (f"parent after {first:,} runs, MB", f"{seen['seen'][0]['parent_mb']:.1f}"),
        (f"parent after {last:,} runs, MB", f"{seen['seen'][1]['parent_mb']:.1f}"),
        ("parent grew by, MB", f"{growth['parent_mb']:.1f}"),
        ("largest worker grew by, MB", f"{growth['worker_mb']:.1f}"),
    ]
    for row in rows:
        shown.add_row(*row)
    return shown


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="ten years; most of an hour")
    parser.add_argument("--quick", action="store_true", help="fewer replicates and short runs")
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--memory", action="store_true", help="many short runs only")
    options = parser.parse_args()
    marks = QUICK_MARKS if options.quick else MARKS
    console = Console()
    if options.memory:
        console.print_json(data=memory(marks))
        return
    replicates = QUICK_REPLICATES if options.quick else REPLICATES
    days = None if options.full else options.days
    console.print(table(benchmark(days, replicates, marks)))


if __name__ == "__main__":
    main()
