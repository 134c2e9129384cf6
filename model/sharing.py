"""Revenue shared by work, exact to the satoshi."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Up to here the rounding of all parts together stays below one satoshi.
LARGEST_REWARD_SAT = 10**14


def total_work(work: Floats) -> float:
    """The sum of all work; refused unless every worker's is finite and not negative."""
    total = float(work.sum())
    if not (np.isfinite(total) and (work.size == 0 or work.min() >= 0.0)):
        raise ValueError("work must be finite and not negative")
    return total


def shared(work: Floats, reward_sat: int) -> Integers:
    """Split a reward in proportion to work, giving away every satoshi.

    Parameters
    ----------
    work : shape (n,), any unit, not negative.
    reward_sat : satoshi to split.

    Returns
    -------
    Payouts, shape (n,), satoshi, within one satoshi of each worker's exact part, summing to
    the reward.

    Raises
    ------
    ValueError
        If there is a reward and no work, or the reward is negative or above a million coins.

    Notes
    -----
    Largest remainders (Hamilton's method): each worker gets the whole satoshi of its part, and
    the satoshi left over go one each to the largest fractions.  Equal fractions are served in
    the order of rows, so payouts move with the rows except between workers who tie.
    """
    if not 0 <= reward_sat <= LARGEST_REWARD_SAT:
        raise ValueError(f"cannot split {reward_sat} sat: not within 0 and {LARGEST_REWARD_SAT}")
    total = total_work(work)
    if total == 0.0:
        if reward_sat > 0:
            raise ValueError("there is a reward and no work to share it by")
        return np.zeros(work.size, np.int64)
    parts = (work / total) * reward_sat
    payouts = np.floor(parts).astype(np.int64)
    _hand_out(payouts, parts - payouts, reward_sat - int(payouts.sum()))
    return payouts


def _hand_out(payouts: Integers, fractions: Floats, left: int) -> None:
    """Add one satoshi to each of the `left` largest fractions."""
    # Whoever has no fraction was paid in full, or did no work.
    due = np.flatnonzero(fractions > 0.0)
    payouts[due[_largest(fractions[due], left)]] += 1


def _largest(values: Floats, count: int) -> Integers:
    """Rows of the `count` largest values, ties in the order of rows."""
    if count == 0:
        return np.zeros(0, np.int64)
    threshold = np.partition(values, values.size - count)[values.size - count]
    above = np.flatnonzero(values > threshold)
    level = np.flatnonzero(values == threshold)[: count - above.size]
    return np.concatenate((above, level))
