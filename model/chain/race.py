"""The race between an offending branch and the enforcers who refuse to build on it."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import betainc

from model.chain.patience import CONFIRMATIONS, INF, Patience

Floats = NDArray[np.float64]
TipRule = Literal["heaviest", "tie_join"]

# By how much the enforcers' branch must be longer before the others build on it.
_MARGINS: dict[TipRule, int] = {"heaviest": 1, "tie_join": 0}


class Race(NamedTuple):
    """What is expected of a race, counted from the offending block on, which starts it.

    Attributes
    ----------
    won : chance that the enforcers win, and the offending block is orphaned.
    events : blocks found, on either branch, until one side stops.
    others_orphaned : blocks of the others on top of the offending one that are orphaned.
    enforcers_orphaned : blocks of the enforcers that are orphaned.
    """

    won: float
    events: float
    others_orphaned: float
    enforcers_orphaned: float

    @property
    def blocks_lost(self) -> float:
        """Blocks of the others that an offence costs them, the offending one included."""
        return self.won + self.others_orphaned


def race(enforcing: float, patience: Patience, tip: TipRule = "heaviest") -> Race:
    """What is expected of a race, by the enforcers' share of the hashrate.

    Parameters
    ----------
    enforcing : share of the hashrate that enforces, in [0, 1].
    patience : when the enforcers give up.
    tip : whether the others build on the heaviest tip and keep theirs at a tie, or join the
        enforcers at a tie.

    Returns
    -------
    Race
        Its `events` and `enforcers_orphaned` are infinite if the enforcers never give up and
        have no majority: such a race may last for ever.

    Notes
    -----
    The lead of the offending branch is a random walk from 1, up with the others' share q and
    down with the enforcers' s; the enforcers win at -1 (0 if the others join at a tie).

    References
    ----------
    Feller 1968, "An Introduction to Probability Theory", volume 1, chapter XIV.
    """
    _check_share(enforcing)
    margin = _MARGINS[tip]
    return Race(*race_kernel(float(enforcing), patience.code, patience.blocks, margin))


@njit(cache=True)
def race_kernel(
    enforcing: float, code: int, blocks: int, margin: int
) -> tuple[float, float, float, float]:
    """The fields of a `Race`, by the integers of a `Patience` and the margin of a win."""
    if code == INF:
        return _endless_race(enforcing, margin)
    if code == CONFIRMATIONS:
        return _confirmations_race(enforcing, blocks, margin)
    return _lag_race(enforcing, blocks, margin)


@njit(cache=True)
def _endless_race(enforcing: float, margin: int) -> tuple[float, float, float, float]:
    others = 1.0 - enforcing
    steps = 1.0 + margin
    if enforcing > others:
        events = steps / (enforcing - others)
        return 1.0, events, others * events, 0.0
    if enforcing == others:
        return 1.0, math.inf, math.inf, math.inf
    won = (enforcing / others) ** steps
    # Given that the enforcers win, the walk is one in which the two shares are exchanged.
    lost = won * enforcing * steps / (others - enforcing)
    return won, math.inf, lost, math.inf


@njit(cache=True)
def _lag_race(enforcing: float, lag: int, margin: int) -> tuple[float, float, float, float]:
    """Sum over the leads at which the race goes on, from that next to a win to `lag - 1`."""
    leads = lag - 1 + margin
    start = margin  # the state of an offending branch that leads by one
    if start >= leads:
        return 0.0, 0.0, 0.0, 0.0
    others = 1.0 - enforcing
    now = np.zeros(leads)
    now[0] = enforcing
    won = _expected(others, enforcing, now)
    now[0], now[-1] = 0.0, others
    given_up = _expected(others, enforcing, now)
    events = _expected(others, enforcing, np.ones(leads))
    ups, downs = np.zeros(leads), np.zeros(leads)
    ups[:-1] = others * won[1:]
    downs[1:] = enforcing * given_up[:-1]
    lost = _expected(others, enforcing, ups)
    wasted = _expected(others, enforcing, downs)
    return won[start], events[start], lost[start], wasted[start]


@njit(cache=True)
def _expected(up: float, down: float, now: Floats) -> Floats:
    """Expected sum of `now` over the states that a walk visits before it leaves them.

    Solves v[k] = now[k] + up v[k+1] + down v[k-1], zero outside, by elimination; every term is
    positive, so no digits are lost at any share.
    """
    size = now.size
    ahead, summed = np.empty(size), np.empty(size)
    pivot = 1.0
    for state in range(size):
        carried = now[state]
        if state > 0:
            pivot = 1.0 - down * ahead[state - 1]
            carried += down * summed[state - 1]
        ahead[state] = up / pivot
        summed[state] = carried / pivot
    for state in range(size - 2, -1, -1):
        summed[state] += ahead[state] * summed[state + 1]
    return summed


@njit(cache=True)
def _confirmations_race(
    enforcing: float, confirmations: int, margin: int
) -> tuple[float, float, float, float]:
    """Follow the chance of every pair of branch lengths until one side has stopped."""
    others = 1.0 - enforcing
    won = events = lost = wasted = 0.0
    chance = np.zeros(confirmations + 3)
    chance[0] = 1.0
    for offending in range(1, confirmations + 1):
        goal = offending + margin
        for enforced in range(goal):
            chance[enforced + 1] += enforcing * chance[enforced]
            events += chance[enforced]
            chance[enforced] *= others
        won += chance[goal]
        lost += chance[goal] * (offending - 1)
        # Those who have won do not go on to the next length of the offending branch.
        chance[goal] = 0.0
    for enforced in range(confirmations + margin):
        wasted += chance[enforced] * enforced
    return won, events, lost, wasted


def split_chance(enforcing: float) -> float:
    """Chance that an offence splits the chain for good, if the enforcers never give up."""
    return 1.0 - race(enforcing, Patience("inf")).won


def offences_undone(enforcing: float) -> float:
    """Offences that enforcers who never give up are expected to undo before the chain splits."""
    split = split_chance(enforcing)
    return (1.0 - split) / split if split > 0.0 else math.inf


def reorg_chance(share: float, lead: int) -> float:
    """Chance that the branch with this share of the hashrate overtakes one that leads by `lead`.

    To overtake is to be longer by one: to draw level only, ask for a lead less by one.
    """
    _check_share(share)
    if share >= 0.5:
        return 1.0
    return (share / (1.0 - share)) ** (lead + 1)


def double_spend_chance(share: float, confirmations: int) -> float:
    """Chance that an attacker rewrites a payment that its receiver took after confirmations.

    References
    ----------
    Rosenfeld 2014, "Analysis of Hashrate-Based Double Spending"; in closed form Grunspan and
    Perez-Marco 2018, "Double spend races".
    """
    _check_share(share)
    if share >= 0.5 or confirmations == 0:
        return 1.0
    return float(betainc(confirmations, 0.5, 4.0 * share * (1.0 - share)))


def inclusion_blocks(including: float, enforcing: float, patience: Patience) -> float:
    """Blocks found, orphans too, until a forbidden transaction is safe in the chain.

    Parameters
    ----------
    including : share of the hashrate that would include it.
    enforcing : share that refuses to build on it; the rest only filters.
    patience : of the enforcers; the transaction is safe when they have given up.

    Notes
    -----
    Where nobody enforces, or patience lasts one block only, the wait is geometric: 1 / including.
    """
    _check_share(including)
    if including + enforcing > 1.0 + 1e-9:
        raise ValueError(f"shares {including} and {enforcing} are more than the whole hashrate")
    found = race(enforcing, patience)
    if including == 0.0 or found.won == 1.0 or math.isinf(found.events):
        return math.inf
    return (1.0 / including + found.events) / (1.0 - found.won)


def _check_share(share: float) -> None:
    # Written so that NaN fails too.
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"a share of the hashrate lies between 0 and 1, not at {share}")
