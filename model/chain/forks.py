"""Forks that users ask for: who asks, who may mine, and which side can undo the other."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.streams import uniform
from model.units import BLOCKS_PER_DAY

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

# One draw of a row for each purpose, so that all of them may share a stream.
_DRAW_SHARE, _DRAW_DAYS, _DRAW_LEAD, _DRAW_LISTED, _DRAW_PINS, _DRAW_PIN_DAYS = range(6)


class ForkKind(StrEnum):
    """What a side does to leave the other."""

    NEW_ALGORITHM = "new_algorithm"
    INVALIDATION = "invalidation"
    CHECKPOINTS = "checkpoints"
    OTHER_RULES = "other_rules"


class Tolerance(NamedTuple):
    """What holders bear before they ask for a fork.

    Attributes
    ----------
    censored_share : shape (n,), share of blocks that may be censored.
    days : shape (n,), for how long it may be exceeded.
    """

    censored_share: Floats
    days: Floats


class Reach(NamedTuple):
    """Hashrate on a coin whose nodes reject the blocks of known bad actors.

    Attributes
    ----------
    honest_ths : of owners who are neither rejected nor ordered about.
    wronged_ths : of others who are rejected by mistake.
    anonymous_ths : of the government, not recognised, and so able to attack.
    """

    honest_ths: float
    wronged_ths: float
    anonymous_ths: float


def _between(low: float, high: float, chance: float) -> float:
    return low + (high - low) * chance


# Who asks.


def draw_tolerance(
    key: np.uint64,
    holders: int,
    censored_share: tuple[float, float] = (0.05, 0.95),
    days: tuple[float, float] = (30.0, 180.0),
) -> Tolerance:
    """How much censorship each holder bears, and how long: uniform draws, one row a holder."""
    drawn = np.array(
        [
            (uniform(key, 0, row, _DRAW_SHARE), uniform(key, 0, row, _DRAW_DAYS))
            for row in range(holders)
        ]
    ).reshape(holders, 2)
    lowest = np.array([censored_share[0], days[0]])
    highest = np.array([censored_share[1], days[1]])
    shares, waits = (lowest + (highest - lowest) * drawn).T
    return Tolerance(shares, waits)


def days_over(
    days: Floats, censored_share: float, tolerance: Tolerance, elapsed_days: float = 1.0
) -> Floats:
    """For how long each holder has seen more censorship than it tolerates, without a break.

    Parameters
    ----------
    days : shape (n,), before.
    censored_share : of the blocks found while a forbidden transaction was pending.
    elapsed_days : since `days` was computed.
    """
    if not 0.0 <= censored_share <= 1.0:
        raise ValueError(f"a share of blocks lies between 0 and 1, unlike {censored_share}")
    return np.where(censored_share > tolerance.censored_share, days + elapsed_days, 0.0)


def activist_share(weight: Floats, freedom: Floats, days: Floats, tolerance: Tolerance) -> float:
    """Share of the coin's value whose holders ask for a fork.

    Parameters
    ----------
    weight : shape (n,), share of supply.
    freedom : shape (n,), how much of each holder's demand is for the free coin.
    days : shape (n,), from `days_over`.
    """
    return float((weight * freedom)[days > tolerance.days].sum())


def is_proposed(share: float, threshold: float = 0.10) -> bool:
    """Whether enough holders ask for a fork for somebody to propose one."""
    return share > threshold


def lead_days(key: np.uint64, fork: int, shortest: float = 90.0, longest: float = 365.0) -> float:
    """Days from the proposal of a run's first, second, ... fork to its activation."""
    return _between(shortest, longest, float(uniform(key, 0, fork, _DRAW_LEAD)))


# Who may mine.


def usable_hashrate(kind: ForkKind, hashrate_ths: Floats, rejected: Booleans) -> Floats:
    """Hashrate of each owner of today's machines that counts on the coin that forked.

    Parameters
    ----------
    hashrate_ths : shape (n,), TH/s by owner.
    rejected : shape (n,), whose blocks the coin's nodes reject.
    """
    if kind == ForkKind.NEW_ALGORITHM:
        return np.zeros_like(hashrate_ths)
    if kind == ForkKind.INVALIDATION:
        return np.where(rejected, 0.0, hashrate_ths)
    return hashrate_ths.copy()


def commodity_hashrate_ths(price_usd: float, reward_btc: float, cost_usd_ths_day: float) -> float:
    """Hashrate of a new algorithm in free entry: rented machines cost what blocks pay.

    Parameters
    ----------
    price_usd : of the coin.
    reward_btc : subsidy and transaction fees of a block.
    cost_usd_ths_day : of a terahash a second of commodity hardware for a day.

    Returns
    -------
    TH/s; a dollar buys as much security as on the old algorithm, whatever the hardware costs.
    """
    if not cost_usd_ths_day > 0.0:
        raise ValueError(f"hashrate must cost something, not {cost_usd_ths_day}")
    return BLOCKS_PER_DAY * reward_btc * price_usd / cost_usd_ths_day


def rejected_owners(
    government: Booleans, key: np.uint64, identified: float = 0.95, mistaken: float = 0.02
) -> Booleans:
    """Whose blocks nodes reject: most of the government's owners, and few others by mistake.

    Parameters
    ----------
    government : shape (n,), who mines for the government or on its orders.
    key : of the stream; owner i draws in row i, so the list does not depend on the others.
    identified, mistaken : chance that a bad actor, and that anybody else, is on the list.
    """
    chances = np.where(government, identified, mistaken)
    drawn = np.array([uniform(key, 0, row, _DRAW_LISTED) for row in range(government.size)])
    return drawn < chances


def reach(hashrate_ths: Floats, government: Booleans, rejected: Booleans) -> Reach:
    """Who can mine a coin whose nodes reject known bad actors; each array has shape (n,)."""
    return Reach(
        honest_ths=float(hashrate_ths[~government & ~rejected].sum()),
        wronged_ths=float(hashrate_ths[~government & rejected].sum()),
        anonymous_ths=float(hashrate_ths[government & ~rejected].sum()),
    )


def can_attack(anonymous_ths: float, free_ths: float) -> bool:
    """Whether a government's unrecognised hashrate exceeds what mines the free coin."""
    return anonymous_ths > free_ths


# Which side is which, and how long both exist.


def compliant_is_original(kind: ForkKind | None, compliant_work: float, free_work: float) -> bool:
    """Whether the compliant side runs the original rules; the free side does otherwise.

    Parameters
    ----------
    kind : of the users' fork; none if miners split the chain.
    compliant_work, free_work : of the blocks since the split, in units of difficulty.

    Notes
    -----
    The side with more work does, unless it lives by checkpoints.  Work in different algorithms
    cannot be compared: whoever changes the algorithm leaves the original rules.
    """
    if kind == ForkKind.NEW_ALGORITHM:
        return True
    return kind != ForkKind.CHECKPOINTS and compliant_work > free_work


def pin_day(
    kind: ForkKind | None,
    split_day: float,
    key: np.uint64,
    chance: float = 0.9,
    lead: tuple[float, float] = (1.0, 30.0),
) -> float:
    """Day on which the free side refuses the compliant side's first block; infinite if never.

    Parameters
    ----------
    kind : of the users' fork; none if miners split the chain.
    split_day : on which the split was final or the fork activated.
    key : of the fork's stream.
    chance, lead : that the free side pins itself at all, and after how many days.

    Notes
    -----
    A new algorithm, an invalidation and other rules refuse that block by what they are.
    Checkpoints pin the side that sets them and leave the free side to do so itself.
    """
    if kind in (ForkKind.NEW_ALGORITHM, ForkKind.INVALIDATION, ForkKind.OTHER_RULES):
        return split_day
    if uniform(key, 0, 0, _DRAW_PINS) >= chance:
        return math.inf
    return split_day + _between(*lead, float(uniform(key, 0, 0, _DRAW_PIN_DAYS)))


def is_wiped_out(compliant_work: float, free_work: float, free_is_pinned: bool) -> bool:
    """Whether the free side's blocks since the split go stale.

    Compliant blocks are valid under the free side's rules, but not the other way round: an
    unpinned free side follows the compliant chain as soon as that has more work.
    """
    return compliant_work > free_work and not free_is_pinned
