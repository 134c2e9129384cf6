"""Time and memory of the fleet kernels, from a thousand fleets to a million.

Run with `python -m benchmarks.kernels`. A day seats and dispatches every fleet; a month lets every
fleet look for a better seat and admits those that find one.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from rich.console import Console
from rich.table import Table

from agents.moving import move_terms
from benchmarks.columns import seconds, traced_bytes
from model.markets import seats
from model.markets.dispatch import dispatch, seat_order
from model.parameters import Firms, Machines
from model.streams import Streams

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
QUICK_SIZES = (1_000, 10_000, 100_000)
FLEETS_PER_SITE = 4
GENERATIONS = 12
NATIONS = 50
HOURLY_SHARE = 0.03
STORED_SHARE = 0.03
VACANT_SHARE = 0.2
HASHPRICE_USD_TH_DAY = 0.05
DAY = 400
PHASES = ("seat_order", "dispatch", "propose_moves", "admit")


@dataclass(frozen=True)
class Setting:
    """Made-up fleets and sites with the spread that real ones have."""

    site: np.ndarray
    home: np.ndarray
    hashrate: np.ndarray
    efficiency: np.ndarray
    rank: np.ndarray
    ready: np.ndarray
    machine_price: np.ndarray
    priority: np.ndarray
    hashprice: np.ndarray
    power_mw: np.ndarray
    hourly_row: np.ndarray
    hourly_power: np.ndarray
    vacant_mw: np.ndarray
    terms: seats.SiteTerms
    outlook: seats.Outlook
    moving: seats.MoveTerms
    key: np.uint64

    @property
    def fleets(self) -> int:
        """Number of fleets."""
        return int(self.site.size)

    @property
    def sites(self) -> int:
        """Number of sites."""
        return int(self.power_mw.size)


@dataclass(frozen=True)
class Day:
    """What a day's dispatch decides."""

    load: np.ndarray
    hashrate_by_hour: np.ndarray


@dataclass(frozen=True)
class Month:
    """What a month's search for seats decides, one entry a fleet."""

    target: np.ndarray
    downtime_days: np.ndarray
    granted: np.ndarray


def make_setting(fleets: int, seed: int = 1) -> Setting:
    """Fleets of twelve generations at a quarter as many sites in fifty nations."""
    draw = np.random.default_rng(seed)
    sites = max(fleets // FLEETS_PER_SITE, 1)
    rank = draw.integers(0, GENERATIONS, fleets)
    efficiency = np.geomspace(13.5, 90.0, GENERATIONS)[rank]
    site = draw.integers(0, sites, fleets).astype(np.int32)
    site[draw.random(fleets) < STORED_SHARE] = -1
    hashrate = draw.lognormal(8.0, 1.0, fleets)
    terms = make_terms(draw, sites)
    used = np.zeros(sites)
    placed = site >= 0
    np.add.at(used, site[placed], (hashrate * efficiency * 1e-6)[placed])
    power = used * terms.pue * draw.uniform(0.8, 1.4, sites)
    hourly = np.full(sites, -1, dtype=np.int32)
    sunny = np.flatnonzero(draw.random(sites) < HOURLY_SHARE)
    hourly[sunny] = np.arange(sunny.size)
    return Setting(
        site=site,
        home=np.where(placed, terms.nation[site], draw.integers(0, NATIONS, fleets)),
        hashrate=hashrate,
        efficiency=efficiency,
        rank=rank,
        ready=draw.random(fleets) < 0.97,
        machine_price=200.0 / efficiency,
        priority=draw.random(fleets),
        hashprice=HASHPRICE_USD_TH_DAY * (1.0 - terms.revenue_tax),
        power_mw=power,
        hourly_row=hourly,
        hourly_power=sunshine(draw, sunny.size),
        vacant_mw=power * (draw.random(sites) < VACANT_SHARE),
        terms=terms,
        outlook=seats.Outlook(HASHPRICE_USD_TH_DAY, 0.02, Machines().used_horizon_months, 0.5),
        moving=move_terms(Firms()),
        key=Streams(seed).key("moves"),
    )


def make_terms(draw: np.random.Generator, sites: int) -> seats.SiteTerms:
    """Prices, taxes and nations of the sites."""
    nation = draw.integers(0, NATIONS, sites)
    return seats.SiteTerms(
        power_price=draw.uniform(15.0, 90.0, sites),
        upkeep=draw.uniform(0.0, 6.0, sites),
        pue=draw.uniform(1.02, 1.2, sites),
        duty=draw.uniform(0.6, 1.0, sites),
        revenue_tax=np.where(draw.random(sites) < 0.1, 0.05, 0.0),
        nation=nation,
        import_duty=draw.choice([0.0, 0.1, 0.25], sites),
        infra=draw.uniform(1e5, 1e6, sites),
        hazard=draw.uniform(0.0, 0.01, NATIONS)[nation],
    )


def sunshine(draw: np.random.Generator, rows: int) -> np.ndarray:
    """Share of a site's power that there is in each hour, zero at night."""
    noon = draw.uniform(8.0, 16.0, rows)[:, None]
    shape = np.cos((np.arange(24) - noon) * np.pi / 12.0)
    return np.ascontiguousarray(np.maximum(shape, 0.0)) if rows else np.zeros((1, 24))


def seat(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Group the fleets by site, most efficient first."""
    return seat_order(setting.site, setting.rank, setting.sites)


def switch(setting: Setting, seating: tuple[np.ndarray, np.ndarray]) -> Day:
    """Run what pays at every seated fleet."""
    load, by_hour = dispatch(
        *seating,
        setting.hashrate,
        setting.efficiency,
        setting.ready,
        setting.hashprice,
        setting.terms.power_price,
        setting.power_mw,
        setting.terms.pue,
        setting.hourly_row,
        setting.hourly_power,
        setting.outlook.idle_cost,
    )
    return Day(load, by_hour)


def propose(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Let every fleet look for a better seat."""
    target, downtime = seats.propose_moves(
        setting.key,
        DAY,
        np.arange(setting.fleets),
        setting.site,
        setting.home,
        setting.efficiency,
        setting.machine_price,
        seats.vacant_seats(setting.terms.nation, setting.vacant_mw, NATIONS),
        setting.terms,
        setting.outlook,
        setting.moving,
    )
    return target, downtime


def admit(setting: Setting, target: np.ndarray) -> np.ndarray:
    """Give the seats to those who want them, in the order of their draws; shares by fleet."""
    goes = np.flatnonzero(target >= 0)
    wanted = target[goes]
    need = setting.hashrate[goes] * setting.efficiency[goes] * 1e-6 * setting.terms.pue[wanted]
    granted = np.zeros(setting.fleets)
    granted[goes] = seats.admit(wanted, need, setting.vacant_mw.copy(), setting.priority[goes])
    return granted


def one_day(setting: Setting) -> Day:
    """Seat and dispatch."""
    return switch(setting, seat(setting))


def one_month(setting: Setting) -> Month:
    """Propose and admit."""
    target, downtime = propose(setting)
    return Month(target, downtime, admit(setting, target))


def time_phases(setting: Setting, at_least: float = 0.3) -> dict[str, float]:
    """Seconds of each kernel, the best of several runs."""
    seating, target = seat(setting), propose(setting)[0]
    work: dict[str, Callable[[], Any]] = {
        "seat_order": lambda: seat(setting),
        "dispatch": lambda: switch(setting, seating),
        "propose_moves": lambda: propose(setting),
        "admit": lambda: admit(setting, target),
    }
    return {name: seconds(work[name], at_least) for name in PHASES}


def compile_kernels() -> None:
    """Compile everything, or load it from the cache."""
    setting = make_setting(200)
    one_day(setting)
    one_month(setting)


def peak_kb() -> int:
    """Most memory this process has held, kB.

    Linux keeps it by program; `ru_maxrss`, used elsewhere, also counts what the parent held.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(fleets: int) -> dict[str, Any]:
    """Time and memory at one size on one thread; meant for a process of its own."""
    numba.set_num_threads(1)
    compile_kernels()
    before = peak_kb()
    setting = make_setting(fleets)
    one_day(setting)
    one_month(setting)
    peak = peak_kb()
    taken = time_phases(setting)
    held = traced_bytes(lambda: make_setting(fleets))
    return {
        "fleets": fleets,
        "seconds": taken,
        "ns_per_fleet": {name: taken[name] / fleets * 1e9 for name in PHASES},
        "input_bytes_per_fleet": held / fleets,
        "peak_growth_mb": (peak - before) / 1024.0,
        "peak_growth_bytes_per_fleet": (peak - before) * 1024.0 / fleets,
    }


def measure_apart(fleets: int) -> dict[str, Any]:
    """The same in a fresh process, so that one size's memory is not another's."""
    command = [sys.executable, "-m", "benchmarks.kernels", "--one", str(fleets)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def growth_exponent(rows: list[dict[str, Any]], phases: tuple[str, ...] = PHASES) -> float:
    """Slope of log time on log fleets over the sizes from 10,000 on; 1 is linear."""
    large = [row for row in rows if row["fleets"] >= 10_000]
    sizes = np.log([row["fleets"] for row in large])
    times = np.log([sum(row["seconds"][name] for name in phases) for row in large])
    return float(np.polyfit(sizes, times, 1)[0])


def benchmark(sizes: tuple[int, ...]) -> dict[str, Any]:
    """Every size, and how time grows."""
    rows = [measure_apart(fleets) for fleets in sizes]
    return {
        "threads": 1,
        "sizes": rows,
        "growth_exponent_day": growth_exponent(rows, PHASES[:2]),
        "growth_exponent_month": growth_exponent(rows, PHASES[2:]),
    }


def table(found: dict[str, Any]) -> Table:
    """Nanoseconds and bytes a fleet at each size."""
    day, month = found["growth_exponent_day"], found["growth_exponent_month"]
    shown = Table(
        title="Fleet kernels on one thread, ns and bytes a fleet",
        caption=f"time grows as fleets^{day:.2f} for a day and fleets^{month:.2f} for a month",
    )
    for heading in ("fleets", *PHASES, "input B", "peak B"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in found["sizes"]:
        shown.add_row(
            f"{row['fleets']:,}",
            *(f"{row['ns_per_fleet'][name]:,.0f}" for name in PHASES),
            f"{row['input_bytes_per_fleet']:,.0f}",
            f"{row['peak_growth_bytes_per_fleet']:,.0f}",
        )
    return shown


def main() -> None:
    """Print the table, or one size as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="N")
    parser.add_argument("--one", type=int, metavar="N", help="measure one size, print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    Console().print(table(benchmark(tuple(options.sizes))))


if __name__ == "__main__":
    main()
