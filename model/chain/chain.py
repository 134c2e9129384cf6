"""A chain: its height, its difficulty, and the coins its blocks have claimed."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np

from model.chain.blocks import (
    Floats,
    Integers,
    Tip,
    block_rewards_sat,
    draw_stale,
    find_by_hour,
    find_one_by_one,
    subsidy_sat,
    supply_sat,
)
from model.units import (
    BLOCK_TARGET_S,
    BLOCKS_PER_DAY,
    EPOCH_BLOCKS,
    HOURS_PER_DAY,
    SATOSHI_PER_COIN,
    hashprice_usd_ths_day,
)

BlockMode = Literal["poisson_day", "event"]
_FINDERS: dict[str, Callable[..., tuple[Tip, Floats]]] = {
    "poisson_day": find_by_hour,
    "event": find_one_by_one,
}


@dataclass(frozen=True, slots=True, eq=False)
class DayOfBlocks:
    """What one day of mining brought.

    Attributes
    ----------
    first_height : height of the day's first block.
    block_times_s : one per block, seconds since day 0.
    block_rewards_sat : one per block, subsidy and transaction fees.
    subsidy_sat, fees_sat : totals of the day.
    mean_interval_s : over the last 144 blocks, at the end of the day.
    retargets : epochs that ended today.
    stale : blocks that had a rival, lost to propagation.
    """

    first_height: int
    block_times_s: Floats
    block_rewards_sat: Integers
    subsidy_sat: int
    fees_sat: int
    mean_interval_s: float
    retargets: int
    stale: int

    @property
    def blocks(self) -> int:
        """Blocks found today."""
        return self.block_times_s.size

    @property
    def reward_sat(self) -> int:
        """Subsidy and transaction fees of the day."""
        return self.subsidy_sat + self.fees_sat


NO_BLOCKS = DayOfBlocks(0, np.zeros(0), np.zeros(0, np.int64), 0, 0, BLOCK_TARGET_S, 0, 0)


def stale_chance(propagation_s: float) -> float:
    """Chance that a rival block is found before a block has reached the other miners."""
    return -math.expm1(-propagation_s / BLOCK_TARGET_S)


def epoch_start_on_target_s(height: int, off_by_one: bool) -> float:
    """When the epoch running on day 0 began, if its blocks so far came on target."""
    intervals = height % EPOCH_BLOCKS
    if off_by_one and intervals > 0:
        intervals -= 1
    return -BLOCK_TARGET_S * intervals


class Chain:
    """One branch of the coin: mined day by day, retargeted and halved to the block.

    Parameters
    ----------
    height : blocks so far, so the next block carries this height.
    difficulty : of the next block.
    key : key of the stream that blocks are drawn from.
    mode : "poisson_day" draws the number of blocks of each hour, "event" every interval.
    off_by_one : retarget over 2,015 of 2,016 intervals, as Bitcoin does.
    propagation_s : time a block takes to reach the other miners.
    work_share : part of the subsidy that proof of work is paid; all of it, but in a hybrid.
    epoch_elapsed_s : how long before day 0 the running epoch's measurement began; on target
        unless told.
    """

    def __init__(
        self,
        height: int,
        difficulty: float,
        key: np.uint64,
        *,
        mode: BlockMode = "poisson_day",
        off_by_one: bool = True,
        propagation_s: float = 1.0,
        work_share: float = 1.0,
        epoch_elapsed_s: float | None = None,
    ) -> None:
        if not (height >= 0 and math.isfinite(difficulty) and difficulty > 0.0):
            raise ValueError(f"no chain has height {height} and difficulty {difficulty}")
        started = epoch_start_on_target_s(height, off_by_one)
        if epoch_elapsed_s is not None:
            started = -float(epoch_elapsed_s)
        self.tip = Tip(int(height), float(difficulty), started)
        self.key = key
        self.mode: BlockMode = mode
        self.off_by_one = off_by_one
        self.stale_chance = stale_chance(propagation_s)
        self.work_share = work_share
        self.start_height = int(height)
        self.coinbase_sat = 0
        self.fees_sat = 0
        self.retargets = 0
        # One time more than intervals; before day 0 blocks came on target.
        self._recent_s = BLOCK_TARGET_S * np.arange(-float(BLOCKS_PER_DAY), 1.0)

    @property
    def height(self) -> int:
        """Blocks so far."""
        return self.tip.height

    @property
    def difficulty(self) -> float:
        """Difficulty of the next block."""
        return self.tip.difficulty

    @property
    def subsidy_sat(self) -> int:
        """Subsidy of the next block, satoshi."""
        return int(subsidy_sat(self.height))

    @property
    def supply_sat(self) -> int:
        """All subsidy ever issued on this chain, satoshi."""
        return int(supply_sat(self.height))

    @property
    def issued_sat(self) -> int:
        """Subsidy that the blocks since the start entitle to, satoshi, in closed form."""
        return self.supply_sat - int(supply_sat(self.start_height))

    @property
    def mean_interval_s(self) -> float:
        """Mean interval of the last 144 blocks, seconds."""
        return float(self._recent_s[-1] - self._recent_s[0]) / BLOCKS_PER_DAY

    @property
    def blocks_to_retarget(self) -> int:
        """Blocks until the difficulty changes, at least one."""
        return EPOCH_BLOCKS - self.height % EPOCH_BLOCKS

    @property
    def recent_s(self) -> Floats:
        """Times of the last 145 blocks, seconds since day 0."""
        return self._recent_s

    def hashprice(self, price_usd: float, fees_btc_block: float) -> float:
        """Revenue of one TH/s in a day at today's difficulty and subsidy, USD."""
        return self.hashprice_at(self.difficulty, price_usd, fees_btc_block)

    def hashprice_at(self, difficulty: float, price_usd: float, fees_btc_block: float) -> float:
        """The same at another difficulty, that of a branch on top of this chain."""
        mined_btc = self.work_share * self.subsidy_sat / SATOSHI_PER_COIN
        reward_btc = mined_btc + fees_btc_block
        return float(hashprice_usd_ths_day(difficulty, reward_btc, price_usd))

    def settle(self, tip: Tip, times_s: Floats, rewards_sat: Integers, fees_sat: int) -> None:
        """Take over blocks that were found on a tree of branches and are final now."""
        self.retargets += tip.height // EPOCH_BLOCKS - self.height // EPOCH_BLOCKS
        self.tip = tip
        self.coinbase_sat += int(rewards_sat.sum())
        self.fees_sat += fees_sat
        self._recent_s = np.concatenate((self._recent_s, times_s))[-BLOCKS_PER_DAY - 1 :]

    def copy_at(self, tip: Tip, times_s: Floats) -> Chain:
        """A chain with the same past that has gone on to another tip."""
        other = copy(self)
        other.tip = tip
        other._recent_s = np.concatenate((self._recent_s, times_s))[-BLOCKS_PER_DAY - 1 :]
        return other

    def mine(
        self, day: int, hashrate_ths_by_hour: Floats, transaction_fees_btc_block: float
    ) -> DayOfBlocks:
        """Find a day's blocks and claim their coins; what is drawn depends on (key, day) only."""
        _check_hashrate(hashrate_ths_by_hour)
        before = self.tip
        find = _FINDERS[self.mode]
        self.tip, times = find(before, hashrate_ths_by_hour, day, self.key, self.off_by_one)
        block_fees_sat = round(transaction_fees_btc_block * SATOSHI_PER_COIN)
        rewards = block_rewards_sat(before.height, times.size, block_fees_sat)
        if times.size:
            self._recent_s = np.concatenate((self._recent_s, times))[-BLOCKS_PER_DAY - 1 :]
        return self._claim(before.height, times, rewards, block_fees_sat, day)

    def _claim(
        self, first: int, times: Floats, rewards: Integers, block_fees_sat: int, day: int
    ) -> DayOfBlocks:
        coinbase_sat = int(rewards.sum())
        fees_sat = block_fees_sat * times.size
        retargets = self.height // EPOCH_BLOCKS - first // EPOCH_BLOCKS
        self.coinbase_sat += coinbase_sat
        self.fees_sat += fees_sat
        self.retargets += retargets
        return DayOfBlocks(
            first_height=first,
            block_times_s=times,
            block_rewards_sat=rewards,
            subsidy_sat=coinbase_sat - fees_sat,
            fees_sat=fees_sat,
            mean_interval_s=self.mean_interval_s,
            retargets=retargets,
            stale=int(draw_stale(times.size, self.stale_chance, self.key, day)),
        )


def _check_hashrate(hashrate_ths_by_hour: Floats) -> None:
    if hashrate_ths_by_hour.shape != (HOURS_PER_DAY,):
        raise ValueError(f"a day has 24 hourly hashrates, not {hashrate_ths_by_hour.shape}")
    # Written so that NaN fails too: it would otherwise find no block and say nothing.
    if not (hashrate_ths_by_hour.min() >= 0.0 and hashrate_ths_by_hour.max() < math.inf):
        raise ValueError("hashrate must be finite and not negative in every hour")
