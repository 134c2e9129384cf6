"""The contest of nations that may mine themselves: what each has, and what each gains."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from model.neutrality import Discount, Measure, bloc_weights, neutrality

Floats = NDArray[np.float64]


class Terms(NamedTuple):
    """What is the same for all nations of a contest.

    Attributes
    ----------
    elsewhere : private hashrate in nations too small to dominate.
    issuance_btc_yr : subsidy and transaction fees of a year.
    price_usd : of a neutral coin.
    displacement : private hashrate that leaves for each unit of state hashrate that enters.
    free_entry : whether all hashrate follows the price, so that cost falls with it.
    template_concentration : weighted share of one maker of templates, which no one here moves.
    root_hhi : whether concentration is the root of the HHI rather than the largest bloc.
    discount : of the price, by concentration.
    """

    elsewhere: float
    issuance_btc_yr: float
    price_usd: float
    displacement: float
    free_entry: bool
    template_concentration: float
    root_hhi: bool
    discount: Discount


class Contest(NamedTuple):
    """What the nations that may mine know when they decide; make one with `contest`.

    Arrays have one entry a nation. Hashrates may have any one unit, costs are per that unit.

    Attributes
    ----------
    cost_usd_yr : of one unit of state hashrate.
    most : state hashrate that sites and machines allow.
    reserves_btc : coins held.
    state : state hashrate now, from which displacement counts.
    private : private hashrate at home now.
    private_cost_usd_yr : of one unit of private hashrate.
    tax : share of private profit that the nation takes.
    prize_usd_yr : value of dominance itself; 0 unless the race is for its own sake.
    blocs : shape (n, n), not negative; see `model.neutrality.bloc_weights`.
    terms : the same for all.
    """

    cost_usd_yr: Floats
    most: Floats
    reserves_btc: Floats
    state: Floats
    private: Floats
    private_cost_usd_yr: Floats
    tax: Floats
    prize_usd_yr: Floats
    blocs: Floats
    terms: Terms


def contest(
    cost_usd_yr: ArrayLike,
    most: ArrayLike,
    *,
    reserves_btc: ArrayLike = 0.0,
    state: ArrayLike = 0.0,
    private: ArrayLike = 0.0,
    private_cost_usd_yr: ArrayLike = 0.0,
    tax: ArrayLike = 0.2,
    prize_usd_yr: ArrayLike = 0.0,
    elsewhere: float = 0.0,
    issuance_btc_yr: float = 1.0,
    price_usd: float = 1.0,
    displacement: float = 1.0,
    free_entry: bool = False,
    template_concentration: float = 0.0,
    measure: Measure = "max_share",
    alliances: ArrayLike | None = None,
    discount: Discount = Discount(),  # noqa: B008  (immutable)
) -> Contest:
    """A contest among as many nations as `cost_usd_yr` has entries; see `Contest` and `Terms`.

    Raises
    ------
    ValueError
        when an array does not fit, is not finite, or is negative
    """
    nations = np.size(cost_usd_yr)
    ties = np.zeros((nations, nations)) if alliances is None else alliances

    def by_nation(name: str, values: ArrayLike) -> Floats:
        return _by_nation(name, values, nations)

    return Contest(
        cost_usd_yr=by_nation("cost_usd_yr", cost_usd_yr),
        most=by_nation("most", most),
        reserves_btc=by_nation("reserves_btc", reserves_btc),
        state=by_nation("state", state),
        private=by_nation("private", private),
        private_cost_usd_yr=by_nation("private_cost_usd_yr", private_cost_usd_yr),
        tax=by_nation("tax", tax),
        prize_usd_yr=by_nation("prize_usd_yr", prize_usd_yr),
        blocs=np.ascontiguousarray(bloc_weights(measure, ties)),
        terms=Terms(
            elsewhere=float(elsewhere),
            issuance_btc_yr=float(issuance_btc_yr),
            price_usd=float(price_usd),
            displacement=float(displacement),
            free_entry=bool(free_entry),
            template_concentration=float(template_concentration),
            root_hhi=measure == "root_hhi",
            discount=Discount(*(float(value) for value in discount)),
        ),
    )


def _by_nation(name: str, values: ArrayLike, nations: int) -> Floats:
    given = np.asarray(values, dtype=np.float64)
    if given.ndim > 1 or given.size not in (1, nations):
        raise ValueError(f"{name}: found {given.size} values for {nations} nations")
    if not (np.isfinite(given).all() and (given >= 0.0).all()):
        raise ValueError(f"{name}: a value is negative or not finite")
    # A copy, because kernels would be compiled anew for the read-only view.
    return np.broadcast_to(given, (nations,)).copy()


class Outcome(NamedTuple):
    """The hashrate of a contest at some profile.

    Attributes
    ----------
    total : all hashrate; with `free_entry`, as it would be at the price of a neutral coin.
    private_left : private hashrate over what it was.
    concentration : of the machines by nation, or of templates where that is more.
    neutrality : price over the price of a neutral coin.
    """

    total: float
    private_left: float
    concentration: float
    neutrality: float


class Blocs(NamedTuple):
    """Blocs of nations, linear in one nation's state hashrate and in the private part left.

    A bloc holds fixed + tied * left + own * moved.

    Attributes
    ----------
    others : state hashrate of all but the nation that moves.
    added : part of it that came since displacement counts.
    private : private hashrate before any left.
    fixed, tied, own : one a bloc.
    """

    others: float
    added: float
    private: float
    fixed: Floats
    tied: Floats
    own: Floats


@njit(cache=True)
def blocs_of(game: Contest, others: Floats, own: Floats) -> Blocs:
    """The blocs when all but one nation mine `others`, and that one weighs `own` in each bloc."""
    private = game.private.sum() + game.terms.elsewhere
    added = others.sum() - game.state.sum()
    fixed, tied = game.blocs @ others, game.blocs @ game.private
    return Blocs(others.sum(), added, private, fixed, tied, own)


@njit(cache=True, inline="always")
def outcome_of_move(terms: Terms, blocs: Blocs, moved: float) -> Outcome:
    """The outcome when one nation mines `moved` and everyone else does as the blocs say."""
    left = 0.0
    if blocs.private > 0.0:
        displaced = terms.displacement * (blocs.added + moved)
        left = max(blocs.private - displaced, 0.0) / blocs.private
    total = blocs.others + moved + blocs.private * left
    largest, squares = 0.0, 0.0
    for bloc in range(blocs.fixed.size):
        hashrate = blocs.fixed[bloc] + blocs.tied[bloc] * left + blocs.own[bloc] * moved
        largest = max(largest, hashrate)
        squares += hashrate * hashrate
    most = math.sqrt(squares) if terms.root_hhi else largest
    machines = most / total if total > 0.0 else 0.0
    watched = max(machines, terms.template_concentration)
    return Outcome(total, left, watched, neutrality(watched, terms.discount))


@njit(cache=True)
def outcome(game: Contest, profile: Floats) -> Outcome:
    """What the state hashrates of a profile, shape (n,), make of the network and its price."""
    still = blocs_of(game, profile, np.zeros(profile.size))
    return outcome_of_move(game.terms, still, 0.0)


class Stake(NamedTuple):
    """What one nation has in the contest.

    Attributes
    ----------
    reserves_btc : coins held.
    state : own hashrate.
    spent_usd_yr : cost of the own hashrate.
    taxed : part of private hashrate that goes to the nation as tax, before any left.
    taxed_cost_usd_yr : cost of that part.
    """

    reserves_btc: float
    state: float
    spent_usd_yr: float
    taxed: float
    taxed_cost_usd_yr: float


@njit(cache=True)
def stake_of(game: Contest, row: int, state: float) -> Stake:
    """The stake of one nation that mines `state`."""
    taxed = game.tax[row] * game.private[row]
    spent = game.cost_usd_yr[row] * state
    return Stake(game.reserves_btc[row], state, spent, taxed, taxed * game.private_cost_usd_yr[row])


@njit(cache=True, inline="always")
def with_state(stake: Stake, state: float, cost_usd_yr: float) -> Stake:
    """A stake with another hashrate of its own."""
    return Stake(
        stake.reserves_btc, state, cost_usd_yr * state, stake.taxed, stake.taxed_cost_usd_yr
    )


@njit(cache=True, inline="always")
def gain(terms: Terms, stake: Stake, result: Outcome) -> float:
    """Yearly payoff of a stake, USD, but for the prize of dominance."""
    price = terms.price_usd * result.neutrality
    income = price * terms.issuance_btc_yr / result.total if result.total > 0.0 else 0.0
    shrunk = result.neutrality if terms.free_entry else 1.0
    revenue = income * (stake.state + stake.taxed * result.private_left)
    cost = shrunk * (stake.spent_usd_yr + stake.taxed_cost_usd_yr * result.private_left)
    return stake.reserves_btc * price + revenue - cost


@njit(cache=True, inline="always")
def prize(prize_usd_yr: float, home: float, result: Outcome) -> float:
    """What a nation gets for more than half of all hashrate at home, its own and private, USD."""
    return prize_usd_yr if home > 0.5 * result.total else 0.0


@njit(cache=True)
def payoffs(game: Contest, profile: Floats) -> Floats:
    """Yearly payoff of every nation at a profile of state hashrates, USD.

    Reserves at the discounted price, the state's part of the issuance, a tax on private profit at
    home, less the cost of the state's own hashrate; and the prize of dominance, if there is one.
    With `free_entry` private entry holds all hashrate where revenue pays its cost, so hashrate
    (and what a share of it costs) falls with the price.

    Parameters
    ----------
    profile : shape (n,), state hashrate of each nation.
    """
    result = outcome(game, profile)
    gains = np.empty(profile.size)
    for row in range(profile.size):
        stake = stake_of(game, row, profile[row])
        home = profile[row] + game.private[row] * result.private_left
        dominance = prize(game.prize_usd_yr[row], home, result)
        gains[row] = gain(game.terms, stake, result) + dominance
    return gains


def seen_from_outside(hashrate: ArrayLike, draws: ArrayLike, spread: float = 0.1) -> Floats:
    """Hashrates as others estimate them, with a relative error of `spread`.

    Parameters
    ----------
    draws : standard normal, one a hashrate.
    """
    error = spread * np.asarray(draws, dtype=np.float64)
    return np.asarray(np.asarray(hashrate) * np.exp(error - spread**2 / 2.0))


def most_hashrate(
    running: ArrayLike, site_room_mw: ArrayLike, efficiency_j_th: float, machines: ArrayLike
) -> Floats:
    """State hashrate that sites and machines allow, TH/s: both must be there for each new one.

    Parameters
    ----------
    running : TH/s that the state runs now.
    site_room_mw : power free at its sites.
    efficiency_j_th : of the machines it can buy.
    machines : TH/s that makers will deliver to it in time.
    """
    powered = np.asarray(site_room_mw, dtype=np.float64) * 1e6 / efficiency_j_th
    return np.asarray(np.asarray(running) + np.minimum(powered, machines))
