"""Mining pools: operators who make the templates of their members, and one without an operator."""

from __future__ import annotations

import numpy as np

from agents.population import Column, RowAgent

SOLO = -1


class Pool(RowAgent):
    """An operator with a seat, whose law can tell it what to put into blocks.

    The covenant pool has no operator: it is here because miners join it, but its members make
    their own templates and nobody can be told anything.
    """

    nation = Column("row", dtype=np.int16, doc="row of the nation whose law binds the operator")
    first_share = Column("1", doc="share of the blocks on the first day, as observed or assumed")
    operated = Column("1", dtype=np.bool_, default=True, doc="whether it has an operator")
    scheme = Column("row", dtype=np.int8, doc="row of its scheme in the table of schemes")
    cut = Column("1", doc="operator cut")
    brand = Column(
        "1", default=np.nan, doc="what draws miners beside payouts, over revenue; NaN before asked"
    )
    reserve_sat = Column("sat", dtype=np.int64, doc="what it holds to pay every share")
    ruined = Column("1", dtype=np.bool_, doc="whether it could not pay every share any more")
    hashrate = Column("TH/s", doc="of its members, running on average today")
    template_hashrate = Column("TH/s", doc="of the members whose templates it makes")
