"""Who includes, filters or enforces: each controller's best reply to the others."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from model.chain.censorship import (
    Shares,
    believed_patience,
    losses_per_hash,
    rates_kernel,
)
from model.chain.patience import Patience
from model.chain.race import TipRule

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

_SWEEPS = 20
_DAMPING = 0.5
# Payoffs nearer than this, in block rewards, tie; so the last digit decides nothing.
_TIE = 1e-12


class Choice(IntEnum):
    """What a template controller does with forbidden transactions, and with others' blocks."""

    INCLUDE = 0
    FILTER = 1
    ENFORCE = 2


class Directive(IntEnum):
    """What the law of its nation demands of a controller."""

    NONE = 0
    FILTER = 1
    ENFORCE = 2


class Compliance(NamedTuple):
    """What every controller does, and how the hashrate is split by it.

    Attributes
    ----------
    choice : `Choice` codes, one per controller.
    shares : the hashrate that enforces, only filters, and includes.
    settled : whether the choices are best replies to what is believed to enforce and seen to
        include; if not, they still move, or the last to include are indifferent.
    sweeps : rounds of replies that it took.
    """

    choice: Codes
    shares: Shares
    settled: bool
    sweeps: int


class EnforcingEstimate(NamedTuple):
    """A beta distribution of what controllers believe the enforcing share to be.

    Filterers and enforcers look alike until a race: only the blocks of races inform.

    Attributes
    ----------
    enforcers_blocks, others_blocks : blocks seen in races, the weight of the prior included.
    """

    enforcers_blocks: float
    others_blocks: float

    @classmethod
    def announced(cls, coerced: float, noise: float, weight: float, spread: float = 0.1) -> Self:
        """The belief on the day of a directive.

        Parameters
        ----------
        coerced : share of the hashrate announced to be coerced.
        noise : standard normal draw.
        weight : blocks of races that the announcement is worth.
        spread : relative standard deviation of the announcement's error.
        """
        if not (0.0 <= coerced <= 1.0 and weight > 0.0):
            raise ValueError(f"no announcement has share {coerced} and weight {weight}")
        share = min(max(coerced * (1.0 + spread * noise), 0.0), 1.0)
        return cls(weight * share, weight * (1.0 - share))

    @property
    def share(self) -> float:
        """The share of the hashrate expected to enforce."""
        return self.enforcers_blocks / (self.enforcers_blocks + self.others_blocks)

    def after_races(self, enforcers: int, others: int) -> Self:
        """The belief after the blocks of races, those that began them not counted."""
        if enforcers < 0 or others < 0:
            raise ValueError(f"no race has {enforcers} and {others} blocks")
        return self._replace(
            enforcers_blocks=self.enforcers_blocks + enforcers,
            others_blocks=self.others_blocks + others,
        )


def ideology(draw: Floats, mean: float = 0.02, spread: float = 0.05, least: float = -0.1) -> Floats:
    """What including is worth to controllers beside revenue, in block rewards.

    Parameters
    ----------
    draw : uniform in [0, 1).
    mean, spread, least : of a normal distribution cut off below `least`.
    """
    if spread == 0.0:
        return np.full(np.shape(draw), max(mean, least))
    below = ndtr((least - mean) / spread)
    values = ndtri(below + (1.0 - below) * np.asarray(draw, dtype=np.float64))
    return np.maximum(mean + spread * values, least)


def comply(
    hashrate: Floats,
    ideology_value: Floats,
    directive: Codes,
    detection: Floats,
    previous: Codes,
    *,
    enforcing_believed: float,
    patience: Patience,
    premium: float = 0.001,
    fine: float = 50.0,
    offending: float = 1.0,
    tip: TipRule = "heaviest",
) -> Compliance:
    """Each controller's best choice, given what all others do.

    Parameters
    ----------
    hashrate : of the templates that each controller makes, any unit.
    ideology_value : what including is worth beside revenue, in block rewards; may be infinite.
    directive : `Directive` codes: what each is told to do.
    detection : chance that disobedience is found out.
    previous : `Choice` codes; who would gain nothing keeps to it.
    enforcing_believed : share of the hashrate that controllers believe to enforce.
    patience : of the enforcers.
    premium : transaction fees of the forbidden transactions of a block, in block rewards.
    fine : for disobedience, in block rewards per block.
    offending : chance that a block of an includer, outside a race, offends.
    tip : on which tip the others build.

    Notes
    -----
    Who includes is seen in every block, who enforces only in races.  So the belief in the
    enforcing share stands while the including share is replied to, again and again, for at most
    20 rounds: half way towards the reply while anybody moves, then all the way.  By that belief
    enforcing is safer than filtering for everybody or for nobody.  Where includers protect each
    other, a higher including share is replied to with a higher one, so the shares move one way
    only and come to rest.  Where they crowd each other out, the share at which the reply turns
    is closed in from both sides.  Slow approaches go on at the next call, from the choices of
    this one.  A controller takes the shares as given, its own included.
    """
    _check_controllers(hashrate, ideology_value, directive, detection, previous)
    _check_terms(enforcing_believed, premium, fine)
    costs = detection * fine
    told_to_filter = np.where(directive >= Directive.FILTER, costs, 0.0)
    told_to_enforce = np.where(directive == Directive.ENFORCE, costs, 0.0)
    believed = believed_patience(patience, enforcing_believed)
    choice, settled, sweeps = _replies(
        hashrate / hashrate.sum(),
        ideology_value - told_to_filter,
        -told_to_enforce,
        previous.astype(np.int8),
        losses_per_hash(enforcing_believed, believed, tip),
        1.0 - enforcing_believed,
        premium,
        offending,
    )
    return Compliance(choice, shares_by_choice(choice, hashrate), settled, sweeps)


def shares_by_choice(choice: Codes, hashrate: Floats) -> Shares:
    """How the hashrate is split by the choices of those who control it."""
    held = np.bincount(choice, hashrate, minlength=len(Choice)) / hashrate.sum()
    held = np.minimum(held, 1.0)  # two orders of summing may carry the whole past one
    return Shares(
        float(held[Choice.ENFORCE]), float(held[Choice.FILTER]), float(held[Choice.INCLUDE])
    )


@njit(cache=True)
def _replies(
    weight: Floats,
    include_value: Floats,
    filter_value: Floats,
    previous: Codes,
    losses: tuple[float, float, float, float],
    most_including: float,
    premium: float,
    offending: float,
) -> tuple[Codes, bool, int]:
    choice = previous.copy()
    including = min(_including(weight, choice), most_including)
    low, high = -1.0, 2.0
    for sweep in range(1, _SWEEPS + 1):
        rates = rates_kernel(*losses, including * offending, offending)
        moved = _reply(choice, include_value, filter_value, rates, premium)
        now = min(_including(weight, choice), most_including)
        if now == including:
            return choice, True, sweep
        if now > including:
            low = including
        else:
            high = including
        including = _next_belief(including, now, _DAMPING if moved else 1.0, low, high)
    return choice, False, _SWEEPS


@njit(cache=True)
def _next_belief(including: float, now: float, step: float, low: float, high: float) -> float:
    """Go some of the way to the reply, or half way back if that oversteps where it turned."""
    ahead = including + step * (now - including)
    return ahead if low < ahead < high else 0.5 * (low + high)


@njit(cache=True)
def _including(weight: Floats, choice: Codes) -> float:
    total = 0.0
    for controller in range(weight.size):
        if choice[controller] == 0:
            total += weight[controller]
    return total


@njit(cache=True)
def _reply(
    choice: Codes,
    include_value: Floats,
    filter_value: Floats,
    rates: tuple[float, float, float],
    premium: float,
) -> bool:
    """Replace every choice by the best one; whether any was replaced."""
    enforcer, filterer, includer = rates
    moved = False
    payoffs = np.empty(3)
    for controller in range(choice.size):
        payoffs[0] = (1.0 - includer) * (1.0 + premium) + include_value[controller]
        payoffs[1] = 1.0 - filterer + filter_value[controller]
        payoffs[2] = 1.0 - enforcer
        best = np.argmax(payoffs)
        if payoffs[best] > payoffs[choice[controller]] + _TIE:
            choice[controller] = best
            moved = True
    return moved


def _check_controllers(
    hashrate: Floats, ideology_value: Floats, directive: Codes, detection: Floats, previous: Codes
) -> None:
    columns = (ideology_value, directive, detection, previous)
    if hashrate.ndim != 1 or any(column.shape != hashrate.shape for column in columns):
        raise ValueError("every controller has one of each: hashrate, ideology, directive, choice")
    if not (hashrate.size and hashrate.min() >= 0.0 and 0.0 < hashrate.sum() < np.inf):
        raise ValueError("controllers need hashrates that are not negative, and some hashrate")
    if np.isnan(ideology_value).any() or not (detection.min() >= 0.0 and detection.max() <= 1.0):
        raise ValueError("ideology must be a number, and a chance of detection lie in [0, 1]")
    if min(directive.min(), previous.min()) < 0 or max(directive.max(), previous.max()) > 2:
        raise ValueError("directives and choices have the codes 0, 1 and 2")


def _check_terms(enforcing: float, premium: float, fine: float) -> None:
    if not 0.0 <= enforcing <= 1.0:
        raise ValueError(f"a share of the hashrate lies between 0 and 1, not at {enforcing}")
    if not (0.0 <= premium < np.inf and 0.0 <= fine < np.inf):
        raise ValueError(f"premium and fine are finite and not negative, not {premium}, {fine}")
