"""Holders of the coin: groups that favour one side of a split or the other."""

from __future__ import annotations

import numpy as np

from agents.population import Column, RowAgent

GROUPS = ("freedom seekers", "custodians", "neutral")
PARTS = 10  # of each group, which bear more or less before they ask for a fork


class HolderGroup(RowAgent):
    """Holders who are alike: part of the freedom-seekers, of custodians' clients, or of others."""

    group = Column("1", dtype=np.int8, doc="0 freedom-seekers, 1 custodians, 2 neutral")
    weight = Column("1", doc="share of the supply outside treasuries and reserves")
    attachment = Column("1", doc="log-odds with which it prefers the free coin")
    custody = Column("1", dtype=np.bool_, default=False, doc="held by custodians, whom law binds")
    tolerance = Column("1", doc="share of blocks that may be censored before it minds")
    patience_days = Column("day", doc="for how long it bears more than that")
    days_over = Column("day", doc="days in a row with more censorship than it bears")
    free_demand = Column("1", doc="value share of the free coin that it sees")
