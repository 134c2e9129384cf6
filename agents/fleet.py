"""Fleets: machines of one generation that one miner has in one place."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.population import Column, RowAgent, columnar

NOWHERE = -1
NEVER = np.int32(2**31 - 1)
LEAST_LOAD = 1e-9  # less is what rounding leaves where others have all the power
DAYS_OF_A_SEASON = 120.0
WEEKLY_ATTENTION = 0.2  # share of seasonal fleets whose owner weighs a move in a given week


class Fleet(RowAgent):
    """Machines of one generation that one miner runs, ships or stores together.

    A fleet with a site is in place from `ready_on` on and under way before; without a site it is in
    a warehouse. `second_site` is the seat kept empty for the other season.
    """

    miner = Column("row", dtype=np.int32, default=NOWHERE, doc="row of the owner")
    site = Column("row", dtype=np.int32, default=NOWHERE, doc="row of the site, -1 in a warehouse")
    second_site = Column("row", dtype=np.int32, default=NOWHERE, doc="seat of the other season")
    nation = Column("row", dtype=np.int16, doc="nation the machines are in, or were last")
    generation = Column("row", dtype=np.int16, doc="row of the ASIC generation")
    hashrate = Column("TH/s", doc="installed, whether or not it is switched on")
    efficiency = Column("J/TH", default=1.0, doc="of its generation")
    born = Column("day", doc="mean day of manufacture")
    ready_on = Column("day", dtype=np.int32, doc="day it is in place and working")
    leaves_on = Column(
        "day", dtype=np.int32, default=NEVER, doc="day its seat goes to new machines"
    )
    idle_days = Column("day", dtype=np.int32, doc="days in a row it has not run")
    load = Column("1", doc="share of day and fleet that ran today")

    @columnar
    def power_mw(fleets: Any) -> np.ndarray:
        """IT power when all of it runs."""
        return fleets["hashrate"] * fleets["efficiency"] * 1e-6

    @columnar
    def count_idle_days(fleets: Any, day: int, working: np.ndarray) -> None:
        """Count the days in a row that a fleet in place did not run, though its owner might."""
        idle = (fleets["load"] <= LEAST_LOAD) & (fleets["site"] >= 0) & (fleets["ready_on"] <= day)
        fleets["idle_days"] = np.where(idle, fleets["idle_days"] + working, 0)

    @columnar
    def clear_seats(fleets: Any, rows: np.ndarray) -> None:
        """Bring machines to the warehouse and give up their seats."""
        fleets["site"][rows] = NOWHERE
        fleets["second_site"][rows] = NOWHERE
        fleets["leaves_on"][rows] = NEVER
        fleets["idle_days"][rows] = 0
        fleets["load"][rows] = 0.0

    @columnar
    def change_season(
        fleets: Any,
        day: int,
        margin: np.ndarray,
        margin_there: np.ndarray,
        cost_usd_mw: float,
        gain: float,
        days: np.ndarray,
        attention: np.ndarray,
    ) -> np.ndarray:
        """Move fleets with two seats to the better one when the season's gain pays for it.

        `margin` and `margin_there` are USD/TH/day at either seat; returns the rows that moved.
        """
        better = (margin_there - margin) * DAYS_OF_A_SEASON - margin_there * days
        worth = better > gain * cost_usd_mw * fleets["efficiency"] * 1e-6
        movers = np.flatnonzero(
            (fleets["second_site"] >= 0)
            & (fleets["site"] >= 0)
            & (fleets["ready_on"] <= day)
            & (attention < WEEKLY_ATTENTION)
            & worth
        )
        here = fleets["site"][movers].copy()
        fleets["site"][movers] = fleets["second_site"][movers]
        fleets["second_site"][movers] = here
        fleets["ready_on"][movers] = day + np.ceil(days[movers]).astype(np.int32)
        return movers

    @columnar
    def consolidate(fleets: Any, day: int) -> None:
        """Merge rows of one miner, generation and seat that are all in place."""
        rows = fleets.rows[(fleets["ready_on"] <= day)[fleets.rows]]
        names = ("miner", "site", "second_site", "generation", "nation", "leaves_on")
        keys = one_key([fleets[name][rows] for name in names])
        _, first, group = np.unique(keys, return_index=True, return_inverse=True)
        if first.size == rows.size:
            return
        keep, hashrate = rows[first], fleets["hashrate"][rows]
        total = np.bincount(group, weights=hashrate)
        weight = np.where(total > 0, total, 1.0)
        born = np.bincount(group, weights=hashrate * fleets["born"][rows]) / weight
        fleets["hashrate"][keep] = total
        fleets["born"][keep] = born
        fleets.remove(np.setdiff1d(rows, keep, assume_unique=True))


def one_key(columns: list[np.ndarray]) -> np.ndarray:
    """One number for each row, the same exactly where all columns are the same."""
    key = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        digit = column.astype(np.int64) - column.min(initial=0)
        if digit.max(initial=0) > 1_000_000:
            digit = np.unique(digit, return_inverse=True)[1]
        key = key * (int(digit.max(initial=0)) + 1) + digit
    return key
