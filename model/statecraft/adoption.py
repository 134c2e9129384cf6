"""How a directive spreads among nations: allies follow, adversaries hold back."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rounds = NDArray[np.int64]
NEVER = -1


def adoption_threshold(stake_share: ArrayLike, base: float = 0.5, by_stake: float = 0.3) -> Floats:
    """Support that a nation needs to adopt a directive, by its share of the coins at stake."""
    return np.asarray(base + by_stake * np.asarray(stake_share, dtype=np.float64))


def support(alliances: ArrayLike, weights: ArrayLike, adopted: ArrayLike) -> Floats:
    """Weight of the allies that have adopted less that of the adversaries, for each nation.

    Parameters
    ----------
    alliances : shape (n, n), from -1 (adversary) to 1 (ally).
    weights : shape (n,), each nation's share of the world's product.
    adopted : shape (n,), who has adopted.
    """
    ties = np.asarray(alliances, dtype=np.float64)
    voices = np.where(adopted, np.asarray(weights, dtype=np.float64), 0.0)
    # Exact sums, so that the order of the nations decides nothing.
    return np.array([math.fsum(row) for row in ties * voices])


class Cascade(NamedTuple):
    """How far a directive spreads.

    Attributes
    ----------
    adopted : who has adopted in the end.
    round : in which round each adopted; 0 for the first ones, -1 for never.
    """

    adopted: Flags
    round: Rounds


def would_adopt(
    alliances: ArrayLike, weights: ArrayLike, adopted: ArrayLike, threshold: ArrayLike
) -> Flags:
    """Who has adopted or would now, all deciding at once; no one goes back."""
    convinced = support(alliances, weights, adopted) > np.asarray(threshold)
    return np.asarray(adopted, dtype=np.bool_) | convinced


def cascade(
    alliances: ArrayLike, weights: ArrayLike, first: ArrayLike, threshold: ArrayLike
) -> Cascade:
    """Rounds of adoption until no one follows any more.

    Parameters
    ----------
    first : shape (n,), who adopts unasked.
    threshold : shape (n,), support that must be exceeded; see `adoption_threshold`.
    """
    adopted = np.asarray(first, dtype=np.bool_)
    rounds = np.where(adopted, 0, NEVER)
    for number in range(1, adopted.size):
        wider = would_adopt(alliances, weights, adopted, threshold)
        if (wider == adopted).all():
            break
        rounds[wider & ~adopted] = number
        adopted = wider
    return Cascade(adopted, rounds)
