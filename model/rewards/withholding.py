"""Block withholding: mining in a pool, and throwing away the blocks that one finds there.

Work that finds no block which counts drops out of the difficulty: once it has followed, the
rest of the network finds a block every ten minutes, and a block's worth of work takes less.
All revenues here are parts of what the whole network earns from then on.
"""

from __future__ import annotations

import math
from typing import NamedTuple


def left_alone(share: float, infiltration: float) -> float:
    """Part of all blocks that work of a given share finds, once withheld work is not counted.

    Parameters
    ----------
    share : of the whole network's work, that which is withheld included.
    infiltration : x, share of the network's work whose blocks are thrown away, below 1.
    """
    return share / (1.0 - infiltration)


def last_shares_revenue(
    attacker: float, victim: float, infiltration: float, cut: float = 0.0
) -> float:
    """Revenue of an attacker who withholds in a pool that splits its blocks by work.

    Parameters
    ----------
    attacker : a, share of the network's work, of which it mines the rest alone.
    victim : S, share of the pool's honest members.
    infiltration : x, share with which it joins the pool and withholds, at most `attacker`.
    cut : operator cut of the pool.

    Notes
    -----
    ``(a - x)/(1 - x) + (1 - cut) S/(1 - x) x/(S + x)``.
    """
    pool = _pool_pays(victim, infiltration, cut) * infiltration
    return left_alone(attacker - infiltration, infiltration) + pool


def victim_revenue(victim: float, infiltration: float, cut: float = 0.0) -> float:
    """Revenue of the honest members of a pool that splits its blocks by work, infiltrated."""
    return _pool_pays(victim, infiltration, cut) * victim


def _pool_pays(victim: float, infiltration: float, cut: float) -> float:
    """What an infiltrated pool pays a unit of work."""
    return (1.0 - cut) * left_alone(victim, infiltration) / (victim + infiltration)


def best_infiltration(attacker: float, victim: float, cut: float = 0.0) -> float:
    """Share with which an attacker earns most in a pool that splits its blocks by work.

    Parameters
    ----------
    attacker, victim : shares of the network's work, together at most 1.
    cut : operator cut of the pool.

    Notes
    -----
    The positive root of the derivative of `last_shares_revenue`,
    ``(1 - S - a + c S) x**2 + 2 S (1 - a) x - S**2 (a - c) = 0``, in a form that does not cancel.
    None is positive once the cut is as large as the attacker's share of the network.

    References
    ----------
    Rosenfeld 2011, "Analysis of Bitcoin Pooled Mining Reward Systems"; Eyal 2015, "The Miner's
    Dilemma", IEEE Symposium on Security and Privacy.
    """
    gain = attacker - cut
    if gain <= 0.0 or victim == 0.0:
        return 0.0
    others = 1.0 - attacker
    root = math.sqrt(others**2 + gain * (others - victim + cut * victim))
    return victim * gain / (others + root)


class Attack(NamedTuple):
    """What withholding does to those concerned, in parts of what they earn without it.

    Attributes
    ----------
    infiltration : share of the network's work that is withheld.
    gain : to the attacker, negative for a loss.
    victim_loss : to the honest members of the pool.
    """

    infiltration: float
    gain: float
    victim_loss: float


def best_attack(attacker: float, victim: float, cut: float = 0.0) -> Attack:
    """The withholding that pays an attacker most in a pool that splits its blocks by work."""
    infiltration = best_infiltration(attacker, victim, cut)
    gain = last_shares_revenue(attacker, victim, infiltration, cut) / attacker - 1.0
    loss = 1.0 - victim_revenue(victim, infiltration) / victim if victim > 0.0 else 0.0
    return Attack(infiltration, gain, loss)


def paid_shares_revenue(attacker: float, infiltration: float, cut: float = 0.0) -> float:
    """Revenue of an attacker who withholds in a pool that pays every share, while it can.

    It loses the cut alone, and gains what difficulty falls by: ``(a - cut x)/(1 - x)``.
    """
    return left_alone(attacker - cut * infiltration, infiltration)


def operator_margin(victim: float, infiltration: float, cut: float) -> float:
    """What an operator who pays every share keeps, in parts of the whole network's revenue.

    Notes
    -----
    ``(cut (S + x) - x)/(1 - x)``: the cut of all work, less the blocks that are withheld.
    """
    return left_alone(cut * (victim + infiltration) - infiltration, infiltration)


def ruinous_infiltration(victim: float, cut: float) -> float:
    """Withheld share of the network's work from which such an operator is sure to be ruined.

    It is where the cut is eaten up: where the cut's part of the pool's work is withheld.
    """
    return cut * victim / (1.0 - cut)


def covenant_revenue(attacker: float, infiltration: float) -> float:
    """Revenue of an attacker who withholds in a pool that pays for blocks only.

    Notes
    -----
    ``(a - x)/(1 - x)``, below a for any x above 0, and that whatever the window and the part
    that is shared: a block withheld is paid nothing, is not counted in any later block, and
    all that it does for difficulty is shared with everybody.
    """
    return left_alone(attacker - infiltration, infiltration)
