"""Makers of machines."""

from __future__ import annotations

from agents.population import Column, RowAgent


class Manufacturer(RowAgent):
    """A maker of machines with pricing power, counted in MW of machines a month."""

    capacity_mw = Column("MW/month", doc="fab capacity")
    pricing_power = Column("1", default=0.6, doc="share of a machine's present value it asks")
    output_ths = Column("TH/s", doc="built this month")
    tobin_q = Column("1", default=1.0, doc="present value of a machine over its cost")
