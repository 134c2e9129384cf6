"""Defending neutrality against a fringe of free entry, and when a hegemon restrains itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.neutrality import Discount, neutrality
from model.statecraft.alliance import joint_response
from model.statecraft.contest import Contest, contest, payoffs
from model.statecraft.dominance import Settled, best_responses, settle
from model.statecraft.search import highest_point

Floats = NDArray[np.float64]
NEUTRAL_HALF = 0.5


def defence_contest(
    reserves_yr: ArrayLike,
    markup: ArrayLike,
    most_share: ArrayLike = 1.0,
    discount: Discount = Discount(),  # noqa: B008  (immutable)
) -> Contest:
    """Holders who may mine against one nation whose free-entry miners have all hashrate.

    A defender's hash displaces the fringe one for one, and all hashrate follows the price, so a
    share x pays N(m) * (reserves - markup * x), m the largest share. Nations and large holders
    defend by the same rule.

    Parameters
    ----------
    reserves_yr : one a defender, coins in years of issuance, the unit of all payoffs here.
    markup : cost of the defender's hash over that of the fringe, less 1; a scalar or one each.
    most_share : of the hashrate that sites and machines allow each defender.

    Returns
    -------
    A contest whose last nation is the one that dominates; profiles hold shares.
    """
    reserves = np.atleast_1d(np.asarray(reserves_yr, dtype=np.float64))
    cost = 1.0 + np.broadcast_to(np.asarray(markup, dtype=np.float64), reserves.shape)
    most = np.broadcast_to(np.asarray(most_share, dtype=np.float64), reserves.shape)
    nobody = np.zeros(reserves.size)
    return contest(
        np.append(cost, 1.0),
        np.append(most, 0.0),
        reserves_btc=np.append(reserves, 0.0),
        private=np.append(nobody, 1.0),
        private_cost_usd_yr=1.0,
        tax=0.0,
        free_entry=True,
        discount=discount,
    )


def defend_alone(game: Contest, start_share: ArrayLike) -> Settled:
    """Shares that the defenders of a `defence_contest` come to mine, each for itself.

    Parameters
    ----------
    start_share : of each defender at first: an assurance game rests where none defends, and also,
        once they have begun, where all do.
    """
    several = game.most.size - 1
    start = np.broadcast_to(np.asarray(start_share, dtype=np.float64), (several,))
    return settle(game, np.append(start, 0.0))


def defend_together(game: Contest) -> Floats:
    """Shares that the defenders of a `defence_contest` mine as one alliance."""
    nations = game.most.size
    return joint_response(game, np.arange(nations) < nations - 1, np.zeros(nations))


def defence_threshold_yr(markup: float, discount: Discount = Discount()) -> float:  # noqa: B008
    """Reserves above which a single defender mines half of all hashrate, years of issuance.

    In closed form: at this many coins the price saved, N(.5) - N(1), is worth what half of the
    hashrate costs above its revenue. Below it a lone defender does not mine at all; above it one
    alone never mines more than half, since it would then dominate itself. Only at depths near .9
    does it begin slightly earlier (.05 %), with slightly less than half.
    """
    saved = neutrality(NEUTRAL_HALF, discount) - neutrality(1.0, discount)
    if saved <= 0.0:
        return float("inf")
    return float(markup * NEUTRAL_HALF * neutrality(NEUTRAL_HALF, discount) / saved)


def searched_threshold_yr(
    markup: float,
    discount: Discount = Discount(),  # noqa: B008  (immutable)
    most_yr: float = 1e4,
    tolerance: float = 1e-6,
) -> float:
    """Reserves above which a single defender begins to mine, found by trying its best response.

    Infinite when even `most_yr` years of issuance do not move it.
    """

    def defends(reserves_yr: float) -> bool:
        game = defence_contest(reserves_yr, markup, discount=discount)
        return bool(best_responses(game, np.zeros(2))[0] > 0.0)

    if not defends(most_yr):
        return float("inf")
    low, high = 0.0, most_yr
    while high - low > tolerance * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if defends(middle) else (middle, high)
    return high


def defence_gain(game: Contest, profile: Floats) -> Floats:
    """What each nation's own mining is worth to it while the others mine as in the profile, USD."""
    gains, with_it = np.zeros(profile.size), payoffs(game, profile)
    for row in np.flatnonzero(profile):
        without = profile.copy()
        without[row] = 0.0
        gains[row] = with_it[row] - payoffs(game, without)[row]
    return gains


def hegemon_cap(
    reserves_yr: float,
    rent_yr: float = 0.1,
    discount: Discount = Discount(),  # noqa: B008  (immutable)
    others: float = 0.0,
    prize_yr: float = 0.0,
) -> float:
    """Share of the hashrate at which a leading nation does best to cap its own miners.

    Parameters
    ----------
    reserves_yr : coins it holds, years of issuance.
    rent_yr : rent that it captures from a share of 1, years of issuance a year.
    discount : a nation without reserves restrains itself only if complete control destroys more
        than .623 of the price (at the default steepness and midpoint).
    others : concentration that there is whatever the nation does; less of its own helps nobody.
    prize_yr : what more than half of all hashrate is worth in itself, years of issuance a year.
    """

    def value(share: float) -> float:
        seen = neutrality(max(share, others), discount)
        prize = prize_yr if share > 0.5 else 0.0
        return float(seen * (reserves_yr + rent_yr * share) + prize)

    return highest_point(value, 0.0, 1.0)
