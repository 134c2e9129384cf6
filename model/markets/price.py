"""The coin price: paths from outside the model, and what happens inside it that moves them."""

from __future__ import annotations

import math
from typing import NamedTuple

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


# What happens inside the model moves the price that comes from outside it.


class FlowImpact(NamedTuple):
    """By how much past sales keep the log of the price down, in two parts.

    Attributes
    ----------
    permanent : never wears off.
    fading : wears off by its half-life.
    """

    permanent: float = 0.0
    fading: float = 0.0

    @property
    def total(self) -> float:
        """Log price lost to past sales; negative after purchases."""
        return self.permanent + self.fading


def flow_impact(
    sold_btc: float,
    strength: float = 0.5,
    volatility_day: float = 0.03,
    volume_btc_day: float = 300_000.0,
) -> float:
    """Log price lost when coins are sold in one day: the square root of their part of the volume.

    Parameters
    ----------
    sold_btc : negative for coins bought, which raise the price alike.
    volume_btc_day : traded in a day, all venues.

    References
    ----------
    Tóth et al. 2011, "Anomalous price impact and the critical nature of liquidity".
    """
    part = abs(sold_btc) / volume_btc_day
    return math.copysign(strength * volatility_day * math.sqrt(part), sold_btc)


def absorb_flow(
    before: FlowImpact,
    sold_btc: float,
    *,
    half_life_days: float = 30.0,
    fading_share: float = 0.5,
    strength: float = 0.5,
    volatility_day: float = 0.03,
    volume_btc_day: float = 300_000.0,
) -> FlowImpact:
    """Impact at the end of a day of sales: of the new impact half stays, half begins to fade."""
    new = flow_impact(sold_btc, strength, volatility_day, volume_btc_day)
    faded = before.fading * 2.0 ** (-1.0 / half_life_days)
    return FlowImpact(before.permanent + (1.0 - fading_share) * new, faded + fading_share * new)


def endogenous_price(
    outside_usd: float,
    neutrality: float,
    reference_neutrality: float,
    impact: FlowImpact = FlowImpact(),  # noqa: B008  (immutable)
    fork_factor: float = 1.0,
) -> float:
    """The outside price, moved by concentration, by flows and by a chain split.

    Parameters
    ----------
    outside_usd : from history, chance or scenario.
    neutrality : price over that of a neutral coin, at today's smoothed concentration.
    reference_neutrality : the same at the start, since the outside price already contains it; in a
        counterfactual on history, of the paired run on that day.
    fork_factor : value of all branches over the value before the split.

    Returns
    -------
    `outside_usd` to the last bit where concentration does not matter, no coins flowed and no
    chain has split.
    """
    moved = neutrality / reference_neutrality * math.exp(-impact.total) * fork_factor
    return outside_usd * moved
