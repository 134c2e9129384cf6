"""What a run leaves behind: one preallocated row a day, shares and events."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray


class Series(NamedTuple):
    """A daily column: name (ending in its unit), unit, meaning, and its value if never written."""

    name: str
    unit: str
    doc: str
    default: float | None = None


# A column with a default is about directives: without one, its true value is that constant.
SERIES: tuple[Series, ...] = (
    Series("price_usd", "USD/BTC", "coin price"),
    Series("hashrate_ehs", "EH/s", "network hashrate, mean of the day"),
    Series("difficulty", "1", "difficulty at the end of the day"),
    Series("blocks", "1", "blocks found in the day"),
    Series("hashprice_usd_ph_day", "USD/PH/day", "revenue of one PH/s in a day"),
    Series("fees_btc", "BTC", "transaction fees of the day"),
    Series("power_gw", "GW", "power of mining sites, cooling included"),
    Series("energy_twh_yr", "TWh/yr", "the day's energy as a yearly rate"),
    Series("efficiency_j_th", "J/TH", "mean efficiency of the machines that run"),
    Series(
        "efficiency_cambridge_j_th",
        "J/TH",
        "unweighted mean of listed models that are profitable at 50 USD/MWh, as Cambridge has it",
    ),
    Series("electricity_share_of_opex", "1", "electricity over cash operating cost"),
    Series("power_cost_usd_mwh", "USD/MWh", "mean delivered power price of the load that runs"),
    Series("asic_price_usd_th", "USD/TH", "price of the newest machines"),
    Series("hhi_nation", "1", "Herfindahl index of nations, by site"),
    Series("hhi_pool", "1", "Herfindahl index of pools"),
    Series("nakamoto_nation", "1", "fewest nations with more than half of the hashrate"),
    Series("top_nation_share", "1", "largest share of a nation, by site"),
    Series("share_under_10mw", "1", "hashrate at sites below 10 MW"),
    Series("share_over_100mw", "1", "hashrate at sites above 100 MW"),
    Series("share_behind_meter", "1", "hashrate at sites behind the meter"),
    Series("share_grid", "1", "hashrate at sites on the grid"),
    Series("share_public_firms", "1", "hashrate of public firms"),
    Series("enforcing_share", "1", "hashrate that orphans what a directive forbids", 0.0),
    Series("filtering_share", "1", "hashrate that leaves out what a directive forbids", 0.0),
    Series(
        "orphan_rate", "1", "orphaned blocks over found, of 14 days; natural without a directive"
    ),
    Series(
        "inclusion_rate",
        "1",
        "forbidden transactions included, over all; 14 days, null while all blocks are in dispute",
        1.0,
    ),
    Series(
        "free_coin_value_share", "1", "value of the free branch over both; 1 with one coin", 1.0
    ),
    Series(
        "neutrality_discount",
        "1",
        "factor on a drawn price for concentration; 1 at first",
        1.0,
    ),
    Series("co2_mt_yr", "MtCO2e/yr", "the day's emissions as a yearly rate"),
    Series("utilisation", "1", "load over energised capacity"),
    Series("vacancy", "1", "energised capacity without machines, over all of it"),
    Series("machines_idle_share", "1", "hashrate installed or stored that does not run"),
    Series("bankruptcies", "1", "firms that failed in the day"),
    Series("tobin_q", "1", "value of a machine in use over its price"),
    Series("machine_output_mw", "MW/month", "machines built, as a monthly rate"),
    Series("site_capacity_gw", "GW", "energised capacity of mining sites"),
    Series("firms", "1", "firms that are alive"),
    Series("hhi_template", "1", "Herfindahl index of who makes templates"),
    Series("top_template_share", "1", "largest share of templates that one hand makes"),
    Series("own_templates_share", "1", "hashrate whose owners make their own templates"),
    Series("covenant_share", "1", "hashrate in the covenant pool"),
    Series(
        "free_coin_hashrate_share",
        "1",
        "hashrate of the free branch over both; 1 with one coin",
        1.0,
    ),
    Series("compliant_price_usd", "USD/BTC", "price of the compliant coin of a split", math.nan),
    Series("free_price_usd", "USD/BTC", "price of the free coin of a split", math.nan),
    Series(
        "forbidden_wait_hours",
        "h",
        "mean wait of the forbidden transactions that got in today, under a directive",
        math.nan,
    ),
)

GROUPINGS: tuple[str, ...] = (
    "nation",
    "place",
    "reported_nation",
    "headquarters",
    "template",
    "pool",
    "template_maker",
    "scheme",
    "firm",
    "size",
    "energy",
    "owner",
)


class Recorder:
    """The record of one run, in memory: a matrix of days by series, shares, and events."""

    def __init__(self, days: int, start: datetime.date, series: Sequence[Series] = SERIES) -> None:
        self.start = start
        self.columns = tuple(series)
        self.written = 0
        self.latest: Mapping[str, float] = {}
        self._matrix = np.full((days, len(self.columns)), np.nan)
        self._shares: list[tuple[int, str, tuple[str, ...], NDArray[np.float64]]] = []
        self._events: list[tuple[int, str, str, str]] = []
        self._known = frozenset(column.name for column in self.columns)

    def write(self, day: int, values: Mapping[str, float]) -> None:
        """Record one day: a value for every series without a default, NaN where undefined."""
        unknown = values.keys() - self._known
        if unknown:
            raise KeyError(f"no such series: {', '.join(sorted(unknown))}")
        row = self._matrix[day]
        for position, column in enumerate(self.columns):
            value = values.get(column.name, column.default)
            if value is None:
                raise KeyError(f"day {day} lacks a value of {column.name}")
            row[position] = value
        if np.isinf(row).any():
            infinite = self.columns[int(np.argmax(np.isinf(row)))].name
            raise ValueError(f"{infinite} is infinite on day {day}")
        self.written = max(self.written, day + 1)
        self.latest = values

    def share(
        self, day: int, grouping: str, members: Sequence[str], shares: NDArray[np.float64]
    ) -> None:
        """Record the shares of a grouping's members on one day."""
        if grouping not in GROUPINGS:
            raise KeyError(f"no such grouping: {grouping}")
        held = np.array(shares, dtype=np.float64)
        if held.shape != (len(members),):
            raise ValueError(f"{len(members)} members of {grouping}, but shares {held.shape}")
        self._shares.append((day, grouping, tuple(members), held))

    def event(self, day: int, kind: str, subject: str, what: str) -> None:
        """Record something that happened."""
        self._events.append((day, kind, subject, what))

    def news(self, told: int) -> list[tuple[int, str, str, str]]:
        """Day, kind, subject and words of what happened after the first `told` events."""
        return self._events[told:]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """The days written so far of one series, as a read-only view."""
        position = [column.name for column in self.columns].index(name)
        view = self._matrix[: self.written, position]
        view.flags.writeable = False
        return view

    def series(self) -> pl.DataFrame:
        """One row a day: date, then every series; null where undefined."""
        names = [column.name for column in self.columns]
        frame = pl.DataFrame(self._matrix[: self.written], schema=names).fill_nan(None)
        return frame.insert_column(0, self._dates(range(self.written)))

    def shares(self) -> pl.DataFrame:
        """Rows of date, grouping, member, share."""
        counts = [len(members) for _, _, members, _ in self._shares]
        held = [shares for _, _, _, shares in self._shares]
        return pl.DataFrame(
            {
                "date": self._dates(np.repeat([day for day, *_ in self._shares], counts)),
                "grouping": _repeated([grouping for _, grouping, *_ in self._shares], counts),
                "member": [name for _, _, members, _ in self._shares for name in members],
                "share": np.concatenate(held) if held else [],
            },
            schema={
                "date": pl.Date,
                "grouping": pl.String,
                "member": pl.String,
                "share": pl.Float64,
            },
        )

    def events(self) -> pl.DataFrame:
        """Rows of date, kind, subject, what, in the order of days."""
        rows = sorted(self._events, key=lambda event: event[0])
        frame = pl.DataFrame(
            [row[1:] for row in rows],
            schema={"kind": pl.String, "subject": pl.String, "what": pl.String},
            orient="row",
        )
        return frame.insert_column(0, self._dates([day for day, *_ in rows]))

    def _dates(self, days: Any) -> pl.Series:
        first = np.datetime64(self.start, "D")
        return pl.Series("date", first + np.asarray(days, dtype="timedelta64[D]"), dtype=pl.Date)


def _repeated(names: Sequence[str], counts: Sequence[int]) -> list[str]:
    return [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
