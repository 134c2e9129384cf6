"""Mining pools: operators who make the templates of their members."""

from __future__ import annotations

import numpy as np

from agents.population import Column, RowAgent

SOLO = -1


class Pool(RowAgent):
    """An operator with a seat, whose law can tell it what to put into blocks."""

    nation = Column("row", dtype=np.int16, doc="row of the nation whose law binds the operator")
    first_share = Column("1", doc="share of the blocks on the first day, as observed or assumed")
    hashrate = Column("TH/s", doc="of its members, running on average today")
