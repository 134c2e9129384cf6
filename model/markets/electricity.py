"""What power costs at a site: size, place, season, charges, and how fast new sites come."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Numbers = float | NDArray[Any]

# Months from decision to energised site, by type, below the size of a large grid connection.
LEAD_MONTHS: Mapping[str, float] = MappingProxyType(
    {
        "grid_industrial": 18.0,
        "btm_hydro": 9.0,
        "btm_gas": 9.0,
        "btm_solar_wind": 9.0,
        "btm_nuclear": 9.0,
        "flare": 4.0,
        "landfill_dairy": 4.0,
        "home_solar": 0.5,
        "heat_demand": 0.5,
    }
)

# Days of a 365-day year between which the wet season of Sichuan and Yunnan comes and goes.
_WET_RISE = (121, 152)
_WET_FALL = (305, 335)


def capacity_quantile(
    probability: Numbers, exponent: float, least_mw: float, most_mw: float
) -> FloatArray:
    """Site size at a probability of the capacity distribution, density ~ Q^-exponent.

    Parameters
    ----------
    probability : array, in [0, 1]
    exponent : tail exponent of the capacity density; 1 is log-uniform
    least_mw, most_mw : ends of the truncated Pareto distribution, MW

    Returns
    -------
    array of the shape of `probability`, MW

    Notes
    -----
    Inverse of F(Q) = (Q^k - a^k) / (b^k - a^k), k = 1 - exponent.
    """
    _require_range(least_mw, most_mw)
    share = np.asarray(probability, dtype=np.float64)
    power = 1.0 - exponent
    if abs(power) < 1e-9:
        return np.asarray(least_mw * (most_mw / least_mw) ** share)
    low, high = least_mw**power, most_mw**power
    return np.asarray((low + share * (high - low)) ** (1.0 / power))


def capacity_share_below(
    size_mw: Numbers, exponent: float, least_mw: float, most_mw: float
) -> FloatArray:
    """Share of all capacity that stands at sites smaller than `size_mw`."""
    _require_range(least_mw, most_mw)
    size = np.clip(np.asarray(size_mw, dtype=np.float64), least_mw, most_mw)
    power = 1.0 - exponent
    if abs(power) < 1e-9:
        return np.asarray(np.log(size / least_mw) / np.log(most_mw / least_mw))
    low, high = least_mw**power, most_mw**power
    return np.asarray((size**power - low) / (high - low))


def mean_log_size(exponent: float, least_mw: float, most_mw: float) -> float:
    """Mean of ln(size in MW) over capacity, for a capacity density ~ Q^-exponent."""
    _require_range(least_mw, most_mw)
    power = 1.0 - exponent
    log_low, log_high = float(np.log(least_mw)), float(np.log(most_mw))
    if abs(power) < 1e-9:
        return 0.5 * (log_low + log_high)
    low, high = least_mw**power, most_mw**power
    return float((high * log_high - low * log_low) / (high - low) - 1.0 / power)


def _require_range(least_mw: float, most_mw: float) -> None:
    if not 0.0 < least_mw < most_mw:
        raise ValueError(f"site sizes from {least_mw} to {most_mw} MW: need 0 < least < most")


def size_gradient(size_mw: Numbers, mean_log: Numbers, gradient: float = 4.5) -> FloatArray:
    """Extra generation cost of a site for its size, USD/MWh: cheap power is small.

    Parameters
    ----------
    size_mw : array, MW, positive
    mean_log : mean ln(size) of the site's type, so that the type keeps its mean cost
    gradient : USD/MWh per e-fold of size (an assumption, 0 to 9)
    """
    return np.asarray(gradient * (np.log(np.asarray(size_mw, dtype=np.float64)) - mean_log))


def season_weight(day_of_year: Numbers) -> FloatArray:
    """Weight of the wet season of Sichuan and Yunnan hydro on a day of the year, in [0, 1].

    Parameters
    ----------
    day_of_year : 1 to 366

    Notes
    -----
    An assumption: full from June to October, a smooth ramp up through May and down through
    November (cubic, flat at both ends), so that half of the year's weight is wet.
    """
    day = np.asarray(day_of_year, dtype=np.float64)
    return np.asarray(_smooth_step(day, *_WET_RISE) * (1.0 - _smooth_step(day, *_WET_FALL)))


def _smooth_step(day: FloatArray, start: float, end: float) -> FloatArray:
    progress = np.clip((day - start) / (end - start), 0.0, 1.0)
    return np.asarray(progress * progress * (3.0 - 2.0 * progress))


def seasonal(value_wet: Numbers, value_dry: Numbers, weight: Numbers) -> FloatArray:
    """A price or a duty between its wet- and its dry-season value."""
    share = np.asarray(weight, dtype=np.float64)
    return np.asarray(share * value_wet + (1.0 - share) * np.asarray(value_dry))


def merit_order(
    cost_usd_mwh: Numbers, capacity_mw: Numbers
) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
    """Supply curve of sites: their order by cost, the costs, and the capacity up to each.

    Returns
    -------
    order : row numbers, cheapest first, ties by row
    cost : USD/MWh, non-decreasing
    cumulative : MW, ending at the whole potential
    """
    cost = np.asarray(cost_usd_mwh, dtype=np.float64)
    capacity = np.asarray(capacity_mw, dtype=np.float64)
    if capacity.size and capacity.min() < 0.0:
        raise ValueError("negative site capacity")
    order = np.argsort(cost, kind="stable")
    return order, cost[order], np.cumsum(capacity[order])


def supply(price_usd_mwh: Numbers, cost: FloatArray, cumulative: FloatArray) -> FloatArray:
    """Capacity in a supply curve whose cost is at most the price, MW."""
    ends = np.concatenate(([0.0], cumulative))
    return np.asarray(ends[np.searchsorted(cost, price_usd_mwh, side="right")])


def lead_time_months(
    base_months: Numbers,
    size_mw: Numbers,
    on_grid: Numbers,
    *,
    scale: float = 1.0,
    large_months: float = 36.0,
    large_from_mw: float = 100.0,
) -> FloatArray:
    """Months until a new site is energised: its type's, or longer for a large grid connection."""
    large = np.asarray(on_grid, dtype=bool) & (np.asarray(size_mw) >= large_from_mw)
    base = np.asarray(base_months, dtype=np.float64)
    return np.asarray(scale * np.where(large, np.maximum(base, large_months), base))
