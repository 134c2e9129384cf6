"""Best responses of nations that may mine themselves, and where they come to rest."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from model.statecraft.contest import (
    Blocs,
    Contest,
    Stake,
    Terms,
    blocs_of,
    gain,
    outcome_of_move,
    prize,
    stake_of,
    with_state,
)
from model.statecraft.search import GRID_POINTS

Floats = NDArray[np.float64]

# No division here is by zero; looking out for one makes a move four times as slow.
_kernel = njit(cache=True, error_model="numpy")
_inlined = njit(cache=True, error_model="numpy", inline="always")

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
# Shares of the most a nation can mine: where the golden section ends, and how far apart the
# points of the last parabola lie.
_FINEST = 1e-10
_SIDE = 1e-4
# Relative difference of payoffs that is only rounding.
_FLAT = 1e-14
# Rounds that a step looks back on.
_MEMORY = 5


class _Choice(NamedTuple):
    """All that the payoff of one nation's moves depends on, and no more: it is copied at each."""

    terms: Terms
    blocs: Blocs
    stake: Stake
    cost_usd_yr: float
    private: float
    prize_usd_yr: float


@_kernel
def _never_largest(blocs: Blocs, bloc: int) -> bool:
    """Whether some other bloc is at least as large wherever the nation moves."""
    for other in range(blocs.fixed.size):
        fixed = blocs.fixed[other] - blocs.fixed[bloc]
        tied = blocs.tied[other] - blocs.tied[bloc]
        own = blocs.own[other] - blocs.own[bloc]
        alike = fixed == 0.0 and tied == 0.0 and own == 0.0
        if min(fixed, tied, own) >= 0.0 and (other < bloc or not alike):
            return True
    return False


@_kernel
def _those_that_count(blocs: Blocs) -> Blocs:
    """The blocs that a move can make the largest."""
    kept = np.array([not _never_largest(blocs, bloc) for bloc in range(blocs.fixed.size)])
    fixed, tied, own = blocs.fixed[kept], blocs.tied[kept], blocs.own[kept]
    return Blocs(blocs.others, blocs.added, blocs.private, fixed, tied, own)


@_kernel
def _choice(game: Contest, player: int, profile: Floats) -> _Choice:
    others = profile.copy()
    others[player] = 0.0
    blocs = blocs_of(game, others, game.blocs[:, player].copy())
    if not game.terms.root_hhi:
        blocs = _those_that_count(blocs)
    return _Choice(
        game.terms,
        blocs,
        stake_of(game, player, 0.0),
        game.cost_usd_yr[player],
        game.private[player],
        game.prize_usd_yr[player],
    )


@_inlined
def _value(choice: _Choice, moved: float) -> float:
    """Payoff of one nation when its hashrate is `moved`."""
    result = outcome_of_move(choice.terms, choice.blocs, moved)
    stake = with_state(choice.stake, moved, choice.cost_usd_yr)
    home = moved + choice.private * result.private_left
    return gain(choice.terms, stake, result) + prize(choice.prize_usd_yr, home, result)


@_kernel
def _golden_section(choice: _Choice, low: float, high: float, finest: float) -> float:
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = _value(choice, left), _value(choice, right)
    while high - low > finest:
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = _value(choice, left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = _value(choice, right)
    return left if at_left >= at_right else right


@_kernel
def _vertex(choice: _Choice, top: float, side: float) -> float:
    """The top of the parabola around `top`, or `top` where the payoff has a kink or a corner.

    Rounding hides the last digits of where a smooth payoff is highest, but not of where the
    parabola through its sides is.
    """
    below, above = _value(choice, top - side), _value(choice, top + side)
    at_top = _value(choice, top)
    bend = below - 2.0 * at_top + above
    if bend >= 0.0:
        return top
    vertex = top + 0.5 * side * (below - above) / bend
    return vertex if _value(choice, vertex) >= at_top - _FLAT * abs(at_top) else top


@_kernel
def _best_hashrate(game: Contest, player: int, profile: Floats) -> float:
    """Hashrate of one nation that is best for it, all others as in the profile.

    A grid over all that is possible finds the hills of payoff, a golden section the top of each:
    where the payoff has a kink, the highest top may lie between points that are not the highest.
    """
    choice, most = _choice(game, player, profile), game.most[player]
    step = most / (GRID_POINTS - 1)
    best, highest = 0.0, _value(choice, 0.0)
    before, here = -np.inf, highest
    for point in range(GRID_POINTS):
        after = _value(choice, (point + 1) * step) if point < GRID_POINTS - 1 else -np.inf
        if here >= before and here > after:
            low, high = max((point - 1) * step, 0.0), min((point + 1) * step, most)
            top = _golden_section(choice, low, high, _FINEST * most)
            top = top if _value(choice, top) > here else point * step
            if _value(choice, top) > highest:
                best, highest = top, _value(choice, top)
        before, here = here, after
    return _vertex(choice, best, min(_SIDE * most, best, most - best))


@_kernel
def best_responses(game: Contest, profile: Floats) -> Floats:
    """State hashrate of each nation that is best for itself, all others as in the profile."""
    best = np.zeros(profile.size)
    for player in range(profile.size):
        if game.most[player] > 0.0:
            best[player] = _best_hashrate(game, player, profile)
    return best


class Settled(NamedTuple):
    """Where best responses came to rest.

    Attributes
    ----------
    profile : state hashrate of each nation.
    sweeps : how many rounds of responses it took.
    converged : whether the last round changed next to nothing; if not, the profile is the last.
    """

    profile: Floats
    sweeps: int
    converged: bool


@_kernel
def _secant_step(moves: Floats, turns: Floats, gap: Floats, damping: float) -> Floats:
    """The damped step to a best response, less what earlier rounds foretell of its overshoot.

    Rows of `moves` are changes of the profile in earlier rounds, of `turns` those of the gap.
    """
    step = damping * gap
    if len(moves) == 0:
        return step
    products = turns @ turns.T
    for row in range(len(products)):
        # Rounds that point the same way would leave the weights undetermined.
        products[row, row] *= 1.0 + 1e-10
        products[row, row] += 1e-300
    weights = np.linalg.solve(products, turns @ gap)
    return step - weights @ (moves + damping * turns)


@_kernel
def settle(
    game: Contest,
    start: Floats,
    damping: float = 0.5,
    tolerance: float = 1e-6,
    most_sweeps: int = 200,
) -> Settled:
    """Let all nations respond at once, round after round, until no one wants to move.

    Parameters
    ----------
    start : shape (n,), state hashrates to begin with; where there are several equilibria it
        decides which is found.
    damping : part of the way to its best response that each nation goes in a round, 0 to 1; it is
        halved whenever a round ends further from rest than the one before.
    tolerance : largest distance from a best response, over the mean hashrate, that is rest.

    Notes
    -----
    Many nations that make up for the same lack overshoot together: damping .5 alone oscillates
    without end from four of them on, and a smaller one takes hundreds of rounds.  Each step is
    therefore corrected by what the last rounds showed of how the gaps answer to moves.

    References
    ----------
    Anderson 1965, "Iterative Procedures for Nonlinear Integral Equations", J. ACM 12.
    """
    profile = np.minimum(start, game.most)
    moves, turns = np.empty((0, start.size)), np.empty((0, start.size))
    before, last = np.full(start.size, np.inf), profile
    for sweep in range(1, most_sweeps + 1):
        gap = best_responses(game, profile) - profile
        if np.abs(gap).max() <= tolerance * profile.mean():
            return Settled(profile, sweep, True)
        if (gap**2).sum() > (before**2).sum():
            damping = max(0.5 * damping, 0.5 / start.size)
            moves, turns = moves[:0], turns[:0]
        elif sweep > 1:
            moves = np.vstack((moves[-_MEMORY + 1 :], (profile - last).reshape(1, -1)))
            turns = np.vstack((turns[-_MEMORY + 1 :], (gap - before).reshape(1, -1)))
        step = _secant_step(moves, turns, gap, damping)
        before, last = gap, profile
        profile = np.minimum(np.maximum(profile + step, 0.0), game.most)
    return Settled(profile, most_sweeps, False)
