"""How a policy comes about: proposed by chance, in force after a lead."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from model.units import DAYS_PER_MONTH, DAYS_PER_YEAR

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Days = NDArray[np.int64]


class Policy(IntEnum):
    """Kinds of policy towards mining."""

    TAX = 0
    SUBSIDY = 1
    BAN = 2
    LICENCE = 3
    CAP = 4
    DIRECTIVE = 5


def lead_median_months(
    kind: ArrayLike,
    authoritarian: ArrayLike,
    *,
    usual: float = 9.0,
    tax: float = 12.0,
    subsidy: float = 18.0,
    decreed_ban: float = 1.0,
) -> Floats:
    """Median months from a proposal to its force, by kind and regime."""
    code = np.asarray(kind)
    decreed = (code == Policy.BAN) & np.asarray(authoritarian, dtype=np.bool_)
    slow = np.where(code == Policy.TAX, tax, np.where(code == Policy.SUBSIDY, subsidy, usual))
    return np.where(decreed, decreed_ban, slow)


def lead_days(median_months: ArrayLike, draw: ArrayLike, spread: float = 0.6) -> Days:
    """Days from a proposal to its force: log-normal, a quantile of a uniform draw.

    Parameters
    ----------
    draw : uniform in [0, 1).
    spread : standard deviation of the log.
    """
    # A draw of 0 would be in force before it was proposed.
    quantile = ndtri(np.maximum(np.asarray(draw, dtype=np.float64), 2.0**-54))
    days = np.asarray(median_months) * DAYS_PER_MONTH * np.exp(spread * quantile)
    return np.rint(days).astype(np.int64)


def proposed(salience: ArrayLike, draw: ArrayLike, days: float, hazard_yr: float = 0.1) -> Flags:
    """Whether a policy is proposed within some days, by how salient mining is.

    Parameters
    ----------
    salience : 0 or more; the hazard is proportional to it.
    draw : uniform in [0, 1): a higher salience never withdraws a proposal.
    hazard_yr : at a salience of 1.
    """
    hazard = hazard_yr * np.asarray(salience, dtype=np.float64)
    chance = -np.expm1(-hazard * days / DAYS_PER_YEAR)
    return np.asarray(np.asarray(draw) < chance)


def taxed_cost(
    cost: ArrayLike, power_share: ArrayLike, power_tax: ArrayLike, revenue_tax: ArrayLike
) -> Floats:
    """Cost of hash as its miner compares it with untaxed revenue.

    Parameters
    ----------
    cost : of a unit of hash before tax.
    power_share : part of the cost that is electricity.
    power_tax : ad valorem on electricity; negative for a subsidy.
    revenue_tax : share of revenue, below 1.

    Raises
    ------
    ValueError
        when a tax takes all revenue
    """
    kept = 1.0 - np.asarray(revenue_tax, dtype=np.float64)
    if (kept <= 0.0).any():
        raise ValueError("a tax on revenue must leave some of it")
    dearer = 1.0 + np.asarray(power_share) * np.asarray(power_tax)
    return np.asarray(np.asarray(cost) * dearer / kept)
