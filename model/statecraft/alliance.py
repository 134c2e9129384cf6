"""What allies mine who decide as one: how much together, and how they divide it."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from model.statecraft.contest import Contest, outcome, payoffs

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_COARSE = 40
_FINE = 7
_ZOOMS = 24


@njit(cache=True)
def divide(total: float, room: Floats, cost: Floats) -> Floats:
    """Divide hashrate among those who have room for it, the cheapest first.

    Parameters
    ----------
    total : to be divided; what finds no room is left out.
    room, cost : shape (n,); those of equal cost take parts in proportion to their room.
    """
    given = np.zeros(room.size)
    for level in np.unique(cost):
        equals = cost == level
        there = room[equals].sum()
        part = min(total / there, 1.0) if there > 0.0 else 0.0
        given[equals] = part * room[equals]
        total = max(total - there, 0.0)
    return given


@njit(cache=True)
def _divided(game: Contest, members: Flags, profile: Floats, total: float, cap: float) -> Floats:
    """A profile in which the members mine `total`, none having more than `cap` at home."""
    trial = profile.copy()
    trial[members] = 0.0
    spread = np.where(members, total / members.sum(), trial)
    at_home = game.private[members] * outcome(game, spread).private_left
    room = np.minimum(np.maximum(cap - at_home, 0.0), game.most[members])
    trial[members] = divide(total, room, game.cost_usd_yr[members])
    return trial


@njit(cache=True)
def _best_on_grid(
    game: Contest, members: Flags, profile: Floats, totals: Floats, caps: Floats
) -> tuple[float, float]:
    best, highest = (0.0, 0.0), -np.inf
    for total in totals:
        for cap in caps:
            trial = _divided(game, members, profile, total, cap)
            value = payoffs(game, trial)[members].sum()
            if value > highest:
                best, highest = (total, cap), value
    return best


@njit(cache=True)
def _joint_best(game: Contest, members: Flags, profile: Floats) -> Floats:
    """A grid over all totals and caps, then ever finer ones around the best point."""
    widest = game.most[members].sum()
    highest = (game.most[members] + game.private[members]).max()
    totals, caps = np.linspace(0.0, widest, _COARSE), np.linspace(0.0, highest, _COARSE)
    total, cap = _best_on_grid(game, members, profile, totals, caps)
    for zoom in range(_ZOOMS):
        finer = 2.0 * 0.5**zoom / _COARSE
        wide, high = finer * widest, finer * highest
        totals = np.linspace(max(total - wide, 0.0), min(total + wide, widest), _FINE)
        caps = np.linspace(max(cap - high, 0.0), min(cap + high, highest), _FINE)
        total, cap = _best_on_grid(
            game, members, profile, np.append(totals, total), np.append(caps, cap)
        )
    return _divided(game, members, profile, total, cap)


def joint_response(game: Contest, members: ArrayLike, profile: Floats) -> Floats:
    """Profile in which the members mine what is best for all of them together.

    The cheapest mine first, and none gets more at home than suits them all: more would make it
    the one that dominates. Who is not a member mines as in the profile. Exact where concentration
    is the largest share; with other measures the best division of this kind.

    Parameters
    ----------
    members : shape (n,), whether each nation decides with the others.
    profile : shape (n,), state hashrates.
    """
    allies = np.asarray(members, dtype=np.bool_)
    if not (game.most[allies] > 0.0).any():
        return np.where(allies, 0.0, profile)
    return _joint_best(game, allies, np.asarray(profile, dtype=np.float64))
