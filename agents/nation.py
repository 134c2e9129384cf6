"""Nations, and the places within them where power has one price and one law."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.population import Column, RowAgent, columnar


class Nation(RowAgent):
    """A jurisdiction: how far its law binds, how deep its capital markets are."""

    rule_of_law = Column("1", doc="how far power is bound by law")
    capital_depth = Column("1", doc="depth of the capital market")
    demand_response = Column("1", dtype=np.bool_, default=False, doc="pays loads for switching off")
    grid_co2 = Column("t/MWh", doc="carbon intensity of grid power")
    large_ai = Column("1", dtype=np.bool_, default=False, doc="has AI bidders for large sites")
    ai_backlog = Column("MW", doc="computation that waits for a site")
    large_room = Column("MW", doc="grid sites of 100 MW and more that may still be started")
    power_shock = Column("1", doc="log of the grid price over its mean")
    hashrate = Column("TH/s", doc="running on average today, by site")
    template_hashrate = Column("TH/s", doc="whose templates are made under its law")
    gdp_share = Column("1", doc="share of the world's product: its weight among nations")
    sanctioned = Column("1", doc="how much of its trade sanctions keep from the market")
    reserve_sat = Column("sat", dtype=np.int64, doc="coins that it holds")
    stranded_mw = Column("MW", doc="power that it could mine with and cannot sell")
    brownfield_mw = Column("MW", doc="idle connections of old industry that miners may take")
    defence_usd_mwh = Column("USD/MWh", doc="what it pays for mining at home, against dominance")
    undefended_share = Column("1", doc="share of the hashrate it had when it last paid nothing")

    @columnar
    def grow_backlog(nations: Any, grown_mw: float) -> None:
        """Add a month's growth of demand where there are bidders."""
        nations["ai_backlog"] += np.where(nations["large_ai"], grown_mw, 0.0)


class Place(RowAgent):
    """A nation, or a province where a nation's power differs: the law of the day lives here."""

    nation = Column("row", dtype=np.int16, doc="row of the nation")
    offset = Column("USD/MWh", doc="calibrated correction of the power price")
    power_charge = Column("USD/MWh", doc="taxes and tariffs less subsidies on mining power")
    revenue_tax = Column("1", doc="tax on mining revenue")
    import_duty = Column("1", doc="duty on machines, share of their value")
    available = Column("1", default=1.0, doc="share of power left by outages and curtailment")
    banned = Column("1", doc="share of the sites under a ban")
    evasion = Column("1", doc="share of the banned that goes underground")
    capacity_cap = Column("MW", default=np.inf, doc="most new capacity the law allows")
    site_cap = Column("MW", default=np.inf, doc="largest new site the law allows")
    capped_from = Column("MW", doc="capacity there was when the cap began")
    recent = Column("MW", doc="capacity started lately, smoothed over a year")
    hashrate = Column("TH/s", doc="running on average today")
