"""Miners: firms, households and states that own machines and pay for power."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.population import Column, RowAgent, columnar

HOME, PRIVATE, PUBLIC, STATE = np.int8(0), np.int8(1), np.int8(2), np.int8(3)
FORMS = ("home", "private", "public", "state")


class Miner(RowAgent):
    """A firm (or `multiplicity` alike households) with machines, cash, coins and debt."""

    nation = Column("row", dtype=np.int16, doc="row of the home nation: seat and listing")
    form = Column("1", dtype=np.int8, default=PRIVATE, doc="0 home, 1 private, 2 public, 3 state")
    multiplicity = Column("1", dtype=np.int32, default=1, doc="households this row stands for")
    cash = Column("USD", doc="in the bank")
    treasury_sat = Column("sat", dtype=np.int64, doc="coins held")
    debt = Column("USD", doc="bonds and loans")
    market_value = Column("USD", doc="what its shares would fetch, public firms")
    creditors_share = Column("1", doc="part of its shares that creditors took in a restructuring")
    status = Column(
        "1", dtype=np.int8, doc="0 solvent, 1 distressed, 2 restructuring, 3 liquidated"
    )
    status_until = Column("day", dtype=np.int32, doc="last day of a restructuring")
    halted_until = Column("day", dtype=np.int32, default=-1, doc="last day of a regulator's stop")
    hedged = Column("1", doc="share of the load at a fixed price")
    holding_share = Column("1", doc="share of new coins kept")
    power_mw = Column("MW", doc="installed site load")
    overhead = Column("USD/MWh", doc="the scale-indifferent expenses at its size")
    overhead_usd_day = Column("USD/day", doc="what they cost a day, running or not")
    machine_value = Column("USD", doc="second-hand value of its machines")
    pool = Column("row", dtype=np.int16, default=-1, doc="row of its pool, -1 if it mines alone")
    own_templates = Column(
        "1", dtype=np.bool_, doc="whether it declares its own jobs in a pool (Stratum V2)"
    )
    ideology = Column("1", doc="what including forbidden transactions is worth to it, in rewards")
    free_sat = Column("sat", dtype=np.int64, doc="coins held on the free side of a split")
    work = Column("TH/s", doc="running on average today")
    earned_sat = Column("sat", dtype=np.int64, doc="payouts today")
    power_bill = Column("USD", doc="paid for power today")
    months_empty = Column("month", dtype=np.int32, doc="months in a row without any machine")
    spent = Column("USD", doc="paid for machines this month")

    @columnar
    def take_payouts(miners: Any, payouts: np.ndarray) -> None:
        """Add the day's payouts to the treasuries."""
        miners["earned_sat"] = payouts
        miners["treasury_sat"] += payouts

    @columnar
    def coins_to_sell(miners: Any, bills: np.ndarray, price_sat: float) -> np.ndarray:
        """Satoshis to sell today: what is not kept, and more where the bills exceed the cash."""
        kept = np.floor(miners["earned_sat"] * miners["holding_share"]).astype(np.int64)
        sold = miners["earned_sat"] - kept
        short = np.maximum(bills - miners["cash"] - sold * price_sat, 0.0)
        sold = sold + np.ceil(short / price_sat).astype(np.int64)
        return np.minimum(sold, miners["treasury_sat"])
