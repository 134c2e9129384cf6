"""The fleet kernels against plain Mesa agents that live by the same rules.

Run with `python -m benchmarks.twin`. A site is a `mesa.Agent` that switches its fleets on, a fleet
is a `mesa.Agent` that looks for a better seat; both are ordinary Python, without NumPy. Draws come
from the same function and decisions agree, so the ratio compares two ways of computing one thing.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import mesa
import numba
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.columns import seconds, traced_bytes
from benchmarks.kernels import (
    DAY,
    NATIONS,
    Day,
    Month,
    Setting,
    make_setting,
    one_day,
    one_month,
)
from model.streams import uniform

FLEETS = 100_000
QUICK_FLEETS = 20_000
GOAL = 100.0
MWH_PER_JOULE_PER_TH_DAY = 24e-6
DAYS_PER_MONTH = 30.4375
WHOLE_DAY = range(24)
ROUNDING = 1e-12


class PlainSite(mesa.Agent):
    """A site as Mesa keeps it."""

    hashprice: float
    power_price: float
    upkeep: float
    power_mw: float
    power_by_hour: list[float] | None
    vacant_mw: float
    pue: float
    duty: float
    revenue_tax: float
    hazard: float

    def __init__(self, model: PlainModel, **attributes: Any) -> None:
        super().__init__(model)
        self.fleets: list[PlainFleet] = []
        self.hashrate_by_hour = [0.0] * 24
        self.__dict__.update(attributes)

    def seat(self) -> None:
        """Put the most efficient fleets first; equals stay as they came."""
        self.fleets.sort(key=lambda fleet: fleet.efficiency)

    def run_machines(self) -> None:
        """Switch on, hour by hour, every fleet whose next hash pays for its power."""
        for fleet in self.fleets:
            fleet.load = 0.0
        if self.power_by_hour is None:
            self.hashrate_by_hour = [self.fill(self.power_mw, 1.0)] * 24
        else:
            self.hashrate_by_hour = [
                self.fill(self.power_mw * self.power_by_hour[hour], 1.0 / 24) for hour in WHOLE_DAY
            ]

    def fill(self, power_left: float, share_of_day: float) -> float:
        """Hashrate that runs on some power, TH/s."""
        cost = (self.power_price + self.model.outlook.idle_cost) * self.pue
        running = 0.0
        for fleet in self.fleets:
            if not fleet.ready:
                continue
            if self.hashprice <= cost * fleet.efficiency * MWH_PER_JOULE_PER_TH_DAY:
                break
            need = fleet.hashrate * fleet.efficiency * 1e-6 * self.pue
            if need <= 0.0:
                continue
            share = min(1.0, power_left / need)
            if share <= 0.0:
                break
            fleet.load += share * share_of_day
            running += share * fleet.hashrate
            power_left -= share * need
        return running

    def admit(self, need_mw: float) -> float:
        """Share of a need that finds room here."""
        share = min(1.0, max(self.vacant_mw, 0.0) / need_mw)
        self.vacant_mw -= share * need_mw
        return share

    def value_of_seat(self, efficiency: float) -> float:
        """Present value of running 1 TH/s here, USD/TH."""
        outlook = self.model.outlook
        cost = (
            (self.power_price + self.upkeep + outlook.idle_cost)
            * self.pue
            * efficiency
            * MWH_PER_JOULE_PER_TH_DAY
        )
        hashprice = outlook.hashprice * (1.0 - self.revenue_tax)
        discount, value = 1.0, 0.0
        for _ in range(outlook.months):
            hashprice *= 1.0 - outlook.decline
            discount /= 1.0 + 0.01 + self.hazard
            margin = hashprice - cost
            if margin <= 0.0 and outlook.decline >= 0.0:
                break
            value += max(margin, 0.0) * discount
        return value * DAYS_PER_MONTH * self.duty


class PlainFleet(mesa.Agent):
    """A fleet as Mesa keeps it."""

    hashrate: float
    efficiency: float
    machine_price: float
    ready: bool
    home: int

    def __init__(self, model: PlainModel, row: int, site: PlainSite | None, **attributes: Any):
        super().__init__(model)
        self.row = row
        self.site = site
        self.load = 0.0
        self.target: PlainSite | None = None
        self.downtime_days = 0.0
        self.granted = 0.0
        self.__dict__.update(attributes)
        if site is not None:
            site.fleets.append(self)

    def draw(self, number: int) -> float:
        """The draw that the kernel makes for this fleet."""
        return float(uniform(self.model.key, DAY, self.row, number))

    def propose(self) -> None:
        """Look at a few vacant seats and want the best of them, if the gain pays for the move."""
        self.target, self.downtime_days, self.granted = None, 0.0, 0.0
        moving, best = self.model.moving, 0.0
        stay = self.site.value_of_seat(self.efficiency) if self.site else 0.0
        for look in range(moving.looks):
            native = self.draw(3 * look) < moving.home_bias
            found = self.model.find_seat(self.home if native else -1, self.draw(3 * look + 1))
            if found is None or found is self.site:
                continue
            days, cost = self.cost_of_move(found, self.draw(3 * look + 2))
            lost = days / DAYS_PER_MONTH / self.model.outlook.months
            value = found.value_of_seat(self.efficiency) * (1.0 - min(lost, 1.0))
            gain = value - stay - moving.trigger * cost
            if gain > best:
                best, self.target, self.downtime_days = gain, found, days

    def cost_of_move(self, there: PlainSite, spread: float) -> tuple[float, float]:
        """Days and USD/TH that a move takes."""
        moving, watt = self.model.moving, self.efficiency * 1e-6
        if there.nation != self.home:
            days = moving.abroad_days_low + spread * (
                moving.abroad_days_high - moving.abroad_days_low
            )
            return days, moving.abroad_usd_mw * watt + there.import_duty * self.machine_price
        days = moving.home_days_low + spread * (moving.home_days_high - moving.home_days_low)
        return days, moving.home_usd_mw * watt

    def take_seat(self) -> None:
        """Ask the site that it wants for room."""
        there = self.target
        need = self.hashrate * self.efficiency * 1e-6 * there.pue if there else 0.0
        if there and need > 0.0:
            self.granted = there.admit(need)


class PlainModel(mesa.Model):
    """Sites and fleets as plain Mesa agents."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(rng=1)
        self.outlook, self.moving, self.key = setting.outlook, setting.moving, setting.key
        self.sites = plain_sites(self, setting)
        self.fleets = plain_fleets(self, setting)

    def dispatch(self) -> None:
        """A day: seat the fleets, then run those that pay."""
        sites = self.agents_by_type[PlainSite]
        sites.do("seat")
        sites.do("run_machines")
        total = [0.0] * 24
        for site in self.sites:
            for hour in WHOLE_DAY:
                total[hour] += site.hashrate_by_hour[hour]
        self.hashrate_by_hour = total

    def relocate(self) -> None:
        """A month: every fleet proposes, seats go in the order of the fleets' draws."""
        self.index_vacancies()
        fleets = self.agents_by_type[PlainFleet]
        fleets.do("propose")
        moving = fleets.select(lambda fleet: fleet.target is not None)
        moving.sort("priority", ascending=True).do("take_seat")

    def index_vacancies(self) -> None:
        """List the sites by nation with their vacant MW added up."""
        self.by_nation = sorted(self.sites, key=lambda site: site.nation)
        vacant = (max(site.vacant_mw, 0.0) for site in self.by_nation)
        self.cumulative = list(accumulate(vacant, initial=0.0))
        nations = [site.nation for site in self.by_nation]
        self.first = [bisect_right(nations, nation - 1) for nation in range(NATIONS + 1)]

    def find_seat(self, nation: int, draw: float) -> PlainSite | None:
        """A vacant site of a nation (-1: of the world), likelier where more is vacant."""
        low = self.first[nation] if nation >= 0 else 0
        high = self.first[nation + 1] if nation >= 0 else len(self.by_nation)
        base = self.cumulative[low]
        span = self.cumulative[high] - base
        if span <= 1e-9:
            return None
        position = bisect_right(self.cumulative, base + draw * span) - 1
        return self.by_nation[min(max(position, low), high - 1)]


def plain_sites(model: PlainModel, setting: Setting) -> list[PlainSite]:
    """The setting's sites as objects."""
    terms = {
        name: values.tolist()
        for name, values in setting.terms._asdict().items()
        if name != "infra"  # what no fleet looks at in these rules is left out
    }
    terms |= {name: getattr(setting, name).tolist() for name in ("hashprice", "power_mw")}
    terms["vacant_mw"] = setting.vacant_mw.tolist()
    hours = [setting.hourly_power[row].tolist() if row >= 0 else None for row in setting.hourly_row]
    return [
        PlainSite(model, power_by_hour=hours[row], **dict(zip(terms, values, strict=True)))
        for row, values in enumerate(zip(*terms.values(), strict=True))
    ]


def plain_fleets(model: PlainModel, setting: Setting) -> list[PlainFleet]:
    """The setting's fleets as objects, each known to its site."""
    names = ("home", "hashrate", "efficiency", "ready", "machine_price", "priority")
    columns = [getattr(setting, name).tolist() for name in names]
    return [
        PlainFleet(
            model,
            row,
            model.sites[site] if site >= 0 else None,
            **dict(zip(names, values, strict=True)),
        )
        for row, (site, *values) in enumerate(zip(setting.site.tolist(), *columns, strict=True))
    ]


def plain_day(model: PlainModel) -> Day:
    """A day of the twin, read out as the kernels give it."""
    model.dispatch()
    load = np.array([fleet.load for fleet in model.fleets])
    return Day(load, np.array(model.hashrate_by_hour))


def plain_month(model: PlainModel) -> Month:
    """A month of the twin, read out as the kernels give it."""
    model.relocate()
    rows = {site: row for row, site in enumerate(model.sites)}
    target = [rows[fleet.target] if fleet.target else -1 for fleet in model.fleets]
    return Month(
        np.array(target),
        np.array([fleet.downtime_days for fleet in model.fleets]),
        np.array([fleet.granted for fleet in model.fleets]),
    )


def require_same(setting: Setting, model: PlainModel) -> None:
    """Stop if the twin of this setting decides anything else than the kernels.

    Every fleet must want the same seat. Amounts may differ by the rounding of sums that the two
    add up in another order.
    """
    day, plain = one_day(setting), plain_day(model)
    np.testing.assert_allclose(plain.load, day.load, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(plain.hashrate_by_hour, day.hashrate_by_hour, rtol=ROUNDING)
    month, searched = one_month(setting), plain_month(model)
    np.testing.assert_array_equal(searched.target, month.target)
    np.testing.assert_allclose(searched.downtime_days, month.downtime_days, rtol=ROUNDING)
    np.testing.assert_allclose(searched.granted, month.granted, rtol=ROUNDING, atol=ROUNDING)


def timed(work: Callable[[], Any]) -> float:
    """Processor seconds of one call, so that other work on the machine cannot flatter a ratio."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    work()
    taken = time.process_time() - start
    gc.enable()
    return taken


def draws_s(setting: Setting) -> float:
    """Seconds that the twin spends on calls of the compiled draw, at most."""
    numbers = range(3 * setting.moving.looks)

    def all_draws() -> None:
        for row in range(setting.fleets):
            for number in numbers:
                uniform(setting.key, DAY, row, number)

    return timed(all_draws)


def benchmark(fleets: int) -> dict[str, Any]:
    """A day and a month of both, the kernels on one thread and on two."""
    setting = make_setting(fleets)
    # A site whose fleets are sorted already has less to do than the kernels, which start afresh.
    fresh = [PlainModel(setting) for _ in range(2)]
    day_s = min(timed(model.dispatch) for model in fresh)
    month_s = min(timed(model.relocate) for model in fresh)
    require_same(setting, PlainModel(setting))
    return {
        "fleets": fleets,
        "sites": setting.sites,
        "twin": {
            "day_s": day_s,
            "month_s": month_s,
            "draws_s": draws_s(setting),
            "bytes_per_fleet": traced_bytes(lambda: PlainModel(setting)) / fleets,
        },
        "kernels": [kernels(setting, threads, day_s, month_s) for threads in thread_counts()],
    }


def thread_counts() -> list[int]:
    """One and two threads, as far as there are processors."""
    return [count for count in (1, 2) if count <= min(os.cpu_count() or 1, numba_threads())]


def numba_threads() -> int:
    """Most threads that numba may use in this process."""
    return int(numba.config.NUMBA_NUM_THREADS)


def kernels(setting: Setting, threads: int, day_s: float, month_s: float) -> dict[str, Any]:
    """Time of the kernels on some threads, and how many times longer the twin takes."""
    numba.set_num_threads(threads)
    day = seconds(lambda: one_day(setting), 1.0)
    month = seconds(lambda: one_month(setting), 1.0)
    return {
        "threads": threads,
        "day_s": day,
        "month_s": month,
        "day_ratio": day_s / day,
        "month_ratio": month_s / month,
        "ratio": (30 * day_s + month_s) / (30 * day + month),
    }


def table(found: dict[str, Any]) -> Table:
    """Twin and kernels beside each other."""
    twin = found["twin"]
    shown = Table(
        title=f"{found['fleets']:,} fleets at {found['sites']:,} sites, the same rules",
        caption=f"of the twin's month, {twin['draws_s']:.2f} s are calls of the compiled draw",
    )
    for heading in ("", "a day, ms", "faster", "a search, ms", "faster", "30 days + search"):
        shown.add_column(heading, justify="right")
    shown.add_row("plain Mesa", f"{twin['day_s'] * 1e3:,.0f}", "", f"{twin['month_s'] * 1e3:,.0f}")
    for row in found["kernels"]:
        shown.add_row(
            f"kernels, threads: {row['threads']}",
            f"{row['day_s'] * 1e3:,.2f}",
            f"{row['day_ratio']:,.0f} x",
            f"{row['month_s'] * 1e3:,.2f}",
            f"{row['month_ratio']:,.0f} x",
            f"{row['ratio']:,.0f} x",
        )
    return shown


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fleets", type=int, default=FLEETS, metavar="N")
    Console().print(table(benchmark(parser.parse_args().fleets)))


if __name__ == "__main__":
    main()
