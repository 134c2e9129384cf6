"""The difficulty rule, and how long epochs last after a hash shock."""

from __future__ import annotations

from numba import njit

from model.units import (
    BLOCK_TARGET_S,
    EPOCH_BLOCKS,
    EPOCH_TARGET_S,
    SECONDS_PER_DAY,
)

LARGEST_STEP = 4.0


@njit(cache=True)
def retarget(difficulty: float, timespan_s: float) -> float:
    """Difficulty of the next epoch of 2,016 blocks.

    Parameters
    ----------
    difficulty : Bitcoin's units.
    timespan_s : seconds that Bitcoin measures the past epoch by: from its first to its last
        block (2,015 intervals, the well-known off-by-one), or over all 2,016 intervals.

    Returns
    -------
    difficulty * 1,209,600 / timespan, the timespan held within a factor of four of two weeks.

    References
    ----------
    Bitcoin Core, `CalculateNextWorkRequired` (pow.cpp).
    """
    shortest = EPOCH_TARGET_S / LARGEST_STEP
    longest = EPOCH_TARGET_S * LARGEST_STEP
    return difficulty * EPOCH_TARGET_S / min(max(timespan_s, shortest), longest)


def mean_interval_s(off_by_one: bool) -> float:
    """Long-run mean block interval at a constant hashrate, seconds.

    With `off_by_one` 600 * 2016/2014, else 600 * 2016/2015: one interval is lost to the
    measurement and one to the mean of the reciprocal of an Erlang-distributed timespan.
    """
    measured = EPOCH_BLOCKS - 1 if off_by_one else EPOCH_BLOCKS
    return BLOCK_TARGET_S * EPOCH_BLOCKS / (measured - 1)


def epoch_lengths_days(share: float, epochs: int) -> list[float]:
    """Expected lengths of the epochs after a hash shock, in days.

    Parameters
    ----------
    share : part of the hashrate that remains, lost at the start of an epoch; or the part that a
        minority branch takes along at the old difficulty.
    epochs : how many epochs to follow.

    Returns
    -------
    Days, with timespans at their expected value and measured over all 2,016 intervals.
    """
    if not share > 0.0:
        raise ValueError(f"share of the hashrate that remains must be positive, not {share}")
    difficulty, lengths = 1.0, []
    for _ in range(epochs):
        timespan_s = EPOCH_TARGET_S * difficulty / share
        lengths.append(timespan_s / SECONDS_PER_DAY)
        difficulty = retarget(difficulty, timespan_s)
    return lengths


def recovery_days(share: float) -> float:
    """Days until blocks are back on target after all but `share` of the hashrate has left."""
    days = 0.0
    while share < 1.0:
        days += EPOCH_TARGET_S / share / SECONDS_PER_DAY
        share = min(1.0, LARGEST_STEP * share)
    return days
