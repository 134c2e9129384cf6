"""Every benchmark: tables on the screen, numbers in benchmarks/results.json and in the README.

Run with `python -m benchmarks.run`, or `make bench`; `--quick` takes smaller sizes and leaves the
README alone.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import columns, covenant, directive, kernels, race, scenario, startup, sweep, twin

RESULTS = Path(__file__).with_name("results.json")
README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
LIBRARIES = ("mesa", "numba", "numpy", "polars")
QUICK_COLUMNS = (1_000, 10_000)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages * page_bytes / 2**30, 1),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "system": platform.system(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def processor() -> str:
    """Name of the processor, as far as the system tells."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def run(quick: bool, console: Console) -> dict[str, Any]:
    """Run and show everything."""
    found: dict[str, Any] = {
        "measured_on": datetime.date.today().isoformat(),
        "quick": quick,
        "machine": machine(),
    }
    found["startup"] = startup.benchmark()
    console.print(startup.table(found["startup"]))
    found["scenario"] = scenario.benchmark(days=scenario.QUICK_DAYS if quick else None)
    console.print(scenario.table(found["scenario"]))
    found["twin"] = twin.benchmark(twin.QUICK_FLEETS if quick else twin.FLEETS)
    console.print(twin.table(found["twin"]))
    found["race"] = race.benchmark()
    console.print(race.table(found["race"]))
    found["directive"] = directive.benchmark(directive.QUICK_DAYS if quick else None)
    console.print(directive.table(found["directive"]))
    found["covenant"] = covenant.benchmark()
    console.print(covenant.table(found["covenant"]))
    sizes = (60, sweep.QUICK_REPLICATES, sweep.QUICK_MARKS)
    found["sweep"] = sweep.benchmark(*sizes) if quick else sweep.benchmark()
    console.print(sweep.table(found["sweep"]))
    found["kernels"] = kernels.benchmark(kernels.QUICK_SIZES if quick else kernels.SIZES)
    console.print(kernels.table(found["kernels"]))
    console.print(columns.table(QUICK_COLUMNS if quick else columns.SIZES))
    found["goals"] = goals(found)
    console.print(goal_table(found["goals"]))
    return found


def goals(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What was aimed at and what came out."""
    one_thread, ten_years = found["twin"]["kernels"][0], found["scenario"]
    race_of, faster = found["race"]["blocks_per_s"], found["race"]["ratio"]
    under = found["directive"]["ratio"]
    return [
        goal("a day, times faster than Mesa", one_thread["day_ratio"], twin.GOAL, "at least"),
        goal("a search, times faster than Mesa", one_thread["month_ratio"], twin.GOAL, "at least"),
        goal(f"{ten_years['days']:,} days, s", ten_years["run_s"], scenario.GOAL_S, "at most"),
        goal("peak memory, MB", ten_years["peak_mb"], scenario.GOAL_MB, "at most"),
        goal("blocks a second in a race", race_of["walk"], race.GOAL_PER_S, "at least"),
        goal("a race, times faster than Python", faster, race.GOAL_RATIO, "at least"),
        goal(
            "a covenant's accounts, times faster than Python",
            found["covenant"]["ratio"],
            covenant.GOAL_RATIO,
            "at least",
        ),
        goal(
            "100,000 covenant blocks, ms",
            found["covenant"]["kernel_ms"],
            covenant.GOAL_MS,
            "at most",
        ),
        *sweep_goals(found["sweep"]),
        goal("a directive, times the run without", under, directive.GOAL_RATIO, "at most"),
        goal("cached start, s", found["startup"]["cached"]["total_s"], startup.GOAL_S, "at most"),
    ]


def sweep_goals(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What was aimed at with ensembles and sweeps."""
    growth = found["memory"]["growth_mb"]["parent_mb"]
    return [
        goal("two workers, times as fast as one", found["ratio"], sweep.GOAL_RATIO, "at least"),
        *(
            goal(f"cost of the engine {name}, over work", share, sweep.GOAL_OVERHEAD, "at most")
            for name, share in found["overhead"].items()
        ),
        goal("memory over thousands of runs, MB", growth, sweep.GOAL_GROWTH_MB, "at most"),
    ]


def goal(what: str, measured: float, limit: float, sense: str) -> dict[str, Any]:
    """One goal."""
    met = measured >= limit if sense == "at least" else measured <= limit
    return {"what": what, "measured": measured, "goal": f"{sense} {limit:g}", "met": bool(met)}


def goal_table(rows: list[dict[str, Any]]) -> Table:
    """Goals and what became of them."""
    shown = Table(title="Goals")
    for heading in ("what", "goal", "measured", "met"):
        shown.add_column(heading, justify="left" if heading == "what" else "right")
    for row in rows:
        shown.add_row(
            row["what"], row["goal"], f"{row['measured']:,.4g}", "yes" if row["met"] else "no"
        )
    return shown


def markdown(found: dict[str, Any]) -> str:
    """The headline figures for the README."""
    facts = found["machine"]
    where = f"{facts['processor']}, {facts['cores']} cores, Python {facts['python']}"
    libraries = ", ".join(f"{name} {number}" for name, number in facts["libraries"].items())
    lines = [f"Measured on {found['measured_on']}: {where}, {libraries}.", ""]
    lines += ["| goal | measured | met |", "|---|---|---|"]
    for row in found["goals"]:
        met = "yes" if row["met"] else "no"
        lines.append(f"| {row['what']}: {row['goal']} | {row['measured']:,.4g} | {met} |")
    lines += ["", *twin_lines(found["twin"]), "", *kernel_lines(found["kernels"])]
    return "\n".join(lines) + "\n"


def twin_lines(found: dict[str, Any]) -> list[str]:
    """Twin and kernels beside each other."""
    plain = found["twin"]
    lines = [
        f"| {found['fleets']:,} fleets | a day, ms | faster by | a search, ms | faster by |",
        "|---|---|---|---|---|",
        f"| plain Mesa | {plain['day_s'] * 1e3:,.0f} | | {plain['month_s'] * 1e3:,.0f} | |",
    ]
    return lines + [
        f"| kernels, threads: {row['threads']} | {row['day_s'] * 1e3:,.2f} "
        f"| {row['day_ratio']:,.0f} | {row['month_s'] * 1e3:,.1f} | {row['month_ratio']:,.0f} |"
        for row in found["kernels"]
    ]


def kernel_lines(found: dict[str, Any]) -> list[str]:
    """Nanoseconds and bytes a fleet at each size."""
    heads = " | ".join(kernels.PHASES)
    lines = [f"| fleets | {heads} | bytes of input | bytes at the peak |", "|---" * 7 + "|"]
    for row in found["sizes"]:
        times = " | ".join(f"{row['ns_per_fleet'][name]:,.0f}" for name in kernels.PHASES)
        memory = f"{row['input_bytes_per_fleet']:,.0f} | {row['peak_growth_bytes_per_fleet']:,.0f}"
        lines.append(f"| {row['fleets']:,} | {times} | {memory} |")
    day, month = found["growth_exponent_day"], found["growth_exponent_month"]
    lines += ["", "Nanoseconds and bytes a fleet, one thread. From 10,000 fleets on, time grows as"]
    return [*lines, f"fleets^{day:.2f} for a day and fleets^{month:.2f} for a month's search."]


def with_measured(text: str, measured: str) -> str:
    """The README with its measured part replaced."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + measured + END + rest.partition(END)[2]


def main() -> None:
    """Run everything and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, about a minute")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the numbers go")
    options = parser.parse_args()
    console = Console()
    found = run(options.quick, console)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.out == RESULTS and not options.quick:
        text = README.read_text(encoding="utf-8")
        README.write_text(with_measured(text, markdown(found)), encoding="utf-8")
    console.print(f"Written to {options.out}.", soft_wrap=True)


if __name__ == "__main__":
    main()
