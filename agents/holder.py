"""Holders of the coin: groups that favour one side of a split or the other."""

from __future__ import annotations

import numpy as np

from agents.population import Column, RowAgent

GROUPS = ("freedom seekers", "custodians", "neutral")


class HolderGroup(RowAgent):
    """Holders who are alike: freedom-seekers, clients of custodians, everybody else."""

    weight = Column("1", doc="share of the supply outside treasuries and reserves")
    attachment = Column("1", doc="log-odds with which it prefers the free coin")
    custody = Column("1", dtype=np.bool_, default=False, doc="held by custodians, whom law binds")
    free_demand = Column("1", doc="share of its demand that is for the free coin")
    days_over = Column("day", doc="days in a row with more censorship than it bears")
