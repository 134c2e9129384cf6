"""Daily paths of the coin price that come from outside the model: history, chance, or scenario."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.units import DAYS_PER_YEAR

Floats = NDArray[np.float64]

# The middle of a week that begins on Monday is its Thursday.
MID_WEEK_DAYS = 3
LAST_WEEK_DAYS = 6


def historical_path(
    week_ordinals: ArrayLike, prices_usd: ArrayLike, start_ordinal: int, days: int
) -> Floats:
    """Daily prices from weekly means: each mean stands mid-week, joined log-linearly.

    Parameters
    ----------
    week_ordinals : first day (Monday) of each week, as proleptic Gregorian ordinals
    prices_usd : mean price of each week
    start_ordinal, days : the days wanted

    Raises
    ------
    ValueError
        when the weeks do not cover the days wanted
    """
    weeks = np.asarray(week_ordinals, dtype=np.int64)
    if len(weeks) == 0 or start_ordinal < weeks[0]:
        raise ValueError("the price history begins after the first day wanted")
    if start_ordinal + days - 1 > weeks[-1] + LAST_WEEK_DAYS:
        raise ValueError("the price history ends before the last day wanted")
    return piecewise_path(weeks + MID_WEEK_DAYS, prices_usd, start_ordinal, days)


def piecewise_path(
    date_ordinals: ArrayLike, prices_usd: ArrayLike, start_ordinal: int, days: int
) -> Floats:
    """Daily prices through given dates, log-linear between them and flat outside.

    Raises
    ------
    ValueError
        when the dates do not increase or a price is not positive
    """
    dates = np.asarray(date_ordinals, dtype=np.float64)
    prices = np.asarray(prices_usd, dtype=np.float64)
    if len(dates) == 0 or len(dates) != len(prices) or np.any(np.diff(dates) <= 0):
        raise ValueError("a price path needs one price a date, and increasing dates")
    if not np.all(prices > 0):
        raise ValueError("prices must be positive")
    # Positions among the dates, so that a given price is met to the last bit.
    position = np.interp(start_ordinal + np.arange(days), dates, np.arange(len(dates)))
    before = position.astype(np.int64)
    after = np.minimum(before + 1, len(dates) - 1)
    return np.asarray(prices[before] * (prices[after] / prices[before]) ** (position - before))


def gbm_path(
    start_usd: float,
    drift_yr: float,
    volatility_yr: float,
    days: int,
    generator: np.random.Generator,
) -> Floats:
    """Geometric Brownian motion by the day: the expected price grows by `drift_yr`."""
    return jump_path(start_usd, drift_yr, volatility_yr, 0.0, 0.0, 0.0, days, generator)


def jump_path(
    start_usd: float,
    drift_yr: float,
    volatility_yr: float,
    jumps_yr: float,
    jump_mean: float,
    jump_sd: float,
    days: int,
    generator: np.random.Generator,
) -> Floats:
    """Geometric Brownian motion with log-normal jumps, compensated (Merton 1976).

    The expected price grows by `drift_yr` whatever the jumps: their mean effect is taken out of
    the drift. Diffusion, number and size of the jumps draw from streams of their own, so that
    the first days do not depend on `days`, nor the diffusion on the jumps.

    Parameters
    ----------
    drift_yr, volatility_yr : a year, of the price and of its log
    jumps_yr : expected number of jumps a year
    jump_mean, jump_sd : of the log jump
    generator : its state decides the path; it spawns three children
    """
    diffusion, counts, sizes = generator.spawn(3)
    steps = max(days - 1, 0)
    step_yr = 1 / DAYS_PER_YEAR
    compensation = jumps_yr * np.expm1(jump_mean + jump_sd**2 / 2)
    trend = (drift_yr - compensation - volatility_yr**2 / 2) * step_yr
    shocks = volatility_yr * np.sqrt(step_yr) * diffusion.standard_normal(steps)
    number = counts.poisson(jumps_yr * step_yr, steps)
    jumps = number * jump_mean + np.sqrt(number) * jump_sd * sizes.standard_normal(steps)
    log_path = np.concatenate(([0.0], np.cumsum(trend + shocks + jumps)))
    return np.asarray(start_usd * np.exp(log_path[:days]))
