"""Three routes to a unit of a chain: mine it, donate for its like, or buy it; pure equations."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import exp1

Floats = NDArray[np.float64]
Reading = Literal["total", "per_address"]

# Coins that can be donated, and the rows of arrays that are by coin.
BITCOIN, PTS = 0, 1
# Beyond it the exponential integral leaves floating point; its series is exact there.
_LARGE = 500.0


# Perfect competition


class Equilibrium(NamedTuple):
    """Where no route is cheaper than another.

    Attributes
    ----------
    mining_usd_day : spent on work, and gone to suppliers.
    donations_usd_day : given to the community, at both addresses together.
    waste_share : of what is spent, the part spent on work; 0 if nothing is.
    """

    mining_usd_day: float
    donations_usd_day: float
    waste_share: float

    @property
    def retained_share(self) -> float:
        """Of what is spent, the part that the community gets."""
        spent = self.mining_usd_day + self.donations_usd_day
        return self.donations_usd_day / spent if spent > 0.0 else 0.0


def addresses(reading: Reading) -> int:
    """How many issues of AGS a day the record is read as: one for all donors, or two."""
    return 1 if reading == "total" else 2


def equilibrium(
    price_usd: float,
    belief: float,
    reading: Reading = "total",
    *,
    pts_day: float = 5000.0,
    ags_day: float = 5000.0,
) -> Equilibrium:
    """Free entry on every route at a price of PTS: what a unit costs is what it is worth.

    Parameters
    ----------
    price_usd : of a PTS.
    belief : worth of an AGS over that of a PTS, 0 to 1.
    reading : of the record; with two addresses donors of PTS have an issue of their own.
    pts_day, ags_day : issued to miners and, at each address, to donors.

    Notes
    -----
    ``M / E_P = p`` and ``D / E_A = ell p`` at each of k addresses, so that with equal issues the
    waste is ``1 / (1 + k ell)``.
    """
    mining = price_usd * pts_day
    donations = addresses(reading) * belief * price_usd * ags_day
    spent = mining + donations
    return Equilibrium(mining, donations, mining / spent if spent > 0.0 else 0.0)


def belief_for_waste(waste_share: float, reading: Reading = "total") -> float:
    """Belief in equivalence at which work is this share of spending, with equal issues."""
    if not 0.0 < waste_share <= 1.0:
        raise ValueError(f"a share of waste above 0 and up to 1, not {waste_share}")
    return (1.0 / waste_share - 1.0) / addresses(reading)


def used(unit_cost_usd: ArrayLike, price_usd: float) -> NDArray[np.bool_]:
    """Which routes are worth taking: none that costs more than the market asks."""
    return np.asarray(unit_cost_usd, np.float64) <= price_usd


def unit_costs(
    mining_usd: float, pts: float, donated_usd: float, ags: float, belief: float, price_usd: float
) -> Floats:
    """What a PTS, or what is worth one, costs by mining, by donating and by buying, USD.

    NaN where a route issues nothing: not a cost, but no route.
    """
    mined = mining_usd / pts if pts > 0.0 else math.nan
    worth = ags * belief
    donated = donated_usd / worth if worth > 0.0 else math.nan
    return np.array([mined, donated, price_usd])


def spread(costs: Floats) -> float:
    """Dearest less cheapest route, over the price; the price stands last."""
    return float((np.nanmax(costs) - np.nanmin(costs)) / costs[-1])


def value_over_cost(value_usd: float, spent_usd: float) -> float:
    """Worth of what was issued over what was spent for it; NaN if nothing was."""
    return value_usd / spent_usd if spent_usd > 0.0 else math.nan


def seen_gain(costs: Floats) -> Floats:
    """What it gains, over the price, to take each day's cheapest route, seen before it is chosen.

    Parameters
    ----------
    costs : shape (days, routes), unit costs; the last route is buying.

    Returns
    -------
    Shape (days,), not negative.
    """
    gain: Floats = 1.0 - np.nanmin(costs, axis=1) / costs[:, -1]
    return gain


def followed_gain(costs: Floats) -> Floats:
    """What it gains, over the price, to take the route that was cheapest yesterday.

    Parameters
    ----------
    costs : shape (days, routes), unit costs; the last route is buying.

    Returns
    -------
    Shape (days - 1,): the price less the cost of yesterday's cheapest route, over the price.
    """
    cheapest = np.nanargmin(costs[:-1], axis=1)
    paid = costs[np.arange(1, len(costs)), cheapest]
    return 1.0 - paid / costs[1:, -1]


# A contest of a few


def spent_by_equals(prize_usd: float, contestants: int) -> float:
    """All that contestants of equal cost spend on a prize shared by work (Tullock 1980)."""
    return prize_usd * (contestants - 1) / contestants


def contest_shares(unit_cost: ArrayLike) -> Floats:
    """Shares of the work in a contest for a prize that is shared by work.

    Parameters
    ----------
    unit_cost : shape (n,), n at least two, positive; what a unit of work costs each.

    Returns
    -------
    Shape (n,): ``1 - (k - 1) c_i / sum c`` for the k cheapest, who all have a positive share, and
    nothing for others, whose cost no share covers.

    References
    ----------
    Tullock 1980, "Efficient Rent Seeking"; Hillman and Riley 1989, Economics and Politics 1.
    """
    costs = np.asarray(unit_cost, np.float64)
    if costs.size < 2 or not (costs > 0.0).all():
        raise ValueError("a contest takes two contestants of positive cost")
    cheapest = np.sort(costs)
    sums = np.cumsum(cheapest)
    rivals = np.arange(costs.size)
    active = int((rivals * cheapest < sums).sum())
    return np.maximum(1.0 - (active - 1) * costs / sums[active - 1], 0.0)


def contest_work(unit_cost: ArrayLike, prize_usd: float) -> float:
    """Work of all in that contest, in the unit that the costs are of."""
    costs = np.asarray(unit_cost, np.float64)
    active = contest_shares(costs) > 0.0
    return (int(active.sum()) - 1) * prize_usd / float(costs[active].sum())


def dissipated_share(shares: ArrayLike) -> float:
    """Part of the prize that a contest at rest spends: one less the Herfindahl index.

    Who has a share s of the work spends ``s (1 - s)`` of the prize and keeps ``s ** 2``.
    """
    return 1.0 - float(np.square(np.asarray(shares, np.float64)).sum())


def next_spending(
    spending_usd: Floats,
    worth_over_cost: Floats,
    damping: float,
    least_usd: Floats,
    most_usd: float,
) -> Floats:
    """Spending moved towards where one more dollar brings back one, in logs.

    Parameters
    ----------
    spending_usd : shape (n,), of yesterday.
    worth_over_cost : shape (n,), what another dollar would have brought back.
    damping : part of the way in a day.
    least_usd : shape (n,), below which nobody falls who watches a route.
    most_usd : the whole prize, above which nobody goes whose money holds him back.

    Notes
    -----
    It rests where ``V (1 - s_i) = c_i sum m``: at the shares of `contest_shares`.  Best responses
    themselves, damped by .3, overshoot together without end from fourteen contestants on: for each
    unit that the work of n equals rises, their responses fall by ``(n - 2) / 2``.
    """
    steps = np.clip(worth_over_cost, 1e-3, 1e3) ** damping
    return np.minimum(np.maximum(spending_usd * steps, least_usd), most_usd)


# What a unit is worth


def price_of_claims(
    airdrops_usd_yr: float, discount_yr: float, supply: float, issue_yr: float = 0.0
) -> float:
    """Present value of all airdrops to come for who holds one unit and keeps it, USD.

    Parameters
    ----------
    airdrops_usd_yr : expected airdrops to all units together.
    discount_yr : positive, continuous.
    supply : units among which today's airdrop is divided.
    issue_yr : units issued a year, among which later ones are divided too.

    Notes
    -----
    ``A * integral exp(-r t) / (S + g t) dt = (A / g) exp(x) E1(x)`` with ``x = r S / g``; without
    issue ``A / (r S)``, the present value over the supply.
    """
    whole = airdrops_usd_yr / (discount_yr * supply)
    if issue_yr == 0.0:
        return whole
    scale = discount_yr * supply / issue_yr
    if scale > _LARGE:
        return whole * (1.0 - 1.0 / scale)
    return airdrops_usd_yr / issue_yr * math.exp(scale) * float(exp1(scale))


# A part of another chain's issuance


class Hybrid(NamedTuple):
    """A proof-of-work chain of which donors get a part of what miners got.

    Attributes
    ----------
    security_usd_day : what miners still get, and so what they spend at free entry.
    energy_mwh_day : what that buys at the price of power and its share of their cost.
    retained_usd_day : what donors give for their part.
    """

    security_usd_day: float
    energy_mwh_day: float
    retained_usd_day: float


def hybrid(
    budget_usd_day: float,
    replaces: float,
    *,
    belief: float,
    power_usd_mwh: float,
    power_cost_share: float,
) -> Hybrid:
    """Security, energy and donations where a share of the issuance goes to donors.

    Parameters
    ----------
    budget_usd_day : worth of a day's rewards.
    replaces : share of it that goes to donors, 0 to 1.
    belief : what a unit got for a donation is worth over a unit mined.
    power_usd_mwh, power_cost_share : price, positive, and share of power in the cost of work; with
        sites at one price energy is in proportion to what miners get.
    """
    left = (1.0 - replaces) * budget_usd_day
    return Hybrid(left, power_cost_share * left / power_usd_mwh, belief * replaces * budget_usd_day)
