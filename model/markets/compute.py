"""Other computation, chiefly AI, that outbids miners for large firm sites."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

FloatArray = NDArray[np.float64]
Numbers = float | NDArray[Any]


def win_probability(
    size_mw: Numbers,
    backlog_mw: Numbers = np.inf,
    *,
    half_size_mw: float = 50.0,
    width: float = 0.6,
    most: float = 0.9,
) -> FloatArray:
    """Chance that an AI tenant takes an offered site.

    Parameters
    ----------
    size_mw : MW, positive
    backlog_mw : unserved AI demand of the nation; without any, nobody bids
    half_size_mw : size at which the chance is half of the most
    width : width of the logistic in ln(size)
    most : chance at the largest sites

    Notes
    -----
    most * L(ln(size / half size) / width). The chance does not depend on the power price:
    AI halls cost ten times a mining hall per MW (CoinShares), so power matters little to them.
    """
    relative = np.log(np.asarray(size_mw, dtype=np.float64) / half_size_mw) / width
    chance = most * expit(relative)
    return np.asarray(np.where(np.asarray(backlog_mw) > 0.0, chance, 0.0))


def availability(
    size_mw: Numbers,
    may_bid: Numbers = True,
    *,
    half_size_mw: float = 50.0,
    width: float = 0.6,
    most: float = 0.9,
) -> FloatArray:
    """Share of sites of a size that is left to miners after the AI bidders' pick."""
    lost = win_probability(size_mw, half_size_mw=half_size_mw, width=width, most=most)
    return np.asarray(np.where(may_bid, 1.0 - lost, 1.0))


def backlog(
    years_since_start: Numbers, *, start_mw: float = 2000.0, growth_yr: float = 0.20
) -> FloatArray:
    """Unserved AI demand of a large nation, MW; none before the first day of the bids."""
    years = np.asarray(years_since_start, dtype=np.float64)
    return np.asarray(np.where(years >= 0.0, start_mw * (1.0 + growth_yr) ** years, 0.0))


def half_size(
    years_since_start: Numbers, *, start_mw: float = 50.0, decline_yr: float = 0.0
) -> FloatArray:
    """Site size that AI wins half as often as at most, if its tenants learn to be small, MW."""
    years = np.maximum(np.asarray(years_since_start, dtype=np.float64), 0.0)
    return np.asarray(start_mw * (1.0 - decline_yr) ** years)


def bid_price(
    power_price_usd_mwh: Numbers, draw: Numbers, *, least: float = 60.0, most: float = 400.0
) -> FloatArray:
    """What an AI tenant offers for power: the price of the site and a premium, USD/MWh."""
    premium = least + (most - least) * np.asarray(draw, dtype=np.float64)
    return np.asarray(np.asarray(power_price_usd_mwh) + premium)
