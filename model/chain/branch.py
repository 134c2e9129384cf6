"""One side of a chain split: a chain with a difficulty rule of its own, and its work since."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import njit

from model.chain.blocks import (
    Floats,
    Integers,
    Tip,
    _store,
    add_block,
    block_rewards_sat,
    work_needed,
)
from model.chain.chain import Chain, DayOfBlocks, _check_hashrate
from model.units import (
    BLOCK_TARGET_S,
    BLOCKS_PER_DAY,
    EPOCH_BLOCKS,
    HOURS_PER_DAY,
    SATOSHI_PER_COIN,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    blocks_per_second,
)

_ROOM_FOR_BLOCKS = 256

# The emergency rule compares median times of 11 blocks that lie 6 blocks apart.
_MEDIAN_BLOCKS = 11
_EMERGENCY_BLOCKS = 6
_EMERGENCY_GAP_S = 12 * SECONDS_PER_HOUR
_EMERGENCY_FACTOR = 0.8
_RECENT_BLOCKS = _MEDIAN_BLOCKS // 2 + 1 + _EMERGENCY_BLOCKS
_HALF_LIFE_S = 2 * SECONDS_PER_DAY
# No header can carry a lower difficulty.
LEAST_DIFFICULTY = 1.0


class Rule(IntEnum):
    """How a coin sets its difficulty."""

    EPOCHS = 0
    EMERGENCY = 1
    CONTINUOUS = 2


class Anchor(NamedTuple):
    """The last common block, which the continuous rule measures from.

    Attributes
    ----------
    height : of the first block after it.
    time_s : its time, seconds since day 0.
    difficulty : of the first block after it.
    """

    height: int
    time_s: float
    difficulty: float


class Branch(NamedTuple):
    """The end of one side of a split: all that its next block depends on.

    Attributes
    ----------
    tip : height, difficulty and start of the epoch.
    rule : a `Rule`.
    off_by_one : retarget over 2,015 of 2,016 intervals, as Bitcoin does.
    recent_s : shape (12,), times of the last blocks, oldest first, seconds since day 0.
    anchor : the last common block.
    work : of the blocks since the split, in units of difficulty.
    """

    tip: Tip
    rule: int
    off_by_one: bool
    recent_s: Floats
    anchor: Anchor
    work: float

    def mine_day(
        self, day: int, hashrate_ths_by_hour: Floats, key: np.uint64
    ) -> tuple[Branch, Floats]:
        """The branch after a day, and the times of its blocks; drawn from (key, day) only."""
        _check_hashrate(hashrate_ths_by_hour)
        return find_on_branch(self, hashrate_ths_by_hour, day, key)


@njit(cache=True)
def continuous_difficulty(anchor: Anchor, height: int, time_s: float) -> float:
    """Difficulty of the next block under the continuous rule.

    It halves for every two days that the chain is late against its schedule since the anchor,
    and doubles for every two days that it is early.

    Parameters
    ----------
    anchor : the last common block.
    height : of the next block.
    time_s : time of the last block, seconds since day 0.

    References
    ----------
    Lundeberg 2020, "Static difficulty adjustments, with absolutely scheduled exponentially
    rising targets (ASERT)"; half-life two days as in Bitcoin Cash's aserti3-2d.
    """
    early_s = BLOCK_TARGET_S * (height - anchor.height) - (time_s - anchor.time_s)
    return max(anchor.difficulty * 2.0 ** (early_s / _HALF_LIFE_S), LEAST_DIFFICULTY)


@njit(cache=True)
def is_emergency(recent_s: Floats) -> bool:
    """Whether six blocks took more than twelve hours, by the medians of eleven block times.

    Times never run backwards here, so that the median of the last eleven is the sixth from
    the end.

    References
    ----------
    Bitcoin ABC 0.14, `GetNextWorkRequired`: the emergency difficulty adjustment of 2017-08.
    """
    last = recent_s.size - 1 - _MEDIAN_BLOCKS // 2
    return recent_s[last] - recent_s[last - _EMERGENCY_BLOCKS] > _EMERGENCY_GAP_S


@njit(cache=True)
def add_to_branch(branch: Branch, time_s: float) -> Branch:
    """The branch after a block found at a time, its difficulty set by its rule."""
    tip, rule, off_by_one, recent_s, anchor, work = branch
    work += tip.difficulty
    recent_s = np.append(recent_s[1:], time_s)
    height, difficulty, epoch_start_s = add_block(tip, time_s, off_by_one)
    if rule == Rule.CONTINUOUS:
        difficulty = continuous_difficulty(anchor, height, time_s)
    elif rule == Rule.EMERGENCY and height % EPOCH_BLOCKS != 0 and is_emergency(recent_s):
        difficulty = max(_EMERGENCY_FACTOR * difficulty, LEAST_DIFFICULTY)
    return Branch(
        Tip(height, difficulty, epoch_start_s), rule, off_by_one, recent_s, anchor, float(work)
    )


@njit(cache=True)
def find_on_branch(
    branch: Branch, hashrate_ths_by_hour: Floats, day: int, key: np.uint64
) -> tuple[Branch, Floats]:
    """Find the blocks of a day one after the other, with exponential intervals.

    Parameters
    ----------
    branch : as the day before left it.
    hashrate_ths_by_hour : shape (24,), TH/s.
    day, key : the draws depend on these alone.

    Returns
    -------
    The branch at the end of the day, and the times of its blocks in seconds since day 0.
    """
    times = np.empty(_ROOM_FOR_BLOCKS)
    found = 0
    now_s = day * SECONDS_PER_DAY
    needed = work_needed(key, day, 0)
    for hour in range(HOURS_PER_DAY):
        end_s = day * SECONDS_PER_DAY + (hour + 1) * SECONDS_PER_HOUR
        rate = blocks_per_second(hashrate_ths_by_hour[hour], branch.tip.difficulty)
        while needed < rate * (end_s - now_s):
            now_s += needed / rate
            branch = add_to_branch(branch, now_s)
            times = _store(times, found, now_s)
            found += 1
            needed = work_needed(key, day, found)
            rate = blocks_per_second(hashrate_ths_by_hour[hour], branch.tip.difficulty)
        needed -= rate * (end_s - now_s)
        now_s = end_s
    return branch, times[:found].copy()


class SplitChain(Chain):
    """A chain that stands on one side of a split; it keeps the ledger that every chain keeps.

    Parameters
    ----------
    parent : the chain before the split, or the chain that goes on as this side.
    key : key of the stream that this side's blocks are drawn from.
    rule : how this side sets its difficulty.
    difficulty : of the first block; the parent's unless the side has a new algorithm.
    work : that this side already has since the split, in units of difficulty.
    """

    def __init__(
        self,
        parent: Chain,
        key: np.uint64,
        rule: Rule,
        difficulty: float | None = None,
        work: float = 0.0,
    ) -> None:
        first = parent.difficulty if difficulty is None else difficulty
        if not (math.isfinite(first) and first > 0.0):
            raise ValueError(f"no side of a split has difficulty {first}")
        super().__init__(parent.height, first, key, mode="event", off_by_one=parent.off_by_one)
        self.stale_chance = parent.stale_chance
        self.tip = Tip(parent.height, first, parent.tip.epoch_start_s)
        self._recent_s = parent._recent_s.copy()
        recent_s = self._recent_s[-_RECENT_BLOCKS:].copy()
        anchor = Anchor(parent.height, float(recent_s[-1]), first)
        self.branch = Branch(self.tip, int(rule), self.off_by_one, recent_s, anchor, float(work))

    @property
    def work(self) -> float:
        """Work of the blocks since the split, in units of difficulty."""
        return self.branch.work

    def settle(self, tip: Tip, times_s: Floats, rewards_sat: Integers, fees_sat: int) -> None:
        """Take over blocks that were found on a tree of branches, after the split was undone."""
        super().settle(tip, times_s, rewards_sat, fees_sat)
        recent_s = self._recent_s[-_RECENT_BLOCKS:].copy()
        self.branch = self.branch._replace(tip=tip, recent_s=recent_s)

    def mine(
        self, day: int, hashrate_ths_by_hour: Floats, transaction_fees_btc_block: float
    ) -> DayOfBlocks:
        """Find a day's blocks by this side's rule and claim their coins."""
        branch, times = self.branch.mine_day(day, hashrate_ths_by_hour, self.key)
        return self.accept(day, branch, times, transaction_fees_btc_block)

    def accept(
        self, day: int, branch: Branch, times: Floats, transaction_fees_btc_block: float
    ) -> DayOfBlocks:
        """Claim the coins of a day's blocks that were found together with the other side's."""
        first = self.height
        self.branch, self.tip = branch, branch.tip
        block_fees_sat = round(transaction_fees_btc_block * SATOSHI_PER_COIN)
        rewards = block_rewards_sat(first, times.size, block_fees_sat)
        if times.size:
            self._recent_s = np.concatenate((self._recent_s, times))[-BLOCKS_PER_DAY - 1 :]
        return self._claim(first, times, rewards, block_fees_sat, day)
