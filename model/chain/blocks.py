"""When blocks are found, and what each may claim: kernels on plain arrays."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from model.chain.difficulty import retarget
from model.streams import uniform
from model.units import (
    EPOCH_BLOCKS,
    FIRST_SUBSIDY_SAT,
    HALVING_BLOCKS,
    HOURS_PER_DAY,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    blocks_per_second,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Rows of the chain's stream beside the 24 hours of the day.
_ROW_INTERVALS = 24
_ROW_STALE = 25

# Larger Poisson means are drawn in parts, so that exp(-mean) does not underflow.
_LARGEST_MEAN = 600.0
_ROOM_FOR_BLOCKS = 256


class Tip(NamedTuple):
    """The end of a chain: all that the next block depends on.

    Attributes
    ----------
    height : blocks so far, so the next block carries this height.
    difficulty : of the next block.
    epoch_start_s : time the epoch is measured from, in seconds since day 0: its first block
        with the off-by-one, else the last block of the epoch before.
    """

    height: int
    difficulty: float
    epoch_start_s: float


@njit(cache=True)
def subsidy_sat(height: int) -> int:
    """Subsidy of the block at a height, satoshi: 50 coins, halved every 210,000 blocks."""
    halvings = height // HALVING_BLOCKS
    # A shift by the width of the word or more has no defined result.
    return FIRST_SUBSIDY_SAT >> halvings if halvings < 63 else 0


@njit(cache=True)
def supply_sat(height: int) -> int:
    """All subsidy of the blocks below a height, satoshi, in closed form."""
    total = 0
    halvings = 0
    while height > 0 and halvings < 63:
        blocks = min(height, HALVING_BLOCKS)
        total += blocks * (FIRST_SUBSIDY_SAT >> halvings)
        height -= blocks
        halvings += 1
    return total


@njit(cache=True)
def block_rewards_sat(height: int, blocks: int, fees_sat: int) -> Integers:
    """Subsidy and transaction fees of each of `blocks` blocks from a height on, satoshi."""
    rewards = np.empty(blocks, np.int64)
    for block in range(blocks):
        rewards[block] = subsidy_sat(height + block) + fees_sat
    return rewards


@njit(cache=True)
def add_block(tip: Tip, time_s: float, off_by_one: bool) -> Tip:
    """The tip after a block found at a time, retargeted if it ends an epoch."""
    height, difficulty, epoch_start_s = tip
    if off_by_one and height % EPOCH_BLOCKS == 0:
        epoch_start_s = time_s
    height += 1
    if height % EPOCH_BLOCKS == 0:
        difficulty = retarget(difficulty, time_s - epoch_start_s)
        epoch_start_s = time_s
    return Tip(height, difficulty, epoch_start_s)


@njit(cache=True)
def poisson(mean: float, key: np.uint64, day: int, row: int, draw: int) -> tuple[int, int]:
    """A Poisson draw by inversion, and the next unused draw of the row.

    One uniform draw decides the count (up to a mean of 600), so a higher mean never gives a
    lower count: two runs with the same seed stay paired when one of them has more hashrate.
    """
    count = 0
    while mean > 0.0:
        part = min(mean, _LARGEST_MEAN)
        chance = math.exp(-part)
        left = uniform(key, day, row, draw) - chance
        draw += 1
        steps = 0
        while left >= 0.0 and chance > 0.0:
            steps += 1
            chance *= part / steps
            left -= chance
        count += steps
        mean -= part
    return count, draw


@njit(cache=True)
def _store(times: Floats, count: int, time_s: float) -> Floats:
    if count == times.size:
        roomier = np.empty(2 * count)
        roomier[:count] = times
        times = roomier
    times[count] = time_s
    return times


@njit(cache=True)
def _poisson_hour(
    tip: Tip,
    times: Floats,
    found: int,
    hashrate_ths: float,
    day: int,
    hour: int,
    key: np.uint64,
    off_by_one: bool,
) -> tuple[Tip, Floats, int]:
    """Find the blocks of one hour, redrawing what is left of it after a retarget."""
    now_s = day * SECONDS_PER_DAY + hour * SECONDS_PER_HOUR
    end_s = now_s + SECONDS_PER_HOUR
    draw = 0
    drawing = True
    while drawing:
        drawing = False
        mean = blocks_per_second(hashrate_ths, tip.difficulty) * (end_s - now_s)
        count, draw = poisson(mean, key, day, hour, draw)
        for later in range(count, 0, -1):
            # The first of `later` ordered uniform times in what is left of the hour.
            now_s += (end_s - now_s) * (1.0 - uniform(key, day, hour, draw) ** (1.0 / later))
            draw += 1
            tip = add_block(tip, now_s, off_by_one)
            times = _store(times, found, now_s)
            found += 1
            if tip.height % EPOCH_BLOCKS == 0:
                drawing = True
                break
    return tip, times, found


@njit(cache=True)
def find_by_hour(
    tip: Tip, hashrate_ths_by_hour: Floats, day: int, key: np.uint64, off_by_one: bool
) -> tuple[Tip, Floats]:
    """Find the blocks of a day by drawing their number in each hour.

    Parameters
    ----------
    tip : the chain at the start of the day.
    hashrate_ths_by_hour : shape (24,), TH/s.
    day, key : the draws depend on these alone.
    off_by_one : retarget as Bitcoin does.

    Returns
    -------
    The tip at the end of the day, and the times of the blocks in seconds since day 0.

    Notes
    -----
    Given their number, the times of the points of a Poisson process are ordered uniform draws:
    block k of n is at a Beta(k, n + 1 - k) part of the hour.  At a retarget the process starts
    afresh at the new difficulty, so the result has the same distribution as `find_one_by_one`.
    """
    times = np.empty(_ROOM_FOR_BLOCKS)
    found = 0
    for hour in range(HOURS_PER_DAY):
        tip, times, found = _poisson_hour(
            tip, times, found, hashrate_ths_by_hour[hour], day, hour, key, off_by_one
        )
    return tip, times[:found].copy()


@njit(cache=True)
def work_needed(key: np.uint64, day: int, block: int) -> float:
    """Expected blocks that pass before the next one is found: a unit exponential draw."""
    return -math.log1p(-uniform(key, day, _ROW_INTERVALS, block))


@njit(cache=True)
def find_one_by_one(
    tip: Tip, hashrate_ths_by_hour: Floats, day: int, key: np.uint64, off_by_one: bool
) -> tuple[Tip, Floats]:
    """Find the blocks of a day one after the other, with exponential intervals.

    Parameters and returns are those of `find_by_hour`.  The interval running when the day ends
    is drawn afresh the next day, which changes nothing: the process has no memory.
    """
    times = np.empty(_ROOM_FOR_BLOCKS)
    found = 0
    now_s = day * SECONDS_PER_DAY
    needed = work_needed(key, day, 0)
    for hour in range(HOURS_PER_DAY):
        end_s = day * SECONDS_PER_DAY + (hour + 1) * SECONDS_PER_HOUR
        rate = blocks_per_second(hashrate_ths_by_hour[hour], tip.difficulty)
        while needed < rate * (end_s - now_s):
            now_s += needed / rate
            tip = add_block(tip, now_s, off_by_one)
            times = _store(times, found, now_s)
            found += 1
            needed = work_needed(key, day, found)
            rate = blocks_per_second(hashrate_ths_by_hour[hour], tip.difficulty)
        needed -= rate * (end_s - now_s)
        now_s = end_s
    return tip, times[:found].copy()


@njit(cache=True)
def draw_stale(blocks: int, chance: float, key: np.uint64, day: int) -> int:
    """How many of a day's blocks had a rival that went stale: a binomial draw."""
    stale = 0
    for block in range(blocks):
        stale += uniform(key, day, _ROW_STALE, block) < chance
    return stale
