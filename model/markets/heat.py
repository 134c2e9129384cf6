"""Waste heat that replaces other heat: how much of it, when, where, and worth what."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.units import DAYS_PER_YEAR

FloatArray = NDArray[np.float64]
Numbers = float | NDArray[Any]

# Fuel displaced: its price in USD/MWh, and the heat a MWh of it gives.
DISPLACED_FUELS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"resistive": (120.0, 1.0), "gas": (40.0, 0.9), "heat_pump": (120.0, 3.0)}
)

_WARMEST_DAY_NORTH = 200.0
_WARMEST_DAY_SOUTH = 18.0
_HEATING_BELOW_C = 18.0


def ambient_temperature(latitude_deg: Numbers, day_of_year: Numbers) -> FloatArray:
    """Daily mean air temperature at sea level, degrees Celsius.

    Parameters
    ----------
    latitude_deg : degrees, north positive
    day_of_year : 1 to 366

    Notes
    -----
    T = 28 - .45 |latitude| + .3 |latitude| cos(2 pi (day - warmest) / 365.25), warmest day 200
    in the north and 18 in the south: an assumption of the right size, not a climate record.
    """
    distance = np.abs(np.asarray(latitude_deg, dtype=np.float64))
    warmest = np.where(np.asarray(latitude_deg) >= 0.0, _WARMEST_DAY_NORTH, _WARMEST_DAY_SOUTH)
    phase = 2.0 * np.pi * (np.asarray(day_of_year) - warmest) / DAYS_PER_YEAR
    return np.asarray(28.0 - 0.45 * distance + 0.30 * distance * np.cos(phase))


def heat_demand(
    temperature_c: Numbers, conductance_mw_c: Numbers, process_mw: Numbers = 0.0
) -> FloatArray:
    """Heat wanted, MW: space heating below 18 degrees, and processes that want it all year."""
    missing = np.maximum(_HEATING_BELOW_C - np.asarray(temperature_c, dtype=np.float64), 0.0)
    return np.asarray(np.asarray(conductance_mw_c) * missing + process_mw)


def heating_hours(latitude_deg: Numbers) -> FloatArray:
    """Hours of a year in which rooms at a latitude want heat."""
    latitude = np.atleast_1d(np.asarray(latitude_deg, dtype=np.float64))
    temperature = ambient_temperature(latitude[:, None], np.arange(1, 366)[None, :])
    return np.asarray(24.0 * (temperature < _HEATING_BELOW_C).sum(axis=1), dtype=np.float64)


def useful_fraction(demand_mw: Numbers, heat_mw: Numbers) -> FloatArray:
    """Share of the heat produced that somebody wants; all the power used becomes heat."""
    demand = np.asarray(demand_mw, dtype=np.float64)
    heat = np.asarray(heat_mw, dtype=np.float64)
    safe = np.where(heat > 0.0, heat, 1.0)
    return np.asarray(np.where(heat > 0.0, np.minimum(1.0, demand / safe), 1.0))


def displaced_value(fuel_price_usd_mwh: Numbers, heat_per_fuel: Numbers) -> FloatArray:
    """Worth of a MWh of heat: what the fuel it displaces would have cost, USD/MWh."""
    return np.asarray(np.asarray(fuel_price_usd_mwh, dtype=np.float64) / heat_per_fuel)


def fuel_value(fuel: str) -> float:
    """Worth of a MWh of heat against one of `DISPLACED_FUELS`, USD/MWh."""
    price, heat_per_fuel = DISPLACED_FUELS[fuel]
    return float(displaced_value(price, heat_per_fuel))


def heat_credit(
    load_mw: Numbers, demand_mw: Numbers, value_usd_mwh: Numbers, sink_mw: Numbers = np.inf
) -> FloatArray:
    """Heat revenue per MWh of electricity used.

    Parameters
    ----------
    load_mw : site load, all of it ending as heat, MW
    demand_mw : heat wanted at the moment, MW
    value_usd_mwh : worth of useful heat, USD/MWh; never sold at a loss
    sink_mw : most that the customers at the site can take, MW; heat above it earns nothing

    Returns
    -------
    array of the broadcast shape, USD/MWh of electricity, not rising in `load_mw`
    """
    taken = np.minimum(np.asarray(demand_mw, dtype=np.float64), sink_mw)
    worth = np.maximum(np.asarray(value_usd_mwh, dtype=np.float64), 0.0)
    return np.asarray(useful_fraction(taken, load_mw) * worth)
