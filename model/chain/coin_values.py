"""What the two coins of a split are worth: who demands which, and how the values settle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from model.units import DAYS_PER_YEAR

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

Custody = Literal["freeze", "sell"]

_GRID = 4_001
_EVEN = 0.5
# Log-odds of a value share that still has a meaning in floating point.
_LARGEST_ODDS = 700.0


@dataclass(frozen=True, slots=True, eq=False)
class Holders:
    """Groups of holders of the coin before the split; each array has shape (n,).

    Attributes
    ----------
    weight : share of supply; adds up to one.
    attachment : log-odds with which a group prefers the free coin at even values.
    custody : whether a custodian holds the coins, who may be told which coin to credit.
    """

    weight: Floats
    attachment: Floats
    custody: Booleans

    def __post_init__(self) -> None:
        sizes = {self.weight.shape, self.attachment.shape, self.custody.shape}
        if len(sizes) != 1 or self.weight.ndim != 1:
            raise ValueError(f"holders need one weight, attachment and custody each, not {sizes}")
        if not ((self.weight >= 0.0).all() and abs(self.weight.sum() - 1.0) < 1e-9):
            raise ValueError(f"weights of holders add up to one, unlike {self.weight}")
        if np.isnan(self.attachment).any():
            raise ValueError("an attachment to the free coin is not a number")

    @property
    def freedom(self) -> Floats:
        """How much of each group's demand is for the free coin at even values."""
        return np.asarray(expit(self.attachment))


def holders(
    freedom_seekers: float = 0.30,
    custodians: float = 0.45,
    neutral: float = 0.25,
    *,
    freedom_attachment: float = 2.5,
    custodian_attachment: float = -2.0,
    neutral_attachment: float = 0.0,
) -> Holders:
    """The three groups that hold what is in no treasury or reserve: shares and log-odds."""
    return Holders(
        np.array([freedom_seekers, custodians, neutral]),
        np.array([freedom_attachment, custodian_attachment, neutral_attachment]),
        np.array([False, True, False]),
    )


def with_reserves(others: Holders, share: Floats, attachment: Floats) -> Holders:
    """The same holders beside treasuries and nations' reserves.

    Parameters
    ----------
    others : who holds the rest, with weights of the supply net of treasuries and reserves.
    share : shape (k,), of the whole supply, as the ledger has it.
    attachment : shape (k,), log-odds for the free coin: an adopting nation's are low.
    """
    held = float(share.sum())
    if not (held <= 1.0 and (share >= 0.0).all()):
        raise ValueError(f"treasuries and reserves hold between nothing and all, not {share}")
    return Holders(
        np.concatenate(((1.0 - held) * others.weight, share)),
        np.concatenate((others.attachment, attachment)),
        np.concatenate((others.custody, np.zeros(share.size, np.bool_))),
    )


# Demand and its rest points.


def demand_shares(
    groups: Holders,
    free_share: float | Floats,
    network_effect: float,
    free_hash_share: float = _EVEN,
    hash_effect: float = 1.0,
) -> Floats:
    """Share of each group's demand that is for the free coin.

    Parameters
    ----------
    free_share : the free coin's share of the value of both; one, or an array of any shape.
    network_effect : log-odds that the whole value adds over none of it.
    free_hash_share : the free coin's share of the hashrate of both.
    hash_effect : log-odds that the whole hashrate adds over none of it.

    Returns
    -------
    The shape of `free_share` and (n,) behind it, between 0 and 1.
    """
    value = np.asarray(free_share)[..., np.newaxis]
    pull = network_effect * (value - _EVEN) + hash_effect * (free_hash_share - _EVEN)
    return np.asarray(expit(groups.attachment + pull))


def demand_share(
    groups: Holders,
    free_share: float | Floats,
    network_effect: float,
    free_hash_share: float = _EVEN,
    hash_effect: float = 1.0,
) -> Any:
    """Share of all demand that is for the free coin, one for each `free_share` given."""
    shares = demand_shares(groups, free_share, network_effect, free_hash_share, hash_effect)
    return shares @ groups.weight


def fixed_points(
    groups: Holders,
    network_effect: float,
    free_hash_share: float = _EVEN,
    hash_effect: float = 1.0,
) -> list[float]:
    """Value shares of the free coin at which demand is what the value is, in rising order.

    With one group and no attachment there is one, 1/2, up to a network effect of 4, and three
    above: a pitchfork.
    """

    def excess(free_share: float | Floats) -> Any:
        wanted = demand_share(groups, free_share, network_effect, free_hash_share, hash_effect)
        return wanted - free_share

    grid = np.linspace(0.0, 1.0, _GRID)
    heights = excess(grid)
    crossed = np.flatnonzero(heights[:-1] * heights[1:] < 0.0)
    between = [brentq(excess, grid[left], grid[left + 1], xtol=1e-14) for left in crossed]
    return sorted(map(float, [*grid[heights == 0.0], *between]))


# From the split onwards.


def opening_share(
    groups: Holders,
    network_effect: float,
    free_hash_share: float = _EVEN,
    hash_effect: float = 1.0,
) -> float:
    """Value share of the free coin on the first day: demand as if the values were even."""
    return float(demand_share(groups, _EVEN, network_effect, free_hash_share, hash_effect))


def settling_years(years_to_95_percent: float) -> float:
    """Time constant of the value shares if 95 % of the way takes so many years."""
    return years_to_95_percent / 3.0


def settle(
    free_share: float,
    groups: Holders,
    network_effect: float,
    time_constant_years: float,
    free_hash_share: float = _EVEN,
    hash_effect: float = 1.0,
    days: float = 1.0,
) -> float:
    """Value share of the free coin some days later.

    Solves dv/dt = (demand(v) - v)/tau by one step of the classical fourth-order rule; with time
    constants of years a step of a day is exact to rounding.

    Parameters
    ----------
    free_share : now.
    time_constant_years : tau, `settling_years`.
    free_hash_share : held over the step.
    """
    if not (0.0 <= free_share <= 1.0 and time_constant_years > 0.0):
        raise ValueError(f"no value share {free_share} settles in {time_constant_years} years")
    step = days / (time_constant_years * DAYS_PER_YEAR)

    def slope(share: float) -> float:
        wanted = demand_share(groups, share, network_effect, free_hash_share, hash_effect)
        return float(wanted) - share

    first = slope(free_share)
    second = slope(free_share + step * first / 2.0)
    third = slope(free_share + step * second / 2.0)
    fourth = slope(free_share + step * third)
    return free_share + step * (first + 2.0 * second + 2.0 * third + fourth) / 6.0


def shifted_share(free_share: float, log_price_shift: float) -> float:
    """Value share of the free coin after trades moved its price, the other's unchanged.

    Parameters
    ----------
    free_share : before.
    log_price_shift : change of the log price of the free coin; negative after a sale.
    """
    odds = min(max(float(logit(free_share)), -_LARGEST_ODDS), _LARGEST_ODDS)
    return float(expit(odds + log_price_shift)) if 0.0 < free_share < 1.0 else free_share


def dumped_coins(
    groups: Holders,
    supply: float,
    ordered_share: float,
    custody: Custody,
    sold_share: float = 0.5,
) -> float:
    """Free coins that custodians sell at the split.

    Parameters
    ----------
    supply : of the coin before the split.
    ordered_share : share of coins in custody that lie in jurisdictions which order custodians
        to credit the compliant coin alone.
    custody : "freeze" keeps the clients' free coins, "sell" sells part of them at once.
    sold_share : which part.
    """
    if custody == "freeze":
        return 0.0
    return sold_share * ordered_share * supply * float(groups.weight[groups.custody].sum())


def total_value_usd(
    before_usd: float,
    free_share: float,
    network_exponent: float = 1.25,
    weakening: float = 0.15,
    censored: bool = True,
) -> float:
    """Value of both coins together; never more than the one coin was worth.

    Parameters
    ----------
    before_usd : value of the coin without the split.
    network_exponent : 1 if value only divides, 2 by Metcalfe's law.
    weakening : share that the compliant coin loses if it is censored.
    """
    if not (network_exponent >= 1.0 and 0.0 <= weakening <= 1.0):
        raise ValueError(
            f"a split creates no value: exponent {network_exponent}, weakening {weakening}"
        )
    compliant_share = 1.0 - free_share
    divided = free_share**network_exponent + compliant_share**network_exponent
    return before_usd * divided * (1.0 - weakening * censored * compliant_share)


def coin_prices_usd(total_usd: float, free_share: float, supply: float) -> tuple[float, float]:
    """Prices of the compliant and of the free coin, each with the supply before the split."""
    if not (math.isfinite(supply) and supply > 0.0):
        raise ValueError(f"a coin has a supply, not {supply}")
    return (1.0 - free_share) * total_usd / supply, free_share * total_usd / supply
