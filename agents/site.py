"""Energy sites: where machines find power, at what price, under whose law."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.population import Column, RowAgent, columnar

MINERS, AI, CLOSED = np.int8(0), np.int8(1), np.int8(2)


class Site(RowAgent):
    """A site, or `capacity_mw / size_mw` equal small ones held as one row."""

    place = Column("row", dtype=np.int16, doc="row of the place")
    nation = Column("row", dtype=np.int16, doc="row of the nation")
    cell = Column("row", dtype=np.int32, doc="row of the kind of site at the place")
    kind = Column("row", dtype=np.int16, doc="row of the site type")
    reported_nation = Column("row", dtype=np.int16, doc="nation its miners claim to be in")
    latitude = Column("deg", doc="north positive")
    longitude = Column("deg", doc="east positive")
    capacity_mw = Column("MW", doc="power the row can deliver")
    size_mw = Column("MW", doc="size of one site")
    generation_wet = Column("USD/MWh", doc="generation cost, in the wet season where there is one")
    generation_dry = Column("USD/MWh", doc="generation cost, in the dry season")
    transmission = Column("USD/MWh", doc="transmission and distribution")
    duty_wet = Column("1", default=1.0, doc="share of the time there is power")
    duty_dry = Column("1", default=1.0, doc="the same in the dry season")
    pue = Column("1", default=1.1, doc="site load over IT load")
    upkeep = Column("USD/MWh", doc="operation and maintenance")
    infra = Column("USD/MW", doc="cost of a seat's infrastructure")
    grid = Column("1", dtype=np.bool_, default=False, doc="pays transmission and distribution")
    hourly = Column("row", dtype=np.int32, default=-1, doc="row of its hourly profile, -1 if flat")
    energised_on = Column("day", dtype=np.int32, doc="first day with power")
    tenant = Column("1", dtype=np.int8, default=MINERS, doc="0 miners, 1 AI, 2 closed by law")
    underground = Column("1", dtype=np.bool_, default=False, doc="runs against a ban")
    law_draw = Column("1", doc="uniform draw that says how soon a partial ban reaches it")
    evasion_draw = Column("1", doc="uniform draw that says whether it goes underground")
    offer_draw = Column("1", doc="uniform draw that says whether a bidder outbids miners")
    power_price = Column("USD/MWh", doc="delivered today")
    contract_price = Column("USD/MWh", doc="delivered at the mean grid price, as contracts fix it")
    available_mw = Column("MW", doc="power there is today")
    used_mw = Column("MW", doc="promised to machines in place, under way or on order")
    reserved_mw = Column("MW", doc="kept for machines away for the season")
    energy_mwh = Column("MWh", doc="used today")

    @columnar
    def price_power(
        sites: Any,
        wet: float,
        generation: float,
        transmission: float,
        charge: np.ndarray,
        credit: np.ndarray,
    ) -> None:
        """Set the delivered price from season, trends, charges at the place and credits."""
        spread = sites["generation_wet"] - sites["generation_dry"]
        season = sites["generation_dry"] + wet * spread
        delivered = season * generation + sites["transmission"] * transmission
        sites["power_price"] = delivered + charge - credit

    @columnar
    def supply_power(sites: Any, day: int, wet: float, available: np.ndarray) -> None:
        """Set today's power from season, outages, energising dates and who holds the site."""
        duty = sites["duty_dry"] + wet * (sites["duty_wet"] - sites["duty_dry"])
        # Sites under the sun have their hours instead of a duty.
        duty = np.where(sites["hourly"] >= 0, 1.0, duty)
        open_today = (sites["tenant"] == MINERS) & (sites["energised_on"] <= day)
        sites["available_mw"] = sites["capacity_mw"] * duty * available * open_today

    @columnar
    def vacant_mw(sites: Any, horizon_day: int) -> np.ndarray:
        """MW that newcomers can have by a day, per row."""
        offered = (sites["tenant"] == MINERS) & (sites["energised_on"] <= horizon_day)
        offered &= ~sites["underground"]
        # Seats beyond the power of the better season would stand idle; the sun's hours differ.
        duty = np.maximum(sites["duty_wet"], sites["duty_dry"])
        usable = sites["capacity_mw"] * np.where(sites["hourly"] >= 0, 1.0, duty)
        vacant = usable - sites["used_mw"] - sites["reserved_mw"]
        return np.where(offered & sites.alive, np.maximum(vacant, 0.0), 0.0)

    @columnar
    def obey(sites: Any, banned: np.ndarray, evasion: np.ndarray) -> np.ndarray:
        """Close, hide or reopen sites as the bans of the day ask; returns the rows just closed."""
        hit = sites.alive & (sites["law_draw"] < banned) & (sites["tenant"] != AI)
        hidden = hit & (sites["evasion_draw"] < evasion)
        shut = hit & ~hidden
        newly = shut & (sites["tenant"] == MINERS)
        lifted = ~hit & (sites["tenant"] == CLOSED)
        sites["tenant"][newly] = CLOSED
        sites["tenant"][lifted] = MINERS
        sites["underground"] = hidden
        return np.flatnonzero(newly)
